"""Keeps a session's stories in a store: opened late, in a thread of its own, and written at every turn.

A reply that is being written is noted beside them. If the process is killed, the reply can be written again, because
the same random numbers give the same words.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import engine

BOT = "discord"  # the bot's stories have names below this one in the same store
MAIN = "main"  # the story that a session begins with; the others are its forks
SESSIONS, DRAFTS = "textrepl.sessions", "textrepl.drafts"  # topics of notes: by session, and by story
MAX_TOKENS = 4  # of a character: the bytes of UTF-8
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply that has begun: what it was asked with, from which turn, and how many characters there are of it."""

    kind: str
    text: str
    parent: int
    sampling: engine.Sampling
    seed: int | None = None  # of a story that has no turn yet, and so is not in the store
    written: int = 0
    mark: list[int] | None = None  # of the stored story that it goes on from
    branch: list[int] | None = None  # of a branch: its turn, the place in it, and the id of the token there


class SessionStore:
    """One session in a store. Raises `StoreError` for whatever the store cannot do."""

    def __init__(self, url: str | None = None, title: str = "") -> None:
        self.title, self.is_named = title, bool(title)
        self._url, self._base = url, ""
        self._store: engine.Store | None = None
        self._thread = ThreadPoolExecutor(1, "session store")

    def start(self) -> None:
        """Begin to open the store, without waiting for it."""
        self._thread.submit(self._opened)

    def save(self, story: str, conversation: engine.Conversation, about: Mapping[str, Any]) -> None:
        """Save what is new of a story, and what is noted `about` the session; it is on the disk when this returns."""
        note = {
            "words": engine.first_words(conversation.text[:400], 60),
            "turns": len(conversation.tree),
            "saved": datetime.now().isoformat(" ", "seconds"),
            "story": story,
            **about,
        }

        def save(store: engine.Store) -> None:
            name = self._name(store, story)
            store.save(conversation, name, notes={(SESSIONS, self.title): note, (DRAFTS, name): None})

        self._run(save)

    def note_draft(self, story: str, conversation: engine.Conversation, draft: Draft) -> None:
        """Note what is being written, without waiting for it; not for a story that was changed or deleted elsewhere."""

        def write(store: engine.Store) -> None:
            with contextlib.suppress(engine.StoreError):  # the next save tells what is wrong
                name, mark = self._name(store, story), None
                if conversation.saved_version is not None:
                    if not store.is_current(conversation):
                        return
                    mark = store.mark(name)
                store.write_notes({(DRAFTS, name): asdict(replace(draft, mark=mark))})

        self._thread.submit(lambda: write(self._opened()))

    def sessions(self) -> dict[str, dict[str, Any]]:
        """All sessions of the store, the latest first, each with what is noted of it."""

        def look(store: engine.Store) -> dict[str, dict[str, Any]]:
            notes, drafts = store.notes(SESSIONS), store.notes(DRAFTS)
            titles = {*notes, *(name for name in store.names() if "/" not in name)}
            titles |= {name.partition("/")[0] for name, draft in drafts.items() if not draft.get("mark")}
            titles.discard(BOT)
            rows = [(title, notes.get(title) or {}) for title in sorted(titles)]
            return dict(sorted(rows, key=lambda row: row[1].get("saved", ""), reverse=True))

        return self._run(look)

    def texts(self, title: str) -> dict[str, engine.Texts]:
        """What the stories of a session say, by their names. Needs no model."""

        def read(store: engine.Store) -> dict[str, engine.Texts]:
            mine = [name for name in store.names() if name == title or name.startswith(f"{title}/")]
            return {name.partition("/")[2] or MAIN: store.texts(name) for name in mine}

        return self._run(read)

    def open(
        self, model: engine.Engine, title: str, *, feed_again: bool = False,
        wait: Callable[[engine.Reply, int], object] = lambda reply, turns: reply.result(),
    ) -> tuple[dict[str, engine.Conversation], set[str]]:  # fmt: skip
        """The stories of a session by name, and which of them are as they are stored.

        From now on this is the session that is kept.
        """
        check_title(title)

        def read(store: engine.Store) -> tuple[dict[str, engine.Conversation], set[str]]:
            names, drafts = store.names(), store.notes(DRAFTS)
            mine = [name for name in sorted({*names, *drafts}) if name == title or name.startswith(f"{title}/")]
            stories, stored = dict[str, engine.Conversation](), set[str]()
            for name in mine:
                draft = _read_draft(drafts.get(name))
                if draft is not None and draft.mark != store.mark(name):
                    draft = None  # somebody else has written on, or deleted it
                if name in names:
                    story = store.open(model, name, feed_again=feed_again, wait=wait)
                elif draft is not None:
                    story = model.conversation(sampling=replace(draft.sampling, seed=draft.seed))
                    story.sampling = draft.sampling
                else:
                    continue
                if draft is not None:
                    _write_again(story, draft, 1 if model.info.level == "char" else MAX_TOKENS)
                stories[own := name.partition("/")[2] or MAIN] = story
                if draft is None and not feed_again:
                    stored.add(own)
            if not stories:
                raise engine.StoreError(f"there is no session {title!r}: /sessions lists them")
            return stories, stored

        stories, stored = self._run(read)
        self.title, self.is_named = title, True
        return stories, stored

    def rename(self, title: str, stories: Mapping[str, engine.Conversation], about: Mapping[str, Any]) -> None:
        """Give the session another title: saved under the new one first, and only then deleted under the old."""
        old, was_kept = self.title, self.title in self.sessions() if self.title else False
        self.copy(title, stories, about)
        if was_kept:
            self.delete(old)

    def copy(self, title: str, stories: Mapping[str, engine.Conversation], about: Mapping[str, Any]) -> None:
        """Go on under a new title, which nobody may have; what was kept until now stays as it is."""
        check_title(title)
        if title in self.sessions():
            raise engine.StoreError(f"there is a session {title!r} already: choose another name, or /delete it first")
        before, self.title, self.is_named = (self.title, self.is_named), title, True
        try:
            for name, story in stories.items():
                if story.tree:
                    self.save(name, story, about)
        except engine.StoreError:
            self.title, self.is_named = before
            raise

    def delete(self, title: str) -> None:
        """Delete a session permanently."""
        check_title(title)

        def erase(store: engine.Store) -> None:
            mine = [name for name in store.names() if name == title or name.startswith(f"{title}/")]
            drafts = [name for name in store.notes(DRAFTS) if name == title or name.startswith(f"{title}/")]
            if not mine and not drafts:
                raise engine.StoreError(f"there is no session {title!r}: /sessions lists them")
            for name in mine:
                store.delete(name)
            store.write_notes({(SESSIONS, title): None, **{(DRAFTS, name): None for name in drafts}})

        self._run(erase)

    def start_new(self, base: str = "") -> None:
        """Keep another session from now on. Its name is made from `base`, or else from the time."""
        self.title, self.is_named, self._base = "", bool(base), base

    def close(self) -> None:
        """Close the store, once all is written."""
        with contextlib.suppress(engine.StoreError):
            if self._store is not None:
                self._thread.submit(self._store.close).result()
        self._thread.shutdown()

    def _name(self, store: engine.Store, story: str) -> str:
        """The name of a story in the store. A session without a title gets one from the time."""
        if not self.title:
            first = title = self._base or f"{datetime.now():%Y-%m-%d-%H%M}"
            number, taken = 1, {*store.names(), *store.notes(DRAFTS)}
            while title in taken:
                number += 1
                title = f"{first}-{number}"
            self.title = title
        return self.title if story == MAIN else f"{self.title}/{story}"

    def _opened(self) -> engine.Store:
        if self._store is None:
            self._store = engine.Store(self._url)
            gc.freeze()  # libraries stay; searching them for garbage delays a key's echo
        return self._store

    def _run(self, act: Callable[[engine.Store], T]) -> T:
        return self._thread.submit(lambda: act(self._opened())).result()


