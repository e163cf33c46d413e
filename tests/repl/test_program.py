from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

import engine
from tests.repl.pipe.process import one_line, run


def test_wrong_usage_is_2(model: str) -> None:
    one_line(run(model, "--prompt", "a", "--temperature", "-1"), 2, "temperature -1.0")
    one_line(run(model, "--prompt", "a", "--top-p", "2"), 2, "top_p 2.0")
    one_line(run(model, "--prompt", "a", "--samples", "0"), 2, "samples 0")
    one_line(run(model, "--prompt", "a", "--backend", "keras", "--precision", "int8"), 2, "leave one of them out")
    one_line(run(model, "--nonsense"), 2, "--nonsense")
    one_line(run(model, "--prompt", "a", "--store", "sqlite:///x"), 2, "give --session")
    one_line(run(model, "--prompt", "a", "--session", "x", "--samples", "2"), 2, "goes on one way")
    one_line(run(model, "--prompt", "a", "--session", "x/y"), 2, "without '/'")
    one_line(run(model, "--prompt", "a", "--session", "x\ny"), 2, "line ends")
    one_line(run(model, shell="<&-"), 2, "standard input is closed")


def test_what_could_not_be_done_is_1(model: str, tmp_path: Path) -> None:
    one_line(run("nowhere", "--prompt", "a"), 1, "nowhere", "no such model")
    one_line(run(str(tmp_path), "--prompt", "a"), 1, "no model.keras")
    one_line(run("a" * 300, "--prompt", "a"), 1, "cannot be looked up")
    one_line(run(model, text=b"caf\x82\x82\x82"), 1, "not UTF-8")
    one_line(run(model, "--prompt", "a", shell=">&-"), 1, "stdout is closed")
    one_line(
        run(model, "--prompt", "a", "--length", "100000", shell="| head -c 5; exit ${PIPESTATUS[0]}"), 1, "went away"
    )
    store = f"sqlite:///{tmp_path}/no/x.db"
    (tmp_path / "no").touch()
    one_line(run(model, "--prompt", "a", "--session", "x", "--store", store), 1, "cannot be used")
    if os.path.exists("/dev/full"):
        one_line(run(model, "--prompt", "a", shell="> /dev/full"), 1, "No space left")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="how far a process is shows in /proc")
@pytest.mark.parametrize("delay", [0.0, 0.05, 0.15, 0.3])
def test_ctrl_c_at_any_moment_of_the_start_shows_no_traceback(model: str, delay: float) -> None:
    """From the first import of ours on; before that, Python itself is starting."""
    command = [sys.executable, "-m", "repl", model, "--prompt", "ab", "--length", "1000000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while "numpy" not in Path(f"/proc/{process.pid}/maps").read_text():
            assert process.poll() is None
            time.sleep(0.002)
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=30)
    assert process.returncode == 130
    assert message == b""


def test_help_and_version_answer(model: str) -> None:
    assert b"--top-p" in run("--help").stdout
    assert run("--version").stdout.startswith(b"textrepl ")


POSIX = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("locale", [{}, POSIX])
@pytest.mark.parametrize("name", [b"q\xe9", b"\x93q\x94", "é漢".encode(), b"red\x1b[31m"])
def test_any_name_and_text_that_the_system_allows(
    model: str, tmp_path: Path, name: bytes, locale: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in {**locale, "PYTHONPATH": os.getcwd()}.items():
        monkeypatch.setenv(variable, value)
    word = os.fsdecode(name)
    (tmp_path / word).symlink_to(model)
    monkeypatch.chdir(tmp_path)
    shown = word if "\x1b" not in word else "red"
    arguments = [word, "--session", shown, "--store", f"{word}.db", "--length", "5", "--stop", f"##{word}"]
    for prompt in (b"the " + name, b" and"):
        done = run(*arguments, "--prompt", os.fsdecode(prompt), "--echo")
        assert done.returncode == 0, done.stderr
        assert b"\x1b" not in done.stderr
    assert (tmp_path / f"{word}.db").is_file()
    with closing(engine.Store(f"{word}.db")) as store:
        (title,) = store.names()
        assert title == engine.decoded(shown, "backslashreplace")
        assert [text for *_, text in store.texts(title).turns][2] == " and"
    one_line(run(f"no{word}", "--prompt", "a"), 1, "no such model")


def test_a_byte_order_mark_is_no_mistake(model: str, tmp_path: Path) -> None:
    arguments = [model, "--seed", "5", "--length", "20"]
    plain = run(*arguments, "--prompt", "the cat")
    for done in (run(*arguments, text=b"\xef\xbb\xbfthe cat"), run(*arguments, "--prompt", "\ufeffthe cat")):
        assert (done.stdout, done.stderr) == (plain.stdout, b"")
    for name in ("model.keras", "vocabulary.json"):
        (tmp_path / name).write_bytes((Path(model) / name).read_bytes())
    for name, text in (("vocabulary.json", None), ("settings.json", '{"figures": 7}')):
        data = (tmp_path / name).read_bytes() if text is None else text.encode()
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + data)
    assert run(str(tmp_path), *arguments[1:], "--prompt", "the cat").stdout == plain.stdout
    assert engine.about(tmp_path).settings == {"figures": 7}
    with engine.load(model) as loaded:
        story = loaded.conversation()
        story.say("ab", length=5).result()
        assert engine.replay(loaded, "\ufeff" + story.export()).text == story.text
