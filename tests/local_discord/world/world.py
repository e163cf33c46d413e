"""Everything that one local Discord knows; changed only on the server's thread. It knows no HTTP and no WebSocket."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from tests.local_discord.errors import Refused, forbidden, unknown
from tests.local_discord.gateway.connection import Connection
from tests.local_discord.gateway.identify_limits import Gate
from tests.local_discord.gateway.sessions import Sessions
from tests.local_discord.misbehavior import Misbehavior
from tests.local_discord.records import Records
from tests.local_discord.settings import Settings
from tests.local_discord.waiting import Bell
from tests.local_discord.world.channels import DM, GROUP, Channel
from tests.local_discord.world.commands import Commands
from tests.local_discord.world.events import Events
from tests.local_discord.world.guilds import Guild
from tests.local_discord.world.interactions import Interaction
from tests.local_discord.world.messages import Attachment, Message
from tests.local_discord.world.people import User
from tests.local_discord.world.permissions import NONE, P, Permission, channel_permissions
from tests.local_discord.world.snowflakes import Snowflakes

Made = TypeVar("Made")
MESSAGE_CONTENT = 1 << 15


class World:
    """Users, guilds, channels, interactions, sessions and logs of one bot."""

    def __init__(self, token: str, bot_name: str, settings: Settings) -> None:
        self.token, self.settings = token, settings
        self.snowflakes = Snowflakes()
        self.records = Records(settings.max_records)
        self.bell = Bell()
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.dms: dict[int, Channel] = {}
        self.interactions: dict[str, Interaction] = {}
        self.bot = User(self, bot_name, is_bot=True)
        self.app_owner = User(self, "Owner")
        self.misbehave = Misbehavior(self)
        self.gate = Gate(self)
        self.sessions = Sessions(self)
        self.connections: set[Connection] = set()
        self.events = Events(self)
        self.commands = Commands(self)
        self.base_url = ""
        self.loop: asyncio.AbstractEventLoop | None = None
        self.thread = 0
        self.files: dict[int, Attachment] = {}
        self.nonces: dict[tuple[int, str], Message] = {}

    def now(self) -> float:
        """Unix time, for what Discord tells the bot."""
        return time.time()

    def clock(self) -> float:
        """The clock of all records."""
        return time.monotonic()

    def run(self, work: Callable[[], Made]) -> Made:
        """Does the work on the server's thread and gives what it returns or raises."""
        if self.loop is None or threading.get_ident() == self.thread:
            return work()
        done: concurrent.futures.Future[Made] = concurrent.futures.Future()

        def step() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # it belongs to the thread that asked
                done.set_exception(error)

        self.loop.call_soon_threadsafe(step)
        return done.result(timeout=30)

    def store_file(self, channel_id: int, name: str, data: bytes) -> Attachment:
        """Keeps a file where its address can fetch it."""
        number = self.snowflakes.next()
        address = f"{self.base_url}/attachments/{channel_id}/{number}/{name}"
        self.files[number] = Attachment(number, name, data, address)
        return self.files[number]

    def dm_of(self, user: User) -> Channel:
        """The direct message channel of the bot and the user, made when first asked for."""
        if user.id not in self.dms:
            self.dms[user.id] = Channel(self, DM, user.name, recipient=user)
        return self.dms[user.id]

    def group_of(self, *people: User) -> Channel:
        """A new group of people, in which the bot cannot be."""
        return Channel(self, GROUP, "group", people=people)

    def bot_may(self, channel: Channel, needed: Permission) -> bool:
        """Whether the bot is in the channel and has all of `needed` there."""
        if not channel.has_bot:
            return False
        return (channel_permissions(channel, self.bot.id) & needed) == needed

    def require(self, channel_id: int, needed: Permission = NONE) -> Channel:
        """The channel, if the bot sees it and has all of `needed` there; else 10003, 50001 or 50013."""
        channel = self.channels.get(channel_id)
        if channel is None or channel.is_deleted:
            raise unknown(10003)
        if not channel.has_bot:
            raise forbidden(50001)
        if not self.bot_may(channel, P.VIEW_CHANNEL):
            raise forbidden(50001)
        if not self.bot_may(channel, needed):
            raise forbidden(50013)
        return channel

    def require_guild(self, guild_id: int) -> Guild:
        """The guild, if the bot is in it; else 10004 or 50001."""
        guild = self.guilds.get(guild_id)
        if guild is None:
            raise unknown(10004)
        if not guild.has_bot:
            raise forbidden(50001)
        return guild

    def find_message(self, channel: Channel, message_id: int) -> Message:
        """A message that stands in the channel for all to see; else 10008."""
        message = channel.stored.get(message_id)
        if message is None or message.is_deleted or message.ephemeral_to is not None:
            raise unknown(10008)
        return message

    def hides_content(self, message: Message, intents: int | None = None) -> bool:
        """Whether an application without the content intent sees the message without its content."""
        allowed = self.settings.privileged_intents if intents is None else intents
        if allowed & MESSAGE_CONTENT or message.author is self.bot or message.channel.guild is None:
            return False
        return self.bot not in message.mentions.users

    def require_application(self, application_id: int) -> None:
        """The bot's own application; else 403."""
        if application_id != self.bot.id:
            raise Refused(403, 20012, "You are not authorized to perform this action on this application")
