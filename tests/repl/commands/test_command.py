from __future__ import annotations

import pytest

from repl.commands.command import whole_number
from repl.commands.dispatch import COMMANDS


def test_a_whole_number_or_the_default() -> None:
    assert whole_number("", 3, "turns") == 3
    assert whole_number("12", 3, "turns") == 12


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", "\u00b2", "9" * 5000])
def test_what_is_no_number_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="give a number of turns"):
        whole_number(text, 3, "turns")


def test_every_command_has_a_help_and_a_docstring() -> None:
    for command in COMMANDS.values():
        assert command.help
        assert command.act.__doc__
