from __future__ import annotations

import argparse
import dataclasses
import math

import pytest

from engine.train.settings import TrainSettings, add_arguments


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
    ],
)  # fmt: skip
def test_an_impossible_setting_is_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"--{name.replace('_', '-')} {value}"):
        TrainSettings(**{name: value})  # type: ignore[arg-type]
