from __future__ import annotations

import time

from prompt_toolkit.input import PipeInput

from engine.serving.engine import Engine
from tests.repl.terminal.keyboard import run_terminal


def test_a_typewriter_writes_so_many_characters_a_second(tiny: Engine, pipe: PipeInput) -> None:
    started = time.monotonic()
    session, _ = run_terminal(tiny, pipe, "/set speed 30\r/set length 45\rab\r\x04")
    assert 1.2 < time.monotonic() - started < 6
    assert len(session.story.turns[-1].text) == 45


def test_a_typewriter_that_is_stopped_has_not_written_far_ahead(tiny: Engine, pipe: PipeInput) -> None:
    keys = "/set speed 20\r/set length 100000\rab\r\x04"
    session, _ = run_terminal(tiny, pipe, keys, interrupt_at="leaving once this is done", after=1.0)
    assert session.story.turns[-1].finish_reason == "cancelled"
    assert len(session.story.text) < 3000
