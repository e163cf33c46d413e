"""What can replace a character or word that a model never saw. Knows no vocabulary."""

from __future__ import annotations

import unicodedata

SUBSTITUTES = {
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "`": "'", "´": "'",
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "″": '"',
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "--", "―": "--", "−": "-",
    "…": "...", "•": "*", "·": ".", "×": "x", "⁄": "/",
    "\t": " ", "\u00a0": " ", "\u2028": "\n", "\u2029": "\n",
    "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d", "ł": "l", "Ł": "L",
    '"': "'",
}  # fmt: skip


def typographic(characters: str, known: str) -> str:
    """Those of some characters that are others of the same meaning among the `known` ones: quotes, dashes, spaces."""
    others = set(characters) - set(known)
    return "".join(sorted(c for c in others if c in SUBSTITUTES and all(one in known for one in SUBSTITUTES[c])))


def without_accents(text: str) -> str:
    """A text without its accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def character_substitutes(character: str) -> list[str]:
    """What can replace a character, most similar first."""
    plain = unicodedata.normalize("NFKC", character)
    letter = without_accents(character)
    listed = SUBSTITUTES.get(character, "")
    candidates = [
        unicodedata.normalize("NFD", character), listed, SUBSTITUTES.get(listed, ""), plain, letter,
        character.lower(), character.upper(), listed.lower(), letter.lower(), letter.upper(),
    ]  # fmt: skip
    return [candidate for candidate in candidates if candidate and candidate != character]


def word_substitutes(word: str) -> list[str]:
    """What can replace a word, most similar first: straight quotes, another case, no accents."""
    plain = "".join(SUBSTITUTES.get(c, c) for c in word)
    forms = [word, plain, without_accents(plain)]
    candidates = [change(form) for form in forms for change in (str, str.lower, str.capitalize, str.upper)]
    return [candidate for candidate in dict.fromkeys(candidates) if candidate and candidate != word]
