"""The token as people paste it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.program import run
from bot.token import TokenError, read_token

TOKEN = "MTEx.Ga-b_c.xyz0123456789"


@pytest.mark.parametrize("pasted", [TOKEN, f"  {TOKEN}\n", f"{TOKEN}\r\n", f"\ufeff{TOKEN}", f"\t{TOKEN}"])
def test_blanks_around_it_do_no_harm(pasted: str) -> None:
    assert read_token(pasted) == TOKEN


@pytest.mark.parametrize(
    ("pasted", "words"),
    [
        ("", "is not set"), ("  \n", "is not set"), (f'"{TOKEN}"', "quotes or brackets"), (f"'{TOKEN}", "quotes"),
        (f"“{TOKEN}”", "quotes"), (f"`{TOKEN}`", "quotes"), (f"<{TOKEN}>", "brackets"), (f"[{TOKEN}]", "brackets"),
        (f"{{{TOKEN}}}", "brackets"), (f"Bot {TOKEN}", "begins with 'Bot'"), (f"bearer {TOKEN}", "'bearer'"),
        (f"DISCORD_TOKEN={TOKEN}", "begins with 'DISCORD_TOKEN='"), (f"Token: {TOKEN}", "begins with 'Token:'"),
        (f"{TOKEN[:9]} {TOKEN[9:]}", "blanks or line ends"), (f"{TOKEN[:9]}\n{TOKEN[9:]}", "blanks or line ends"),
        (f"{TOKEN}\u200b", "letters or marks"), (f"{TOKEN}\udce9", "letters or marks"), (f"é{TOKEN}", "letters or"),
        (f"{TOKEN};", "letters or marks"), ("112233445566778899", "an application's id"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it_is_told_before_anything_is_sent_and_it_is_never_shown(
    pasted: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(TokenError, match=words):
        read_token(pasted)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISCORD_TOKEN", pasted)
    assert run([]) == 1
    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1
    assert not pasted.strip() or TOKEN[:9] not in message
