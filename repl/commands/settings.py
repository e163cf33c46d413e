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
    shown,
    shown_values,
    verbatim,
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
        parsed = parse_setting(key, value)
        sampling = replace(session.sampling, **{key: parsed})
        if key == "bias" and parsed:
            sampling = replace(sampling, bias=_biases(session.sampling.bias, sampling.bias))
        session.sampling = sampling
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
    if argument and (text := _banned(argument)) not in banned:
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
        text = _banned(argument) if argument else ""
        if text not in banned:
            hint = f"there is {shown(banned)}" if banned else "nothing is banned"
            raise ValueError(f"unban {text!r}: is not banned; {hint}")
        left = tuple(one for one in banned if one != text)
    session.sampling = replace(session.sampling, ban=left)
    return Answer(f"never written: {shown(left)}")


def _banned(argument: str) -> str:
    """A text that a person typed, as a model reads it. Raises `ValueError`."""
    return engine.Sampling(ban=(verbatim(argument),)).ban[0]


def _biases(before: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """The biases with a new one, in place of that of the same text; =0 takes it away."""
    amounts = dict(text.rpartition("=")[::2] for text in (*before, *new))
    return tuple(f"{text}={amount}" for text, amount in amounts.items() if float(amount))


def _screen_line(session: Session, name: str) -> str:
    if name == "theme":
        return f"theme = {session.theme} ({', '.join(THEMES)}): {THEME_HELP}"
    return f"speed = {session.speed:g} (0 to {MAX_SPEED}): {SPEED_HELP}"


SCREEN = {"speed": parse_speed, "theme": parse_theme}  # settings of the screen, and how they are read


COMMANDS = {
    "set": Command("[NAME [VALUE]]", "show or change how it writes, and the theme", set_, "setting"),
    "ban": Command("[TEXT]", "never write this text, or see what is banned", ban),
    "unban": Command("TEXT|all", "allow a banned text again", unban),
    "preset": Command(
        "[NAME]", "some settings at once: careful, balanced, wild, and those of your own", preset, "preset"
    ),
}
