"""Runs `textrepl` as a process of its own, as a shell does."""

from __future__ import annotations

import subprocess
import sys

import engine


def run(
    *arguments: str, text: bytes | None = None, shell: str = "", timeout: float = 60
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "repl", *arguments]
    if shell:
        command = ["bash", "-c", f'"$@" {shell}', "bash", *command]
    keep = {} if text is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run(command, input=text, capture_output=True, timeout=timeout, check=False, **keep)  # type: ignore[call-overload,no-any-return]


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
