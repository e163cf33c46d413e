"""Does what a typed line says, and has the table of all commands.

A line that begins with "/" is a command. Any other line is a text: it is added to the story verbatim and the model
goes on from it. "//" stands for a text that begins with "/". After /alt a number chooses.
"""

from __future__ import annotations

from collections.abc import Callable

import engine
from repl.commands import chat, inspection, memory, places, sessions, settings, turns
from repl.commands.command import Command
from repl.key_names import shown_keys
from repl.session.answers import Answer, Edit, Walk
from repl.session.progress import Stopped
from repl.session.session import Session


class Quit(Exception):
    """The writer asked to leave."""


def enter(session: Session, line: str) -> Answer:
    """Do what a line says. Raises `Quit`; whatever else is wrong comes back as a message.

    Call `Session.finish` once the replies of the answer have ended.
    """
    as_typed, line = line.partition(" ")[2], engine.decoded(line)
    choices, session.choices = session.choices, []
    to_confirm = session.to_delete
    numbered = {str(number): place for number, place in enumerate(choices, 1)}
    if line in numbered:
        answer = _answer(session, lambda: sessions.go(session, numbered[line]))
    elif line.startswith("/") and not line.startswith("//"):
        answer = _answer(session, lambda: _command(session, line[1:], as_typed))
    else:
        answer = _answer(session, lambda: _say(session, line.removeprefix("/")))
    if session.to_delete == to_confirm:  # only the very next line confirms
        session.to_delete = ""
    return answer


def enter_edited(session: Session, edit: Edit, text: str) -> Answer:
    """Go on with the text that came back from the editor. What is wrong comes back as a message."""
    return _answer(session, lambda: edit.then(text))


def enter_taken(session: Session, walk: Walk, place: int, token: engine.Token) -> Answer:
    """Go on with a token that was taken on a walk. What is wrong comes back as a message."""
    return _answer(session, lambda: walk.then(place, token))


def _answer(session: Session, act: Callable[[], Answer]) -> Answer:
    """What an act answers, or what is wrong. The story is kept, unless a reply or the editor has to end first."""
    try:
        answer = act()
    except (ValueError, engine.EngineError) as error:
        answer = Answer(str(error))
    except OSError as error:
        answer = Answer(f"{error.filename}: {error.strerror}")
    except Stopped:
        answer = Answer("(stopped; nothing has changed)")
    is_going_on = answer.reply or answer.replies or answer.edit or answer.walk
    return answer if is_going_on else session.keep_after(answer)


def _say(session: Session, typed: str) -> Answer:
    return session.write("say", session.text_of(typed), session.drawing)


def _command(session: Session, line: str, as_typed: str) -> Answer:
    """Run a command. One that takes a file gets its name `as_typed`: it need not be UTF-8."""
    name, _, argument = line.partition(" ")
    if name in COMMANDS:
        takes_file = COMMANDS[name].completes == "file"
        return COMMANDS[name].act(session, (as_typed if takes_file else argument).strip())
    hint = _similar(name, "/help lists them.")
    return Answer(f"there is no command /{name}; {hint} (begin with // to write a text that begins with /)")


def _similar(name: str, otherwise: str) -> str:
    return engine.did_you_mean(f"/{name}", map("/{}".format, COMMANDS), otherwise)


def help_(session: Session, argument: str) -> Answer:
    """Tell what one command does, or list them all."""
    name = argument.removeprefix("/")
    if name in COMMANDS:
        return Answer(f"/{name} {COMMANDS[name].usage}".rstrip() + f": {COMMANDS[name].help}")
    if name:
        raise ValueError(f"there is no command /{name}; {_similar(name, 'see /help')}")
    lines = [
        "Type a text and Enter: it is added to the story verbatim, and the model goes on from it.",
        "Enter alone goes on. Ctrl-C or {stop} while it writes stops it and keeps what stands.",
        "{newline}: a new line. {accept-ghost}: take the dim suggestion ({accept-word}: a word). Ctrl-D leaves.",
        "{editor}: write in $EDITOR. Ctrl-R: search your lines. Tab: complete. {palette} or /: all commands.",
    ]
    keys = shown_keys(session.keys)
    lines = [line.format_map(keys) for line in lines]
    for group, commands in GROUPS.items():
        usages = "  ".join(f"/{name} {command.usage}".strip() for name, command in commands.items())
        lines.append(f"{group}: {usages}")
    return Answer("\n".join([*lines, "'/help NAME' tells of one. // begins a text that begins with /."]))


def quit_(session: Session, argument: str) -> Answer:
    """Leave. Raises `Quit`."""
    raise Quit


GROUPS: dict[str, dict[str, Command]] = {
    "the story": turns.COMMANDS,
    "places in it": places.COMMANDS,
    "a chat": chat.COMMANDS,
    "how it writes": settings.COMMANDS | memory.COMMANDS,
    "see it think": inspection.COMMANDS,
    "sessions": sessions.COMMANDS,
    "and": {
        "help": Command("[NAME]", "this list, or what one command does", help_, "command"),
        "quit": Command("", "leave (also Ctrl-D)", quit_),
    },
}
COMMANDS: dict[str, Command] = {name: command for group in GROUPS.values() for name, command in group.items()}
