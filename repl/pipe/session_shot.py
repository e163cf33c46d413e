"""Writes one continuation of a stored session to stdout, for pipes and scripts. The session is kept."""

from __future__ import annotations

from typing import TextIO

from engine.program import say
from repl.pipe.oneshot import Job, write_json, write_text
from repl.session.session import Session
from repl.signals import stopping_at_ctrl_c


def run(session: Session, job: Job, stdout: TextIO, stderr: TextIO | None) -> int:
    """Go on from where the session is. Returns 0, or 130 after Ctrl-C, with what was written until then.

    Whatever ends it, what was written is kept. Raises `EngineError`, and `OSError` for a reader that went away.
    """
    answer = session.write("say", job.prompt, session.sampling)
    reply = answer.reply
    if reply is None:  # never, because a text was given
        return 1
    for message in filter(None, (session.remark, answer.message)):
        say("textrepl", message)
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
    return session.story.turns[-1].checkpoint.seed
