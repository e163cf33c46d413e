"""`Sampling`: what its settings take and refuse."""

from __future__ import annotations

import dataclasses
import math

import pytest

import engine
from engine.sampling import Sampling
from engine.settings import parse_bias


@pytest.mark.parametrize(
    ("stop", "meant"), [("e\u0301", "é"), ("a\r\nb", "a\nb"), ("\udcc3\udca9", "é"), ("\ufeffEnd", "End")]
)
def test_a_stop_string_is_read_as_texts_are(stop: str, meant: str) -> None:
    assert engine.Sampling(stop=(stop,)).stop == (meant,)
    with pytest.raises(ValueError, match="none of them empty"):
        engine.Sampling(stop=("\ufeff",))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1), ("temperature", math.nan), ("temperature", "hot"), ("top_k", -1), ("top_k", 1.5),
        ("top_p", 0), ("top_p", 1.1), ("min_p", -0.1), ("repetition_penalty", 0.5), ("length", -1), ("stop", ("",)),
        ("stop", None), ("stop", 5),
        ("bias", "storm"), ("bias", ("=2",)), ("bias", "a=much"), ("bias", "a=101"), ("bias", "a=nan"), ("bias", 2),
        ("ban", ("",)), ("ban", 5), ("end", "page"), ("xtc_probability", 2), ("dry_base", 0.5), ("dry_multiplier", -1),
        ("seed", -1), ("seed", "x"), ("top_k", True),
    ],
)  # fmt: skip
def test_an_impossible_setting_is_named_with_its_value(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^{name} .*{str(value).strip('(),')[:3]}"):
        Sampling(**{name: value})  # type: ignore[arg-type]


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Sampling().top_k = 3  # type: ignore[misc]


def test_a_bias_may_have_any_text() -> None:
    assert parse_bias("a=b=+2.5") == ("a=b", 2.5)
    assert engine.Sampling(bias=("e\u0301=-1",)).bias == ("\u00e9=-1",)


def test_the_settings_say_how_far_back_they_look() -> None:
    assert Sampling().context == 0
    assert Sampling(repetition_penalty=1.1).context == 64
    assert Sampling(ban=("abc",)).context >= 12
    assert Sampling(dry_multiplier=1, ban=("abc",)).context == 4096
