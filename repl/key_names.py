"""The keys that a writer may choose, as people write them: "alt-enter", "ctrl-x ctrl-e", "f2"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from prompt_toolkit.keys import KEY_ALIASES, Keys

import engine

ACTIONS = {
    "accept-ghost": ("right", "takes the dim suggestion"),
    "accept-word": ("alt-right", "takes one word of it"),
    "newline": ("alt-enter", "a new line in your text"),
    "stop": ("escape", "stops the writing; Ctrl-C does so always"),
    "editor": ("ctrl-x ctrl-e", "your line in $EDITOR"),
    "palette": ("ctrl-p", "lists all commands"),
    "walk": ("alt-w", "at an empty prompt, walks over the last turn"),
}
"""What a key may do: the key that does it by default, and what it is."""

RESERVED = {"c-m": "sends your line", "c-c": "stops and clears", "c-d": "leaves"}
SHORT = {"ctrl-": "c-", "control-": "c-", "shift-": "s-"}
NAMED = ("enter", "tab", "space", "backspace", *(key.value for key in Keys if key.value.isalnum()))
ALLOWED = (
    "a key is a letter or enter, tab, space, backspace, delete, insert, escape, home, end, up, down, left, right, "
    "pageup, pagedown, f1 to f24, with ctrl-, alt- or shift- before it; one after the other with a space between"
)


def parse_keys(text: str) -> tuple[str, ...]:
    """The keys to press one after the other, in prompt_toolkit's names. Raises `ValueError`."""
    keys = tuple(key for word in text.lower().split() for key in _keys_of(word))
    if not keys:
        raise ValueError(f"{text!r}: is no key; {ALLOWED}")
    if keys[0] in RESERVED:
        raise ValueError(f"{text!r}: cannot be chosen, for it {RESERVED[keys[0]]}")
    if len(keys[0]) == 1:
        raise ValueError(f"{text!r}: could not be typed any more; put ctrl- or alt- before it")
    return keys


def all_keys(chosen: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The keys of each action, chosen or by default. Raises `ValueError`."""
    return {action: parse_keys(chosen.get(action, default)) for action, (default, _) in ACTIONS.items()}


def check_conflict(action: str, chosen: Mapping[str, str]) -> None:
    """Raise `ValueError` if the key of an action does something else already."""
    keys = all_keys(chosen)
    for other in ACTIONS:
        if other != action and keys[other] == keys[action]:
            raise ValueError(f"{chosen[action]!r}: is the key of {other} already")


def shown_keys(chosen: Mapping[str, str]) -> dict[str, str]:
    """The key of each action as a person reads it: "Alt-Enter"."""
    return {
        action: " ".join(_title(word) for word in chosen.get(action, default).split())
        for action, (default, _) in ACTIONS.items()
    }


def _keys_of(word: str) -> Iterable[str]:
    name, is_alt = word.removeprefix("alt-"), word.startswith("alt-")
    for long, short in SHORT.items():
        name = name.replace(long, short)
    name = re.sub(r"^s-c-", "c-s-", name)
    name = KEY_ALIASES.get(name, " " if name == "space" else name)
    if not (len(name) == 1 and name.isprintable()) and name not in {key.value for key in Keys}:
        hint = engine.did_you_mean(name.rpartition("-")[2], map(repr, NAMED), "")
        raise ValueError(f"there is no key {word!r}{f' ({hint})' if hint else ''}; {ALLOWED}")
    return ("escape", name) if is_alt else (name,)


def _title(word: str) -> str:
    return "-".join("Esc" if part == "escape" else part.capitalize() for part in word.split("-"))
