from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.train.quantities import duration, seconds_of, temperatures_of


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.4, "59 s"), (60, "1:00"), (185, "3:05"), (7385, "2:03:05")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), (" 1H5S ", 3605), ("", 0)]
)
def test_times_as_people_write_them(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@given(st.integers(1, 99), st.integers(0, 99), st.integers(0, 99))
def test_every_time_is_read(hours: int, minutes: int, seconds: int) -> None:
    assert seconds_of(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


@pytest.mark.parametrize("text", ["30", "half an hour", "m", "0s", "-5m", "1m2h", "1.5h", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"--time .*: must be a time such as 45s, 30m"):
        seconds_of(text)


def test_temperatures() -> None:
    assert temperatures_of("0.5, 0.8,1.1") == (0.5, 0.8, 1.1)
    for text in ("", "warm", "-1", "0.5,,1", "nan", "inf"):
        with pytest.raises(ValueError, match="--sample-temperatures"):
            temperatures_of(text)
