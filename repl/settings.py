"""Settings as people read and type them: `engine.Sampling`'s, the typewriter's speed, and presets of several."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import engine
from repl.view.style import THEMES

SETTINGS = {item.name: item for item in dataclasses.fields(engine.Sampling)}
PROMPT_DEFAULTS = {
    "memory": "mine",
    "end": "sentence",
}  # of the prompt and of sessions, where these differ from the engine's
PRESETS: dict[str, dict[str, Any]] = {
    "careful": {"temperature": 0.5, "top_p": 0.9, "min_p": 0.0},
    "balanced": {"temperature": 0.8, "top_p": 1.0, "min_p": 0.0},
    "wild": {"temperature": 1.2, "top_p": 1.0, "min_p": 0.02},
}
ESCAPES = {r"\n": "\n", r"\t": "\t", "\\\\": "\\"}  # what may be written in a text
MAX_SPEED = 100_000
THEME_HELP = "the colors: the terminal's own, or those for a dark or a light screen"
SPEED_HELP = "characters a second on the screen, like a typewriter; 0 for as fast as it writes"


def parse_setting(name: str, text: str) -> Any:
    """The value of a setting from what a person typed. Raises `ValueError` that names both."""
    if SETTINGS[name].default == ():
        return () if text == "none" else (verbatim(text),)
    if name == "seed" and text == "none":
        return None
    if SETTINGS[name].metadata["choices"]:
        return text  # `engine.Sampling` refuses what is none of them
    return _number(name, text, float if isinstance(SETTINGS[name].default, float) else int)


def verbatim(typed: str) -> str:
    r"""A text that a person typed: between quotes if it has blanks at an end, and with `\n`, `\t` and `\\`."""
    text = typed[1:-1] if len(typed) >= 2 and typed[0] == typed[-1] == '"' else typed
    return re.sub(r"\\[nt\\]", lambda found: ESCAPES[found[0]], text)


def parse_speed(text: str) -> float:
    """Characters a second. Raises `ValueError`."""
    speed = _number("speed", text, float)
    if not 0 <= speed <= MAX_SPEED:
        raise ValueError(f"speed {text}: must be from 0 to {MAX_SPEED}")
    return speed


def parse_theme(text: str) -> str:
    """A theme's name. Raises `ValueError`."""
    if text not in THEMES:
        raise ValueError(f"theme {engine.first_words(text, 20)!r}: must be one of {', '.join(THEMES)}")
    return text


def setting_line(sampling: engine.Sampling, name: str) -> str:
    """A setting with its range and what it does."""
    value, item = getattr(sampling, name), SETTINGS[name]
    low, high = item.metadata["low"], item.metadata["high"]
    limits = "" if item.default in ((), None) else f" ({low:g} or more)" if high >= 10**9 else f" ({low:g} to {high:g})"
    if choices := item.metadata["choices"]:
        limits = f" ({', '.join(choices)})"
    return f"{name} = {shown(value)}{limits}: {item.metadata['help']}"


def shown(value: object) -> str:
    """A setting's value as a person reads it."""
    if value is None or value == ():
        return "none"
    return " ".join(map(repr, value)) if isinstance(value, tuple) else str(value)


def changed_settings(sampling: engine.Sampling) -> dict[str, Any]:
    """The temperature, and all that differs from the prompt's default."""
    values = {name: getattr(sampling, name) for name in SETTINGS}
    usual = {name: PROMPT_DEFAULTS.get(name, item.default) for name, item in SETTINGS.items()}
    return {name: value for name, value in values.items() if name == "temperature" or value != usual[name]}


def shown_values(values: dict[str, Any], separator: str = ", ") -> str:
    """Some settings in one line: "temperature 0.5, top_p 0.9"."""
    return separator.join(f"{name} {shown(value)}" for name, value in values.items())


def _number(name: str, text: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(text)
    except ValueError:
        kinds = "whole number" if kind is int else "number"
        raise ValueError(f"{name} {engine.first_words(text, 20)!r}: must be a {kinds}") from None
