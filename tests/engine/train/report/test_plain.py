from __future__ import annotations

import io
import os

import pytest

from engine.train.report.plain import Reporter, is_terminal


def test_a_log_has_whole_lines_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr("engine.train.report.plain.time.monotonic", lambda: float(next(clock)))
    reporter = Reporter(2, 100, 50, stream := io.StringIO())
    for update in range(1, 65):
        reporter.update(0, update, 1.0, None)
    reporter.sample("one\ntwo\n")
    assert stream.getvalue().count("\n") == 4
    assert "\r" not in stream.getvalue()
    assert stream.getvalue().endswith("    | one\n    | two\n")


def test_no_control_character_of_a_sample_reaches_a_terminal() -> None:
    Reporter(1, 1, 1, stream := io.StringIO()).sample("a\tb\x1b[2J\x9bc\n", 0.5)
    assert stream.getvalue() == "    at temperature 0.5:\n    | a\tb[2Jc\n"


def test_what_can_draw_again_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = os.openpty()
    with open(master, "rb"), open(slave, "w") as stream:
        for term, expected in (("xterm", True), ("dumb", False), ("unknown", False)):
            monkeypatch.setenv("TERM", term)
            assert is_terminal(stream) is expected
    monkeypatch.setenv("TERM", "xterm")
    assert not is_terminal(io.StringIO())
    assert not is_terminal(None)
