"""The commands that show and change how it writes: settings, presets, the typewriter's speed."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import engine
from repl.arguments import SETTINGS
from repl.session.answers import Answer, Command

if TYPE_CHECKING:
    from repl.session.session import Session

ESCAPES = {r"\n": "\n", r"\t": "\t", "\\\\": "\\"}  # what may be written in a stop string
PRESETS: dict[str, dict[str, Any]] = {
    "careful": {"temperature": 0.5, "top_p": 0.9, "min_p": 0.0},
    "balanced": {"temperature": 0.8, "top_p": 1.0, "min_p": 0.0},
    "wild": {"temperature": 1.2, "top_p": 1.0, "min_p": 0.02},
}
MAX_SPEED = 100_000
SPEED_HELP = "characters a second on the screen, like a typewriter; 0 for as fast as it writes"


def set_(session: Session, argument: str) -> Answer:
    name, _, value = argument.partition(" ")
    if not name:
        return Answer("\n".join([*(setting_line(session.sampling, name) for name in SETTINGS), _speed_line(session)]))
    key = name.replace("-", "_")
    if key == "speed":
        if value:
            session.speed = parse_speed(value)
        return Answer(_speed_line(session))
    if key not in SETTINGS:
        near = difflib.get_close_matches(key, [*SETTINGS, "speed"], 1, 0.4)
        raise ValueError(f"there is no setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else "; see /set"))
    if value:
        session.sampling = replace(session.sampling, **{key: parse_setting(key, value)})
    return Answer(setting_line(session.sampling, key))


def preset(session: Session, argument: str) -> Answer:
    if not argument:
        return Answer("\n".join(f"{name}: {_shown_values(values)}" for name, values in session.presets.items()))
    if argument not in session.presets:
        near = difflib.get_close_matches(argument, session.presets, 1, 0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(session.presets)}"
        raise ValueError(f"there is no preset {argument!r}; {hint}")
    session.sampling = replace(session.sampling, **session.presets[argument])
    return Answer(f"{argument}: {_shown_values(session.presets[argument])}")


def parse_setting(name: str, text: str) -> Any:
    """The value of a setting from what a person typed. Raises `ValueError` that names both."""
    if name == "stop":
        return () if text == "none" else (re.sub(r"\\[nt\\]", lambda found: ESCAPES[found[0]], text),)
    if name == "seed" and text == "none":
        return None
    kind = float if isinstance(SETTINGS[name].default, float) else int
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{name} {engine.first_words(text, 20)!r}: must be a number") from None


def parse_speed(text: str) -> float:
    """Raises `ValueError`."""
    try:
        speed = float(text)
    except ValueError:
        raise ValueError(f"speed {engine.first_words(text, 20)!r}: must be a number") from None
    if not 0 <= speed <= MAX_SPEED:
        raise ValueError(f"speed {text}: must be from 0 to {MAX_SPEED}")
    return speed


def setting_line(sampling: engine.Sampling, name: str) -> str:
    """A setting with its range and what it does."""
    value, item = getattr(sampling, name), SETTINGS[name]
    low, high = item.metadata["low"], item.metadata["high"]
    limits = "" if name in ("stop", "seed") else f" ({low:g} or more)" if high >= 10**9 else f" ({low:g} to {high:g})"
    return f"{name} = {shown(value)}{limits}: {item.metadata['help']}"


def shown(value: object) -> str:
    """A setting's value as a person reads it."""
    if value is None or value == ():
        return "none"
    return " ".join(map(repr, value)) if isinstance(value, tuple) else str(value)


def changed_settings(sampling: engine.Sampling) -> list[str]:
    """The temperature, and all that is not as it is by default."""
    return [
        f"{name} {shown(getattr(sampling, name))}"
        for name, item in SETTINGS.items()
        if name == "temperature" or getattr(sampling, name) != item.default
    ]


def _speed_line(session: Session) -> str:
    return f"speed = {session.speed:g} (0 to {MAX_SPEED}): {SPEED_HELP}"


def _shown_values(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {shown(value)}" for name, value in values.items())


COMMANDS = {
    "set": Command("[NAME [VALUE]]", "show or change how it writes", set_, "setting"),
    "preset": Command(
        "[NAME]", "some settings at once: careful, balanced, wild, and those of your own", preset, "preset"
    ),
}
