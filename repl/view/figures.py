"""A probability, a surprisal and a token as people see them. Needs no NumPy, which the prompt does not wait for."""

from __future__ import annotations

EIGHTHS = " ▏▎▍▌▋▊▉█"
HEAT_BITS = (1.0, 2.0, 4.0, 7.0)  # where the next hotter style begins


def bar(share: float, length: int) -> str:
    """A bar of `length` cells, filled to an eighth of a cell."""
    eighths = round(min(1.0, max(0.0, share)) * length * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + EIGHTHS[rest] * bool(rest)).ljust(length)


def token_name(token: str) -> str:
    """A token as a person can tell it from others: with what is no letter written out."""
    return repr(str(token))[1:-1] if token != " " else "space"


def heat_style(bits: float) -> str:
    """The style of a surprisal, "heat0" to "heat4"."""
    return f"heat{sum(bits >= limit for limit in HEAT_BITS)}"
