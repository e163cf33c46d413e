"""`Sampling`: what its settings take and refuse."""

from __future__ import annotations

import pytest

import engine


@pytest.mark.parametrize(
    ("stop", "meant"), [("e\u0301", "é"), ("a\r\nb", "a\nb"), ("\udcc3\udca9", "é"), ("\ufeffEnd", "End")]
)
def test_a_stop_string_is_read_as_texts_are(stop: str, meant: str) -> None:
    assert engine.Sampling(stop=(stop,)).stop == (meant,)
    with pytest.raises(ValueError, match="none of them empty"):
        engine.Sampling(stop=("\ufeff",))
