"""Escaped text is shown verbatim: nothing of it is lost, and nothing of it is markup."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages.markdown import BLANK, escape

texts = st.text(st.sampled_from("ab *_~`|<>@#[]()-+1.:/\\\n\t.!?é漢🙂\x00\u202e"), max_size=6000)


def plain(shown: str) -> str:
    """What a reader sees of an escaped text."""
    return re.sub(r"\\([^0-9A-Za-z\s])", r"\1", shown).replace(BLANK, "")


@given(texts)
def test_a_reader_sees_every_character(text: str) -> None:
    assert plain(escape(text)) == text.replace("\x00", " ").replace("\u202e", " ")


@pytest.mark.parametrize(
    "text",
    [
        "**bold** __under__ ~~gone~~ ||spoiler|| `code`", "```\nblock\n```", "# Head\n## Head\n-# small", "> quote",
        "- item\n* item\n1. item\n2) item", "[words](https://example.org)", "<@123> <#1> <@&5> <:smile:9> <t:1>",
    ],
)  # fmt: skip
def test_no_markup_survives(text: str) -> None:
    shown = escape(text)
    assert "://" not in shown
    assert not re.search(r"(?<!\\)[*_~`|<>\[\]]", shown)
    assert not re.search(r"^\s*(#|-#|>|[-+*] |\d+[.)])", shown, re.MULTILINE)


def test_nobody_is_named() -> None:
    shown = escape("@everyone @here <@12345> <@&777>")
    assert not re.search(r"@(everyone|here|\d|&)", shown)
