"""The commands of the story's memory: texts whose words it knows, and what it has gained."""

from __future__ import annotations

import engine
from repl.commands.command import Command
from repl.session.answers import Answer
from repl.session.session import Session


def remember(session: Session, argument: str) -> Answer:
    """Have the story's memory know a text, which does not become part of the story."""
    if not argument:
        raise ValueError("remember: give a file or a folder: text, a chat's export, or an archive of such")
    text, remarks = engine.read_files(argument)
    with session.progress.during(f"remembering {len(text):,} characters"):
        unseen = session.story.remember(text, session.progress.update)
    lines = [*remarks, f"remembered {len(text):,} characters of {argument}; /undo takes that back"]
    if unseen:
        lines.append(engine.tell_unseen(unseen, session.model.info.level))
    if session.sampling.memory == "off":
        lines.append("the memory is off: '/set memory mine' writes with it")
    return Answer("\n".join(lines))


COMMANDS = {
    "remember": Command(
        "FILE",
        "write with the words of a text, too: the memory knows it, the story does not contain it",
        remember,
        "file",
    ),
}
