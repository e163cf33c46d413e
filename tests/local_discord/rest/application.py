"""REST: the bot's own account, its application, its commands, and the way to the gateway."""

from __future__ import annotations

from tests.local_discord.errors import Json, unknown
from tests.local_discord.rest.server import Incoming, Route

COMMANDS = "/applications/{application}/commands"
GUILD_COMMANDS = "/applications/{application}/guilds/{guild}/commands"


def gateway(incoming: Incoming) -> Json:
    """Where the WebSocket is."""
    return {"url": incoming.world.base_url.replace("http", "ws", 1)}


def gateway_bot(incoming: Incoming) -> Json:
    """Where it is, for how many shards, and how often one may start."""
    limit = incoming.world.gate.to_json()
    return gateway(incoming) | {"shards": incoming.world.settings.recommended_shards, "session_start_limit": limit}


def me(incoming: Incoming) -> Json:
    """The bot's account."""
    extra = {"verified": True, "mfa_enabled": False, "locale": "en-US", "email": None, "flags": 0, "banner": None}
    return incoming.world.bot.to_json() | extra


def user(incoming: Incoming) -> Json:
    """Somebody's account."""
    found = incoming.world.users.get(incoming.number("user"))
    if found is None:
        raise unknown(10013)
    return found.to_json()


def my_guilds(incoming: Incoming) -> list[Json]:
    """The guilds that the bot is in."""
    return [
        {"id": str(guild.id), "name": guild.name, "icon": None, "owner": False, "permissions": "0", "features": []}
        for guild in incoming.world.guilds.values()
        if guild.has_bot
    ]


def application(incoming: Incoming) -> Json:
    """The application."""
    world = incoming.world
    return {
        "id": str(world.bot.id),
        "name": world.bot.name,
        "icon": None,
        "description": "",
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "owner": world.app_owner.to_json(),
        "team": None,
        "flags": 0,
        "rpc_origins": [],
        "tags": [],
        "integration_types_config": {str(kind): {} for kind in world.settings.installs},
        "approximate_guild_count": len(world.guilds),
        "bot": world.bot.to_json(),
    }


def _scope(incoming: Incoming) -> int | None:
    """The guild of the path, if the commands are for one."""
    incoming.world.require_application(incoming.number("application"))
    if "guild" not in incoming.values:
        return None
    return incoming.world.require_guild(incoming.number("guild")).id


def list_commands(incoming: Incoming) -> list[Json]:
    """GET of all."""
    return list(incoming.world.commands.of(_scope(incoming)).values())


def replace_commands(incoming: Incoming) -> list[Json]:
    """PUT of all."""
    return incoming.world.commands.replace(_scope(incoming), incoming.form)


def upsert_command(incoming: Incoming) -> Json:
    """POST of one."""
    return incoming.world.commands.upsert(_scope(incoming), incoming.fields)


def get_command(incoming: Incoming) -> Json:
    """GET of one."""
    return incoming.world.commands.one(_scope(incoming), incoming.number("command"))


def edit_command(incoming: Incoming) -> Json:
    """PATCH of one."""
    return incoming.world.commands.edit(_scope(incoming), incoming.number("command"), incoming.fields)


def delete_command(incoming: Incoming) -> None:
    """DELETE of one."""
    incoming.world.commands.delete(_scope(incoming), incoming.number("command"))


def _command_routes(path: str, major: str) -> list[Route]:
    return [
        Route("GET", path, list_commands, "other", major),
        Route("PUT", path, replace_commands, "commands", major),
        Route("POST", path, upsert_command, "commands", major, 201),
        Route("GET", path + "/{command}", get_command, "other", major),
        Route("PATCH", path + "/{command}", edit_command, "commands", major),
        Route("DELETE", path + "/{command}", delete_command, "commands", major),
    ]


ROUTES = [
    Route("GET", "/gateway", gateway),
    Route("GET", "/gateway/bot", gateway_bot),
    Route("GET", "/users/@me", me),
    Route("GET", "/users/@me/guilds", my_guilds),
    Route("GET", "/users/{user}", user),
    Route("GET", "/oauth2/applications/@me", application),
    Route("GET", "/applications/@me", application),
    *_command_routes(COMMANDS, "application"),
    *_command_routes(GUILD_COMMANDS, "guild"),
]
