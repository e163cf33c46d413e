from __future__ import annotations

import re

import pytest

from repl.arguments import HELP, parser
from tests.repl.pipe.process import run

FLAGS = [flag for action in parser()._actions for flag in action.option_strings]


def test_the_help_fits_one_screen_and_leaves_no_flag_out() -> None:
    text = parser().format_help()
    assert text == HELP
    assert len(text.splitlines()) <= 23  # and the next prompt
    assert max(map(len, text.splitlines())) <= 80
    assert all(re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", text) for flag in FLAGS)
    assert set(re.findall(r"(?<!\w)--[a-z-]+", text)) == {flag for flag in FLAGS if flag.startswith("--")}


@pytest.mark.parametrize("flag", [["--store"], ["--session"], ["--stop"], []])
def test_an_empty_name_names_nothing(model: str, flag: list[str]) -> None:
    assert run("--prompt", "a", *flag, "").returncode == 2
