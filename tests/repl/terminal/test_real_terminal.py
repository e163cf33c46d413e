"""`textrepl` in a real pseudo-terminal: what a person sees, and what is left when the process is killed."""

from __future__ import annotations

import os
import re
import signal
import time
from dataclasses import replace
from pathlib import Path

import pexpect
import pytest

import engine
from engine.conversation.conversation import Conversation
from engine.conversation.tree import Snapshot
from repl.commands.dispatch import COMMANDS
from repl.session.session_store import SessionStore
from tests.repl.screens import Screen, Shell, settled, shows

ANY_COLOR = re.compile(rb"\x1b\[[0-9;]*(3[0-9]|4[0-9]|9[0-7]|[34]8;[25])[0-9;]*m")


def is_idle(text: str) -> bool:
    """Whether a reply has been written: its speed is told."""
    return "chars/s" in text


def test_the_readmes_session(model: str) -> None:
    readme = Path(__file__).parents[3].joinpath("README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^> (\S*)", readme, re.MULTILINE)
    assert lines == ["Once", "", "/retry", "/undo", "/tree"]
    screen = Screen(80, "--seed", "7", "--length", "40")
    screen.wait(shows("Type a beginning"))
    for line, words in zip(lines, ("main:2", "main:3", "main:4", "main:2", "<- here"), strict=True):
        screen.child.send(f"{line}\r")
        shown = screen.wait(settled(f"{words}\\b"))
    assert re.search(r"1 > Once\n2 .+<- here\n[|]-- 3 .+\n`-- 4 .+", shown)
    assert screen.close() == 0


def test_a_session_is_there_again_after_kill_9(model: str) -> None:
    screen = Screen(80, model, "--session", "novel", "--seed", "3", "--length", "40")
    screen.wait(shows("Type a beginning"))
    screen.child.send("the cat\r")
    screen.wait(is_idle)
    screen.child.send("/set length 1000000000\r")
    screen.wait(shows("1000000000"))
    screen.child.send("once more\r")
    noted = time.monotonic() + 1.5  # how far it is is noted every second
    screen.wait(lambda text: "writing" in text and time.monotonic() > noted)
    screen.child.kill(signal.SIGKILL)
    screen.child.close(force=True)
    again = Screen(80, model, "--session", "novel", "--length", "10")
    again.wait(shows("Type a beginning", "novel"))
    again.child.send("/tree\r")
    shown = again.wait(shows("0 (start)", "<- here"))
    assert re.search(r"1 > the cat.*\n.*2 .*\n.*3 > once more.*\n.*4 .{40,}<- here", shown)
    assert again.close() == 0


def test_a_closed_window_keeps_what_stands_of_a_reply(model: str) -> None:
    screen = Screen(80, model, "--session", "novel", "--seed", "3", "--length", "1000000000")
    screen.wait(shows("Type a beginning"))
    screen.child.send("the cat\r")
    screen.wait(lambda text: len(text) > 400)
    screen.hang_up()
    again = Screen(80, model, "--session", "novel")
    again.wait(shows("Type a beginning"))
    again.child.send("/tree\r")
    assert re.search(r"1 > the cat.*\n.*2 .{40,}<- here", again.wait(shows("0 (start)", "<- here")))
    assert again.close() == 0


def test_every_command_once(model: str, tmp_path: Path) -> None:
    screen = Screen(100, model, "--seed", "3", "--length", "30", EDITOR="true")
    screen.wait(shows("Type a beginning"))
    (tmp_path / "text.txt").write_text("some text", encoding="utf-8")
    told = {
        "retry": "main:3", "previous": "(1 of 2)", "next": "(2 of 2)",
        "alt 2": "1 to 2 chooses", "undo": "main:1", "redo": "main:3", "cut 2": "main:6",
        "edit": "nothing was changed", "tree": "(start)", "goto 3": "main:3", "fork": "this is now",
        "set": "top_p = 1.0", "ban zebra": "never written: 'zebra'", "unban all": "never written: none",
        "preset wild": "temperature 1.2", "why 3": "the model", "heat": "bits a character",
        "state": "layer 2", "model": "7,071 parameters", "models": "shakespeare", "sessions": "the cat",
        "save novel": "this is 'novel' now", "rename book": "this is 'book' now", "new": "a new story",
        "open book": "book", "export {tmp}/a.txt": "written to",
        "choice": "no choice before", "find the": "goes there", "mark x": "is 'x' now",
        "chat ann:bob": "you are ann", "me eve": "you are eve", "chat off": "the chat is over",
        "remember {tmp}/text.txt": "remembered 9 char", "import {tmp}/text.txt": "some text",
        "delete book": "deleted for good", "help": "the story: /retry",
    }  # fmt: skip
    assert {line.partition(" ")[0] for line in told} | {"walk", "quit"} == set(COMMANDS)
    screen.child.send("the cat\r")
    screen.wait(is_idle)
    for line, words in told.items():
        screen.child.send(f"/{line.format(tmp=tmp_path)}\r")
        shown = screen.wait(shows(words))
        assert "Traceback" not in shown
    screen.child.send("/walk\r")
    screen.wait(shows("token 9 of 9"))
    screen.child.send("\x1b")
    screen.wait(lambda text: "token 9" not in text)
    screen.child.send("/quit\r")
    assert screen.close() == 0


