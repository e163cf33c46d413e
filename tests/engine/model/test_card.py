from __future__ import annotations

from pathlib import Path

import pytest

import engine


def test_the_bundled_model_has_its_card() -> None:
    assert engine.about().name == "storyteller"
    for name, told in ((None, "CDLA-Sharing-1.0"), ("shakespeare", "2.014 bits")):
        card = engine.about(name)
        assert told in card.card
        assert card.settings["settings"]["units"] == 512
        assert card.losses
    assert len(card.losses) == card.settings["settings"]["epochs"]
    assert card.losses[-1][1] < card.losses[0][1]
    assert {"shakespeare", "storyteller"} <= {*engine.model_names()}


def test_a_model_made_elsewhere_has_none(keras_model_dir: Path) -> None:
    card = engine.about(keras_model_dir)
    assert (card.name, card.card, card.settings, card.losses) == ("tiny-keras", "", {}, ())


def test_damaged_card_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "model.keras").touch()
    (tmp_path / "README.md").write_bytes(b"caf\xe9")
    (tmp_path / "settings.json").write_text("[1]")
    (tmp_path / "training.csv").write_text("epoch,training_nats\n1,much\n")
    card = engine.about(tmp_path)
    assert (card.card, card.settings, card.losses) == ("", {}, ())
    (tmp_path / "settings.json").write_text('{"speakers": ["Ann", 7, "", "Bob: B"]}')
    assert engine.about(tmp_path).speakers == ("Ann", "Bob: B")
    for damaged in ('{"speakers": 7}', "{"):
        (tmp_path / "settings.json").write_text(damaged)
        assert engine.about(tmp_path).speakers == ()
    assert engine.about(tmp_path).settings == {}
    with pytest.raises(engine.ModelLoadError, match="no such model"):
        engine.about("nowhere")
