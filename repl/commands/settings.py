"""The commands that show and change how the model writes: settings, presets, the typewriter's speed."""

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
    parse_setting,
    parse_speed,
    setting_line,
    shown,
    shown_values,
    unescaped,
)


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


def ban(session: Session, argument: str) -> Answer:
    """Have a text never be written, or list those that are not."""
    banned = session.sampling.ban
    if argument and (text := _verbatim(argument)) not in banned:
        banned = (*banned, text)
        session.sampling = replace(session.sampling, ban=banned)
    if not banned:
        return Answer("nothing is banned; '/ban TEXT' has a text never be written, '/ban \" TEXT\"' one with blanks")
    return Answer(f"never written: {shown(banned)}; '/unban TEXT' allows one again, '/unban all' all")


def unban(session: Session, argument: str) -> Answer:
    """Allow a banned text again, or all of them."""
    banned = session.sampling.ban
    if argument == "all" and "all" not in banned:
        left: tuple[str, ...] = ()
    else:
        text = _verbatim(argument) if argument else ""
        if text not in banned:
            hint = f"there is {shown(banned)}" if banned else "nothing is banned"
            raise ValueError(f"unban {text!r}: is not banned; {hint}")
        left = tuple(one for one in banned if one != text)
    session.sampling = replace(session.sampling, ban=left)
    return Answer(f"never written: {shown(left)}")


def _verbatim(argument: str) -> str:
    """A text that a person typed, between quotes where it has blanks at an end. Raises `ValueError`."""
    is_quoted = len(argument) > 2 and argument[0] == argument[-1] == '"'
    text = unescaped(argument[1:-1] if is_quoted else argument)
    return engine.Sampling(ban=(text,)).ban[0]  # as a model reads it


def _speed_line(session: Session) -> str:
    return f"speed = {session.speed:g} (0 to {MAX_SPEED}): {SPEED_HELP}"


COMMANDS = {
    "set": Command("[NAME [VALUE]]", "show or change how it writes", set_, "setting"),
    "ban": Command("[TEXT]", "never write this text, or see what is banned", ban),
    "unban": Command("TEXT|all", "allow a banned text again", unban),
    "preset": Command(
        "[NAME]", "some settings at once: careful, balanced, wild, and those of your own", preset, "preset"
    ),
}
