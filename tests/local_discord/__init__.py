"""A Discord on this machine for the bot's tests and measurements: REST v10 and the gateway, as strict as the real one.

The real discord.py talks to it; nothing of it is replaced. The bot's process needs `api_url` as its
`discord.http.Route.BASE` and `gateway_url` as its `discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY`.
"""

from tests.local_discord.errors import NotPossible
from tests.local_discord.local import LocalDiscord
from tests.local_discord.settings import UNLIMITED, Rate, Rates, Settings
from tests.local_discord.world.channels import Channel
from tests.local_discord.world.guilds import Guild
from tests.local_discord.world.interactions import Interaction
from tests.local_discord.world.messages import Message
from tests.local_discord.world.people import Member, Role, User
from tests.local_discord.world.permissions import Permission

__all__ = [
    "UNLIMITED",
    "Channel",
    "Guild",
    "Interaction",
    "LocalDiscord",
    "Member",
    "Message",
    "NotPossible",
    "Permission",
    "Rate",
    "Rates",
    "Role",
    "Settings",
    "User",
]
