from __future__ import annotations

import re
import resource
from pathlib import Path

import pytest

from engine import ConfigError
from repl import config
from repl.config import Config
from repl.key_names import all_keys
from repl.session.story_files import write_new
from repl.settings import PRESETS

PATH = Path("config.toml")


def test_without_a_file_all_is_as_it_is(tmp_path: Path) -> None:
    assert config.read(tmp_path / "none.toml") == Config()


def test_the_file_that_is_made_explains_all_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    assert str(path) in config.init(path)
    assert config.read(path).sampling == {}
    assert config.read(path).prompt == "> "
    with pytest.raises(ConfigError, match="is there already"):
        config.init(path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        config.init(tmp_path / "file" / "config.toml")


def test_every_line_of_it_holds_when_it_is_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    config.init(path)
    text = re.sub(r"^# (?=\w+ = |\[)", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    made = config.parse(text, path)
    assert made.keys == "emacs"
    assert made.sampling["temperature"] == 0.8
    assert made.styles["accent"] == "ansimagenta"
    assert all_keys(made.bindings) == all_keys({})
    assert made.presets["mine"] == {"temperature": 0.9, "min_p": 0.05}
    assert set(made.presets) == {*PRESETS, "mine"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[sampling]\n\ntemperature = 900", 3, "temperature 900"),
        ("[sampling]\ntemprature = 1", 2, "no setting 'temprature'"),
        ("[terminal]\nprompt = '> '\nkeys = 'nano'", 3, "keys 'nano': must be 'emacs' or 'vi'"),
        ("# x\n[terminl]\n", 2, "no section [terminl]"),
        ("[terminal]\nghost = 1", 2, "true or false"),
        ("[terminal]\nspeed = -3", 2, "a number from 0"),
        ("[start]\nmodel = 3", 2, "a text in quotes"),
        (
            "[keys]\nstop = 'f2'\neditor = 'ctrl-entr'",
            3,
            "editor there is no key 'ctrl-entr' (did you mean 'enter'?); a key",
        ),
        ("[keys]\nnewline = 'x'", 2, "newline 'x': could not be typed any more"),
        ("[keys]\nnewline = 'enter'", 2, "newline 'enter': cannot be chosen, for it sends your line"),
        ("[keys]\nstop = 'ctrl-c'", 2, "cannot be chosen"),
        ("[keys]\nstop = 7", 2, "stop 7: must be a text in quotes"),
        ("[keys]\nstop = ''", 2, "stop '': is no key"),
        ("[keys]\nnewline = 'f2'\nstop = 'f3'\neditor = 'F2'", 2, "newline 'f2': is the key of editor already"),
        ("[keys]\naccept-word = 'right'", 2, "accept-word 'right': is the key of accept-ghost already"),
        ("[keys]\nsend = 'f2'", 2, "there are accept-ghost, accept-word, newline, stop, editor"),
        ("[looks]\naccent = 'brightish'", 2, "a style like"),
        ("[terminal]\ntheme = 'pink'", 2, "theme 'pink': must be one of terminal, dark-blue"),
        ("[terminal]\ntheme = ['x']", 2, "must be one of"),
        ("[looks]\nheat9 = 'bold'", 2, "no setting 'heat9'"),
        ("[looks]\nnote = 3", 2, "note 3: must be a style like"),
        ("[looks]\nnote = true", 2, "a style like"),
        ("[looks]\nnote = ['bold']", 2, "a style like"),
        ("[looks]\nnote = {bold = 1}", 2, "a style like"),
        ("[looks]\nnote = 2020-01-01", 2, "a style like"),
        ("[presets.mine]\ntemperature = 0.5\ntop_p = 7", 3, "top_p 7"),
        ("[presets]\nmine = 3", 2, "must be a section"),
        ("model = 'x'", 1, "no section [model]"),
        ("# x\nsampling = 0.8", 2, "[sampling] must be a section"),
        ("looks = 'bold'", 1, "[looks] must be a section"),
        ("presets = []", 1, "[presets] must be a section"),
        ("[start]\nmodel = ''", 2, "a text that is not empty"),
        ("[start]\nstore = ''", 2, "a text that is not empty"),
        ("[start]\nmodel = \n", 2, "Invalid value"),
    ],
)
def test_mistakes_are_named_with_their_line(text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(text, PATH)
    assert f"line {line}" in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        config.read(path)
    path.write_text("[terminal]\n", encoding="utf-16")  # as an editor's "Unicode"
    with pytest.raises(ConfigError, match="save it as UTF-8"):
        config.read(path)


@pytest.mark.parametrize("text", ["", "[terminal]\r\nspeed = 9\r\n", "# mine\n[terminal]\nspeed = 9\n"])
def test_a_byte_order_mark_is_no_mistake(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8-sig", newline="")
    assert config.read(path).speed == (9 if text else 0)


def test_a_disk_that_takes_nothing_is_left_without_half_a_file(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(ConfigError, match="File too large"):
            config.init(tmp_path / "config.toml")
        with pytest.raises(ValueError, match="File too large"):
            write_new(tmp_path / "story.txt", "long " * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be written"):
        config.init(tmp_path / "config.toml")
