"""Writes docs/settings.md: every setting of a training run, from the table that `--help` is made of.

python docs/settings.py
"""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path
from typing import Any

from engine.train.settings import TrainSettings, as_text

HEAD = """\
# All settings of a training run

`python -m engine.train --help` prints the same. `python docs/settings.py` writes this page; do not edit it by hand.
[training.md](training.md) says what the settings are good for.

| flag | default | allowed | meaning |
| --- | --- | --- | --- |
"""


def page() -> str:
    """The whole page, as Markdown."""
    return HEAD + "".join(row(item) for item in dataclasses.fields(TrainSettings))


def row(item: dataclasses.Field[Any]) -> str:
    """One setting as a row of the table."""
    cells = f"`--{item.name.replace('_', '-')}`", default(item.default), allowed(item), item.metadata["help"]
    return f"| {' | '.join(map(escaped, cells))} |\n"


def escaped(cell: str) -> str:
    """A cell that Markdown shows as it is."""
    return cell.replace("|", "\\|").replace("<", "&lt;")


def default(value: Any) -> str:
    """A default as it stands on the command line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"`{repr(as_text(value))[1:-1]}`" if value != "" else "none"


def allowed(item: dataclasses.Field[Any]) -> str:
    """The values that a setting takes."""
    limits, value = item.metadata, item.default
    if limits["choices"]:
        return ", ".join(f"`{choice}`" for choice in limits["choices"])
    if isinstance(value, bool):
        return "yes, no"
    ends = interval(limits["low"], limits["high"])
    if limits["read"] and isinstance(value, str):
        return f"{ends}, or `{value}`"
    if limits["read"]:
        return f"{ends}; one number, or one a layer"
    return ends or "text"


def interval(low: float, high: float) -> str:
    """As in "0 to 0.95"; empty where there are no limits."""
    if math.isinf(low):
        return ""
    return f"at least {number(low)}" if math.isinf(high) else f"{number(low)} to {number(high)}"


def number(value: float) -> str:
    """As in "65,536" and "0.95"."""
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def main() -> int:
    """Write the page."""
    Path(__file__).with_name("settings.md").write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
