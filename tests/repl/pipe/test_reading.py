from __future__ import annotations

from pathlib import Path

from tests.repl.screens import Shell, shows


def test_a_long_prompt_in_a_pipe_shows_how_far_it_is_and_ctrl_c_stops_it(model: str, tmp_path: Path) -> None:
    (text := tmp_path / "long.txt").write_text("the cat sat on the mat. " * 40_000)
    shell = Shell(80, PS1="shell$ ")
    shell.run(model, "--length", "20", after=f" < {text}")
    shell.wait(shows("reading 960,000 characters:", " %,", "a second"))
    shell.child.send("\x03")
    shown = shell.wait(lambda text: text.rstrip().endswith("shell$"))
    assert "reading" not in shown
    shell.child.send("clear\r")
    (text := tmp_path / "short.txt").write_text("the cat")
    before = len(shell.raw)
    shell.run(model, "--length", "20", after=f" < {text}")
    shell.wait(lambda text: text.count("shell$") > 1)
    assert b"reading" not in shell.raw[before:]
