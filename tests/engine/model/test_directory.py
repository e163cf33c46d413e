from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import engine
from engine.model import directory


@pytest.fixture
def folder(keras_model_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(keras_model_dir, tmp_path / "mine"))


def test_a_model_is_found_by_folder_file_and_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    shutil.copytree(folder, tmp_path / "models" / "named")
    for given, name in ((folder, "mine"), (folder / "model.keras", "model"), ("named", "named"), ("mine", "mine")):
        with engine.load(given) as model:
            assert model.info.name == name


def test_the_bundled_model_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "storyteller").mkdir(parents=True)
    (tmp_path / "models" / "storyteller" / "model.keras").touch()  # another one of that name is not the bundled one
    for name, level in ((None, "bpe"), ("shakespeare", "char")):
        with engine.load(name) as model:
            assert model.info.name == (name or "storyteller")
            assert (model.info.units, model.info.level) == (512, level)
    assert directory.names() == ["shakespeare", "storyteller"]


def test_what_is_no_model_is_refused_with_the_remedy(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: str | Path, *words: str) -> None:
        with pytest.raises(engine.ModelLoadError) as caught:
            engine.load(path)
        for word in words:
            assert word in str(caught.value)

    monkeypatch.chdir(tmp_path)
    refused("nowhere", "nowhere", "shakespeare")
    refused(" ", "name is empty", "give a model directory")
    refused(tmp_path, str(tmp_path), "no model.keras")
    (tmp_path / "x.h5").touch()
    refused(tmp_path / "x.h5", "x.h5", ".keras")
    vocabulary = folder / "vocabulary.json"
    tokens = json.loads(vocabulary.read_text())
    vocabulary.write_text(json.dumps({**tokens, "tokens": tokens["tokens"][1:]}))
    refused(folder, "30 tokens", "takes 31", "one run")
    vocabulary.write_text("{")
    refused(folder, "vocabulary.json", "no vocabulary")
    vocabulary.write_bytes(b"\xff\xfe")
    refused(folder, "vocabulary.json", "no vocabulary")
    vocabulary.unlink()
    refused(folder, "vocabulary.json is missing", "python -m engine.adopt")
    vocabulary.mkdir()
    refused(folder, "cannot be read")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    directory.write_text(path, "old")

    def break_off() -> None:
        with directory.replace_file(path) as temporary:
            temporary.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        break_off()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]
    directory.write_text(path, "new")
    assert path.read_text() == "new"
