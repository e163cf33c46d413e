"""Where a word, a line or a sentence ends in a text that grows. Knows no token.

A sentence ends with one of . ! ? … and the quotes and brackets that close after it, where white space follows and then
no lower-case letter. An abbreviation or a single initial ends none. Scripts that write no spaces end theirs with marks
of their own (Unicode's Sentence_Terminal), and Thai and Lao, which have none, with a space.
"""

from __future__ import annotations

import re
import unicodedata

LOOK_BACK = 200  # characters of the text before that are looked at
ABBREVIATIONS = re.compile(  # in lower case
    "mrs?|ms|messrs|mme|mlle|dr|st|prof|rev|hon|capt|col|gen|lt|maj|sgt|gov|sen|rep|sr|jr|esq|vs|viz|cf|ca|dept|fig|vol"
    "|bzw|usw|ggf|nr|hr|fr|srt?a|vd|av"
)
_CLOSING = "\"'”’“‘»«›‹)]}*_」』）］｝】〉》〕"
_STRONG = "。！？｡．।॥؟۔։።፧།။៕‼⁇⁈⁉"  # they need no space after them
_WEAK_END = re.compile(rf"[.!?…]+[{re.escape(_CLOSING)}]*$")
_STRONG_END = re.compile(rf"[{_STRONG}]+[{re.escape(_CLOSING)}]*$")
_MORE = frozenset(_CLOSING + _STRONG + ".!?…")  # what may still belong to a sentence's end
_LAST_WORD = re.compile(r"([^\W\d_]+)\.$")
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3001-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff60\U00020000-\U0003ffff]"
)
_THAI_OR_LAO = re.compile("[\u0e00-\u0eff]")


def is_end(kind: str, before: str, after: str) -> bool | None:
    """Whether a text may end between `before` and `after`: at a "word", a "line" or a "sentence".

    None where that depends on what follows `after`.
    """
    if kind == "any" or (before.endswith("\n") and kind != "sentence"):
        return True
    if kind == "line" or not before:
        return False
    return _ends_sentence(before[-LOOK_BACK:], after) if kind == "sentence" else _ends_word(before, after)


def _ends_word(before: str, after: str) -> bool | None:
    if before[-1].isspace():
        return False
    if not after:
        return None
    if after[0].isspace():
        return True
    goes_on = after[0] in _MORE or not after[0].isalnum()
    return bool(_UNSPACED.match(before[-1]) or _UNSPACED.match(after[0])) and not goes_on


def _ends_sentence(before: str, after: str) -> bool | None:
    text = before.rstrip("\n")
    if _STRONG_END.search(text):
        return None if not after else text != before or after[0] not in _MORE
    if text and _THAI_OR_LAO.match(text[-1]):
        return None if not after else after[0].isspace() or text != before
    if not _WEAK_END.search(text) or _is_abbreviated(text):
        return False
    if after and not after[0].isspace() and text == before:
        return False
    following = after.lstrip()
    if not following:
        return True if "\n\n" in before[len(text) :] + after else None
    return not following[0].islower() or not any(map(str.isupper, before))  # some texts have no capitals at all


def _is_abbreviated(text: str) -> bool:
    """Whether the full stop at the end is an abbreviation's."""
    found = _LAST_WORD.search(text)
    if found is None:
        return False
    word = found[1]
    is_initial = len(word) == 1 and word != "I" and unicodedata.category(word) != "Lo"
    return is_initial or ABBREVIATIONS.fullmatch(word.lower()) is not None
