"""`textrepl` in a pipe, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pexpect
import pytest

import engine
from tests.repl.screens import Screen


def run(
    *arguments: str, text: bytes | None = None, shell: str = "", timeout: float = 60
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "repl", *arguments]
    if shell:
        command = ["bash", "-c", f'"$@" {shell}', "bash", *command]
    keep = {} if text is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run(command, input=text, capture_output=True, timeout=timeout, check=False, **keep)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def model(keras_model_dir: Path) -> str:
    return str(keras_model_dir)


def expected(model: str, prompt: str, seed: int, length: int = 40) -> str:
    with engine.load(model) as loaded:
        return loaded.conversation(sampling=engine.Sampling(seed=seed, length=length)).say(prompt).text


def one_line(done: subprocess.CompletedProcess[bytes], code: int, *words: str) -> None:
    message = done.stderr.decode()
    assert done.returncode == code, message
    assert "Traceback" not in message
    assert all(word in message for word in words), message
    if code == 1:
        assert message.count("\n") == 1


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


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store of one's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return f"sqlite:///{tmp_path / 'stories.db'}"


def test_a_session_goes_on_in_a_pipe_and_is_kept(model: str, home: str) -> None:
    arguments = [model, "--session", "tale", "--store", home, "--length", "30"]
    first = run(*arguments, "--seed", "5", text=b"the cat")
    second = run(*arguments, "--prompt", " sat", "--echo", "--temperature", "0.5")
    third = run(*arguments, "--prompt", "", "--json")
    assert [done.returncode for done in (first, second, third)] == [0, 0, 0]
    assert first.stderr + second.stderr + third.stderr == b""
    row = json.loads(third.stdout)
    assert (row["seed"], row["finish_reason"]) == (5, "length")
    with engine.load(model) as loaded, closing(engine.Store(home)) as store:
        kept = store.open(loaded, "tale")
        talk = loaded.conversation(sampling=engine.Sampling(seed=5, length=30))
        text = ["the cat", talk.say("the cat").text]
        talk.sampling = engine.Sampling(seed=5, length=30, temperature=0.5)
        text += [" sat", talk.say(" sat").text, talk.say("").text]
    assert kept.text == "".join(text)
    assert (first.stdout + second.stdout).decode() + row["text"] == "".join(text[1:])
    assert kept.sampling.temperature == 0.5


def test_what_was_written_is_kept_when_the_reader_goes_away_or_at_ctrl_c(model: str, home: str) -> None:
    arguments = [model, "--session", "tale", "--store", home, "--prompt", "ab"]
    one_line(run(*arguments, "--length", "100000", shell="| head -c 5; exit ${PIPESTATUS[0]}"), 1, "went away")
    command = [sys.executable, "-m", "repl", *arguments, "--length", "1000000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        text = process.stdout.read(20)
        process.send_signal(signal.SIGINT)
        text += process.stdout.read()
        assert process.stderr.read() == b""
    assert process.returncode == 130
    with closing(engine.Store(home)) as store:
        turns = [text for *_, text in store.texts("tale").turns]
    assert turns[::2] == ["ab", "ab"]
    assert len(turns[1]) >= 5
    assert turns[3] == text.decode()


def test_what_can_be_neither_read_nor_kept_is_in_a_file(model: str, home: str, tmp_path: Path) -> None:
    arguments = [model, "--session", "tale", "--store", home, "--prompt", "ab"]
    assert run(*arguments, "--length", "5").returncode == 0
    with closing(sqlite3.connect(tmp_path / "stories.db")) as database:
        database.execute("CREATE TRIGGER full BEFORE INSERT ON turns BEGIN SELECT RAISE(ABORT, 'full'); END")
    done = run(*arguments, "--length", "100000", shell="| head -c 5; exit ${PIPESTATUS[0]}")
    (path,) = (tmp_path / "textrepl").glob("unkept-*.txt")
    one_line(done, 1, "could not be kept", path.name)
    assert path.read_text(encoding="utf-8").count("ab") >= 2


def test_wrong_usage_is_2(model: str) -> None:
    one_line(run(model, "--prompt", "a", "--temperature", "-1"), 2, "temperature -1.0")
    one_line(run(model, "--prompt", "a", "--top-p", "2"), 2, "top_p 2.0")
    one_line(run(model, "--prompt", "a", "--samples", "0"), 2, "samples 0")
    one_line(run(model, "--nonsense"), 2, "--nonsense")
    one_line(run(model, "--prompt", "a", "--store", "sqlite:///x"), 2, "give --session")
    one_line(run(model, "--prompt", "a", "--session", "x", "--samples", "2"), 2, "goes on one way")
    one_line(run(model, "--prompt", "a", "--session", "x/y"), 2, "without '/'")
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


@pytest.mark.parametrize("flag", [["--store"], ["--session"], ["--stop"], []])
def test_an_empty_name_names_nothing(model: str, flag: list[str]) -> None:
    assert run("--prompt", "a", *flag, "").returncode == 2


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
        talk = loaded.conversation()
        talk.say("ab", length=5).result()
        assert engine.replay(loaded, "\ufeff" + talk.export()).text == talk.text
