from __future__ import annotations

import subprocess
import sys

from prompt_toolkit.input import PipeInput

import engine
from engine.serving.engine import Engine
from tests.repl.terminal.keyboard import run_terminal


def test_a_paste_of_100_kb_is_one_prompt(tiny: Engine, pipe: PipeInput) -> None:
    text = "the quick brown fox jumps. " * 4000
    session, _ = run_terminal(tiny, pipe, f"\x1b[200~{text}\x1b[201~\r\x04")
    assert session.story.turns[0].text == text


def test_control_characters_of_a_text_do_not_reach_the_terminal(pipe: PipeInput) -> None:
    from engine.model.onnx_step import OnnxStep
    from engine.text.vocabulary import Vocabulary
    from tests.networks import LETTERS, tiny_network

    hostile = Vocabulary(("\x1b", "\x07", *LETTERS[2:]))
    with Engine("hostile", OnnxStep(tiny_network()), hostile, "onnx", 4) as model:
        session, shown = run_terminal(model, pipe, "ab\r\x04", engine.Sampling(seed=1, length=300, temperature=3.0))
    assert "\x1b" in session.story.text
    assert "\x07" not in shown
    assert "�" in shown


def test_the_prompt_does_not_wait_for_numpy() -> None:
    code = "import sys, repl.terminal.terminal; print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "False\n"
