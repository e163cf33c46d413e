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