@pytest.mark.parametrize("columns", [20, 100])
def test_alternatives_are_shown_while_they_are_written_and_stop_at_ctrl_c(model: str, columns: int) -> None:
    screen = Screen(columns, model, "--seed", "3", "--length", "20")
    screen.wait(shows("/help"))
    screen.child.send("the cat\r")
    screen.wait(settled("> the cat"))
    screen.child.send("/set length 1000000000\r/alt 2\r")
    written = re.compile(r"--- 2\n(?:(?!>).*\n)*?.*[a-z].*\n")  # a row with letters below the heads
    shown = screen.wait(lambda text: "writing" in text and written.search(text) is not None)
    assert bool(re.search("--- 1 +[|] --- 2\n", shown)) == (columns == 100)
    assert re.search(r"--- 2\n(.*\n)+>\n writing", shown)  # the prompt stays below
    screen.child.send("\x03")
    screen.wait(shows("stopped; 1 to 2"))
    screen.child.send("\x15/tree\r")  # nothing is chosen
    assert re.search(r"2 .*<- here", screen.wait(shows("(start)", "<- here")))
    screen.child.send("/goto 4\r")
    screen.wait(lambda text: not re.search("writing|working", text))
    screen.child.send("/set length 1\r\r/tree\r")
    screen.wait(lambda text: bool(re.search(r"[45] .*<- here", text)))
    assert screen.close() == 0


