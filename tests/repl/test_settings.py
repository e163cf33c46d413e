from __future__ import annotations

import pytest

import engine
from repl.settings import (
    PRESETS,
    SETTINGS,
    changed_settings,
    parse_setting,
    parse_speed,
    setting_line,
    shown,
    shown_values,
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("temperature", "0.7", 0.7), ("length", "12", 12), ("seed", "none", None), ("stop", "none", ()),
        ("stop", r"\n\t\\", ("\n\t\\",)), ("seed", "5", 5),
    ],
)  # fmt: skip
def test_a_setting_is_parsed(name: str, text: str, value: object) -> None:
    assert parse_setting(name, text) == value


@pytest.mark.parametrize(
    ("name", "kind"), [("temperature", "number"), ("length", "whole number"), ("seed", "whole number")]
)
def test_what_is_no_number_is_named(name: str, kind: str) -> None:
    with pytest.raises(ValueError, match=f"{name} 'much': must be a {kind}"):
        parse_setting(name, "much")


@pytest.mark.parametrize("name", ["stop", "ban"])
def test_an_empty_text_between_quotes_is_refused(name: str) -> None:
    assert parse_setting(name, '"') == ('"',)
    with pytest.raises(ValueError, match="none of them empty"):
        engine.Sampling(**{name: parse_setting(name, '""')})


def test_a_speed_has_limits() -> None:
    assert parse_speed("40") == 40
    for text in ("-1", "1e9", "nan", "fast"):
        with pytest.raises(ValueError, match=f"speed '?{text}"):
            parse_speed(text)


def test_settings_are_shown_as_they_are_typed() -> None:
    sampling = engine.Sampling(top_k=3, stop=("\n",))
    assert shown_values(changed_settings(sampling)) == "temperature 0.8, top_k 3, stop '\\n', end any, memory off"
    assert setting_line(sampling, "top_k").startswith("top_k = 3 (0 or more): ")
    assert shown(None) == shown(()) == "none"


def test_every_preset_can_be_taken() -> None:
    for values in PRESETS.values():
        assert set(values) <= set(SETTINGS)
        engine.Sampling(**values)
