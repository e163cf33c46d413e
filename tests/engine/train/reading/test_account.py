"""What a run tells of its text: how much was read, what was left out and why, what is empty, what cannot be read."""

from __future__ import annotations

from pathlib import Path

from engine.train.reading.account import Account
from tests.engine.train.common.texts import RAIN, account_lines


def test_how_a_text_was_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for number in range(8):
        (tmp_path / "x" / f"{number}.txt").write_bytes((RAIN + "The café.\n").encode("latin-1"))
    lines = account_lines(tmp_path, tmp_path / "x")
    assert lines[1] == f"{tmp_path}/x/0.txt was read as Windows-1252"
    assert lines[-1] == "and 3 more such files"
    (path := tmp_path / "y.csv.utf-16").write_bytes(("Content\n" + RAIN).encode("utf-16"))
    assert account_lines(tmp_path, path)[1].endswith("was read as UTF-16")


def test_an_account_tells_how_much_was_read_and_left_out() -> None:
    account = Account(files=1, characters=1_204_331)
    assert account.describe() == "read 1 file, 1,204,331 characters"
    account.leave_out("pictures")
    account.leave_out("pictures", 2)
    account.leave_out("messages of bots")
    account.leave_out("forms", 0)
    account.leave_out("a licence", 19_000, "characters")
    assert account.describe() == (
        "read 1 file, 1,204,331 characters; left out: 3 pictures, 1 message of bots, 19,000 characters of a licence"
    )


def test_one_thing_is_told_in_the_singular_and_a_suffix_keeps_its_letters() -> None:
    account = Account()
    for what in ("folders of models", ".js files", ".css files", ".keras files", "links to nothing"):
        account.leave_out(what)
    assert account.omissions() == (
        "left out: 1 folder of models, 1 .js file, 1 .css file, 1 .keras file, 1 link to nothing"
    )
