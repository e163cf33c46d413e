"""`python -m engine.train` as people run it: in a process of its own, with what goes wrong for them."""

from __future__ import annotations

import csv
import gzip
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine.evaluate import main as evaluate
from engine.model.directory import CHECKPOINT
from engine.program import import_tensorflow
from engine.train import checkpoint
from engine.train.__main__ import main
from engine.train.report import card
from engine.train.report.plain import Reporter

import_tensorflow()

SMALL = ["--units", "24", "--embedding", "8", "--batch", "8", "--steps", "16", "--rate", "0.01", "--warmup", "10"]


def command(data: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "engine.train", "--data", str(data), "--out", str(out), *SMALL, *more]


def run(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=timeout, check=False)


def test_a_run_leaves_a_model_directory_that_explains_itself(plain_text: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    done = run(*command(plain_text, out, "--epochs", "2", "--sample-prompt", "the "))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for word in ("bits/char", "epoch 2/2", "| ", "held out, whole", f"textrepl {out}"):
        assert word in done.stdout
    settings = json.loads((out / "settings.json").read_text())
    assert settings["settings"]["units"] == 24
    assert settings["data"] == ["plain.txt"]
    rows = list(csv.DictReader((out / "training.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    card = (out / "README.md").read_text()
    assert settings["command"] in card
    assert str(tmp_path) not in card + json.dumps(settings)
    text = plain_text.read_text()
    with engine.load(out) as model:
        assert model.info.name == "mine"
        nats = model.score(text[int(len(text) * 0.9) :]).nats / (len(text) // 10)
        assert settings["figures"]["held_out_nats"] == pytest.approx(nats)
        assert f"{nats:.4f} nats" in card
        assert nats < 1.5  # of ln 17 = 2.8: it has learned
        assert len(model.conversation().say("the cat", length=20).text) == 20


def test_ctrl_c_saves_and_says_how_to_go_on(plain_text: Path, tmp_path: Path) -> None:
    """Interrupted in the midst of an epoch and resumed, a run ends in the weights of one that was not."""
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    assert run(*command(plain_text, straight, "--epochs", "12", "--sample-every", "0")).returncode == 0
    with subprocess.Popen(
        command(plain_text, broken, "--epochs", "12", "--sample-every", "0"), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch 2/"):
                time.sleep(0.2)
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read()
    assert process.returncode == 130
    assert f"go on with 'python -m engine.train --out {broken} --resume'" in rest
    assert checkpoint.load(broken).progress.epoch < 12
    engine.load(broken).close()  # the best so far can be written with already
    done = run(sys.executable, "-m", "engine.train", "--out", str(broken), "--resume")
    assert done.returncode == 0, done.stderr
    one, other = checkpoint.load(straight), checkpoint.load(broken)
    for a, b in zip(one.arrays["weights"], other.arrays["weights"], strict=True):
        assert np.array_equal(a, b)
    assert (straight / "vocabulary.json").read_bytes() == (broken / "vocabulary.json").read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_ends_in_one_line_and_loses_nothing(plain_text: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        done = run(*command(plain_text, disk / "out", "--epochs", "2", "--sample-every", "0"))
        assert done.returncode == 1
        assert "No space left" in done.stderr
        assert done.stderr.count("\n") == 1
        assert "training goes on" in done.stdout
        assert "Traceback" not in done.stdout + done.stderr
        names = {path.name for path in (disk / "out").iterdir()}
        assert not [name for name in names if name.startswith(".")]  # no half files
        if "model.keras" in names:
            engine.load(disk / "out").close()
        if CHECKPOINT in names:
            checkpoint.load(disk / "out")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_what_could_not_be_kept_is_not_in_the_card(plain_text: Path, tmp_path: Path) -> None:
    """No file over 60 kB can be written when the run goes on: small ones can, the model and checkpoint cannot."""
    out = tmp_path / "out"
    assert run(*command(plain_text, out, "--epochs", "2", "--sample-every", "0", "--units", "64")).returncode == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    limited = f"ulimit -f 60; exec {sys.executable} -m engine.train --out {out} --resume --epochs 4"
    done = run("bash", "-c", limited)
    assert done.returncode == 1
    assert "could not save" in done.stderr
    assert done.stderr.count("\n") == 1
    for name in ("model.keras", "checkpoint.npz"):
        assert (out / name).read_bytes() == before[name]
    assert "in epoch 2 (kept)" in (out / "README.md").read_text()
    assert "best so far" not in done.stdout


def test_a_reader_that_goes_away_does_not_end_the_run(plain_text: Path, tmp_path: Path) -> None:
    line = " ".join(command(plain_text, tmp_path / "out", "--epochs", "2"))
    done = run("bash", "-c", f"{line} | head -1; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == 0
    assert done.stderr == ""
    engine.load(tmp_path / "out").close()


def failing(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert main([str(argument) for argument in arguments]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("engine.train: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_bad_input_gets_one_line(plain_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert "No such file" in failing(capsys, "--data", tmp_path / "none.txt", "--out", out)
    (binary := tmp_path / "binary.txt").write_bytes(b"\x00\x01")
    assert "not text" in failing(capsys, "--data", binary, "--out", out)
    (unknown := tmp_path / "unknown.txt").write_bytes(b"a\x81\x8d\x90b")
    assert "not UTF-8" in failing(capsys, "--data", unknown, "--out", out)
    (short := tmp_path / "short.txt").write_text("too short")
    assert "too short: 9 characters" in failing(capsys, "--data", short, "--out", out)
    (line := tmp_path / "line.txt").write_text("no line ends here, " * 40)
    assert "--reset line: the text to learn from has no line ends" in failing(
        capsys, "--data", line, "--out", out, "--reset", "line"
    )
    assert "is a file" in failing(capsys, "--data", plain_text, "--out", short)
    assert "cannot make" in failing(capsys, "--data", plain_text, "--out", short / "below")
    assert "nothing to resume" in failing(capsys, "--out", out, "--resume")
    assert not out.exists()  # nothing is made before all is known to be well
    for name in ("model.keras", "checkpoint.npz"):
        (held := tmp_path / f"held-{name}").mkdir()
        (held / name).touch()
        assert "holds a model or a run already" in failing(capsys, "--data", plain_text, "--out", held)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--out", "x"], ["--data", "x"], ["--data", "x", "--out", "y", "--dropout", "1"], ["--units", "many"],
        ["--data", "x", "--out", "y", "--rate", "nan"], ["--out", "x", "--resume", "--units", "3"],
        ["--out", "x", "--resume", "--time", "soon"], ["--out", "x", "--resume", "--epochs", "0"],
        ["--data", "x", "--out", "y", "--unknown-flag"], ["--data", "x", "--out", "y", "--level", "verse"],
    ],
)  # fmt: skip
def test_wrong_usage_is_refused_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


def test_the_losses_of_every_epoch_are_there_at_once(
    plain_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of one that was no better, so that nobody has to wait for the next one that is."""
    out, seen = tmp_path / "mine", list[int]()
    monkeypatch.setattr(
        Reporter, "epoch", lambda *_: seen.append(len((out / "training.csv").read_text().splitlines()) - 1)
    )
    arguments = ["--data", str(plain_text), "--out", str(out), *SMALL, "--rate", "0", "--epochs", "3"]
    assert main([*arguments, "--sample-every", "0"]) == 0
    assert seen == [1, 2, 3]


def test_patience_stops_a_run_that_learns_nothing(
    plain_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["--data", str(plain_text), "--out", str(out), *SMALL, "--cell", "rnn", "--optimizer", "sgd"]
    assert main([*arguments, "--rate", "0", "--epochs", "9", "--patience", "1", "--sample-every", "0"]) == 0
    shown = capsys.readouterr().out
    assert "epoch 2/9" in shown
    assert "epoch 3/9" not in shown
    assert "no better for 1 epochs: stopped early" in shown
    assert "2 SimpleRNN layers of 24 units" in (out / "README.md").read_text()
    assert main(["--out", str(out), "--resume", "--patience", "3", "--sample-every", "0"]) == 0
    shown = capsys.readouterr().out
    assert "epoch 4/9" in shown
    assert "epoch 5/9" not in shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"na\xefve", "na\ufffdve"),
        (b"\x93tale\x94 it's", "\ufffdtale\ufffd it's"),
        (b"red\x1b[31m\nline", "red\ufffd[31m\ufffdline"),
    ],
)
def test_any_name_and_text_that_the_system_allows(
    plain_text: Path, tmp_path: Path, name: bytes, shown: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The run begins, is gone on with, and begins another; its card shows the name as far as a text can."""
    monkeypatch.chdir(tmp_path)
    word = os.fsdecode(name)
    Path(f"{word}.txt").write_bytes(plain_text.read_bytes())
    begin = [*SMALL, "--data", f"{word}.txt", "--epochs", "1", "--out"]
    further = ["--sample-prompt", f"th{word}", "--keep", f"a-z .{word}", "--tensorboard", f"b{word}"]
    assert main([*begin, word, *further]) == 0
    assert main(["--out", word, "--resume", "--epochs", "2"]) == 0
    assert main([*begin, f"new{word}", "--from", word]) == 0
    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err
    card = Path(f"new{word}/README.md").read_text(encoding="utf-8")
    assert card.startswith(f"# new{shown}\n")
    assert f"| data | {shown}.txt" in card
    assert f"`{shown}`" in card


def test_names_and_texts_in_a_locale_that_knows_ascii_alone(plain_text: Path, tmp_path: Path) -> None:
    posix = {**os.environ, "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        command(plain_text, tmp_path / "été", "--sample-prompt", "à", "--keep", "a-zé .", "--epochs", "1"),
        capture_output=True, env=posix, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"\\303\\251t\\303\\251'" in done.stdout
    card = (tmp_path / "été" / "README.md").read_text(encoding="utf-8")
    assert "--out 'models/été' --keep 'a-zé .'" in card
    assert "--sample-prompt 'à'" in card


@pytest.mark.parametrize(
    ("out", "more", "words"),
    [
        ("x" * 300, [], "cannot write xxx"),
        ("x" * 300 + "/m", [], "File name too long"),
        ("x" * 300, ["--resume"], "cannot read xxx"),
        ("loop/m", [], "cannot write loop/m: Too many levels of symbolic links"),
        ("loop/m", ["--resume"], "cannot read loop/m: Too many levels of symbolic links"),
    ],
)
def test_a_place_that_cannot_be_is_blamed_itself(
    plain_text: Path, tmp_path: Path, out: str, more: list[str], words: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    assert main(["--data", str(plain_text), "--out", out, *more]) == 1
    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1


@pytest.mark.parametrize("flag", ["--out", "--cache", "--from", "--data", "--validation"])
def test_an_empty_name_names_nothing(flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--data", "x", "--out", str(tmp_path), flag, ""])
    assert ended.value.code == 2
    assert "'' names nothing" in capsys.readouterr().err.replace("'':", "''")


def test_what_a_message_quotes_acts_on_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--data", "x", "--out", "m", "--nosuch\x1b[31m"])
    assert "--nosuch\ufffd[31m" in capsys.readouterr().err
    assert main(["--data", "x\x1b[31m", "--out", "m\x9b"]) == 1
    assert "x\ufffd[31m" in capsys.readouterr().err


def test_a_run_on_packed_filtered_files_with_their_own_validation_and_test(
    plain_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (packed := tmp_path / "plain.txt.gz").write_bytes(gzip.compress(plain_text.read_bytes()))
    for name in ("valid", "test"):
        (tmp_path / f"{name}.txt").write_text("The CAT sat on the log.\n" * 20)
    out = tmp_path / "out"
    arguments = [
        "--data",
        str(packed),
        "--validation",
        str(tmp_path / "valid.txt"),
        "--test",
        str(tmp_path / "test.txt"),
    ]
    arguments += ["--out", str(out), "--lower", "--cache", str(tmp_path / "cache"), "--units", "16", "--layers", "1"]
    arguments += ["--embedding", "8", "--batch", "8", "--steps", "16", "--epochs", "1", "--rate", "0.01"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert f"{plain_text.stat().st_size:,} characters to learn from, 480 held out, 480 to test, 15 different" in shown
    assert shown.startswith("read 3 files, ")
    assert "test, whole: " in shown
    figures = json.loads((out / "settings.json").read_text())["figures"]
    assert figures["test_nats"] == pytest.approx(figures["held_out_nats"])  # the same text
    assert "| test | " in (card := (out / "README.md").read_text())
    assert "--data plain.txt.gz --validation valid.txt --test test.txt" in card
    with engine.load(out) as model:
        score = model.score("the cat sat on the log.\n" * 20)
    assert score.nats / 480 == pytest.approx(figures["test_nats"])
    assert main(["--out", str(out), "--resume", "--epochs", "2", "--cache", str(tmp_path / "cache")]) == 0
    (tmp_path / "valid.txt").write_text("another text, that was not there.\n" * 20)
    assert main(["--out", str(out), "--resume", "--epochs", "3"]) == 1
    assert "the text has changed" in capsys.readouterr().err


@pytest.mark.parametrize("level", ["word", "bpe"])
def test_from_text_to_a_model_that_writes(
    plain_text: Path, tmp_path: Path, level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / level
    arguments = ["--data", str(plain_text), "--out", str(out), "--level", level, "--vocabulary", "270"]
    arguments += [
        "--units",
        "24",
        "--embedding",
        "8",
        "--batch",
        "4",
        "--steps",
        "8",
        "--rate",
        "0.02",
        "--warmup",
        "5",
        "--epochs",
        "2",
    ]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    settings = json.loads((out / "settings.json").read_text())["figures"]
    nats, rate = settings["held_out_nats"], settings["held_out_tokens"] / settings["held_out_characters"]
    bits = nats * rate / math.log(2)
    assert f"held out, whole: {nats:.4f} nats/token = {bits:.3f} bits/char, perplexity {math.exp(nats):.2f}" in shown
    assert f"{bits:.3f} bits a character" in (out / "README.md").read_text()
    assert rate < 0.7
    assert bits < 0.5 * math.log2(270) * rate  # of a model that knows nothing
    row = list(csv.DictReader((out / "training.csv").read_text().splitlines()))[-1]
    assert float(row["held_out_bits"]) == pytest.approx(float(row["held_out_nats"]) * rate / math.log(2))
    assert evaluate([str(out), "--data", str(plain_text), "--tail", "0.1", "--json"]) == 0
    score = json.loads(capsys.readouterr().out)
    assert score["bits_per_character"] == pytest.approx(bits, rel=1e-6)
    assert score["characters"] == settings["held_out_characters"]
    with engine.load(out) as model:
        assert model.info.level == level
        assert model.conversation(sampling=engine.Sampling(temperature=0)).say("the", length=4).text.startswith(" ")
    assert main(["--out", str(out), "--resume", "--epochs", "3", "--sample-every", "0"]) == 0
    assert "epoch 3/3" in capsys.readouterr().out


def test_losses_that_were_not_saved_once_are_saved_with_the_next_epoch(
    plain_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, write, calls = tmp_path / "mine", card.write_history, list[int]()

    def fails_once(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        write(*arguments)

    monkeypatch.setattr(card, "write_history", fails_once)
    arguments = ["--data", str(plain_text), "--out", str(out), *SMALL, "--epochs", "2", "--sample-every", "0"]
    assert main(arguments) == 0
    assert "could not save the losses" in capsys.readouterr().out
    assert len((out / "training.csv").read_text().splitlines()) == 3
