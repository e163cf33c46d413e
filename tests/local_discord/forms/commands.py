"""What Discord accepts as an application command."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from tests.local_discord.errors import Json, Refused, bad_form

SUB_COMMAND, GROUP, STRING, INTEGER, BOOLEAN, NUMBER, ATTACHMENT = 1, 2, 3, 4, 5, 10, 11
MAX_OPTIONS = MAX_CHOICES = 25
MAX_SIZE = 8000
MAX_NUMBER = 2**53
MOST = {1: 100, 2: 5, 3: 5}  # of context menus, the fewest that Discord has ever documented
SHAPES = {"contexts": {0, 1, 2}, "integration_types": {0, 1}}


def check_together(forms: list[Json]) -> None:
    """A whole set: no name twice, and not too many of a type."""
    keys = Counter((form["name"], form.get("type") or 1) for form in forms)
    for place, form in enumerate(forms):
        if keys[form["name"], form.get("type") or 1] > 1:
            raise bad_form(
                str(place), "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique"
            )
    for kind, number in Counter(kind for _, kind in keys).items():
        if number > MOST[kind]:
            raise Refused(400, 30032)


def check_command(form: object, at: str) -> None:
    """One command with all its options; raises 50035 at `at` and below."""
    if not isinstance(form, dict):
        raise bad_form(at, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
    kind = form.get("type") or 1
    if kind not in MOST:
        raise bad_form(_at(at, "type"), "BASE_TYPE_CHOICES", "Value must be one of (1, 2, 3).")
    if kind == 1:
        check_name(form.get("name"), _at(at, "name"))
        check_text(form.get("description"), 100, _at(at, "description"))
        check_options(form.get("options") or [], _at(at, "options"), depth=0)
    else:
        check_text(form.get("name"), 32, _at(at, "name"))
        if form.get("description") or form.get("options"):
            raise bad_form(_at(at, "description"), "BASE_TYPE_BAD_LENGTH", "Must be empty for this type of command.")
    _check_rights(form, at)
    if _size(form) > MAX_SIZE:
        raise bad_form(at, "APPLICATION_COMMAND_TOO_LARGE", f"Command exceeds maximum size ({MAX_SIZE})")


def _check_rights(form: Json, at: str) -> None:
    rights = form.get("default_member_permissions")
    if rights is not None and (isinstance(rights, bool) or not re.fullmatch(r"\d{1,20}", str(rights))):
        raise bad_form(_at(at, "default_member_permissions"), "NUMBER_TYPE_COERCE", f'Value "{rights}" is not int.')
    for key, allowed in SHAPES.items():
        value = form.get(key)
        if value is None:
            continue
        where = _at(at, key)
        if not isinstance(value, list) or not value or any(item not in allowed for item in value):
            raise bad_form(where, "BASE_TYPE_CHOICES", f"Value must be one of {tuple(sorted(allowed))}.")
        if len(set(value)) != len(value):
            raise bad_form(where, "SET_TYPE_ALREADY_CONTAINS_VALUE", "The set already contains this value")


def check_name(name: object, at: str) -> None:
    """1 to 32 of letters, digits, - and _, in lower case where there is one."""
    check_text(name, 32, at)
    good = isinstance(name, str) and all(c in "-_'" or unicodedata.category(c)[0] in "LNM" for c in name)
    if not good or name != str(name).lower():
        message = "Command name is invalid: it must be lower case letters, digits, - or _."
        raise bad_form(at, "APPLICATION_COMMAND_INVALID_NAME", message)


def check_text(value: object, longest: int, at: str) -> None:
    """A text of 1 to `longest` characters."""
    if value is None:
        raise bad_form(at, "BASE_TYPE_REQUIRED", "This field is required")
    if not isinstance(value, str):
        raise bad_form(at, "STRING_TYPE_CONVERT", f'Could not interpret "{value}" as string.')
    if not value.strip() or len(value) > longest:
        raise bad_form(at, "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {longest} in length.")


def check_options(options: object, at: str, depth: int) -> None:
    """Options of a command, a group or a subcommand."""
    if not isinstance(options, list) or len(options) > MAX_OPTIONS:
        raise bad_form(at, "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_OPTIONS} or fewer in length.")
    seen: set[str] = set()
    optional = False
    for place, option in enumerate(options):
        where = _at(at, str(place))
        _check_option(option, where, depth)
        if option["name"] in seen:
            message = "Option name already exists in the options list"
            raise bad_form(where, "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", message)
        seen.add(option["name"])
        if option.get("required") and optional:
            message = "Required options must be placed before non-required options"
            raise bad_form(where, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        optional = optional or not option.get("required")
    if len({option["type"] > GROUP for option in options}) > 1:
        message = "Sub-command and sub-command group option types are mutually exclusive to all other types"
        raise bad_form(at, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message)


def _check_option(option: Json, at: str, depth: int) -> None:
    kind = option.get("type")
    if not isinstance(kind, int) or not SUB_COMMAND <= kind <= ATTACHMENT:
        raise bad_form(_at(at, "type"), "BASE_TYPE_CHOICES", "Value must be one of (1, 2, ... 11).")
    check_name(option.get("name"), _at(at, "name"))
    check_text(option.get("description"), 100, _at(at, "description"))
    if kind <= GROUP:
        if depth > 1 or (depth == 1 and kind == GROUP):
            message = "Sub-commands nest too deeply"
            raise bad_form(_at(at, "type"), "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message)
        return check_options(option.get("options") or [], _at(at, "options"), depth + 1 if kind == GROUP else 2)
    _check_choices(option, kind, at)
    return _check_range(option, kind, at)


def _check_choices(option: Json, kind: int, at: str) -> None:
    choices = option.get("choices") or []
    completes = option.get("autocomplete")
    if (choices or completes) and kind not in (STRING, INTEGER, NUMBER):
        raise bad_form(at, "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", "Choices are not for this type of option")
    if choices and completes:
        message = "Autocomplete and choices are mutually exclusive"
        raise bad_form(at, "APPLICATION_COMMAND_AUTOCOMPLETE_AND_CHOICES_INVALID", message)
    check_choices(choices, kind, _at(at, "choices"))
    names = [choice["name"] for choice in choices]
    if len(set(names)) != len(names):
        message = "Choice names must be unique"
        raise bad_form(_at(at, "choices"), "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS", message)


def check_choices(choices: object, kind: int, at: str) -> None:
    """Choices of an option, and those that an autocomplete is answered with."""
    if not isinstance(choices, list) or len(choices) > MAX_CHOICES:
        raise bad_form(at, "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_CHOICES} or fewer in length.")
    for place, choice in enumerate(choices):
        where = _at(at, str(place))
        check_text(choice.get("name"), 100, _at(where, "name"))
        value = choice.get("value")
        if kind == STRING:
            check_text(value, 100, _at(where, "value"))
        elif isinstance(value, bool) or not isinstance(value, int if kind == INTEGER else int | float):
            raise bad_form(_at(where, "value"), "NUMBER_TYPE_COERCE", f'Value "{value}" is not a number.')
        elif abs(value) > MAX_NUMBER:
            raise bad_form(_at(where, "value"), "NUMBER_TYPE_MAX", f"Must be at most {MAX_NUMBER}.")


def _check_range(option: Json, kind: int, at: str) -> None:
    length = (option.get("min_length"), option.get("max_length"))
    values = (option.get("min_value"), option.get("max_value"))
    is_number = kind in (INTEGER, NUMBER)
    if (length != (None, None) and kind != STRING) or (values != (None, None) and not is_number):
        raise bad_form(at, "APPLICATION_COMMAND_OPTIONS_RANGE_INVALID", "A range is not for this type of option")
    low, high = length if kind == STRING else values
    floors = (0, 1, 6000) if kind == STRING else (-MAX_NUMBER, -MAX_NUMBER, MAX_NUMBER)
    whole = (int,) if kind in (STRING, INTEGER) else (int, float)
    for value, least in ((low, floors[0]), (high, floors[1])):
        if value is not None and (type(value) not in whole or not least <= value <= floors[2]):
            raise bad_form(at, "NUMBER_TYPE_MAX", f"{value} must be a number from {least} to {floors[2]}.")
    if low is not None and high is not None and low > high:
        raise bad_form(at, "APPLICATION_COMMAND_OPTIONS_RANGE_INVALID", "The minimum is above the maximum")


def _size(form: Json) -> int:
    own = len(form.get("name") or "") + len(form.get("description") or "")
    choices = sum(len(str(c["name"])) + len(str(c["value"])) for c in form.get("choices") or [])
    return own + choices + sum(_size(option) for option in form.get("options") or [])


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
