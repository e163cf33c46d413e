"""REST: channels, threads, direct messages, and what a bot may ask about guilds and members."""

from __future__ import annotations

from tests.local_discord.errors import Json, Refused, bad_form, forbidden, unknown
from tests.local_discord.rest.messages import CHANNEL, MESSAGE, channel_of, found
from tests.local_discord.rest.server import Incoming, Route
from tests.local_discord.world.channels import PRIVATE_THREAD, PUBLIC_THREAD, TEXT, Channel
from tests.local_discord.world.messages import Message
from tests.local_discord.world.permissions import P
from tests.local_discord.world.snowflakes import iso

GUILD = "/guilds/{guild}"
ARCHIVE_MINUTES = {60, 1440, 4320, 10080}


def get_channel(incoming: Incoming) -> Json:
    """GET of a channel or thread."""
    return channel_of(incoming).to_json()


def edit_channel(incoming: Incoming) -> Json:
    """PATCH: a thread's name and archive; a channel's name and topic."""
    channel, form = channel_of(incoming), incoming.fields
    if channel.guild is None:
        raise forbidden(50003)
    own = channel.is_thread and channel.owner is incoming.world.bot
    if not own:
        channel_of(incoming, P.MANAGE_THREADS if channel.is_thread else P.MANAGE_CHANNELS)
    if channel.is_archived and form.get("archived", True):
        raise Refused(400, 50083)
    if "name" in form:
        channel.name = thread_name(form["name"])
    channel.topic = form.get("topic", channel.topic)
    channel.is_archived = form.get("archived", channel.is_archived)
    channel.is_locked = form.get("locked", channel.is_locked)
    channel.auto_archive_duration = form.get("auto_archive_duration", channel.auto_archive_duration)
    incoming.world.events.channel_changed("THREAD_UPDATE" if channel.is_thread else "CHANNEL_UPDATE", channel)
    return channel.to_json()


def delete_channel(incoming: Incoming) -> Json:
    """DELETE of a channel or thread."""
    channel = channel_of(incoming)
    if channel.guild is None:
        return channel.to_json()
    channel_of(incoming, P.MANAGE_THREADS if channel.is_thread else P.MANAGE_CHANNELS)
    incoming.world.events.delete_channel(channel)
    return channel.to_json()


