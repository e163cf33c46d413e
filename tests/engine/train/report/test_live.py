"""The live view on an emulated terminal: what is drawn, what stays, and that it leaves nothing behind."""

from __future__ import annotations

import io
import os

import pyte
import pytest

from engine.train.report.live import LiveReporter, flowed


class Terminal(io.StringIO):
    """What was written, as an emulated terminal of that size shows it."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__()
        self._size = columns, rows

    def isatty(self) -> bool:
        return True

    def shown(self) -> list[str]:
        screen = pyte.HistoryScreen(*self._size, history=10_000)
        stream = pyte.Stream(screen)
        stream.feed(self.getvalue().replace("\n", "\r\n"))
        assert not screen.cursor.hidden
        top = ["".join(line[column].data for column in range(self._size[0])) for line in screen.history.top]
        return [line.rstrip() for line in [*top, *screen.display]]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Terminal:
    columns, rows = getattr(request, "param", (80, 24))
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(rows))
    monkeypatch.setenv("TERM", "xterm-256color")
    return Terminal(columns, rows)


def train(view: LiveReporter, updates: int = 60) -> None:
    for update in range(1, updates + 1):
        view.update(update // 30, update, 0.6931 * (1 + 10 / update), 1.3863, 0.004)


def test_figures_a_bar_and_a_curve_stand_below_what_stays(terminal: Terminal) -> None:
    with LiveReporter(4, 120, 50, terminal) as view:
        view.note("a line that stays")
        train(view)
        view.epoch({"epoch": 1, "training_nats": 1.0, "held_out_nats": 0.9, "seconds": 65.0}, is_best=True)
        lines = terminal.shown()
    text = "\n".join(lines)
    for piece in ("epoch 3/4", "bits/char", "chars/s", "left", "best 2.000", "learning rate 0.004", "o held out"):
        assert piece in text
    assert lines[0] == "a line that stays"
    assert lines[1].startswith("epoch 2/4: training 1.0000, held out 0.9000 nats/char")
    assert lines[2] == "1:05, the best so far"  # cut between words
    assert lines[3] == "━" * 38 + "─" * 38  # half of 76
    assert any("⠤" in line or "⠒" in line or "⠉" in line for line in lines)


@pytest.mark.parametrize("terminal", [(80, 24), (40, 15), (20, 10), (8, 3), (200, 50)], indirect=True)
def test_what_scrolls_stays_and_the_view_goes(terminal: Terminal) -> None:
    columns = int(os.environ["COLUMNS"])
    with LiveReporter(4, 120, 50, terminal) as view:
        for number in range(70):
            train(view, 3)
            view.note(f"note {number}")
        train(view)
    lines = [line for line in terminal.shown() if line]
    assert lines == [f"note {number}"[:columns] for number in range(70)]


def test_samples_fit_and_carry_no_control_characters(terminal: Terminal) -> None:
    with LiveReporter(1, 10, 5, terminal) as view:
        view.sample("word " * 30 + "\n\n\x1b[31mred\x9b\x07 [bold]not bold[/bold] :smile:", 0.5)
    lines = [line for line in terminal.shown() if line]
    assert lines[0] == "    at temperature 0.5:"
    assert all(line.startswith("    |") for line in lines[1:])
    assert lines[-1] == "    | [31mred [bold]not bold[/bold] :smile:"
    assert "\x1b[31mred" not in terminal.getvalue()


def test_an_error_puts_the_view_away(terminal: Terminal) -> None:
    def interrupted() -> None:
        with LiveReporter(4, 120, 50, terminal) as view:
            train(view)
            view.note("stays")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [line for line in terminal.shown() if line] == ["stays"]


def test_no_color_has_none(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def colours() -> bool:
        with LiveReporter(4, 120, 50, terminal) as view:
            train(view)
            view.note("")
        return any(f"\x1b[{code}m" in terminal.getvalue() for code in (32, 36))

    monkeypatch.setenv("NO_COLOR", "1")
    assert not colours()
    monkeypatch.delenv("NO_COLOR")
    assert colours()


def test_a_closed_terminal_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    master, slave = os.openpty()
    stream = open(slave, "w", encoding="utf-8")  # noqa: SIM115 (closing it fails, too)
    with LiveReporter(4, 120, 50, stream) as view:
        train(view)
        os.close(master)
        train(view)
        view.note("nobody reads this")
    with pytest.raises(OSError, match="Input/output"):
        stream.close()


def test_a_terminal_of_ascii_has_no_curve_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    raw = io.BytesIO()
    with LiveReporter(4, 120, 50, io.TextIOWrapper(raw, encoding="ascii")) as view:
        train(view)
        view.sample("naïve – text")
    assert b"####" in raw.getvalue()
    assert "na?ve ? text" in raw.getvalue().decode("ascii")


def test_pieces_flow_into_lines() -> None:
    assert flowed(["one", "two", "three", "a very long piece"], 10) == ["one  two", "three", "a very long piece"]
    assert flowed([], 10) == []
