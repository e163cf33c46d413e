from __future__ import annotations

import argparse
import dataclasses
import math

import pytest

from engine.program import import_tensorflow
from engine.train.settings import TrainSettings, add_arguments

import_tensorflow()


def test_every_setting_has_a_flag() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert vars(parser.parse_args([])) == {}
    for item in dataclasses.fields(TrainSettings):
        value = item.default
        given = vars(parser.parse_args([f"--{item.name.replace('_', '-')}", str(value)]))
        assert given == {item.name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("units", 0), ("layers", -1), ("batch", 0), ("steps", 0), ("dropout", 1.0), ("rate", -1.0), ("rate", math.nan),
        ("clip", 0.0), ("held_out", 1.0), ("precision", "float8"), ("cell", "lstn"), ("seed", -1), ("epochs", 0),
        ("average", 1.0), ("ar", -1.0), ("dropout_input", 1.0), ("dropout_output", 1.0), ("dropout_output", "much"),
        ("weight_decay", "little"),
    ],
)  # fmt: skip
def test_an_impossible_setting_is_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"--{name.replace('_', '-')} {value}"):
        TrainSettings(**{name: value})  # type: ignore[arg-type]


def test_units_are_one_number_or_one_a_layer() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)

    def made(*words: str) -> TrainSettings:
        return TrainSettings.from_arguments(vars(parser.parse_args(words)))

    assert made("--units", "8", "--layers", "3").widths == (8, 8, 8)
    assert (made("--units", "8,9,7").widths, made("--units", "8,9,7").layers) == ((8, 9, 7), 3)
    assert made("--units", "8,8,8") == made("--units", "8", "--layers", "3")
    assert made("--units", "8,9", "--embedding", "9", "--tied").tied
    assert TrainSettings(units=[8, 9, 7], layers=3) == made("--units", "8,9,7")  # type: ignore[arg-type]  # from JSON
    for words in (["--units", "8,9,7", "--layers", "2"], ["--units", "8,9", "--layers", "3"]):
        with pytest.raises(ValueError, match=r"--layers \d: --units 8,9.* names"):
            made(*words)
    with pytest.raises(ValueError, match=r"--units 8,0: must be from 1"):
        made("--units", "8,0")
    with pytest.raises(ValueError, match="needs --embedding 9, as wide as the last layer"):
        made("--units", "8,9", "--embedding", "8", "--tied")
    for text in ("8,", "8;9", "many"):
        with pytest.raises(SystemExit):
            made("--units", text)


def test_weights_of_a_long_text_decay_more_slowly() -> None:
    """By a factor e in 6.8 epochs at the full rate; in no more than 0.3 of the rate an update."""
    settings = TrainSettings(rate=4e-3)
    assert settings.decay_of_weights(16) == settings.decay_of_weights(122) == 0.3
    for updates in (123, 1000, 50_000):
        decay = settings.decay_of_weights(updates)
        assert (1 - 4e-3 * decay) ** (6.8 * updates) == pytest.approx(1 / math.e, rel=1e-3)
