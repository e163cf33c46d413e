from __future__ import annotations

import io

import pytest

from engine.train.watch import Watch, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.4, "59 s"), (60, "1:00"), (185, "3:05"), (7385, "2:03:05")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_terminal_has_one_line_that_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("engine.train.watch.time.monotonic", lambda: float(next(clock)))
    watch = Watch(2, 100, 50, stream := Terminal())
    for update in range(1, 4):
        watch.update(0, update, 0.6931, 1.3863 if update == 3 else None)
    watch.note("a line that stays")
    lines = stream.getvalue().split("\r")
    assert lines[-2].strip() == ""
    assert lines[-1] == "a line that stays\n"
    assert lines[-3].strip() == "epoch 1/2  loss 0.693  1.000 bits/char  50 chars/s  1:37 left  best 2.000"


def test_a_log_has_whole_lines_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr("engine.train.watch.time.monotonic", lambda: float(next(clock)))
    watch = Watch(2, 100, 50, stream := io.StringIO())
    for update in range(1, 65):
        watch.update(0, update, 1.0, None)
    watch.sample("one\ntwo\n")
    assert stream.getvalue().count("\n") == 4
    assert "\r" not in stream.getvalue()
    assert stream.getvalue().endswith("    | one\n    | two\n")
