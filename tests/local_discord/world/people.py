"""Users, roles and members: who they are. What they do is in `acting`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.local_discord.acting import Actor
from tests.local_discord.errors import Json
from tests.local_discord.forms.slash_options import MENTIONABLE, ROLE, USER
from tests.local_discord.world.permissions import Permission, channel_permissions
from tests.local_discord.world.snowflakes import iso

if TYPE_CHECKING:
    from tests.local_discord.world.channels import Channel
    from tests.local_discord.world.guilds import Guild
    from tests.local_discord.world.world import World


class User(Actor):
    """An account; `accepts_dms` says whether the bot may write to it directly.

    `has_installed` says whether it uses the application wherever it is.
    """

    def __init__(self, world: World, name: str, is_bot: bool = False) -> None:
        self.world, self.name, self.is_bot = world, name, is_bot
        self.id = world.snowflakes.next()
        self.accepts_dms = True
        self.has_installed = False
        world.users[self.id] = self

    def __repr__(self) -> str:
        return f"<User {self.name}>"

    @property
    def user(self) -> User:
        """Itself: members and users act alike."""
        return self

    @property
    def mention(self) -> str:
        """How a message's text names the user."""
        return f"<@{self.id}>"

    def resolved(self, kind: int, channel: Channel) -> Json | None:
        """What a command gets that this user was chosen for."""
        if kind not in (USER, MENTIONABLE):
            return None
        member = channel.guild.members.get(self.id) if channel.guild else None
        body = {"users": self.to_json()}
        return body if member is None else body | {"members": member.to_json(channel, with_user=False)}

    def to_json(self) -> Json:
        """Discord's user object."""
        return {
            "id": str(self.id),
            "username": self.name.lower(),
            "global_name": None if self.is_bot else self.name,
            "discriminator": "0001" if self.is_bot else "0",
            "avatar": None,
            "bot": self.is_bot,
            "public_flags": 0,
        }


class Role:
    """A guild's role; `mentionable` roles can be pinged by anybody."""

    def __init__(self, guild: Guild, role_id: int, name: str, permissions: Permission, mentionable: bool) -> None:
        self.guild, self.id, self.name = guild, role_id, name
        self.permissions, self.mentionable = permissions, mentionable

    @property
    def mention(self) -> str:
        """How a message's text names the role."""
        return f"<@&{self.id}>"

    def resolved(self, kind: int, channel: Channel) -> Json | None:
        """What a command gets that this role was chosen for."""
        return {"roles": self.to_json()} if kind in (ROLE, MENTIONABLE) else None

    def to_json(self) -> Json:
        """Discord's role object."""
        return {
            "id": str(self.id),
            "name": self.name,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "icon": None,
            "unicode_emoji": None,
            "position": list(self.guild.roles).index(self.id),
            "permissions": str(int(self.permissions)),
            "managed": False,
            "mentionable": self.mentionable,
            "flags": 0,
        }


class Member(Actor):
    """A user in one guild, with roles."""

    def __init__(self, guild: Guild, user: User, roles: list[Role]) -> None:
        self.guild, self._user, self.roles = guild, user, roles
        self.world = guild.world
        self.joined = iso(guild.world.now())

    def __repr__(self) -> str:
        return f"<Member {self.user.name} of {self.guild.name}>"

    @property
    def user(self) -> User:
        """The account."""
        return self._user

    @property
    def id(self) -> int:
        """The account's id."""
        return self._user.id

    @property
    def mention(self) -> str:
        """How a message's text names the member."""
        return self._user.mention

    def permissions_in(self, channel: Channel) -> Permission:
        """What the member may do there."""
        return channel_permissions(channel, self.id)

    def resolved(self, kind: int, channel: Channel) -> Json | None:
        """What a command gets that this member was chosen for."""
        return self._user.resolved(kind, channel)

    def to_json(self, channel: Channel | None = None, with_user: bool = True) -> Json:
        """Discord's member object, with the permissions in `channel` if one is given."""
        body: Json = {
            "roles": [str(role.id) for role in self.roles],
            "joined_at": self.joined,
            "premium_since": None,
            "nick": None,
            "avatar": None,
            "deaf": False,
            "mute": False,
            "pending": False,
            "flags": 0,
            "communication_disabled_until": None,
        }
        if with_user:
            body["user"] = self._user.to_json()
        if channel is not None:
            body["permissions"] = str(int(self.permissions_in(channel)))
        return body
