"""What keeps the bot from starting, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

import engine
from bot import program


def test_a_model_that_only_keras_runs_is_refused_without_advice_that_the_bot_cannot_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise engine.ModelLoadError("m.keras: has a layer that the fast backend does not know: use --backend keras")

    (path := tmp_path / "bot.toml").write_text("[engine]\nmodels = ['m.keras']\n")
    monkeypatch.setenv("DISCORD_TOKEN", "a.local.token")
    monkeypatch.setattr(engine, "load", refuse)
    assert program.run(["--config", str(path), "--check"]) == 1
    told = capsys.readouterr().err
    assert told == "textbot: m.keras: has a layer that the fast backend does not know, and the bot has no other\n"
