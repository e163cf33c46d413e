"""REST: messages of a channel."""

from __future__ import annotations

from urllib.parse import unquote

from tests.local_discord.errors import Json, Refused, bad_form, forbidden
from tests.local_discord.forms.emoji import is_emoji
from tests.local_discord.forms.mentions import note_pings
from tests.local_discord.forms.messages import EDITING, SENDING, Draft
from tests.local_discord.rest.server import Incoming, Route
from tests.local_discord.world.channels import Channel
from tests.local_discord.world.messages import REPLY, Message
from tests.local_discord.world.permissions import NONE, P, Permission

CHANNEL, MESSAGES = "/channels/{channel}", "/channels/{channel}/messages"
MESSAGE = MESSAGES + "/{message}"
REACTION = MESSAGE + "/reactions/{emoji}/@me"
FORTNIGHT = 14 * 86400


def shown(message: Message) -> Json:
    """The message as REST gives it to the bot."""
    return message.to_json(stripped=message.channel.world.hides_content(message))


def channel_of(incoming: Incoming, needed: Permission = NONE) -> Channel:
    """The channel of the path."""
    return incoming.world.require(incoming.number("channel"), needed)


def found(incoming: Incoming, needed: Permission = NONE) -> Message:
    """The message of the path."""
    return incoming.world.find_message(channel_of(incoming, needed), incoming.number("message"))


def send(incoming: Incoming) -> Json:
    """POST: checks, in this order, the channel, the form, and what the form needs."""
    channel, draft, world = channel_of(incoming), incoming.draft, incoming.world
    needed = P.SEND_MESSAGES_IN_THREADS if channel.is_thread else P.SEND_MESSAGES
    needed |= P.ATTACH_FILES if draft.uploads else 0
    needed |= P.EMBED_LINKS if draft.form.get("embeds") else 0
    world.require(channel.id, Permission(needed))
    if channel.recipient is not None and not channel.recipient.accepts_dms:
        raise forbidden(50007)
    require_unlocked(channel)
    draft.check(channel, SENDING)
    nonce = _nonce(draft)
    if nonce is not None and draft.form.get("enforce_nonce") and (channel.id, nonce) in world.nonces:
        return shown(world.nonces[channel.id, nonce])
    if draft.is_empty:
        raise Refused(400, 50006)
    message = _new(channel, draft, nonce)
    world.events.add_message(message)
    note_pings(message)
    if nonce is not None:
        world.nonces[channel.id, nonce] = message
    return shown(message)


def require_unlocked(channel: Channel) -> None:
    """A locked thread takes no messages; an archived one opens again for a new one."""
    if channel.is_locked and not channel.world.bot_may(channel, P.MANAGE_THREADS):
        raise Refused(400, 50083 if channel.is_archived else 160005)


