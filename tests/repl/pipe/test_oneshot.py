"""`textrepl` in a pipe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

import engine
from tests.repl.pipe.process import expected, run
from tests.repl.screens import Screen


def test_stdout_gets_the_continuation_and_nothing_else(model: str) -> None:
    arguments = [model, "--seed", "5", "--length", "40"]
    given = run(*arguments, "--prompt", "the cat")
    assert given.returncode == 0
    assert given.stdout.decode() == expected(model, "the cat", 5)
    assert given.stderr == b""
    assert run(*arguments, text=b"the cat").stdout == given.stdout
    assert run(*arguments, "--prompt", "the cat", "--echo").stdout == b"the cat" + given.stdout
    assert run(*arguments, "--prompt", "the cat", "--backend", "keras").stdout == given.stdout


def test_standard_input_is_read_in_the_encodings_of_the_trainer(model: str) -> None:
    given = run(model, "--seed", "5", "--length", "20", "--prompt", "the cat")
    for encoding, told in (("utf-8-sig", b""), ("utf-16", b"textrepl: standard input was read as UTF-16\n")):
        done = run(model, "--seed", "5", "--length", "20", text="the cat".encode(encoding))
        assert (done.stdout, done.stderr) == (given.stdout, told)


def test_samples_and_json(model: str) -> None:
    done = run(model, "--prompt", "ab", "--seed", "5", "--length", "40", "--samples", "3", "--json")
    rows = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert [row["text"] for row in rows] == [expected(model, "ab", seed) for seed in (5, 6, 7)]
    assert [row["seed"] for row in rows] == [5, 6, 7]
    assert {row["finish_reason"] for row in rows} == {"length"}
    plain = run(model, "--prompt", "ab", "--seed", "5", "--length", "40", "--samples", "3").stdout.decode()
    assert plain == "".join(row["text"] + "\n" for row in rows)


def test_stop_strings_may_be_given_again(model: str) -> None:
    text = expected(model, "ab", 5, 200)
    row = json.loads(
        run(model, "--prompt", "ab", "--seed", "5", "--stop", "###", "--stop", text[10:12], "--json").stdout
    )
    assert row["text"] == text[: text.index(text[10:12])]
    assert row["finish_reason"] == "stop"


def test_unseen_characters_are_told_on_stderr(model: str) -> None:
    done = run(model, "--prompt", "é漢", "--length", "3")
    assert done.returncode == 0
    assert "'é' as 'e'" in done.stderr.decode()
    assert len(done.stdout) == 3


def test_a_message_never_lands_in_the_text(model: str) -> None:
    assert len(run(model, "--prompt", "\u6f22", "--length", "3", shell="2>&-").stdout) == 3


def test_ctrl_c_keeps_what_was_written_and_is_130(model: str) -> None:
    command = [sys.executable, "-m", "repl", model, "--prompt", "ab", "--length", "1000000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(20)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.stderr.read() == b""
    assert process.returncode == 130


@pytest.fixture
def spoilt(tmp_path: Path) -> str:
    """A model that writes what acts on terminals, and what few encodings have."""
    from engine.model.directory import NETWORK, VOCABULARY, write_json
    from engine.program import import_tensorflow
    from engine.text.vocabulary import Vocabulary

    import_tensorflow()
    from engine.train.network.build import build_model
    from engine.train.settings import TrainSettings

    tokens = ("\n", "a", "b", "\x1b", "\x07", "\x9b", "\x7f", "\u202e", "漢", "é")
    build_model(len(tokens), TrainSettings(units=8, layers=1, embedding=8)).save(tmp_path / NETWORK)
    write_json(tmp_path / VOCABULARY, Vocabulary(tokens).to_json())
    return str(tmp_path)


def test_a_pipe_gets_what_a_model_writes_as_it_is_and_a_terminal_nothing_that_acts_on_it(spoilt: str) -> None:
    arguments = [
        spoilt,
        "--prompt",
        "a\x1b[2J\x9b31m",
        "--echo",
        "--length",
        "400",
        "--seed",
        "1",
        "--temperature",
        "3",
    ]
    raw = run(*arguments).stdout.decode()
    assert raw.startswith("a\x1b[2J\x9b31m")
    assert all(letter in raw for letter in "\x1b\x07\x9b\x7f\u202e漢")
    screen = Screen(80, *arguments)
    screen.child.expect(pexpect.EOF)
    shown = screen.child.before.decode()
    assert shown.replace("\r\n", "\n").endswith(engine.visible(raw) + "\n")
    assert not set("\x1b\x07\x9b\x7f\u202e") & set(shown)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8", "cp1252", "shift_jis"])
def test_json_holds_every_character_in_any_encoding(
    spoilt: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    arguments = [spoilt, "--prompt", "漢é", "--echo", "--length", "300", "--seed", "1", "--temperature", "3", "--json"]
    line = run(*arguments).stdout.decode(encoding)
    assert not set("\x1b\x07\x9b\x7f\u202e?") & set(line)
    assert json.loads(line)["text"] == "漢é" + expected_of(spoilt)


def expected_of(model: str) -> str:
    with engine.load(model) as loaded:
        sampling = engine.Sampling(seed=1, length=300, temperature=3.0)
        return loaded.conversation(sampling=sampling).say("漢é").text


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a disk that is always full")
@pytest.mark.parametrize("more", [[], ["--json"], ["--session", "deaf"]])
def test_a_stderr_that_takes_nothing_stops_no_text(model: str, home: str, more: list[str]) -> None:
    arguments = [model, "--prompt", "é漢", "--length", "9", "--seed", "1", *more]
    done = run(*arguments, *(["--store", home] if "--session" in more else []), shell="2>/dev/full")
    assert (done.returncode, len(done.stdout) >= 9) == (0, True)
    assert run("nowhere", "--prompt", "a", shell="2>/dev/full").returncode == 1
