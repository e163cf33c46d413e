"""`engine.train.fit`, from Python and in a real notebook kernel."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import engine
from engine.train import History, fit
from engine.train.report.plain import Reporter

SMALL: dict[str, Any] = {
    "units": 16, "layers": 1, "embedding": 8, "batch": 8, "steps": 16, "rate": 0.01, "warmup": 10, "epochs": 2,
    "sample_every": 0,
}  # fmt: skip


def test_fit_trains_as_the_command_does(plain_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mine"
    history = fit(plain_text, out, **SMALL)
    assert history.is_done
    assert history.directory == out
    rows = list(csv.DictReader((out / "training.csv").read_text().splitlines()))
    assert [row["held_out_nats"] for row in rows] == [str(row["held_out_nats"]) for row in history]
    assert [row["epoch"] for row in history] == [1, 2]
    assert len(history) == 2
    assert history.best == history[1]
    assert repr(history).startswith(f"<History of {out}: 2 epochs in ")
    assert f"{history[1]['held_out_nats']:.4f} nats a token" in repr(history)
    assert "epoch 2/2: training" in capsys.readouterr().out
    with pytest.raises(engine.EngineError, match="holds a model or a run already"):
        fit(plain_text, out, **SMALL)
    longer = fit((), out, resume=True, epochs=3)
    assert [row["held_out_nats"] for row in longer][:2] == [row["held_out_nats"] for row in history]
    assert len(longer) == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"unit": 3}, "unit: there is no such setting"), ({"units": 0}, "--units 0: must be from 1"),
        ({"units": "many"}, "units='many': must be a number"), ({"batch": 2.5}, "batch=2.5: must be an int"),
        ({"units": 2.5}, "units='2.5': must be a number"), ({"batch": "many"}, "batch='many': must be an int"),
        ({"tied": 1}, "tied=1: must be a bool"), ({"level": "verse"}, "--level verse: must be char or word"),
        ({"dropout": True}, "dropout=True: must be a float"), ({"resume": True, "units": 3}, "--units: is fixed"),
    ],
)  # fmt: skip
def test_wrong_settings_are_told_in_a_line(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        fit("x.txt", tmp_path / "out", **given)
    assert "\n" not in str(caught.value)


def test_wrong_text_is_an_engine_error(tmp_path: Path) -> None:
    with pytest.raises(engine.EngineError, match="No such file"):
        fit(tmp_path / "none.txt", tmp_path / "out")
    with pytest.raises(ValueError, match="--data: name the text"):
        fit([], tmp_path / "out")


def test_an_interrupt_stops_and_keeps(plain_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes in the midst of the second epoch, as from a notebook's stop button."""
    seen = Reporter.update

    def update(reporter: Reporter, epoch: int, *more: Any) -> None:
        seen(reporter, epoch, *more)
        if epoch == 1:
            monkeypatch.undo()
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("engine.train.report.plain.Reporter.update", update)
    history = fit(plain_text, tmp_path / "out", **SMALL | {"epochs": 50})
    assert not history.is_done
    assert len(history) == 1
    assert "interrupted" in repr(history)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert len(fit((), tmp_path / "out", resume=True, epochs=3)) == 3


def test_fit_works_in_a_thread_where_no_signal_is_heard(plain_text: Path, tmp_path: Path) -> None:
    made: list[History] = []
    thread = threading.Thread(target=lambda: made.append(fit([plain_text], str(tmp_path / "out"), **SMALL)))
    thread.start()
    thread.join()
    assert made[0].is_done


@pytest.fixture
def kernel() -> Iterator[Any]:
    from ipykernel.inprocess import InProcessKernelManager

    manager = InProcessKernelManager()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    yield client
    client.stop_channels()
    shell = manager.kernel.shell
    manager.shutdown_kernel()
    type(shell).clear_instance()  # else every test after this one would run in a notebook


def test_a_notebook_has_a_curve_that_is_drawn_in_place(kernel: Any, plain_text: Path, tmp_path: Path) -> None:
    settings = SMALL | {"sample_every": 1, "sample_prompt": "<cat>"}
    kernel.execute(f"from engine.train import fit\nfit({str(plain_text)!r}, {str(tmp_path / 'out')!r}, **{settings})")
    kinds: dict[str, list[Any]] = {}
    while kernel.iopub_channel.msg_ready():
        message = kernel.get_iopub_msg(timeout=0)
        kinds.setdefault(message["header"]["msg_type"], []).append(message["content"])
    assert "error" not in kinds
    assert len(kinds["display_data"]) == 1
    updates = kinds["update_display_data"]
    assert {update["transient"]["display_id"] for update in updates} == {
        kinds["display_data"][0]["transient"]["display_id"]
    }
    page = updates[-1]["data"]["text/html"]
    assert page.count("<circle") == 2
    assert "<polyline" in page
    assert "epoch 2/2: training" in page
    assert "&lt;cat&gt;" in page
    assert "epoch 2/2: training" in updates[-1]["data"]["text/plain"]
    assert kinds["execute_result"][0]["data"]["text/plain"].startswith("<History of ")


def test_importing_the_trainer_imports_no_tensorflow() -> None:
    code = (
        "import sys, engine.train; assert 'engine.train.job' not in sys.modules; engine.train.fit; "
        "assert not {'tensorflow', 'keras', 'rich', 'IPython', 'matplotlib'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "engine.train", "--help"], check=True, capture_output=True, timeout=60
    )
    assert done.stderr == b""


def test_an_unknown_name_is_none_of_the_trainers() -> None:
    with pytest.raises(AttributeError, match="no attribute 'unfit'"):
        engine.train.unfit  # noqa: B018