def _nonce(draft: Draft) -> str | None:
    nonce = draft.form.get("nonce")
    if nonce is not None and len(str(nonce)) > 25:
        raise bad_form("nonce", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    return None if nonce is None else str(nonce)


def _new(channel: Channel, draft: Draft, nonce: str | None) -> Message:
    message = Message(channel, channel.world.bot, nonce=nonce)
    reference = draft.form.get("message_reference")
    if reference is not None:
        _refer(message, reference)
    draft.apply(message)
    return message


def _refer(message: Message, reference: Json) -> None:
    """Makes the message a reply; one to what is gone is refused unless the form says otherwise."""
    channel = message.channel
    if reference.get("type", 0) != 0 or int(reference.get("channel_id") or channel.id) != channel.id:
        raise bad_form("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Cannot refer to another channel")
    if not channel.world.bot_may(channel, P.READ_MESSAGE_HISTORY):
        raise forbidden(160002)
    number = int(reference.get("message_id") or 0)
    to = channel.stored.get(number)
    if to is None or to.is_deleted or to.ephemeral_to is not None:
        if reference.get("fail_if_not_exists", True):
            raise bad_form("message_reference", "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message")
        return
    if to.is_system:
        raise bad_form(
            "message_reference", "REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE", "Cannot reply to a system message"
        )
    message.reference, message.kind = (channel, number), REPLY


def edit(incoming: Incoming) -> Json:
    """PATCH: the bot's own messages only."""
    message, draft = found(incoming), incoming.draft
    if message.is_system:
        raise forbidden(50021)
    if message.author is not incoming.world.bot:
        raise forbidden(50005)
    change(message, draft)
    return shown(message)


def change(message: Message, draft: Draft) -> None:
    """Edits a message by any of the ways that lead to one."""
    channel, world = message.channel, message.channel.world
    require_unlocked(channel)
    if channel.is_archived:
        raise Refused(400, 50083)
    if draft.uploads and not world.bot_may(channel, P.ATTACH_FILES) and message.interaction is None:
        raise forbidden(50013)
    draft.check(channel, EDITING, message.flags)
    was_loading = message.is_loading
    draft.apply(message)
    message.edited = None if was_loading else world.now()
    world.events.message_edited(message)
    note_pings(message, by_edit=not was_loading)


def delete(incoming: Incoming) -> None:
    """DELETE: others' messages need a permission, and in a direct message there is none."""
    message, world = found(incoming), incoming.world
    if message.author is not world.bot:
        if message.channel.guild is None:
            raise forbidden(50003)
        channel_of(incoming, P.MANAGE_MESSAGES)
    world.events.delete_message(message)


def delete_many(incoming: Incoming) -> None:
    """POST bulk-delete."""
    channel = channel_of(incoming, P.MANAGE_MESSAGES)
    if channel.guild is None:
        raise forbidden(50003)
    ids = incoming.fields.get("messages") or []
    if not 2 <= len(ids) <= 100:
        raise bad_form("messages", "BASE_TYPE_BAD_LENGTH", "Must be between 2 and 100 in length.")
    messages = [channel.stored[int(i)] for i in ids if int(i) in channel.stored]
    if any(incoming.world.now() - message.sent > FORTNIGHT for message in messages):
        raise Refused(400, 50034)
    for message in messages:
        incoming.world.events.delete_message(message)


def one(incoming: Incoming) -> Json:
    """GET of one message."""
    return shown(found(incoming, P.READ_MESSAGE_HISTORY))


def many(incoming: Incoming) -> list[Json]:
    """GET of some, newest first; none without the permission to read the history."""
    channel = channel_of(incoming)
    if not incoming.world.bot_may(channel, P.READ_MESSAGE_HISTORY):
        return []
    limit = int(incoming.query.get("limit", 50))
    if not 1 <= limit <= 100:
        raise bad_form("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")
    before, after = int(incoming.query.get("before", 1 << 63)), int(incoming.query.get("after", 0))
    if "around" in incoming.query:
        middle = int(incoming.query["around"])
        near = sorted((m for m in _standing(channel)), key=lambda m: abs(m.id - middle))[:limit]
        return [shown(m) for m in sorted(near, key=lambda m: -m.id)]
    fitting = [m for m in _standing(channel) if after < m.id < before]
    chosen = fitting[:limit] if "after" in incoming.query else fitting[-limit:]
    return [shown(m) for m in reversed(chosen)]


def _standing(channel: Channel) -> list[Message]:
    return [m for m in channel.stored.values() if not m.is_deleted and m.ephemeral_to is None]


def react(incoming: Incoming) -> None:
    """PUT of the bot's own reaction."""
    message, name = found(incoming, P.READ_MESSAGE_HISTORY), unquote(incoming.values["emoji"])
    if not is_emoji(name):
        raise Refused(400, 10014)
    if name not in message.reactions:
        channel_of(incoming, P.ADD_REACTIONS)
    message.reactions.setdefault(name, set()).add(incoming.world.bot.id)
    message.channel.bell.ring()


def unreact(incoming: Incoming) -> None:
    """DELETE of the bot's own reaction."""
    message, name = found(incoming), unquote(incoming.values["emoji"])
    users = message.reactions.get(name, set())
    users.discard(incoming.world.bot.id)
    if not users:
        message.reactions.pop(name, None)


def typing(incoming: Incoming) -> None:
    """POST typing."""
    channel = channel_of(incoming)
    channel_of(incoming, P.SEND_MESSAGES_IN_THREADS if channel.is_thread else P.SEND_MESSAGES)
    incoming.world.events.typing(channel, incoming.world.bot)


ROUTES = [
    Route("GET", MESSAGES, many, "message_get", "channel"),
    Route("POST", MESSAGES, send, "message_create", "channel"),
    Route("POST", MESSAGES + "/bulk-delete", delete_many, "message_delete", "channel"),
    Route("GET", MESSAGE, one, "message_get", "channel"),
    Route("PATCH", MESSAGE, edit, "message_edit", "channel"),
    Route("DELETE", MESSAGE, delete, "message_delete", "channel"),
    Route("PUT", REACTION, react, "channel", "channel"),
    Route("DELETE", REACTION, unreact, "channel", "channel"),
    Route("POST", CHANNEL + "/typing", typing, "typing", "channel"),
]
