from __future__ import annotations

import shutil
import subprocess

import pytest

from repl.arguments import SHELLS, parser
from repl.shell_completion import script

FLAGS = [flag for action in parser()._actions for flag in action.option_strings]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_completion_script_names_every_flag(shell: str) -> None:
    text = script(shell, parser())
    assert all(flag.removeprefix("--") in text for flag in FLAGS if flag.startswith("--"))
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=text, text=True, check=True, timeout=20)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [("textrepl --te", {"--temperature"}), ("textrepl --precision ", {"float32", "int8"}), ("textrepl --seed ", set())],
)
def test_bash_completes(typed: str, offered: set[str]) -> None:
    words = typed.split(" ")
    setup = f"COMP_WORDS=({' '.join(words[:-1])} '{words[-1]}'); COMP_CWORD={len(words) - 1}; _textrepl"
    code = f"{script('bash', parser())}\n{setup}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True, timeout=20)
    assert set(done.stdout.split()) == offered
    assert done.stderr == ""
