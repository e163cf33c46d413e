"""What Discord accepts as a form (modal), and what its client lets a person fill in.

From its component reference: https://docs.discord.com/developers/components/reference.
"""

from __future__ import annotations

from typing import Any

from tests.local_discord.errors import Json, NotPossible, bad_form
from tests.local_discord.forms.components import ROW, SELECTS, STRING_SELECT, TEXT, check_length, check_select

INPUT, LABEL = 4, 18
MAX_INPUT = 4000
IN_LABEL = SELECTS | {INPUT}


def check_modal(form: Json) -> None:
    """A form of one to five parts: labels with a field, text, or (the older way) rows with a text input."""
    check_length(form.get("custom_id"), 1, 100, "custom_id")
    check_length(form.get("title"), 1, 45, "title")
    parts = form.get("components") or []
    if not 1 <= len(parts) <= 5:
        raise bad_form("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    ids: set[str] = set()
    for place, part in enumerate(parts):
        at = f"components.{place}"
        if part.get("type") == TEXT:
            check_length(part.get("content"), 1, MAX_INPUT, f"{at}.content")
            continue
        field, where = _field(part, at)
        check_length(field.get("custom_id"), 1, 100, f"{where}.custom_id")
        if field["custom_id"] in ids:
            message = "Component custom id cannot be duplicated"
            raise bad_form(f"{where}.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", message)
        ids.add(field["custom_id"])


def _field(part: Json, at: str) -> tuple[Json, str]:
    """The field of a label or a row, and its place."""
    if part.get("type") == LABEL:
        field, where = part.get("component") or {}, f"{at}.component"
        check_length(part.get("label"), 1, 45, f"{at}.label")
        check_length(part.get("description"), 0, 100, f"{at}.description")
        if field.get("type") not in IN_LABEL:
            message = f"Value of field 'type' must be one of {tuple(sorted(IN_LABEL))}."
            raise bad_form(f"{where}.type", "UNION_TYPE_CHOICES", message)
        if field["type"] == INPUT and field.get("label") is not None:
            raise bad_form(f"{where}.label", "BASE_TYPE_BAD_LENGTH", "Must not be set inside a label.")
    else:
        inside = part.get("components") or []
        field, where = (inside or [{}])[0], f"{at}.components.0"
        if part.get("type") != ROW or len(inside) != 1 or field.get("type") != INPUT:
            raise bad_form(f"{at}.type", "UNION_TYPE_CHOICES", "Only a text input may be in a form's row.")
        check_length(field.get("label"), 1, 45, f"{where}.label")
    if field["type"] == INPUT:
        _check_input(field, where)
    else:
        check_select(field, where)
    return field, where


def _check_input(field: Json, at: str) -> None:
    if field.get("style") not in (1, 2):
        raise bad_form(f"{at}.style", "BASE_TYPE_CHOICES", "Value must be one of {1, 2}.")
    for key, least in (("min_length", 0), ("max_length", 1)):
        size = field.get(key)
        if size is not None and not least <= size <= MAX_INPUT:
            raise bad_form(f"{at}.{key}", "NUMBER_TYPE_MAX", f"Must be from {least} to {MAX_INPUT}.")
    check_length(field.get("value"), 0, field.get("max_length") or MAX_INPUT, f"{at}.value")
    check_length(field.get("placeholder"), 0, 100, f"{at}.placeholder")


def fill_modal(form: Json, values: dict[str, str]) -> list[Json]:
    """The parts of a form as the client sends them; a field that is not among `values` keeps what it shows."""
    known = {field["custom_id"] for part in form["components"] for field in _inside(part)}
    if unknown := values.keys() - known:
        raise NotPossible(f"the form has no field {sorted(unknown)}: {sorted(known)}")
    filled: list[Json] = []
    for part in form["components"]:
        fields = [_fill(field, values) for field in _inside(part)]
        body: Json = {"type": part["type"], "id": part.get("id", 1)}
        if fields:
            body |= {"component": fields[0]} if part["type"] == LABEL else {"components": fields}
        filled.append(body)
    return filled


def _inside(part: Json) -> list[Json]:
    return [part["component"]] if part["type"] == LABEL else part.get("components") or []


def _fill(field: Json, values: dict[str, str]) -> Json:
    custom_id = field["custom_id"]
    made: Json = {"type": field["type"], "custom_id": custom_id, "id": 2}
    if field["type"] != INPUT:
        return made | {"values": _chosen(field, values)}
    value: Any = values.get(custom_id, field.get("value") or "")
    least = field.get("min_length") or (1 if field.get("required", True) else 0)
    if not least <= len(value) <= (field.get("max_length") or MAX_INPUT):
        raise NotPossible(f"the field {custom_id!r} takes {least} to {field.get('max_length')} characters")
    return made | {"value": value}


def _chosen(field: Json, values: dict[str, str]) -> list[str]:
    shown = [option["value"] for option in field.get("options") or [] if option.get("default")]
    chosen = [values[field["custom_id"]]] if field["custom_id"] in values else shown
    if field["type"] == STRING_SELECT and not set(chosen) <= {option["value"] for option in field["options"]}:
        raise NotPossible(f"{chosen} is not among the options of {field['custom_id']!r}")
    if field.get("required", True) and not chosen:
        raise NotPossible(f"the field {field['custom_id']!r} needs a choice")
    return chosen