def thread_name(name: object) -> str:
    """A name of 1 to 100 characters."""
    if not isinstance(name, str):
        raise bad_form("name", "BASE_TYPE_REQUIRED", "This field is required")
    if not name.strip() or len(name) > 100:
        raise bad_form("name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    return name


def thread_on_message(incoming: Incoming) -> Json:
    """POST of a thread that begins at a message; both have one id."""
    channel = _thread_place(incoming)
    channel_of(incoming, P.CREATE_PUBLIC_THREADS)
    message = found(incoming)
    if message.is_system:
        raise forbidden(50021)
    if message.thread is not None or message.id in incoming.world.channels:
        raise Refused(400, 160004)
    return _open(incoming, channel, PUBLIC_THREAD, message)


def thread_alone(incoming: Incoming) -> Json:
    """POST of a thread without a message: private unless the form says otherwise."""
    channel = _thread_place(incoming)
    kind = incoming.fields.get("type", PRIVATE_THREAD)
    if kind not in (PUBLIC_THREAD, PRIVATE_THREAD):
        raise bad_form("type", "BASE_TYPE_CHOICES", "Value must be one of {10, 11, 12}.")
    channel_of(incoming, P.CREATE_PUBLIC_THREADS if kind == PUBLIC_THREAD else P.CREATE_PRIVATE_THREADS)
    return _open(incoming, channel, kind, None)


def _thread_place(incoming: Incoming) -> Channel:
    channel = channel_of(incoming)
    if channel.guild is None:
        raise forbidden(50003)
    if channel.kind != TEXT:
        raise Refused(400, 50024)
    return channel


def _open(incoming: Incoming, channel: Channel, kind: int, message: Message | None) -> Json:
    form = incoming.fields
    name = thread_name(form.get("name"))
    minutes = form.get("auto_archive_duration") or 1440
    if minutes not in ARCHIVE_MINUTES:
        raise bad_form("auto_archive_duration", "BASE_TYPE_CHOICES", "Value must be one of (60, 1440, 4320, 10080).")
    thread = incoming.world.events.open_thread(channel, incoming.world.bot, name, kind, message)
    thread.auto_archive_duration = minutes
    return thread.to_json()


def join_thread(incoming: Incoming) -> None:
    """PUT of the bot itself."""
    thread = _thread(incoming)
    thread.thread_members.setdefault(incoming.world.bot.id, iso(incoming.world.now()))


def leave_thread(incoming: Incoming) -> None:
    """DELETE of the bot itself."""
    _thread(incoming).thread_members.pop(incoming.world.bot.id, None)


def add_thread_member(incoming: Incoming) -> None:
    """PUT of somebody else."""
    thread, number = _thread(incoming), incoming.number("user")
    channel_of(incoming, P.SEND_MESSAGES_IN_THREADS)
    if thread.guild is None or number not in thread.guild.members:
        raise unknown(10007)
    thread.thread_members.setdefault(number, iso(incoming.world.now()))


def thread_members(incoming: Incoming) -> list[Json]:
    """GET of a thread's members."""
    thread = _thread(incoming)
    return [thread.member_json(number) for number in thread.thread_members]


def _thread(incoming: Incoming) -> Channel:
    thread = channel_of(incoming)
    if not thread.is_thread:
        raise Refused(400, 50024)
    return thread


def archived_threads(incoming: Incoming) -> Json:
    """GET of a channel's public archived threads."""
    channel = channel_of(incoming, P.READ_MESSAGE_HISTORY)
    threads = [thread for thread in channel.threads if thread.is_archived and thread.kind == PUBLIC_THREAD]
    return {"threads": [thread.to_json() for thread in reversed(threads)], "members": [], "has_more": False}


def active_threads(incoming: Incoming) -> Json:
    """GET of a guild's threads."""
    guild = incoming.world.require_guild(incoming.number("guild"))
    threads = [thread for thread in guild.threads if not thread.is_archived]
    return {"threads": [thread.to_json() for thread in threads], "members": []}


def get_guild(incoming: Incoming) -> Json:
    """GET of a guild."""
    body = incoming.world.require_guild(incoming.number("guild")).to_json()
    return {key: value for key, value in body.items() if key not in ("channels", "threads", "members", "joined_at")}


def guild_channels(incoming: Incoming) -> list[Json]:
    """GET of a guild's channels, without threads."""
    guild = incoming.world.require_guild(incoming.number("guild"))
    return [channel.to_json() for channel in guild.channels.values()]


def guild_roles(incoming: Incoming) -> list[Json]:
    """GET of a guild's roles."""
    return [role.to_json() for role in incoming.world.require_guild(incoming.number("guild")).roles.values()]


def guild_member(incoming: Incoming) -> Json:
    """GET of one member."""
    guild = incoming.world.require_guild(incoming.number("guild"))
    if incoming.number("user") not in guild.members:
        raise unknown(10007)
    return guild.members[incoming.number("user")].to_json()


def open_dm(incoming: Incoming) -> Json:
    """POST: the direct message channel with a user."""
    number = int(incoming.fields.get("recipient_id") or 0)
    user = incoming.world.users.get(number)
    if user is None:
        raise bad_form("recipient_id", "BASE_TYPE_CHOICES", "Unknown user")
    if user.is_bot:
        raise forbidden(50007)
    return incoming.world.dm_of(user).to_json()


ROUTES = [
    Route("GET", CHANNEL, get_channel, "channel", "channel"),
    Route("PATCH", CHANNEL, edit_channel, "channel", "channel"),
    Route("DELETE", CHANNEL, delete_channel, "channel", "channel"),
    Route("POST", MESSAGE + "/threads", thread_on_message, "thread_create", "channel", 201),
    Route("POST", CHANNEL + "/threads", thread_alone, "thread_create", "channel", 201),
    Route("GET", CHANNEL + "/threads/archived/public", archived_threads, "channel", "channel"),
    Route("GET", CHANNEL + "/thread-members", thread_members, "channel", "channel"),
    Route("PUT", CHANNEL + "/thread-members/@me", join_thread, "channel", "channel"),
    Route("DELETE", CHANNEL + "/thread-members/@me", leave_thread, "channel", "channel"),
    Route("PUT", CHANNEL + "/thread-members/{user}", add_thread_member, "channel", "channel"),
    Route("GET", GUILD, get_guild, "other", "guild"),
    Route("GET", GUILD + "/channels", guild_channels, "other", "guild"),
    Route("GET", GUILD + "/roles", guild_roles, "other", "guild"),
    Route("GET", GUILD + "/threads/active", active_threads, "other", "guild"),
    Route("GET", GUILD + "/members/{user}", guild_member, "other", "guild"),
    Route("POST", "/users/@me/channels", open_dm),
]
