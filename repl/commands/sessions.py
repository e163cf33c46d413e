"""The commands on whole sessions: open, name, delete, write to a file and read from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import engine
from repl.commands.command import Command
from repl.commands.places import list_found
from repl.session.answers import Answer
from repl.session.chat import Chat
from repl.session.places import Match, Target, matches, read_marks
from repl.session.session import Session
from repl.session.session_store import MAIN, SessionStore
from repl.session.story_files import as_markdown, check_export, read_story, write_new

MAX_LISTED = 40


def sessions(session: Session, argument: str) -> Answer:
    """List the sessions in the store, the latest first, or the turns in them with a text."""
    rows = _store_of(session).sessions()
    if argument:
        return _find_in_all(session, argument, list(rows))
    if not rows:
        return Answer("there are no sessions yet; each is kept as soon as it has a turn")
    present, width = _store_of(session).title, min(30, max(map(len, rows)))
    lines = [
        f"{'*' if title == present else ' '} {title:{width}}  {note.get('saved', ''):16.16}  {note.get('words', '')}"
        for title, note in list(rows.items())[:MAX_LISTED]
    ]
    if len(rows) > MAX_LISTED:
        lines.append(f"  and {len(rows) - MAX_LISTED} older ones; Tab after '/open ' finds them")
    return Answer("\n".join(line[: max(20, session.columns)].rstrip() for line in lines))


def _find_in_all(session: Session, text: str, titles: Sequence[str]) -> Answer:
    """The turns of all sessions in which a text stands; a number then opens the session and goes there."""
    store, found = _store_of(session), list[tuple[Target, Match]]()
    with session.progress.during("looking in all sessions"):
        for number, title in enumerate(titles):
            session.progress.update(number / len(titles))
            for story, texts in store.texts(title).items():
                found += [(Target(story, match.turn, title), match) for match in matches(texts, text)]
    if not found:
        raise ValueError(f"sessions {engine.first_words(text, 40)!r}: it stands in no turn of any session")
    return list_found(session, found, [f"{place.session} {place.story}:{place.turn}" for place, _ in found])


def open_(session: Session, argument: str) -> Answer:
    """Go on with another session."""
    if not argument:
        raise ValueError("open: give a session's name; /sessions lists them")
    return Answer(f"{_change_to(session, argument)}\n{session.end_of_story().message}".strip("\n"))


def _change_to(session: Session, title: str) -> str:
    """Keep this session and go on with another. Returns a remark for the writer, or ""."""
    known = _store_of(session).sessions()
    if title not in known:
        hint = engine.did_you_mean(title, map(repr, known), "see /sessions")
        raise ValueError(f"there is no session {title!r}; {hint}")
    _keep_first(session)
    return open_session(session, title, known[title])


def go(session: Session, place: Target) -> Answer:
    """Go to a place, which may be in another session."""
    is_here = not place.session or (session.store is not None and place.session == session.store.title)
    remark = "" if is_here else _change_to(session, place.session)
    session.go(place)
    return Answer(f"{remark}\n{session.end_of_story().message}".strip("\n"), is_asked_for=True)


def open_session(session: Session, title: str, noted: Mapping[str, Any]) -> str:
    """Go on with a session that the store has `noted`. Returns a remark for the writer, or "".

    If other weights wrote it, the model that wrote it is loaded and reads it; if that is gone, the present one does.
    """
    store, note = _store_of(session), ""
    try:
        stories, stored = store.open(session.model, title)
    except engine.OtherWeights:
        note = _find_writer(session, noted.get("model"))
        if note:
            with session.progress.during(f"{session.model.info.name} reads the story"):
                stories, stored = store.open(session.model, title, feed_again=True, wait=session.progress.wait)
            store.start_new()
        else:
            stories, stored = store.open(session.model, title)
    session.chat = Chat.of(noted.get("chat"))
    session.replace_stories(stories, noted.get("story", MAIN), stored, read_marks(noted.get("marks")))
    session.sampling = session.story.sampling
    session.keep()  # a reply that was cut off and is written again is not in the store yet
    return note


def _find_writer(session: Session, wrote: str | None) -> str:
    """Change to the model that wrote a session. Returns a remark for the writer if that cannot be done."""
    if wrote and wrote != session.source:
        try:
            session.change_model(wrote)
        except engine.EngineError as error:
            return f"({error}; {session.model.info.name} has read its text instead, as a session of its own)"
        return ""
    return f"(other weights wrote it; {session.model.info.name} has read its text, as a session of its own)"


def _keep_first(session: Session) -> None:
    """Keep the stories before others replace them. Raises `ValueError` that says what else the writer can do."""
    try:
        session.keep()
    except (engine.EngineError, OSError) as error:
        raise ValueError(
            f"first this one has to be kept, and it is not ({error}): '/save NEWNAME' keeps it, '/export FILE' and "
            "leaving write it to a file"
        ) from None


def new(session: Session, argument: str) -> Answer:
    """Begin a new session, which may get a name."""
    _keep_first(session)
    if session.store is not None:
        if argument and argument in session.store.sessions():
            raise ValueError(f"there is a session {argument!r} already: '/open {argument}' goes on with it")
        session.store.start_new()
        if argument:
            session.store.copy(argument, {}, session.about)
    session.replace_stories({MAIN: session.model.conversation(sampling=session.sampling)})
    return Answer("a new story; the one before is kept" if session.store else "a new story")


def save(session: Session, argument: str) -> Answer:
    """Name a session that has no name; else go on in a copy of that name."""
    store = _store_of(session)
    if argument in ("", store.title):
        session.keep()
        return Answer(f"kept as {store.title!r}, at every turn" if store.title else "there is nothing to keep yet")
    if store.title and not store.is_named:
        return rename(session, argument)
    store.copy(argument, session.stories, session.about)
    return Answer(f"this is {argument!r} now, and kept at every turn")


def rename(session: Session, argument: str) -> Answer:
    """Give the session another name."""
    if argument and argument == _store_of(session).title:
        raise ValueError(f"rename {argument!r}: that is its name already")
    _store_of(session).rename(argument, session.stories, session.about)
    return Answer(f"this is {argument!r} now, and kept at every turn")


def delete(session: Session, argument: str) -> Answer:
    """Delete a session permanently. The session that is open has to be named twice."""
    store = _store_of(session)
    if not argument:
        raise ValueError("delete: give a session's name; /sessions lists them")
    if argument == store.title and session.to_delete != argument:
        session.to_delete = argument
        return Answer(f"this is the session {argument!r}: '/delete {argument}' once more deletes it for good")
    store.delete(argument)
    if argument == store.title:
        store.start_new()
        session.replace_stories({MAIN: session.model.conversation(sampling=session.sampling)})
        return Answer(f"{argument!r} is deleted for good; this is a new story")
    return Answer(f"{argument!r} is deleted for good")


def export(session: Session, argument: str) -> Answer:
    """Write the story to a new file: text, Markdown, or JSON that `import_` reads."""
    story, path = session.story, Path(argument).expanduser()
    writers = {
        ".txt": lambda: story.text,
        ".md": lambda: as_markdown(story.turns, session.store.title if session.store else "", session.model.info.name),
        ".json": story.export,
    }
    if path.suffix not in writers:
        raise ValueError(f"export {argument!r}: give a file that ends in .txt, .md or .json (which can be imported)")
    write_new(path, writers[path.suffix]())
    return Answer(f"written to {path}")


def import_(session: Session, argument: str) -> Answer:
    """Begin a session with the story of a file: an exported .json, or any text."""
    if not argument:
        raise ValueError("import: give a .json file that /export has made, or a text file")
    path = Path(argument).expanduser()
    told = list[str]()
    text = read_story(path, told.append)
    with session.progress.during(f"reading {path.name}"):
        if path.suffix.lower() == ".json":
            check_export(text, path.name)
            try:
                story = engine.replay(session.model, text, session.progress.wait)
            except ValueError as error:
                raise ValueError(f"{path.name}: {str(error).removeprefix('exported: ')}") from None
        else:
            story = session.model.conversation(sampling=session.sampling)
            reply = story.say(text, length=0)
            session.progress.wait(reply)
            if reply.unseen:
                told.append(engine.tell_unseen(reply.unseen, session.model.info.level))
    _keep_first(session)
    if session.store is not None:
        session.store.start_new()
    session.replace_stories({MAIN: story})
    return Answer("\n".join([*told, session.end_of_story().message]))


def _store_of(session: Session) -> SessionStore:
    if session.store is None:
        raise ValueError("nothing is kept in this session; /export FILE writes the story to a file")
    return session.store


COMMANDS = {
    "sessions": Command("[TEXT]", "all sessions that are kept, the latest first, or all turns with a text", sessions),
    "open": Command("NAME", "go on with another session; this one stays kept", open_, "session"),
    "new": Command("[NAME]", "begin a new session; this one stays kept", new),
    "save": Command("[NAME]", "give this session a name; one that has a name stays, and a copy goes on", save),
    "rename": Command("NAME", "give this session another name", rename),
    "delete": Command("NAME", "delete a session for good", delete, "session"),
    "export": Command("FILE", "write the story to a .txt, .md or replayable .json file", export, "file"),
    "import": Command("FILE", "begin a session with a file's story: an exported .json, or any text", import_, "file"),
}
