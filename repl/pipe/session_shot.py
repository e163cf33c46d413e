"""Writes what a session goes on with to stdout, for pipes and scripts: a continuation, or the lines of a chat.

The session is kept, if it has a store.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TextIO

from engine.program import say
from repl.pipe.oneshot import Job, write_json, write_text
from repl.session.session import Session
from repl.signals import stopping_at_ctrl_c


def run(session: Session, prompts: Iterable[str], job: Job, stdout: TextIO, stderr: TextIO | None) -> int:
    """Go on from where the session is, after each prompt. Returns 0, or 130 after Ctrl-C.

    Whatever ends it, what was written until then is kept. Raises `EngineError`, and `OSError` for a reader that went
    away.
    """
    for prompt in prompts:
        text = session.text_of(prompt)
        if code := _go_on(session, replace(job, prompt=text, is_chat=session.chat is not None), stdout, stderr):
            return code
    return 0


def _go_on(session: Session, job: Job, stdout: TextIO, stderr: TextIO | None) -> int:
    answer = session.write("say", job.prompt, session.drawing)
    reply = answer.reply
    if reply is None:  # never, because a text was given
        return 1
    for message in filter(None, (session.remark, answer.message)):
        say("textrepl", message)
    session.remark = ""
    with stopping_at_ctrl_c([reply]) as interrupted:
        try:
            if job.is_json:
                write_json(session.model, job, reply, seed_of(session), stdout, stderr)
            else:
                write_text(job, reply, stdout, stderr, session.note_written)
        finally:  # within, because another Ctrl-C must not keep it from being kept
            reply.stop()
            session.finish(answer)
    return 130 if interrupted else 0


def seed_of(session: Session) -> int:
    """The seed that the present turn was drawn with. Waits for the turn's end."""
    story = session.story.snapshot()
    return next(turn.checkpoint.seed for turn in story.turns if turn.id == story.present)
