"""How Discord's client turns what a member typed behind a command into options, and what it does not let through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from tests.local_discord.errors import Json, NotPossible

if TYPE_CHECKING:
    from tests.local_discord.world.channels import Channel

STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(3, 12)
PLAIN: dict[int, tuple[type, ...]] = {STRING: (str,), INTEGER: (int,), BOOLEAN: (bool,), NUMBER: (int, float)}
LONGEST = 6000
BIGGEST = 2**53


class Thing(Protocol):
    """A user, role or channel that an option can name."""

    @property
    def id(self) -> int: ...

    def resolved(self, kind: int, channel: Channel) -> Json | None:
        """Its objects by the keys of `resolved`, if it fits an option of this kind."""


OptionValue: TypeAlias = "str | int | float | bool | tuple[str, bytes] | Thing"


def fill_options(
    schema: Json, below: list[str], given: dict[str, OptionValue], channel: Channel, focused: str | None
) -> tuple[list[Json], Json]:
    """The interaction's options (nested for the subcommands `below`) and its `resolved` objects."""
    options: list[Json] = schema["options"] or []
    if below:
        inner = next((option for option in options if option["name"] == below[0] and option["type"] < STRING), None)
        if inner is None:
            raise NotPossible(f"/{schema['name']} has no subcommand {below[0]!r}")
        filled, resolved = fill_options({"options": []} | inner, below[1:], given, channel, focused)
        return [{"name": below[0], "type": inner["type"], "options": filled}], resolved
    if any(option["type"] < STRING for option in options):
        raise NotPossible(f"/{schema['name']} needs a subcommand")
    if unknown := given.keys() - {option["name"] for option in options}:
        raise NotPossible(f"/{schema['name']} has no option {sorted(unknown)}")
    made: list[Json] = []
    resolved = {}
    for option in options:
        if option["name"] in given:
            made.append(_fill(option, given[option["name"]], channel, resolved, option["name"] == focused))
        elif option.get("required") and focused is None:
            raise NotPossible(f"/{schema['name']} needs the option {option['name']!r}")
    return made, resolved


def _fill(option: Json, value: OptionValue, channel: Channel, resolved: Json, is_focused: bool) -> Json:
    kind, name = option["type"], option["name"]
    made: Json = {"name": name, "type": kind, "value": value}
    if is_focused:
        if not option.get("autocomplete"):
            raise NotPossible(f"the option {name!r} has no autocomplete")
        return made | {"focused": True}
    if kind in PLAIN:
        _check_plain(option, value)
        return made
    return made | {"value": _resolve(kind, name, value, channel, resolved)}


def _check_plain(option: Json, value: object) -> None:
    kind, name = option["type"], option["name"]
    if not isinstance(value, PLAIN[kind]) or (isinstance(value, bool) and kind != BOOLEAN):
        raise NotPossible(f"the option {name!r} does not take {value!r}")
    choices = option.get("choices") or []
    if choices and value not in [choice["value"] for choice in choices]:
        raise NotPossible(f"{value!r} is not among the choices of {name!r}")
    if isinstance(value, str):
        size, low, high = len(value), option.get("min_length") or 0, option.get("max_length") or LONGEST
        if not value.strip():
            raise NotPossible(f"the option {name!r} cannot be empty")
        if not low <= size <= high:
            raise NotPossible(f"the option {name!r} takes {low} to {high} characters, not {size}")
    elif isinstance(value, int | float):
        least, most = option.get("min_value", -BIGGEST), option.get("max_value", BIGGEST)
        if not least <= value <= most:
            raise NotPossible(f"the option {name!r} takes {least} to {most}, not {value}")


def _resolve(kind: int, name: str, value: OptionValue, channel: Channel, resolved: Json) -> str:
    """The id of what was chosen; its objects go into `resolved`."""
    found = None
    if isinstance(value, tuple) and kind == ATTACHMENT:
        new = channel.world.store_file(channel.id, *value)
        number, found = str(new.id), {"attachments": new.to_json()}
    elif not isinstance(value, str | int | float | tuple):
        number, found = str(value.id), value.resolved(kind, channel)
    if found is None:
        raise NotPossible(f"the option {name!r} does not take {value!r}")
    for key, body in found.items():
        resolved.setdefault(key, {})[number] = body
    return number
