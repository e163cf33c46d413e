"""The promise that nothing leaves: each program in an empty home asks nobody and leaves nothing outside our folders."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from tests.bot.conftest import ROOMY
from tests.bot.reading import written
from tests.bot.running import TOKEN, Bot, free_port
from tests.local_discord import LocalDiscord
from tests.watching import Watched, can_trace

SMALL = ["--units", "8", "--embedding", "4", "--batch", "4", "--steps", "8", "--epochs", "1"]
SHORT_BENCH = """
import sys
from engine.bench import __main__ as bench, serving
bench.ROWS, bench.ROUNDS, bench.STEPS_COMPARED, bench.STARTS, bench.PROMPT = 2, 1, 10, 1, "the"
bench.thread_rates = lambda network, show: {}
for name, value in dict(LONG_REPLIES=2, SHORT_REQUESTS=3, REQUESTS=4, OWNERS=2, REQUEST_LENGTH=5, PROMPT="the",
                        IDLE_CONVERSATIONS=5, SAVES=3, STORED=4, OPENED=2).items():
    setattr(serving, name, value)
sys.exit(bench.main([sys.argv[1], "--json"]))
"""
PROGRAMS = ["terminal", "bot", "train", "one shot", "one shot with Keras", "evaluate", "adopt", "bench"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Watched]:
    """Every program, run to its end; the terminal and the bot are up as long as the others take."""
    folder = tmp_path_factory.mktemp("private")
    made = {name: Watched(folder / name.replace(" ", "-")) for name in PROGRAMS}
    (text := folder / "text.txt").write_text("the cat sat on the mat.\n" * 100, encoding="utf-8")
    model, python = str(made["train"].work / "model"), sys.executable
    with terminal(made["terminal"]), bot(made["bot"]):
        made["train"].run(python, "-m", "engine.train", "--data", str(text), "--out", model, *SMALL)
        repl = [python, "-m", "repl", model, "--prompt", "the", "--length", "20"]
        assert len(made["one shot"].run(*repl)) == 20
        assert len(made["one shot with Keras"].run(*repl, "--backend", "keras")) == 20
        said = made["evaluate"].run(
            python, "-m", "engine.evaluate", model, "--data", str(text), "--memory", "all", "--json"
        )
        assert json.loads(said.splitlines()[0])
        said = made["adopt"].run(
            python, "-m", "engine.adopt", f"{model}/model.keras", "--data", str(text), "--out", "adopted"
        )
        assert (made["adopt"].work / "adopted" / "vocabulary.json").exists(), said
        made["bench"].run(python, "-c", SHORT_BENCH, model)
    return made


@contextmanager
def terminal(watched: Watched) -> Iterator[None]:
    """The bundled model in a real terminal: a reply, and Ctrl-D at the end."""
    command = watched.command(sys.executable, "-m", "repl", "--length", "40")
    child = pexpect.spawn(command[0], command[1:], timeout=30, cwd=watched.work, env=watched.environment)
    child.expect("Type a beginning")
    child.send("ROMEO:\r")
    child.expect("chars/s")
    yield
    child.sendeof()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


@contextmanager
def bot(watched: Watched) -> Iterator[None]:
    """The bot on a local Discord, with a reply asked for and its ports open."""
    with LocalDiscord(token=TOKEN, settings=ROOMY) as discord:
        guild = discord.add_guild("Writers")
        ports = {"service": {"health_port": free_port(), "metrics_port": free_port()}}
        with Bot(discord, watched.work, ports, before=watched.command(), environment=watched.environment) as running:
            discord.wait_ready(timeout=40)
            discord.wait_command("continue")
            assert written(guild.add_member("Anna").slash(guild.add_channel("story"), "continue", length=10))
            yield
        assert not running.complaints()


@pytest.mark.parametrize("program", PROGRAMS)
def test_nobody_is_asked_for_anything(runs: dict[str, Watched], program: str) -> None:
    if not can_trace():
        pytest.skip("strace is not here, or may not watch: install it to see what programs ask for")
    assert not runs[program].asked()


@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_is_left_outside_our_folders(runs: dict[str, Watched], program: str) -> None:
    assert not runs[program].left()


ASKS = """
import socket, sys, threading
def ask():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:  # a datagram socket's connect sends nothing
        made.connect((sys.argv[1], int(sys.argv[2])))
(thread := threading.Thread(target=ask)).start()
thread.join()
"""


@pytest.mark.parametrize(
    ("address", "port", "is_seen"),
    [("192.0.2.1", 443, True), ("127.0.0.1", 53, True), ("127.0.0.1", 443, False)],
)
def test_the_watch_sees_addresses(tmp_path: Path, address: str, port: int, is_seen: bool) -> None:
    if not can_trace():
        pytest.skip("strace is not here, or may not watch")
    (watched := Watched(tmp_path / "one")).run(sys.executable, "-c", ASKS, address, str(port))
    assert watched.asked() == ({f"{address} port {port}"} if is_seen else set())


def test_the_watch_sees_files(tmp_path: Path) -> None:
    watched, outside = Watched(tmp_path / "one"), tmp_path / "outside"
    watched.run("sh", "-c", f"mkdir -p ~/.cache/textrepl/a ~/.other; echo > ~/.b; echo > here; echo > {outside}")
    seen = {str(watched.home / name) for name in (".other", ".b")}
    assert watched.left() == seen | ({str(outside)} if can_trace() else set())
