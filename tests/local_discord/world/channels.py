"""Channels, threads and direct messages: what stands there, and what a test may change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.local_discord.errors import Json
from tests.local_discord.forms.slash_options import CHANNEL
from tests.local_discord.waiting import Bell
from tests.local_discord.world.permissions import NONE, Permission
from tests.local_discord.world.snowflakes import iso

if TYPE_CHECKING:
    from tests.local_discord.world.guilds import Guild
    from tests.local_discord.world.messages import Message
    from tests.local_discord.world.people import Member, Role, User
    from tests.local_discord.world.world import World

TEXT, DM, GROUP, PUBLIC_THREAD, PRIVATE_THREAD = 0, 1, 3, 11, 12


class Channel:
    """A text channel, a thread (with a `parent`) or a direct message (with a `recipient`, without a guild).

    A group of `people` is none of the bot's channels: it has no members that are bots.
    """

    def __init__(
        self,
        world: World,
        kind: int,
        name: str,
        *,
        guild: Guild | None = None,
        parent: Channel | None = None,
        recipient: User | None = None,
        people: tuple[User, ...] = (),
        channel_id: int | None = None,
    ) -> None:
        self.world, self.kind, self.name = world, kind, name
        self.guild, self.parent, self.recipient = guild, parent, recipient
        self.id = channel_id or world.snowflakes.next()
        self.people = people or ((recipient,) if recipient else ())
        self.topic: str | None = None
        self.overwrites: dict[int, tuple[Permission, Permission]] = {}
        self.stored: dict[int, Message] = {}
        self.bell = Bell()
        self.is_deleted = self.is_archived = self.is_locked = False
        self.owner = world.bot
        self.auto_archive_duration = 1440
        self.slowmode = 0
        self.position = len(guild.channels) if guild else 0
        self.created = iso(world.now())
        self.thread_members: dict[int, str] = {}
        world.channels[self.id] = self

    def __repr__(self) -> str:
        return f"<Channel {self.name}>"

    @property
    def is_thread(self) -> bool:
        """Whether the channel is a thread."""
        return self.kind in (PUBLIC_THREAD, PRIVATE_THREAD)

    @property
    def has_bot(self) -> bool:
        """Whether the bot is in it, so that it hears of it and may do something there."""
        return self.guild.has_bot if self.guild is not None else self.kind == DM

    @property
    def context(self) -> int:
        """Where an interaction here happens: 0 on a guild, 1 in a direct message of the bot, 2 in another one."""
        return 0 if self.guild is not None else 1 if self.kind == DM else 2

    @property
    def mention(self) -> str:
        """How a message's text names the channel."""
        return f"<#{self.id}>"

    @property
    def messages(self) -> list[Message]:
        """What stands in the channel now, oldest first, with what only one member sees; no system messages."""
        return [m for m in list(self.stored.values()) if not m.is_deleted and not m.is_system]

    @property
    def threads(self) -> list[Channel]:
        """The channel's threads, oldest first."""
        return [channel for channel in list(self.world.channels.values()) if channel.parent is self]

    def wait_message(
        self,
        wanted: Callable[[Message], object] = lambda m: not m.is_loading,
        timeout: float = 5.0,
        after: Message | None = None,
    ) -> Message:
        """The first message of the bot here (newer than `after`) that is as `wanted`; `wait_any` sees everybody's."""
        oldest = after.id if after else 0
        return self.wait_any(lambda m: m.author is self.world.bot and m.id > oldest and wanted(m), timeout)

    def wait_any(self, wanted: Callable[[Message], object], timeout: float = 5.0) -> Message:
        """The first message here that is as `wanted`, deleted ones included."""

        def look() -> Message | None:
            return next((m for m in list(self.stored.values()) if not m.is_system and wanted(m)), None)

        return self.bell.wait(look, timeout, lambda: f"no such message in {self}: {list(self.stored.values())[-20:]}")

    def wait_thread(self, name: str | None = None, timeout: float = 5.0) -> Channel:
        """The first thread of this name (or any)."""

        def look() -> Channel | None:
            return next((thread for thread in self.threads if name in (None, thread.name)), None)

        return self.bell.wait(look, timeout, lambda: f"no thread {name!r} in {self}: {self.threads}")

    def set_permissions(self, whom: Role | Member, allow: Permission = NONE, deny: Permission = NONE) -> None:
        """Sets the channel's overwrite for a role or a member (`guild.me` for the bot)."""

        def work() -> None:
            self.overwrites[whom.id] = (allow, deny)
            self.world.events.channel_changed("CHANNEL_UPDATE", self)

        self.world.run(work)

    def delete(self) -> None:
        """Deletes the channel with its messages and threads, as a moderator does."""
        self.world.run(lambda: self.world.events.delete_channel(self))

    def archive(self, locked: bool = False) -> None:
        """Archives the thread, as its age or a moderator does."""

        def work() -> None:
            self.is_archived, self.is_locked = True, locked
            self.world.events.channel_changed("THREAD_UPDATE", self)

        self.world.run(work)

    def resolved(self, kind: int, channel: Channel) -> Json | None:
        """What a command gets that this channel was chosen for."""
        return {"channels": self.to_json() | {"permissions": "0"}} if kind == CHANNEL else None

    def to_json(self) -> Json:
        """Discord's channel object."""
        stored = list(self.stored)
        body: Json = {
            "id": str(self.id),
            "type": self.kind,
            "flags": 0,
            "last_message_id": str(stored[-1]) if stored else None,
        }
        if self.guild is None:
            return body | {"recipients": [user.to_json() for user in self.people]}
        body |= {"guild_id": str(self.guild.id), "name": self.name, "rate_limit_per_user": self.slowmode}
        return body | (self._thread_json() if self.is_thread else self._text_json())

    def _text_json(self) -> Json:
        assert self.guild is not None
        return {
            "topic": self.topic,
            "nsfw": False,
            "position": self.position,
            "parent_id": None,
            "permission_overwrites": [
                {"id": str(key), "type": int(key not in self.guild.roles), "allow": str(int(a)), "deny": str(int(d))}
                for key, (a, d) in self.overwrites.items()
            ],
        }

    def _thread_json(self) -> Json:
        assert self.parent is not None
        body: Json = {
            "parent_id": str(self.parent.id),
            "owner_id": str(self.owner.id),
            "message_count": len(self.stored),
            "total_message_sent": len(self.stored),
            "member_count": len(self.thread_members),
            "thread_metadata": {
                "archived": self.is_archived,
                "auto_archive_duration": self.auto_archive_duration,
                "archive_timestamp": self.created,
                "create_timestamp": self.created,
                "locked": self.is_locked,
            },
        }
        if self.world.bot.id in self.thread_members:
            body["member"] = self.member_json(self.world.bot.id)
        return body

    def member_json(self, user_id: int) -> Json:
        """Discord's thread member object."""
        joined = self.thread_members[user_id]
        return {"id": str(self.id), "user_id": str(user_id), "join_timestamp": joined, "flags": 0}
