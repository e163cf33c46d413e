"""Reads what a model directory says about its model: the card, the settings of its training, its losses.

For people: nothing here is needed to run the model. Knows no network.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.model import directory


@dataclass(frozen=True, slots=True)
class About:
    """A model's card, settings and losses. What is missing or damaged is empty: a model made elsewhere has none."""

    name: str
    folder: Path
    card: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    losses: tuple[tuple[float, float], ...] = ()
    """Training and held-out loss of each epoch, in nats per token."""

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who speaks in the chat that it was trained on, the most frequent first."""
        listed = self.settings.get("speakers")
        return tuple(name for name in listed if isinstance(name, str) and name) if isinstance(listed, list) else ()


def about(path: str | Path | None = None) -> About:
    """What is known about a model, named as for `load`. Raises `ModelLoadError` if there is no such model."""
    files = directory.find(path)
    folder = files.network.parent
    settings = _json(folder / directory.SETTINGS)
    return About(files.name, folder, _text(folder / "README.md"), settings, _losses(_text(folder / "training.csv")))


def model_names() -> list[str]:
    """The models that a bare name finds: those under `models/` here, and the bundled one."""
    return directory.names()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ""


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(_text(path))
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _losses(text: str) -> tuple[tuple[float, float], ...]:
    try:
        rows = list(csv.DictReader(text.splitlines()))
        return tuple((float(row["training_nats"]), float(row["held_out_nats"])) for row in rows)
    except (KeyError, TypeError, ValueError, csv.Error):
        return ()
