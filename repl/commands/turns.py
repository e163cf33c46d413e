"""The commands that move in a story's tree and change it."""

from __future__ import annotations

from dataclasses import replace

import engine
from repl.commands.command import MAX_DIGITS, Command, check_name, whole_number
from repl.session.answers import Answer, Edit
from repl.session.progress import Stopped
from repl.session.session import Session

MAX_ALTERNATIVES = 16


def retry(session: Session, argument: str) -> Answer:
    """Begin another reply in place of the last one."""
    return session.write("retry", "", replace(session.drawing, seed=None))


def undo(session: Session, argument: str) -> Answer:
    """Take back turns."""
    session.story.undo(whole_number(argument, 1, "turns"))
    return session.end_of_story()


def redo(session: Session, argument: str) -> Answer:
    """Bring back turns that were taken back."""
    session.story.redo(whole_number(argument, 1, "turns"))
    return session.end_of_story()


def fork(session: Session, argument: str) -> Answer:
    """Go on in a copy of the story."""
    number = len(session.stories) + 1
    while f"fork{number}" in session.stories:
        number += 1
    name = argument or f"fork{number}"
    if name in session.stories or name in session.marks:
        raise ValueError(f"name {name!r}: is taken; give another one")
    check_name(name)
    before, session.stories[name] = session.name, session.story.fork()
    session.name = name
    return Answer(f"this is now {name!r}, a copy; '/goto {before}' goes back to {before!r}")


def goto(session: Session, argument: str) -> Answer:
    """Go to a turn by its number, or to another story or a mark by its name."""
    if argument in session.stories:
        session.name = argument
    elif argument in session.marks:
        session.go(session.marks[argument])
    elif argument.isdecimal():
        if len(argument) > MAX_DIGITS or int(argument) not in {0, *(turn.id for turn in session.story.tree)}:
            raise ValueError(
                f"goto {engine.first_words(argument, 40)}: there is no such turn; /tree shows those that there are"
            )
        session.story.goto(int(argument))
    else:
        others = ", ".join([*session.stories, *session.marks])
        raise ValueError(
            f"goto {argument!r}: give a turn's number from /tree, or the name of a story or mark ({others})"
        )
    return session.end_of_story()


def tree(session: Session, argument: str) -> Answer:
    """Draw all turns, also those taken back."""
    lines = engine.outline(session.story.tree, session.story.present, session.columns)
    if len(session.stories) > 1:
        names = ", ".join(f"[{name}]" if name == session.name else name for name in session.stories)
        lines.append(f"stories: {names}")
    return Answer("\n".join(lines), is_asked_for=True)


def alternatives(session: Session, argument: str) -> Answer:
    """Begin several replies beside each other."""
    number = whole_number(argument, 3, "alternatives")
    if number > MAX_ALTERNATIVES:
        raise ValueError(f"alt {number}: at most {MAX_ALTERNATIVES} fit on a screen")
    return Answer(replies=tuple(session.story.alternatives(number, session.drawing)))


def edit(session: Session, argument: str) -> Answer:
    """Have the last turn, or the last prompt, edited, and go on from what comes back."""
    turns = session.story.turns
    if argument not in ("", "prompt"):
        raise ValueError(f"edit {argument!r}: '/edit' changes the last turn, '/edit prompt' the last text of yours")
    if not turns:
        raise ValueError("there is nothing to edit yet")
    turn = turns[-1]
    if argument:
        turn = next((turn for turn in reversed(turns) if turn.kind == "prompt"), turn)
    for later in turns[turns.index(turn) :]:
        _check_not_remembered(later)

    def changed(text: str) -> Answer:
        if text == turn.text or not text:
            return Answer("(nothing was changed)")
        session.story.goto(turn.parent or 0)
        return session.write("say", text, session.drawing)

    return Answer(edit=Edit(turn.text, changed))


def cut(session: Session, argument: str) -> Answer:
    """Take back characters from the end. The network reads the turn that is cut again, up to there."""
    story, number = session.story, whole_number(argument, 1, "characters")
    if number > len(story.text):
        raise ValueError(f"cut {number}: the story has {len(story.text)} characters")
    left, turns = number, story.turns
    while _check_not_remembered(turns[-1]) and left >= len(turns[-1].text):
        left -= len(turns.pop().text)
        if not left:
            break
    if not left:
        story.goto(turns[-1].id if turns else 0)
        return session.end_of_story()
    before = story.present
    story.goto(turns[-1].parent or 0)
    reply = story.say(turns[-1].text[:-left], length=0, sampling=session.sampling)
    try:
        with session.progress.during("reading the text up to there"):
            session.progress.wait(reply)
    except Stopped:
        story.goto(before)
        raise
    unseen = f"{engine.tell_unseen(reply.unseen, session.model.info.level)}\n" if reply.unseen else ""
    return Answer(unseen + session.end_of_story().message)


def _check_not_remembered(turn: engine.Turn) -> bool:
    """Raise `ValueError` for a remembered text: what comes before it cannot be changed without losing it. Else True."""
    if turn.kind == "memory":
        raise ValueError(f"turn {turn.id} is a remembered text, which that would take back, too: '/undo' does so first")
    return True


COMMANDS = {
    "retry": Command("", "another reply in place of the last one", retry),
    "alt": Command("[N]", "N continuations side by side (3); then the number of one chooses it", alternatives),
    "undo": Command("[N]", "take back the last turn, or N of them (your text is one, a reply is one)", undo),
    "redo": Command("[N]", "bring back what was taken back", redo),
    "cut": Command("[N]", "take back the last N characters (1)", cut),
    "edit": Command("[prompt]", "change the last turn, or your last text, in $EDITOR, and go on from there", edit),
    "tree": Command("", "all turns of this story, also those taken back", tree),
    "goto": Command("N|NAME", "go to a turn of /tree, to a mark, or to another story", goto, "story"),
    "fork": Command("[NAME]", "go on in a copy of this story, and keep this one", fork),
}
