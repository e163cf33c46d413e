"""Named recipes of settings, a TOML file each: published systems, and ours. `--preset NAME` begins with one.

Knows no TensorFlow. A file has `about`, one line for people, and `[settings]`, some of `TrainSettings` by name.
"""

from __future__ import annotations

import dataclasses
import tomllib
from importlib import resources
from typing import Any

from engine.train.settings import PRESETS, TrainSettings


def about() -> str:
    """A line for each preset."""
    width = max(map(len, PRESETS))
    return "\n".join(f"  {name:{width}}  {_read(name)['about']}" for name in PRESETS)


def load(name: str) -> dict[str, Any]:
    """The settings of a preset, and its name as `preset`, which alone does nothing: `TrainSettings(**load(name))`.

    Raises `ValueError` that lists all of them.
    """
    if name not in PRESETS:
        raise ValueError(f"--preset {name}: there is none of this name; there are\n{about()}")
    defaults = {item.name: item.default for item in dataclasses.fields(TrainSettings)}
    given = _read(name)["settings"].items()
    return {key: float(value) if isinstance(defaults[key], float) else value for key, value in given} | {"preset": name}


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))
