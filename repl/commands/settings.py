"""The commands that show and change how the model writes: settings, presets, the typewriter's speed."""

from __future__ import annotations

from dataclasses import replace

import engine
from repl.commands.command import Command
from repl.session.answers import Answer
from repl.session.session import Session
from repl.settings import MAX_SPEED, SETTINGS, SPEED_HELP, parse_setting, parse_speed, setting_line, shown_values


def set_(session: Session, argument: str) -> Answer:
    """Show all settings or one, or change one."""
    name, _, value = argument.partition(" ")
    if not name:
        return Answer("\n".join([*(setting_line(session.sampling, name) for name in SETTINGS), _speed_line(session)]))
    key = name.replace("-", "_")
    if key == "speed":
        if value:
            session.speed = parse_speed(value)
        return Answer(_speed_line(session))
    if key not in SETTINGS:
        hint = engine.did_you_mean(key, map(repr, [*SETTINGS, "speed"]), "see /set")
        raise ValueError(f"there is no setting {name!r}; {hint}")
    if value:
        session.sampling = replace(session.sampling, **{key: parse_setting(key, value)})
    return Answer(setting_line(session.sampling, key))


def preset(session: Session, argument: str) -> Answer:
    """Show the presets, or take the settings of one."""
    presets = session.presets
    if not argument:
        return Answer("\n".join(f"{name}: {shown_values(values)}" for name, values in presets.items()))
    if argument not in presets:
        hint = engine.did_you_mean(argument, map(repr, presets), f"there are {', '.join(presets)}")
        raise ValueError(f"there is no preset {argument!r}; {hint}")
    session.sampling = replace(session.sampling, **presets[argument])
    return Answer(f"{argument}: {shown_values(presets[argument])}")


def _speed_line(session: Session) -> str:
    return f"speed = {session.speed:g} (0 to {MAX_SPEED}): {SPEED_HELP}"


COMMANDS = {
    "set": Command("[NAME [VALUE]]", "show or change how it writes", set_, "setting"),
    "preset": Command(
        "[NAME]", "some settings at once: careful, balanced, wild, and those of your own", preset, "preset"
    ),
}
