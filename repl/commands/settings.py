"""The commands that show and change how the model writes and how that looks: settings, presets, speed, theme."""

from __future__ import annotations

from dataclasses import replace

import engine
from repl.commands.command import Command
from repl.session.answers import Answer
from repl.session.session import Session
from repl.settings import (
    MAX_SPEED,
    SETTINGS,
    SPEED_HELP,
    THEME_HELP,
    parse_setting,
    parse_speed,
    parse_theme,
    setting_line,
    shown_values,
)
from repl.view.style import THEMES


def set_(session: Session, argument: str) -> Answer:
    """Show all settings or one, or change one."""
    name, _, value = argument.partition(" ")
    if not name:
        lines = [setting_line(session.sampling, name) for name in SETTINGS]
        return Answer("\n".join([*lines, *(_screen_line(session, name) for name in SCREEN)]))
    key = name.replace("-", "_")
    if key in SCREEN:
        if value:
            setattr(session, key, SCREEN[key](value))
        return Answer(_screen_line(session, key))
    if key not in SETTINGS:
        hint = engine.did_you_mean(key, map(repr, [*SETTINGS, *SCREEN]), "see /set")
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


def _screen_line(session: Session, name: str) -> str:
    if name == "theme":
        return f"theme = {session.theme} ({', '.join(THEMES)}): {THEME_HELP}"
    return f"speed = {session.speed:g} (0 to {MAX_SPEED}): {SPEED_HELP}"


SCREEN = {"speed": parse_speed, "theme": parse_theme}  # settings of the screen, and how they are read


COMMANDS = {
    "set": Command("[NAME [VALUE]]", "show or change how it writes, and the theme", set_, "setting"),
    "preset": Command(
        "[NAME]", "some settings at once: careful, balanced, wild, and those of your own", preset, "preset"
    ),
}
