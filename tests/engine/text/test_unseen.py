"""How people are told what a model never saw."""

from __future__ import annotations

from engine.text.unseen import MAX_NAMED, some_of, tell_unseen


def test_replaced_and_left_out_are_told_apart() -> None:
    told = tell_unseen({"é": "e", "漢": "", "\n": " "}, "char")
    assert told == "this model never saw some of these characters; it read 'é' as 'e', '\\n' as ' ' and left out '漢'"
    assert tell_unseen({"zebra": "<unk>"}, "word").startswith("this model never saw some of these words; it read")


def test_of_many_some_are_named() -> None:
    names = [str(number) for number in range(MAX_NAMED + 1000)]
    assert some_of(names).endswith(f"{MAX_NAMED - 1} and 1,000 more")
    assert some_of(names[:MAX_NAMED]).endswith(f" {MAX_NAMED - 1}")
    assert some_of([]) == ""
