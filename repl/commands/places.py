"""The commands that go about in a session: among replies beside each other, by a text, by a name."""

from __future__ import annotations

from collections.abc import Sequence

import engine
from repl.commands.command import Command, check_name
from repl.session.answers import Answer
from repl.session.places import Match, Target, choice_before, matches, position, siblings
from repl.session.session import Session
from repl.view.layout import NARROW

MAX_FOUND = 40


def next_(session: Session, argument: str) -> Answer:
    """Go to the next of the turns that were written at this place."""
    return _turn_over(session, 1)


def previous(session: Session, argument: str) -> Answer:
    """Go to the one before."""
    return _turn_over(session, -1)


def _turn_over(session: Session, step: int) -> Answer:
    story = session.story
    beside, here = siblings(story.tree, story.present), story.present
    outside = -1 if step > 0 else len(beside)  # where they come after it
    number = step + (beside.index(here) if here in beside else outside)
    if not 0 <= number < len(beside):
        which = "later" if step > 0 else "earlier"
        raise ValueError(f"nothing {which} was written at this place: /retry writes another reply, /tree shows all")
    story.goto(beside[number])
    return _arrived(session)


def choice(session: Session, argument: str) -> Answer:
    """Go back to the last turn beside which others were written."""
    turn = choice_before(session.story.tree, session.story.present)
    if turn is None:
        raise ValueError("there is no choice before this place: /retry and /alt make one")
    session.story.goto(turn)
    return _arrived(session)


def find(session: Session, argument: str) -> Answer:
    """List the turns of this session in which a text stands, also those taken back; a number then goes to one."""
    if not argument:
        raise ValueError("find: give a text to look for")
    found = [
        (Target(name, match.turn), match)
        for name, story in session.stories.items()
        for match in matches(engine.Texts.of(story), argument)
    ]
    if not found:
        raise ValueError(
            f"find {engine.first_words(argument, 40)!r}: it stands in no turn; '/sessions TEXT' looks in all sessions"
        )
    here = {name: {turn.id for turn in story.turns} for name, story in session.stories.items()}
    labels = [f"{'*' if place.turn in here[place.story] else ' '} {place.story}:{place.turn}" for place, _ in found]
    return list_found(session, found, labels, "* is on the way to where you are")


def list_found(
    session: Session, found: Sequence[tuple[Target, Match]], labels: Sequence[str], legend: str = ""
) -> Answer:
    """Number what was found, a line each; the number that is typed next goes there."""
    shown = list(zip(found, labels, strict=True))[:MAX_FOUND]
    session.choices = [place for (place, _), _ in shown]
    digits, width = len(str(len(shown))), min(30, max(map(len, labels[:MAX_FOUND])))
    columns = max(20, session.columns)
    lines = []
    for number, ((_, match), label) in enumerate(shown, 1):
        lead = f"{number:>{digits}} {engine.visible(label)[: columns // 2]:{min(width, columns // 2)}}  "
        if columns - len(lead) < NARROW:
            lines += [lead.rstrip(), f"  {match.snippet(columns - 2)}"]
        else:
            lines.append(lead + match.snippet(columns - len(lead)))
    if len(found) > MAX_FOUND:
        lines.append(f"and {len(found) - MAX_FOUND} more: look for a longer text")
    hint = f"1 to {len(shown)} goes there" if len(shown) > 1 else "1 goes there"
    return Answer("\n".join([*lines, f"({'; '.join(filter(None, [hint, legend]))})"]), is_asked_for=True)


def mark(session: Session, argument: str) -> Answer:
    """Name this place, or list the names."""
    if not argument:
        lines = [f"{name}: {place.story}:{place.turn}" for name, place in session.marks.items()]
        return Answer("\n".join(lines) or "there are no marks yet: '/mark NAME' makes one here")
    check_name(argument)
    if argument in session.stories:
        raise ValueError(f"name {argument!r}: is that of a story; give another one")
    session.marks = {**session.marks, argument: Target(session.name, session.story.present)}
    return Answer(f"{session.name}:{session.story.present} is {argument!r} now; '/goto {argument}' comes back here")


def _arrived(session: Session) -> Answer:
    """The end of the story, with the number of the turn among those beside it."""
    number = position(session.story.tree, session.story.present)
    return Answer(f"({number})\n{session.end_of_story().message}", is_asked_for=True)


COMMANDS = {
    "next": Command("", "the next of the replies that were written at this place (Alt-Right)", next_),
    "previous": Command("", "the one before (Alt-Left)", previous),
    "choice": Command("", "back to the last place where there is a choice (Alt-Up)", choice),
    "find": Command(
        "TEXT", "all turns of this session with that text, also those taken back; a number goes there", find
    ),
    "mark": Command("NAME", "name this place; '/goto NAME' comes back; alone, the names that there are", mark, "mark"),
}
