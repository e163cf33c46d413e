from __future__ import annotations

from pathlib import Path

import pytest

import engine


def test_the_bundled_model_has_its_papers() -> None:
    papers = engine.about()
    assert papers.name == "shakespeare"
    assert "2.031 bits" in papers.card
    assert papers.settings["settings"]["units"] == 512
    assert len(papers.losses) == 30
    assert papers.losses[-1][1] < papers.losses[0][1]
    assert "shakespeare" in engine.model_names()


def test_a_model_made_elsewhere_has_none(keras_model_dir: Path) -> None:
    papers = engine.about(keras_model_dir)
    assert (papers.name, papers.card, papers.settings, papers.losses) == ("tiny-keras", "", {}, ())


def test_damaged_papers_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "model.keras").touch()
    (tmp_path / "README.md").write_bytes(b"caf\xe9")
    (tmp_path / "settings.json").write_text("[1]")
    (tmp_path / "training.csv").write_text("epoch,training_nats\n1,much\n")
    papers = engine.about(tmp_path)
    assert (papers.card, papers.settings, papers.losses) == ("", {}, ())
    (tmp_path / "settings.json").write_text("{")
    assert engine.about(tmp_path).settings == {}
    with pytest.raises(engine.ModelLoadError, match="no such model"):
        engine.about("nowhere")
