"""What changes in the world, and which gateway events tell the bot of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.local_discord.errors import Json
from tests.local_discord.world.channels import PUBLIC_THREAD, Channel
from tests.local_discord.world.messages import HAS_THREAD, THREAD_CREATED, THREAD_STARTER, Message
from tests.local_discord.world.permissions import P

if TYPE_CHECKING:
    from tests.local_discord.world.guilds import Guild
    from tests.local_discord.world.people import Role, User
    from tests.local_discord.world.world import World

GUILDS, GUILD_MESSAGES, TYPING, DIRECT_MESSAGES, DM_TYPING = 1 << 0, 1 << 9, 1 << 11, 1 << 12, 1 << 14


class Events:
    """One method a change: it changes the world, rings who waits, and dispatches."""

    def __init__(self, world: World) -> None:
        self.world = world

    def channel_changed(self, name: str, channel: Channel, **more: object) -> None:
        """CHANNEL_ and THREAD_ events with the whole channel."""
        assert channel.guild is not None
        self.world.sessions.dispatch(name, channel.to_json() | more, channel.guild.id, GUILDS)
        (channel.parent or channel).bell.ring()

    def role_created(self, role: Role) -> None:
        """GUILD_ROLE_CREATE."""
        body = {"guild_id": str(role.guild.id), "role": role.to_json()}
        self.world.sessions.dispatch("GUILD_ROLE_CREATE", body, role.guild.id, GUILDS)

    def guild_left(self, guild: Guild) -> None:
        """GUILD_DELETE."""
        self.world.sessions.dispatch("GUILD_DELETE", {"id": str(guild.id)}, guild.id, GUILDS)

    def guild_joined(self, guild: Guild) -> None:
        """GUILD_CREATE."""
        body = guild.to_json()
        del body["unavailable"]
        self.world.sessions.dispatch("GUILD_CREATE", body, guild.id, GUILDS)

    def add_message(self, message: Message) -> None:
        """Stores the message and tells of it, unless it is for one member's eyes only."""
        channel = message.channel
        channel.stored[message.id] = message
        if channel.is_thread and channel.is_archived and not message.is_system:
            channel.is_archived = False
            self.channel_changed("THREAD_UPDATE", channel)
        channel.bell.ring()
        self._message_event("MESSAGE_CREATE", message)

    def message_edited(self, message: Message) -> None:
        """MESSAGE_UPDATE after an edit; the edit itself is the caller's."""
        message.edits.append((self.world.clock(), message.text))
        self.message_changed(message)

    def message_changed(self, message: Message) -> None:
        """MESSAGE_UPDATE after anything else."""
        message.channel.bell.ring()
        self._message_event("MESSAGE_UPDATE", message)

    def _message_event(self, name: str, message: Message) -> None:
        if message.ephemeral_to is not None or not self._sees(message.channel):
            return
        self.world.sessions.dispatch_message(name, message)

    def _sees(self, channel: Channel) -> bool:
        return self.world.bot_may(channel, P.VIEW_CHANNEL)

    def delete_message(self, message: Message) -> None:
        """Takes the message away."""
        if message.is_deleted:
            return
        message.is_deleted = True
        channel = message.channel
        channel.bell.ring()
        if message.ephemeral_to is None and self._sees(channel):
            body: Json = {"id": str(message.id), "channel_id": str(channel.id)}
            self._channel_event("MESSAGE_DELETE", body, channel, GUILD_MESSAGES, DIRECT_MESSAGES)

    def _channel_event(self, name: str, body: Json, channel: Channel, intent: int, dm_intent: int) -> None:
        if channel.guild is None:
            self.world.sessions.dispatch(name, body, None, dm_intent)
        else:
            self.world.sessions.dispatch(name, body | {"guild_id": str(channel.guild.id)}, channel.guild.id, intent)

    def typing(self, channel: Channel, user: User) -> None:
        """TYPING_START."""
        body: Json = {"channel_id": str(channel.id), "user_id": str(user.id), "timestamp": int(self.world.now())}
        self._channel_event("TYPING_START", body, channel, TYPING, DM_TYPING)

    def delete_channel(self, channel: Channel) -> None:
        """Takes the channel, its threads and all their messages away."""
        assert channel.guild is not None
        for thread in channel.threads:
            self._forget(thread)
        self._forget(channel)
        if channel.is_thread:
            assert channel.parent is not None
            body = {"id": str(channel.id), "guild_id": str(channel.guild.id), "type": channel.kind}
            body["parent_id"] = str(channel.parent.id)
            self.world.sessions.dispatch("THREAD_DELETE", body, channel.guild.id, GUILDS)
        else:
            self.channel_changed("CHANNEL_DELETE", channel)

    def _forget(self, channel: Channel) -> None:
        channel.is_deleted = True
        self.world.channels.pop(channel.id, None)
        if channel.guild is not None:
            channel.guild.channels.pop(channel.id, None)
        for message in channel.stored.values():
            message.is_deleted = True
        channel.bell.ring()

    def open_thread(
        self, channel: Channel, owner: User, name: str, kind: int = PUBLIC_THREAD, message: Message | None = None
    ) -> Channel:
        """Makes a thread, perhaps at a message, and tells of it with Discord's own messages."""
        number = message.id if message else None
        thread = Channel(self.world, kind, name, guild=channel.guild, parent=channel, channel_id=number)
        thread.owner = owner
        thread.thread_members[owner.id] = thread.created
        self.channel_changed("THREAD_CREATE", thread, newly_created=True)
        if message is not None:
            message.thread, message.flags = thread, message.flags | HAS_THREAD
            self.message_changed(message)
            self.add_message(Message(thread, owner, kind=THREAD_STARTER, reference=(channel, message.id)))
        elif kind == PUBLIC_THREAD:
            self.add_message(Message(channel, owner, name, THREAD_CREATED, reference=(thread, 0)))
        return thread
