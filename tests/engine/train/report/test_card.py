"""The card and the command in it, by which a model can be made and measured again."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

import pytest

from engine import about
from engine.evaluate import main as evaluate
from engine.program import import_tensorflow
from engine.train import fit

import_tensorflow()

from engine.train.report import card  # noqa: E402
from engine.train.settings import TrainSettings, add_arguments  # noqa: E402
from tests.engine.train.common.small_runs import FLAGS  # noqa: E402


def test_the_cards_command_measures_what_the_card_says(
    plain_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "test.txt").write_text("the cat sat on the log.\n" * 40)
    monkeypatch.chdir(tmp_path)
    fit(plain_text.name, "mine", test="test.txt", **FLAGS)
    card = Path("mine/README.md").read_text()
    assert "| data | plain.txt: 8,640 characters to learn from |" in card
    assert "over 960 characters of test.txt |" in card
    (line,) = [line for line in card.splitlines() if "engine.evaluate" in line]
    capsys.readouterr()
    words = shlex.split(line.split("`")[1])[3:]
    assert evaluate([*words, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert f"perplexity {figures['perplexity']:.3f}, over the last 960 characters" in card


def test_the_settings_of_a_chat_list_who_speaks(tmp_path: Path) -> None:
    words = {"Ann: X": 20, "Bob": 40, "bot": 1}
    messages = [
        {"content": f"hello there number {number}", "author": {"name": name, "isBot": name == "bot"}}
        for name, lines in words.items()
        for number in range(lines)
    ]
    (chat := tmp_path / "chat.json").write_text(json.dumps({"messages": messages}))
    fit(chat, tmp_path / "named", names=True, lower=True, **FLAGS)
    assert about(tmp_path / "named").speakers == ("bob", "ann: x")
    fit(chat, tmp_path / "plain", **FLAGS)
    assert "speakers" not in about(tmp_path / "plain").settings


def test_only_the_most_frequent_speakers_are_listed(tmp_path: Path) -> None:
    figures = card.Figures(1, 1.0, None, 0, 9, 0, 9, 9, 1.0, False)
    many = {f"n{number:02}": number for number in range(30)}
    card.write(tmp_path, TrainSettings(), ["a.json"], "0", figures, [], "", speakers=many)
    listed = json.loads((tmp_path / "settings.json").read_text())["speakers"]
    assert listed == [f"n{number:02}" for number in range(29, 9, -1)]


def test_a_value_that_looks_like_a_flag_is_told_so_that_it_is_none() -> None:
    settings = TrainSettings(keep="-a-z", sample_prompt="-x")
    words = shlex.split(card.command_line(settings, ["a.txt"], "models/mine"))
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    given = vars(parser.parse_args(words[words.index("--out") + 2 :]))
    assert given == {"keep": "-a-z", "sample_prompt": "-x"}


def test_a_preset_of_another_version_is_told_by_its_settings() -> None:
    settings = TrainSettings(preset="gone", units=7)
    assert card.command_line(settings, ["a.txt"], "models/m").endswith("--out models/m --units 7")
