"""Makes a session out of the command line and the configuration, and closes everything after it."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import platformdirs

import engine
from repl import arguments as command_line
from repl.commands.chat import chat_hint
from repl.commands.memory import remember
from repl.commands.sessions import open_session
from repl.config import Config
from repl.session.answers import Answer
from repl.session.chat import read_chat
from repl.session.session import Session
from repl.session.session_store import SessionStore, check_title
from repl.session.story_files import write_new


class Startup:
    """Prepares a session, which takes a while and runs behind the prompt, and closes it."""

    def __init__(
        self, arguments: argparse.Namespace, config: Config, defaults: Mapping[str, Any], *, is_prompt: bool = False
    ) -> None:
        """`defaults` are settings that differ from the engine's own. At a prompt a model of a chat begins one.

        Raises `ValueError` for a setting or a name that is not allowed.
        """
        self._arguments, self._config, self._is_prompt = arguments, config, is_prompt
        self._given = command_line.given(arguments)
        self._sampling = engine.Sampling(**{**defaults, **config.sampling, **self._given})
        if arguments.session is not None:
            check_title(arguments.session)
        self._chat = None
        if arguments.chat is not None:
            self._chat = read_chat(arguments.chat, engine.about(arguments.model or config.model).speakers)
        self._session: Session | None = None
        self._store = SessionStore(arguments.store or config.store, arguments.session or "")

    def prepare(self) -> Session:
        """Load the model and open the session. Raises `EngineError`."""
        source = self._arguments.model or self._config.model
        model = self._load(source)
        store = self._store if self._is_prompt or self._arguments.session is not None else None
        session = self._session = Session(
            model, self._sampling, store, source=source, load=self._load, presets=self._config.presets
        )
        session.speed, session.theme = self._config.speed, self._config.theme
        if (title := self._arguments.session) is not None and title in (known := self._store.sessions()):
            session.remark = open_session(session, title, known[title])
            session.sampling = replace(session.sampling, **self._given)
        elif self._is_prompt and session.speakers:
            session.chat = read_chat("", session.speakers)
        session.chat = self._chat or session.chat
        if self._is_prompt and session.chat is not None:
            session.remark = "\n".join(filter(None, [session.remark, chat_hint(session.chat)]))
        try:
            told = [remember(session, name).message for name in self._arguments.remember]
        except ValueError as error:
            raise engine.EngineError(str(error)) from None
        if told:
            session.remark = "\n".join(filter(None, [session.remark, *told]))
            session.remark = session.keep_after(Answer(session.remark)).message
        gc.freeze()  # what is there now stays; searching it for garbage delays a key's echo
        return session

    @property
    def is_unkept(self) -> bool:
        """Whether some of the session's text is in no store."""
        return self._session is not None and bool(self._session.unkept)

    def close(self) -> str:
        """Close everything. Returns what to tell the writer at the end, or ""."""
        self._store.close()
        if self._session is None:
            return ""
        self._session.model.close()
        if self._session.unkept:
            return _write_unkept(self._session)
        title = self._store.title
        if not title or not any(story.tree for story in self._session.stories.values()):
            return ""
        return f"kept; 'textrepl --session {engine.quoted(title)}' goes on"

    def _load(self, source: str | None) -> engine.Engine:
        return engine.load(source, backend=self._arguments.backend, precision=self._arguments.precision)


def _write_unkept(session: Session) -> str:
    """Write what no store has into a file beside the history of lines. Returns where that is."""
    text = "\n\n".join(story.text for story in session.stories.values())
    path = Path(platformdirs.user_state_dir("textrepl")) / f"unkept-{datetime.now():%Y-%m-%d-%H%M%S}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_new(path, text)
    except (OSError, ValueError) as error:
        return f"{text}\nNOT KEPT, but for the lines above: {session.unkept}; and {error}"
    return f"the session could not be kept ({session.unkept}): its text is in {path}"
