"""Times, losses and lists of numbers as people write and read them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

LN2 = math.log(2)
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}


def duration(seconds: float) -> str:
    """As in "7 s", "3:05" and "2:03:05"."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"


def seconds_of(text: str) -> float:
    """Of "45s", "30m", "2h" or "1h30m"; 0 for nothing. Raises `ValueError` with what may stand there."""
    parts = re.fullmatch(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", text.strip().lower())
    seconds = (
        sum(int(part or 0) * unit for part, unit in zip(parts.groups(), UNITS.values(), strict=True)) if parts else 0
    )
    if text and not seconds:
        raise ValueError(f"--time {text}: must be a time such as 45s, 30m, 2h or 1h30m")
    return seconds


def temperatures_of(text: str) -> tuple[float, ...]:
    """Of "0.5,0.8,1.1". Raises `ValueError` for what is no temperature."""
    try:
        temperatures = tuple(float(word) for word in text.split(","))
    except ValueError:
        temperatures = ()
    if not temperatures or not all(0 <= temperature <= 100 for temperature in temperatures):
        raise ValueError(f"--sample-temperatures {text}: must be numbers from 0 to 100, as in 0.5,0.8,1.1")
    return temperatures


def perplexity(nats: float) -> float:
    """Of a loss a token; infinite where the loss is beyond all use."""
    return math.exp(nats) if nats < 700 else math.inf


def bits_of(row: Mapping[str, float], part: str) -> float:
    """Bits a character of an epoch's "training" or "held_out" loss, which is in nats a token."""
    return row[f"{part}_nats"] * row.get(f"{part}_rate", 1.0) / LN2
