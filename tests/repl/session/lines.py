"""Types lines into sessions, as a writer does."""

from __future__ import annotations

import engine
from engine.serving.engine import Engine
from repl.commands.dispatch import enter
from repl.session.session import Session
from repl.session.session_store import SessionStore

SAMPLING = engine.Sampling(seed=4, length=20, temperature=1.0)


class Sessions:
    """Makes sessions over one store, as one process after the other would."""

    def __init__(self, model: Engine, url: str) -> None:
        self.model, self.url = model, url
        self.stores: list[SessionStore] = []

    def start(self, title: str = "", url: str = "") -> Session:
        self.stores.append(SessionStore(url or self.url, title))
        return Session(self.model, SAMPLING, self.stores[-1])


def write(session: Session, line: str) -> str:
    """What the model writes after a line."""
    reply = enter(session, line).reply
    assert reply is not None
    return reply.text


def said(session: Session, line: str) -> str:
    answer = enter(session, line)
    assert answer.reply is None
    return answer.message


def write_kept(session: Session, line: str) -> str:
    answer = enter(session, line)
    assert answer.reply is not None, answer.message
    text = answer.reply.text
    assert session.finish(answer).message == ""
    return text


def opened(sessions: Sessions, title: str) -> Session:
    session = sessions.start()
    enter(session, f"/open {title}")
    assert session.store is not None
    assert session.store.title == title
    return session