def check_title(title: str) -> None:
    """Raises `ValueError` for what cannot be a session's name."""
    if not title or "/" in title or not title.isprintable() or len(title) > 100:
        raise ValueError(
            f"name {engine.first_words(title, 40)!r}: give one of 1 to 100 characters without '/' and line ends"
        )
    if title == BOT:
        raise ValueError(f"name {title!r}: that is where the bot keeps its stories; give another")


def begin(
    story: engine.Conversation, kind: str, text: str, sampling: engine.Sampling, branch: Sequence[int] | None = None
) -> engine.Reply:
    """Begin a reply: "say" with a text, "retry", or "branch", which has `branch` as a draft has."""
    if kind == "branch" and branch is not None:
        turn, place, token = branch
        return story.branch(turn, place, token, sampling=sampling)
    return story.retry(sampling) if kind == "retry" else story.say(text, sampling=sampling)


def _read_draft(data: Any) -> Draft | None:
    try:
        return None if data is None else Draft(**{**data, "sampling": engine.Sampling(**data["sampling"])})
    except (TypeError, ValueError, KeyError):  # of another version; the stored turns are whole without it
        return None


def _write_again(story: engine.Conversation, draft: Draft, tokens: int) -> None:
    """Write a reply up to where it was, or a little beyond. A character has at most `tokens` tokens.

    Nothing where the turn that it followed was never kept.
    """
    if draft.parent not in {0, *(turn.id for turn in story.tree)}:
        return
    sampling = replace(draft.sampling, length=min(tokens * draft.written, draft.sampling.length))
    story.goto(draft.parent)
    reply = begin(story, draft.kind, draft.text, sampling, draft.branch)
    count = 0
    for piece in reply:
        count += len(piece)
        if count > draft.written:
            reply.stop()
    reply.result()
