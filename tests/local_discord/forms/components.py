"""What Discord accepts as the components of a message: rows of buttons or selects, and layouts (components V2).

From its component reference: https://docs.discord.com/developers/components/reference.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tests.local_discord.errors import Json, bad_form
from tests.local_discord.forms.emoji import is_emoji

ROW, BUTTON = 1, 2
SELECTS = {3, 5, 6, 7, 8}
STRING_SELECT = 3
LINK, PREMIUM = 5, 6
SECTION, TEXT, THUMBNAIL, GALLERY, FILE, SEPARATOR, CONTAINER = 9, 10, 11, 12, 13, 14, 17
IN_CONTAINER = {ROW, SECTION, TEXT, GALLERY, FILE, SEPARATOR}
ON_TOP = IN_CONTAINER | {CONTAINER}
MAX_ROWS = MAX_BUTTONS = 5
MAX_NESTED = 40
MAX_LAYOUT_TEXT = 4000


def check_components(components: object, has_layout: bool, at: str = "components") -> None:
    """The whole list; `has_layout` says that the message's flags ask for the newer layouts."""
    if not isinstance(components, list):
        raise bad_form(at, "BASE_TYPE_BAD_TYPE", "Only iterables may be used in a ListType")
    if has_layout:
        _check_layout(components, at)
    elif len(components) > MAX_ROWS:
        raise bad_form(at, "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {MAX_ROWS} in length.")
    for place, part in enumerate(components):
        if not has_layout and part.get("type") != ROW:
            raise bad_form(f"{at}.{place}.type", "UNION_TYPE_CHOICES", "Value of field 'type' must be one of (1,).")
        if not has_layout:
            _check_row(part, f"{at}.{place}")
    _check_ids(components, at)


def numbered(components: list[Json]) -> list[Json]:
    """The components as Discord gives them back: each with an `id`, its own or the next free number."""
    copy: list[Json] = json.loads(json.dumps(components))
    parts = [part for _, part in everything(copy, "")]
    taken = {part["id"] for part in parts if part.get("id")}
    free = (number for number in itertools.count(1) if number not in taken)
    for part in parts:
        part["id"] = part.get("id") or next(free)
    return copy


def everything(components: list[Json], at: str) -> Iterator[tuple[str, Json]]:
    """Each component with its place, outer ones first."""
    for place, part in enumerate(components):
        yield f"{at}.{place}", part
        yield from everything(part.get("components") or [], f"{at}.{place}.components")
        if part.get("accessory"):
            yield f"{at}.{place}.accessory", part["accessory"]


