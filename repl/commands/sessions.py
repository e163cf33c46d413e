"""The commands on whole sessions: open, name, delete, write to a file and read from one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import engine
from repl.session.answers import Answer, Command
from repl.session.session_store import MAIN, Keeper
from repl.session.story_files import as_markdown, check_export, read_story, write_new

if TYPE_CHECKING:
    from repl.session.session import Session


MAX_LISTED = 40


def sessions(session: Session, argument: str) -> Answer:
    rows = _keeper(session).sessions()
    if not rows:
        return Answer("there are no sessions yet; each is kept as soon as it has a turn")
    present, width = _keeper(session).title, min(30, max(map(len, rows)))
    lines = [
        f"{'*' if title == present else ' '} {title:{width}}  {note.get('saved', ''):16.16}  {note.get('words', '')}"
        for title, note in list(rows.items())[:MAX_LISTED]
    ]
    if len(rows) > MAX_LISTED:
        lines.append(f"  and {len(rows) - MAX_LISTED} older ones; Tab after '/open ' finds them")
    return Answer("\n".join(line[: max(20, session.columns)].rstrip() for line in lines))


def open_(session: Session, argument: str) -> Answer:
    keeper = _keeper(session)
    if not argument:
        raise ValueError("open: give a session's name; /sessions lists them")
    known = keeper.sessions()
    if argument not in known:
        near = difflib.get_close_matches(argument, known, 1, 0.4)
        raise ValueError(
            f"there is no session {argument!r}; " + (f"did you mean {near[0]!r}?" if near else "see /sessions")
        )
    _put_away(session)
    remark = open_session(session, argument, known[argument])
    return Answer(f"{remark}\n{session.where().message}".strip("\n"))


def open_session(session: Session, title: str, noted: Mapping[str, Any]) -> str:
    """Go on with a session. One that another model wrote is read by that if it is there, else by the present one.

    `noted` is what is noted of it. Returns what is to be said of that.
    """
    keeper, note = _keeper(session), ""
    try:
        stories, stored = keeper.open(session.model, title)
    except engine.OtherWeights:
        note = _find_writer(session, noted.get("model"))
        if note:
            with session.patience.during(f"{session.model.info.name} reads the story"):
                stories, stored = keeper.open(session.model, title, feed_again=True, wait=session.patience.wait)
            keeper.begin_anew()
        else:
            stories, stored = keeper.open(session.model, title)
    session.take_over(stories, noted.get("story", MAIN), stored)
    session.sampling = session.story.sampling
    session.keep()  # a reply that was cut off and is written again is not in the store yet
    return note


def _find_writer(session: Session, wrote: str | None) -> str:
    """Change to the model that wrote a session; what is to be said where that cannot be done."""
    if wrote and wrote != session.source:
        try:
            session.change_model(wrote)
        except engine.EngineError as error:
            return f"({error}; {session.model.info.name} has read its text instead, as a session of its own)"
        return ""
    return f"(other weights wrote it; {session.model.info.name} has read its text, as a session of its own)"


def _put_away(session: Session) -> None:
    """Keep the stories before others take their place. Raises `ValueError` that says what else there is to do."""
    try:
        session.keep()
    except (engine.EngineError, OSError) as error:
        raise ValueError(
            f"first this one has to be kept, and it is not ({error}): '/save NEWNAME' keeps it, '/export FILE' and "
            "leaving write it to a file"
        ) from None


def new(session: Session, argument: str) -> Answer:
    _put_away(session)
    if session.keeper is not None:
        if argument and argument in session.keeper.sessions():
            raise ValueError(f"there is a session {argument!r} already: '/open {argument}' goes on with it")
        session.keeper.begin_anew()
        if argument:
            session.keeper.copy(argument, {}, source=session.source)
    session.take_over({MAIN: session.model.conversation(sampling=session.sampling)})
    return Answer("a new story; the one before is kept" if session.keeper else "a new story")


def save(session: Session, argument: str) -> Answer:
    keeper = _keeper(session)
    if argument in ("", keeper.title):
        session.keep()
        return Answer(f"kept as {keeper.title!r}, at every turn" if keeper.title else "there is nothing to keep yet")
    if keeper.title and not keeper.is_named:
        return rename(session, argument)
    keeper.copy(argument, session.stories, source=session.source)
    return Answer(f"this is {argument!r} now, and kept at every turn")


def rename(session: Session, argument: str) -> Answer:
    if argument and argument == _keeper(session).title:
        raise ValueError(f"rename {argument!r}: that is its name already")
    _keeper(session).rename(argument, session.stories, source=session.source)
    return Answer(f"this is {argument!r} now, and kept at every turn")


def delete(session: Session, argument: str) -> Answer:
    keeper = _keeper(session)
    if not argument:
        raise ValueError("delete: give a session's name; /sessions lists them")
    if argument == keeper.title and session.confirmed != argument:
        session.doomed = argument
        return Answer(f"this is the session {argument!r}: '/delete {argument}' once more deletes it for good")
    keeper.delete(argument)
    if argument == keeper.title:
        keeper.begin_anew()
        session.take_over({MAIN: session.model.conversation(sampling=session.sampling)})
        return Answer(f"{argument!r} is deleted for good; this is a new story")
    return Answer(f"{argument!r} is deleted for good")


def export(session: Session, argument: str) -> Answer:
    story, path = session.story, Path(argument).expanduser()
    writers = {
        ".txt": lambda: story.text,
        ".md": lambda: as_markdown(
            story.turns, session.keeper.title if session.keeper else "", session.model.info.name
        ),
        ".json": story.export,
    }
    if path.suffix not in writers:
        raise ValueError(f"export {argument!r}: give a file that ends in .txt, .md or .json (which can be imported)")
    write_new(path, writers[path.suffix]())
    return Answer(f"written to {path}")


def import_(session: Session, argument: str) -> Answer:
    if not argument:
        raise ValueError("import: give a .json file that /export has made, or a text file")
    path = Path(argument).expanduser()
    told = list[str]()
    text = read_story(path, told.append)
    with session.patience.during(f"reading {path.name}"):
        if path.suffix.lower() == ".json":
            check_export(text, path.name)
            talk = engine.replay(session.model, text, session.patience.wait)
        else:
            talk = session.model.conversation(sampling=session.sampling)
            reply = talk.say(text, length=0)
            session.patience.wait(reply)
            if reply.unseen:
                told.append(engine.tell_unseen(reply.unseen, session.model.info.level))
    _put_away(session)
    if session.keeper is not None:
        session.keeper.begin_anew()
    session.take_over({MAIN: talk})
    return Answer("\n".join([*told, session.where().message]))


def _keeper(session: Session) -> Keeper:
    if session.keeper is None:
        raise ValueError("nothing is kept in this sitting; /export FILE writes the story to a file")
    return session.keeper


COMMANDS = {
    "sessions": Command("", "all sessions that are kept, the latest first", sessions),
    "open": Command("NAME", "go on with another session; this one stays kept", open_, "session"),
    "new": Command("[NAME]", "begin a new session; this one stays kept", new),
    "save": Command("[NAME]", "give this session a name; one that has a name stays, and a copy goes on", save),
    "rename": Command("NAME", "give this session another name", rename),
    "delete": Command("NAME", "delete a session for good", delete, "session"),
    "export": Command("FILE", "write the story to a .txt, .md or replayable .json file", export, "file"),
    "import": Command("FILE", "begin a session with a file's story: an exported .json, or any text", import_, "file"),
}
