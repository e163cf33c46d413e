"""Whom a message names and, by its `allowed_mentions`, pings.

Markdown is not looked at: a name inside a code block counts too, which errs on the side of a ping.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.local_discord.errors import Json, bad_form
from tests.local_discord.records import Ping
from tests.local_discord.world.messages import REPLY, Mentions
from tests.local_discord.world.permissions import P, channel_permissions

if TYPE_CHECKING:
    from tests.local_discord.world.messages import Message
    from tests.local_discord.world.people import Role, User

USER, ROLE, EVERYONE = re.compile(r"<@!?(\d{1,20})>"), re.compile(r"<@&(\d{1,20})>"), re.compile(r"@(everyone|here)")
KINDS = {"users", "roles", "everyone"}


def check_allowed(allowed: object) -> None:
    """The shape of `allowed_mentions`."""
    if allowed is None:
        return
    at = "allowed_mentions"
    if not isinstance(allowed, dict):
        raise bad_form(at, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
    parse = allowed.get("parse") or []
    if not set(parse) <= KINDS:
        raise bad_form(f"{at}.parse", "BASE_TYPE_CHOICES", "Value must be one of ('users', 'roles', 'everyone').")
    for kind in ("users", "roles"):
        listed = allowed.get(kind) or []
        if len(listed) > 100:
            raise bad_form(f"{at}.{kind}", "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.")
        if listed and kind in parse:
            message = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
            raise bad_form(at, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message)


def find_mentions(message: Message, allowed: Json | None) -> Mentions:
    """Whom the message names with effect; without `allowed`, Discord's defaults for its kind of message."""
    if allowed is None:
        in_interaction = message.interaction is not None
        allowed = {"parse": ["users"]} if in_interaction else {"parse": list(KINDS), "replied_user": True}
    text = message.text
    users = [user for user in _users(message, text) if _is_allowed("users", user.id, allowed)]
    replied = _replied(message)
    if replied is not None and allowed.get("replied_user") and replied not in users:
        users.append(replied)
    roles = [role for role in _roles(message, text) if _is_allowed("roles", role.id, allowed)]
    everyone = "everyone" in (allowed.get("parse") or []) and EVERYONE.search(text) is not None
    return Mentions(tuple(users), tuple(roles), everyone and _may_name_all(message))


def _is_allowed(kind: str, number: int, allowed: Json) -> bool:
    return kind in (allowed.get("parse") or []) or number in {int(i) for i in allowed.get(kind) or []}


def _users(message: Message, text: str) -> list[User]:
    world, guild = message.channel.world, message.channel.guild
    ids = dict.fromkeys(int(found) for found in USER.findall(text))
    here = guild.members.keys() if guild else {user.id for user in (world.bot, *message.channel.people)}
    return [world.users[number] for number in ids if number in here]


def _roles(message: Message, text: str) -> list[Role]:
    guild = message.channel.guild
    if guild is None:
        return []
    ids = dict.fromkeys(int(found) for found in ROLE.findall(text))
    found = [guild.roles[number] for number in ids if number in guild.roles]
    return [role for role in found if role.mentionable or _may_name_all(message)]


def _may_name_all(message: Message) -> bool:
    return bool(channel_permissions(message.channel, message.author.id) & P.MENTION_EVERYONE)


def _replied(message: Message) -> User | None:
    if message.reference is None or message.kind != REPLY:
        return None
    channel, number = message.reference
    found = channel.stored.get(number)
    return None if found is None else found.author


def note_pings(message: Message, by_edit: bool = False) -> None:
    """Writes down whom the bot's message has named; naming itself pings nobody."""
    world = message.channel.world
    others = tuple(user for user in message.mentions.users if user is not world.bot)
    named = Mentions(others, message.mentions.roles, message.mentions.everyone)
    if named and message.author is world.bot:
        log = world.records.mentions_by_edit if by_edit else world.records.pings
        log.append(Ping(message, named, by_edit))