def _check_layout(components: list[Json], at: str) -> None:
    parts = list(everything(components, at))
    if len(parts) > MAX_NESTED:
        raise bad_form(at, "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", f"More than {MAX_NESTED} components")
    for place, part in enumerate(components):
        _check_part(part, ON_TOP, f"{at}.{place}")
    texts = [str(part.get("content") or "") for _, part in parts if part.get("type") == TEXT]
    if sum(len(text.encode("utf-16-le")) // 2 for text in texts) > MAX_LAYOUT_TEXT:
        raise bad_form(at, "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", f"More than {MAX_LAYOUT_TEXT} characters")


def _check_part(part: Json, allowed: set[int], at: str) -> None:
    """A component of a layout, of a type that may stand there."""
    kind = part.get("type")
    if kind not in allowed:
        message = f"Value of field 'type' must be one of {tuple(sorted(allowed))}."
        raise bad_form(f"{at}.type", "UNION_TYPE_CHOICES", message)
    inside: list[Json] = part.get("components") or []
    if kind == ROW:
        _check_row(part, at)
    elif kind == TEXT:
        if not str(part.get("content") or "").strip():
            raise bad_form(f"{at}.content", "BASE_TYPE_REQUIRED", "This field is required")
    elif kind == SECTION:
        if not 1 <= len(inside) <= 3:
            raise bad_form(f"{at}.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 3 in length.")
        _check_accessory(part.get("accessory") or {}, f"{at}.accessory")
    elif kind == GALLERY and not 1 <= len(part.get("items") or []) <= 10:
        raise bad_form(f"{at}.items", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 10 in length.")
    elif kind == CONTAINER and not inside:
        raise bad_form(f"{at}.components", "BASE_TYPE_BAD_LENGTH", "Must be at least 1 in length.")
    if kind in (SECTION, CONTAINER):
        for place, one in enumerate(inside):
            _check_part(one, {TEXT} if kind == SECTION else IN_CONTAINER, f"{at}.components.{place}")


def _check_accessory(part: Json, at: str) -> None:
    if part.get("type") not in (BUTTON, THUMBNAIL):
        raise bad_form(f"{at}.type", "UNION_TYPE_CHOICES", "Value of field 'type' must be one of (2, 11).")
    if part["type"] == BUTTON:
        _check_button(part, at)


def _check_row(row: Json, at: str) -> None:
    inside: list[Json] = row.get("components") or []
    where = f"{at}.components"
    if not 1 <= len(inside) <= MAX_BUTTONS:
        raise bad_form(where, "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {MAX_BUTTONS} in length.")
    kinds = {part.get("type") for part in inside}
    if not kinds <= {BUTTON} | SELECTS:
        raise bad_form(f"{where}.0.type", "UNION_TYPE_CHOICES", "Only buttons and selects may be in a row.")
    if kinds & SELECTS and len(inside) > 1:
        message = "The sum of the widths of the components is more than 5"
        raise bad_form(where, "COMPONENT_LAYOUT_WIDTH_EXCEEDED", message)
    for place, part in enumerate(inside):
        check = _check_button if part["type"] == BUTTON else check_select
        check(part, f"{where}.{place}")


def _check_button(button: Json, at: str) -> None:
    style = button.get("style")
    if type(style) is not int or not 1 <= style <= PREMIUM:
        raise bad_form(f"{at}.style", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5, 6}.")
    label, custom_id = button.get("label"), button.get("custom_id")
    check_length(label, 0, 80, f"{at}.label")
    if not label and not button.get("emoji") and style != PREMIUM:
        raise bad_form(at, "BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED", "A label or emoji is required")
    if button.get("emoji"):
        _check_emoji(button["emoji"], f"{at}.emoji")
    if style == LINK:
        _check_link(button, at)
    elif style != PREMIUM:
        if not custom_id:
            raise bad_form(f"{at}.custom_id", "COMPONENT_CUSTOM_ID_REQUIRED", "A custom id is required")
        if button.get("url"):
            raise bad_form(f"{at}.url", "BUTTON_COMPONENT_URL_INVALID", "Only link buttons have a URL")


def _check_link(button: Json, at: str) -> None:
    address = urlsplit(str(button.get("url") or ""))
    if address.scheme not in ("http", "https", "discord") or not address.netloc:
        raise bad_form(f"{at}.url", "BASE_TYPE_REQUIRED", "A URL is required")
    check_length(button.get("url"), 1, 512, f"{at}.url")
    if button.get("custom_id"):
        message = "A custom id and url cannot both be specified"
        raise bad_form(at, "BUTTON_COMPONENT_CUSTOM_ID_AND_URL_MUTUALLY_EXCLUSIVE", message)


def _check_emoji(emoji: Json, at: str) -> None:
    if emoji.get("id") is None and not is_emoji(str(emoji.get("name") or "")):
        raise bad_form(f"{at}.name", "BUTTON_COMPONENT_INVALID_EMOJI", "Invalid emoji")
    if emoji.get("id") is not None:
        raise bad_form(f"{at}.id", "BUTTON_COMPONENT_INVALID_EMOJI", "Invalid emoji: nobody here has custom ones")


def check_select(select: Json, at: str) -> None:
    """A list to choose from."""
    check_length(select.get("custom_id"), 1, 100, f"{at}.custom_id")
    check_length(select.get("placeholder"), 0, 150, f"{at}.placeholder")
    if select["type"] != STRING_SELECT:
        return
    options: list[Json] = select.get("options") or []
    if not 1 <= len(options) <= 25:
        raise bad_form(f"{at}.options", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 25 in length.")
    for place, option in enumerate(options):
        where = f"{at}.options.{place}"
        check_length(option.get("label"), 1, 100, f"{where}.label")
        check_length(option.get("value"), 1, 100, f"{where}.value")
        check_length(option.get("description"), 0, 100, f"{where}.description")
        if option.get("emoji"):
            _check_emoji(option["emoji"], f"{where}.emoji")
    if len({option["value"] for option in options}) != len(options):
        raise bad_form(f"{at}.options", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "The option value is already used")


def check_length(value: Any, least: int, most: int, at: str) -> None:
    """A text of so many characters; one that may be empty may be missing."""
    if value is None and least == 0:
        return
    if not isinstance(value, str):
        raise bad_form(at, "BASE_TYPE_REQUIRED", "This field is required")
    if not least <= len(value) <= most:
        raise bad_form(at, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")


def _check_ids(components: list[Json], at: str) -> None:
    seen: set[str] = set()
    for where, part in everything(components, at):
        custom_id = part.get("custom_id")
        if custom_id is None:
            continue
        check_length(custom_id, 1, 100, f"{where}.custom_id")
        if custom_id in seen:
            message = "Component custom id cannot be duplicated"
            raise bad_form(f"{where}.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", message)
        seen.add(custom_id)