def test_what_takes_long_says_how_far_it_is_and_stops_at_ctrl_c(model: str, tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("the cat sat. " * 100_000, encoding="utf-8")
    screen = Screen(80, model, "--seed", "3", "--length", "20")
    screen.wait(shows("Type a beginning"))
    screen.child.send("the cat\r")
    screen.wait(is_idle)
    lines = [f"/heat {tmp_path}/long.txt", f"/import {tmp_path}/long.txt"]
    for number, line in enumerate(lines, 1):
        screen.child.send(f"{line}\r")
        screen.wait(lambda text: bool(re.search(r"reading [\w., ]+: \d+ %; Ctrl-C stops", text)))
        screen.child.send("kept\x03")
        shown = screen.wait(lambda text: text.count("stopped; nothing has changed") == number and "main:2" in text)  # noqa: B023
        assert "> kept" in shown
        screen.child.send("\x15")
    screen.paste("the cat sat. " * 8_000)  # 104 kB, which are read before anything is written
    screen.child.send("\r")
    screen.wait(lambda text: bool(re.search(r"reading: \d+ %; Ctrl-C or Esc stops", text)))
    screen.child.send("\x03")
    screen.wait(shows("stopped; Enter goes on"))
    assert screen.close() == 0


@pytest.mark.parametrize("columns", [20, 300])
def test_narrow_and_wide_terminals(model: str, columns: int) -> None:
    screen = Screen(columns, model, "--seed", "3", "--length", "200")
    screen.wait(shows("/help"))
    screen.child.send("the cat\r")
    screen.wait(settled("> the cat"))
    told = {"why": "0.", "alt 2": "--- 2", "state": "units", "help": "// begins", "set": "speed ="}
    for line, words in told.items():
        screen.child.send(f"/{line}\r")
        assert "Traceback" not in screen.wait(shows(words))
    assert screen.close() == 0


def test_the_window_may_change_while_it_writes(model: str) -> None:
    screen = Screen(80, model, "--seed", "3", "--length", "1000000000")
    screen.wait(shows("Type a beginning"))
    screen.child.send("the cat\r")
    for columns in (40, 120, 30, 80):
        screen.wait(shows("writing"))
        screen.resize(columns)
        time.sleep(0.2)
    screen.child.send("typed meanwhile")
    screen.wait(shows("> typed meanwhile"))
    screen.child.send("\x1b")
    shown = screen.wait(shows("stopped", "main:2"))
    assert "> typed meanwhile" in shown
    screen.child.send("\x03")
    assert screen.close() == 0


def test_without_colors_there_are_none(model: str) -> None:
    screen = Screen(80, model, "--seed", "3", "--length", "30", NO_COLOR="1")
    screen.wait(shows("Type a beginning"))
    for line in ("the cat", "/heat", "/state", "/why"):
        screen.child.send(f"{line}\r")
        screen.wait(is_idle)
    screen.wait(shows("the model"))
    assert not ANY_COLOR.search(screen.raw)
    assert screen.close() == 0
    screen = Screen(80, model, "--seed", "3", "--length", "30")
    screen.wait(shows("Type a beginning"))
    assert ANY_COLOR.search(screen.raw)
    screen.close()


def test_mistakes_of_the_start_are_one_line(model: str, tmp_path: Path) -> None:
    def end(*arguments: str) -> tuple[int, str]:
        screen = Screen(160, *arguments)
        shown = screen.wait(shows("textrepl: "))
        screen.child.expect(".*")
        screen.child.close()
        return int(screen.child.exitstatus or 0), shown

    assert "no such model" in end("nowhere")[1]
    assert "without '/'" in end(model, "--session", "a/b")[1]
    assert "is no database URL" in end(model, "--session", "a", "--store", "nonsense")[1]
    (tmp_path / "textrepl").mkdir(exist_ok=True)
    (tmp_path / "textrepl" / "config.toml").write_text("[terminal]\nkeys = 3\n")
    assert "line 2: keys 3" in end(model)[1]


def test_the_configuration_is_heeded(model: str, tmp_path: Path) -> None:
    (tmp_path / "textrepl").mkdir(exist_ok=True)
    (tmp_path / "textrepl" / "config.toml").write_text(
        f"[start]\nmodel = '{model}'\n[sampling]\nlength = 33\n[terminal]\nprompt = 'write: '\n"
    )
    screen = Screen(80, "--temperature", "0.4")
    screen.wait(shows("write:", "temperature 0.4", "length 33"))
    assert os.path.exists(tmp_path / "textrepl" / "history")
    assert screen.close() == 0


@pytest.mark.parametrize("seconds", [0.05, 0.3, 0.6, 0.9])
def test_ctrl_c_at_any_moment_ends_in_a_prompt_or_in_silence(model: str, seconds: float) -> None:
    """While Python starts, while the model loads behind the prompt, while it writes."""
    screen = Screen(80, model, "--seed", "3", "--length", "1000000000")
    screen.child.send("the cat\r")
    time.sleep(seconds)
    screen.child.sendintr()
    is_over = re.compile("stopped|main:0|Ctrl-C again")  # the line may have been given back
    shown = screen.wait(lambda text: bool(is_over.search(text)) or not screen.child.isalive())
    assert "Traceback" not in shown
    assert b"Error" not in screen.raw
    if screen.child.isalive():
        screen.child.send("\x03\x03")
        assert screen.close() == 0
    else:
        screen.child.close()
        assert screen.child.exitstatus in (0, 130)


def test_ten_thousand_turns_and_lines(model: str, tmp_path: Path) -> None:
    """A story and a history of that length are opened, drawn, walked and searched, and one writes on as ever."""
    with engine.load(model) as loaded:
        story = loaded.conversation(sampling=engine.Sampling(seed=3, length=5, end="sentence"))
        story.say("the cat").result()
        start, prompt, reply = story.snapshot().turns
        turns = [start, prompt, *(replace(reply, id=number, parent=number - 1) for number in range(2, 10_001))]
        snapshot = Snapshot(story.sampling, tuple(turns), 10_000, {number: number + 1 for number in range(10_000)})
        store = SessionStore(None, "long")
        store.save("main", Conversation.restored(loaded, snapshot), {"model": model})
        store.close()
    (tmp_path / "textrepl").mkdir(exist_ok=True)
    lines = "".join(f"\n# 2026-01-01 00:00:00.0\n+line {number} of the past\n" for number in range(10_000))
    (tmp_path / "textrepl" / "history").write_text(lines, encoding="utf-8")
    screen = Screen(100, model, "--session", "long")
    screen.wait(shows("main:10000"))
    told = {
        "\x1b[A\x15/tree": r"10000 .*<- here", "/undo 5000": "main:5000 ", "/redo 5000": "main:10000 ",
        "/undo": "main:9999 ", "on": "main:10002 ", "/goto 3": "main:3 ", "/fork": "fork2:3 ", "/sessions": "[*] long",
    }  # fmt: skip
    for line, words in told.items():
        screen.child.send(f"{line}\r")
        screen.wait(settled(words))
    screen.child.send("line 4")
    screen.wait(shows("> line 4"))
    screen.child.send("\x1b[A")
    screen.wait(shows("> line 4999 of the past"))
    screen.child.send("\x15\x12line 77 ")
    screen.wait(shows("line 77 of the past"))
    screen.child.send("\x07\x15")
    assert screen.close() == 0


def test_ctrl_z_suspends_at_the_prompt_and_fg_redraws_it(model: str) -> None:
    shell = Shell(80, PS1="shell$ ")
    shell.run(model, "--seed", "3", "--length", "30")
    shell.wait(shows("Type a beginning"))
    shell.child.send("the cat")
    shell.wait(shows("> the cat"))
    for _ in range(2):
        shell.child.send("\x1a")
        shell.wait(lambda text: text.rstrip().endswith("shell$") and "Stopped" in text)
        shell.child.send("clear; echo between\r")
        shell.wait(lambda text: text.startswith("between"))
        shell.child.send("fg\r")
        shell.wait(lambda text: "> the cat" in text and "main:0" in text)
    shell.child.send(" sat\r")
    assert "^Z" not in shell.wait(is_idle)
    shell.child.send("/tree\r")
    shell.wait(shows("1 > the cat sat"))
    shell.child.send("\x04")
    shell.wait(lambda text: text.rstrip().endswith("shell$"))


@pytest.mark.parametrize("config", ["", "[terminal]\nkeys = 'vi'\n"])
def test_ctrl_z_suspends_while_a_reply_is_written(model: str, config: str, tmp_path: Path) -> None:
    (tmp_path / "textrepl").mkdir()
    (tmp_path / "textrepl" / "config.toml").write_text(config)
    shell = Shell(80, PS1="shell$ ", XDG_CONFIG_HOME=str(tmp_path))
    shell.run(model, "--seed", "3", "--length", "1000000000")
    shell.wait(shows("Type a beginning"))
    shell.child.send("the cat\r")
    shell.wait(lambda text: "writing" in text and len(text) > 300)
    shell.child.send("\x1a")
    shell.wait(lambda text: text.rstrip().endswith("shell$") and "Stopped" in text)
    stopped = shell.text
    time.sleep(0.5)
    shell.child.send("\r")
    shell.wait(lambda text: text.count("shell$") > stopped.count("shell$"))
    shell.child.send("fg\r")
    shell.wait(lambda text: "writing" in text.rpartition("fg")[2] and len(text.rpartition("fg")[2]) > 300)
    shell.child.send("\x03")
    shell.wait(shows("stopped; Enter goes on"))
    shell.child.send("\x04")
    shell.wait(lambda text: text.rstrip().endswith("shell$"))


@pytest.mark.parametrize("columns", [80, 20])
def test_a_session_in_a_real_terminal(columns: int, keras_model_dir: Path) -> None:
    screen = Screen(columns, str(keras_model_dir), "--seed", "3", "--length", "40")
    screen.wait(lambda text: "tiny-keras  temper" in text)
    screen.child.send("the cat\r")
    screen.wait(lambda text: "the cat" in text and ("chars/s" in text.replace("\n", "") or columns == 20))
    screen.child.send("/set length 100000000\r")
    screen.wait(lambda text: "100000000" in text.replace("\n", ""))
    screen.child.send("go on\r")
    screen.wait(lambda text: "writing" in text and len(text) > 8 * columns)
    screen.child.sendintr()
    screen.wait(lambda text: "stopped" in text)
    screen.child.send("/undo\r")
    screen.wait(lambda text: "go on" in text)
    screen.child.send("wrong\x03")
    screen.child.sendeof()
    screen.child.expect(pexpect.EOF)
    screen.child.close()
    assert screen.child.exitstatus == 0
