"""What could stand in for a character that a model never saw. Knows no vocabulary."""

from __future__ import annotations

import unicodedata

NEAR = {
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "`": "'", "´": "'",
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "″": '"',
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "--", "―": "--", "−": "-",
    "…": "...", "•": "*", "·": ".", "×": "x", "⁄": "/",
    "\t": " ", "\u00a0": " ", "\u2028": "\n", "\u2029": "\n",
    "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d", "ł": "l", "Ł": "L",
    '"': "'",
}  # fmt: skip


def bare(text: str) -> str:
    """The letters without their accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def near_equivalents(character: str) -> list[str]:
    """What could stand in for a character, nearest first."""
    plain = unicodedata.normalize("NFKC", character)
    letter = bare(character)
    near = NEAR.get(character, "")
    candidates = [
        unicodedata.normalize("NFD", character), near, NEAR.get(near, ""), plain, letter,
        character.lower(), character.upper(), near.lower(), letter.lower(), letter.upper(),
    ]  # fmt: skip
    return [candidate for candidate in candidates if candidate and candidate != character]


def near_words(word: str) -> list[str]:
    """What could stand in for a word, nearest first: straight quotes, another case, no accents."""
    plain = "".join(NEAR.get(c, c) for c in word)
    forms = [word, plain, bare(plain)]
    candidates = [way(form) for form in forms for way in (str, str.lower, str.capitalize, str.upper)]
    return [candidate for candidate in dict.fromkeys(candidates) if candidate and candidate != word]
