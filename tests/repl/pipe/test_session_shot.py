from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import closing

import engine
from tests.repl.pipe.process import one_line, run


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
        story = loaded.conversation(sampling=engine.Sampling(seed=5, length=30))
        text = ["the cat", story.say("the cat").text]
        story.sampling = engine.Sampling(seed=5, length=30, temperature=0.5)
        text += [" sat", story.say(" sat").text, story.say("").text]
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


def test_in_a_chat_each_line_gets_a_line(model: str) -> None:
    arguments = [model, "--chat", "ann:bob", "--length", "30", "--temperature", "1.5", "--seed", "5"]
    done = run(*arguments, text=b"hello\nhow are you\n\n")
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().split("\n")
    assert len(lines) == 4
    with engine.load(model) as loaded:
        story = loaded.conversation(sampling=engine.Sampling(seed=5, length=30, temperature=1.5, stop=("\n",)))
        first = story.say("ann: hello\nbob: ").text
        second = story.say("\nann: how are you\nbob: ").text
        assert lines[:2] == [first, second]
        is_stopped = story.turns[-1].finish_reason == "stop"
        assert lines[2:] == [story.say("\nbob: " if is_stopped else "").text, ""]
    echoed = run(*arguments, "--prompt", "hello", "--echo").stdout.decode()
    assert echoed == f"ann: hello\nbob: {first}\n"
    row = json.loads(run(*arguments, "--prompt", "hello", "--json").stdout)
    assert (row["text"], row["seed"]) == (first, 5)


def test_a_line_is_answered_before_the_next_one_comes(model: str) -> None:
    command = [sys.executable, "-m", "repl", model, "--chat", "ann:bob", "--length", "20", "--seed", "5"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in (b"one\n", b"two\n"):
            process.stdin.write(line)
            process.stdin.flush()
            assert process.stdout.readline().endswith(b"\n")
        process.stdin.write(b"caf\x82\x82\x82\n")
        _, message = process.communicate(timeout=30)
    assert process.returncode == 1
    assert message.startswith(b"textrepl: standard input is not UTF-8 (byte 11), and in")
    assert b"convert it with 'iconv " in message
    assert message.count(b"\n") == 1


def test_what_came_before_a_line_that_is_no_text_is_answered_and_kept(model: str, home: str) -> None:
    arguments = [model, "--session", "talk", "--store", home, "--chat", "ann:bob", "--length", "20"]
    done = run(*arguments, text=b"\xef\xbb\xbfone\r\ntwo\ncaf\x82\x82\x82\nthree\n")
    one_line(done, 1, "standard input is ", "iconv ")
    assert done.stdout.count(b"\n") == 2
    with closing(engine.Store(home)) as store:
        turns = [text for *_, text in store.texts("talk").turns]
    assert (turns[0], turns[2]) == ("ann: one\nbob: ", "\nann: two\nbob: ")


def test_nothing_at_all_has_a_seed_too(model: str, home: str) -> None:
    arguments = [model, "--session", "new", "--store", home, "--seed", "7", "--prompt", "", "--length", "0"]
    done = run(*arguments, "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    row = json.loads(done.stdout)
    assert (row["text"], row["seed"]) == ("", 7)


def test_a_chat_in_a_pipe_is_kept_with_its_session_alone(model: str, home: str) -> None:
    arguments = [model, "--session", "talk", "--store", home, "--length", "20"]
    assert run(*arguments, "--chat", "ann:bob", text=b"hello\nwell\n").stdout.count(b"\n") == 2
    assert run(*arguments, text=b"and\n").returncode == 0  # it is a chat still
    with closing(engine.Store(home)) as store:
        turns = [text for *_, text in store.texts("talk").turns]
        assert turns[0] == "ann: hello\nbob: "
        assert turns[-2] == "\nann: and\nbob: "
        assert store.names() == ["talk"]
    assert run(model, "--chat", "ann:bob", "--prompt", "hi", "--length", "9").returncode == 0
    with closing(engine.Store(home)) as store:
        assert store.names() == ["talk"]


def test_chats_that_cannot_be(model: str) -> None:
    one_line(run("--chat", "models/mine", "--prompt", "a"), 2, "chat 'models/mine'", "as in Me:You")
    one_line(run(model, "--chat", "x:y:z", "--prompt", "a"), 2, "several colons")
    one_line(run(model, "--chat", "x:y", "--prompt", "a", "--samples", "2"), 2, "goes on one way")
