"""Guilds: their roles, members and channels, and what a test may change there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.local_discord.errors import Json
from tests.local_discord.world.channels import TEXT, Channel
from tests.local_discord.world.people import Member, Role, User
from tests.local_discord.world.permissions import NONE, ORDINARY, P, Permission

if TYPE_CHECKING:
    from tests.local_discord.world.world import World


class Guild:
    """A server. Everybody has `everyone`'s permissions; the bot has a role of its own besides."""

    def __init__(self, world: World, name: str, guild_id: int) -> None:
        self.world, self.name, self.id = world, name, guild_id
        self.roles: dict[int, Role] = {}
        self.members: dict[int, Member] = {}
        self.channels: dict[int, Channel] = {}
        self.everyone = self._role(guild_id, "@everyone", ORDINARY, False)
        self.owner = User(world, f"Owner of {name}")
        self._join(self.owner, [])
        self.bot_role = self._role(world.snowflakes.next(), world.bot.name, NONE, False)
        self.me = self._join(world.bot, [self.bot_role])
        self.has_bot = True

    def __repr__(self) -> str:
        return f"<Guild {self.name}>"

    def _role(self, role_id: int, name: str, permissions: Permission, mentionable: bool) -> Role:
        self.roles[role_id] = Role(self, role_id, name, permissions, mentionable)
        return self.roles[role_id]

    def _join(self, user: User, roles: list[Role]) -> Member:
        self.members[user.id] = Member(self, user, roles)
        return self.members[user.id]

    def add_role(self, name: str, permissions: Permission = NONE, mentionable: bool = False) -> Role:
        """A new role."""

        def work() -> Role:
            role = self._role(self.world.snowflakes.next(), name, permissions, mentionable)
            self.world.events.role_created(role)
            return role

        return self.world.run(work)

    def add_member(
        self,
        name: str | User,
        permissions: Permission = NONE,
        *,
        manage_messages: bool = False,
        manage_channels: bool = False,
    ) -> Member:
        """A new member, with `permissions` beyond those of everybody."""
        extra = permissions | (P.MANAGE_MESSAGES if manage_messages else 0)
        extra |= P.MANAGE_CHANNELS if manage_channels else 0

        def work() -> Member:
            user = name if isinstance(name, User) else User(self.world, name)
            roles = [self.add_role(f"{user.name}'s", Permission(extra))] if extra else []
            return self._join(user, roles)

        return self.world.run(work)

    def add_channel(self, name: str, topic: str | None = None) -> Channel:
        """A new text channel that everybody sees."""

        def work() -> Channel:
            channel = Channel(self.world, TEXT, name, guild=self)
            channel.topic = topic
            self.channels[channel.id] = channel
            self.world.events.channel_changed("CHANNEL_CREATE", channel)
            return channel

        return self.world.run(work)

    def add_bot(self) -> None:
        """Lets the bot in again."""

        def work() -> None:
            self.has_bot = True
            self.world.events.guild_joined(self)

        self.world.run(work)

    def remove_bot(self) -> None:
        """Kicks the bot: it may do nothing here from now on."""

        def work() -> None:
            self.has_bot = False
            self.world.events.guild_left(self)

        self.world.run(work)

    @property
    def threads(self) -> list[Channel]:
        """All threads that have not been deleted."""
        return [channel for channel in self.world.channels.values() if channel.guild is self and channel.is_thread]

    def to_json(self) -> Json:
        """Discord's guild object as GUILD_CREATE has it: with the bot's member only, for want of an intent."""
        threads = [thread for thread in self.threads if not thread.is_archived]
        return {
            "id": str(self.id),
            "name": self.name,
            "icon": None,
            "owner_id": str(self.owner.id),
            "roles": [role.to_json() for role in list(self.roles.values())],
            "emojis": [],
            "stickers": [],
            "features": [],
            "verification_level": 0,
            "default_message_notifications": 1,
            "explicit_content_filter": 0,
            "mfa_level": 0,
            "nsfw_level": 0,
            "premium_tier": 0,
            "preferred_locale": "en-US",
            "system_channel_id": None,
            "system_channel_flags": 0,
            "afk_timeout": 300,
            "joined_at": self.me.joined,
            "large": False,
            "unavailable": False,
            "member_count": len(self.members),
            "members": [self.me.to_json()],
            "channels": [channel.to_json() for channel in list(self.channels.values())],
            "threads": [thread.to_json() for thread in threads],
            "presences": [],
            "voice_states": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }
