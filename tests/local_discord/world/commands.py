"""The application's commands: what the bot has synced, globally and for single guilds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.local_discord.errors import Json, Refused, unknown
from tests.local_discord.forms.commands import check_command, check_together

if TYPE_CHECKING:
    from tests.local_discord.world.guilds import Guild
    from tests.local_discord.world.world import World

CHAT_INPUT = 1
MAX_COMMANDS = 100


class Commands:
    """Commands by guild id (none for global ones) and by their own id."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.by_guild: dict[int | None, dict[int, Json]] = {None: {}}

    def of(self, guild_id: int | None) -> dict[int, Json]:
        """What has been synced there."""
        return self.by_guild.setdefault(guild_id, {})

    def find(self, guild: Guild | None, name: str, kind: int = CHAT_INPUT) -> Json | None:
        """What a member sees under the name: the guild's command before the global one."""
        for where in ([guild.id] if guild else []) + [None]:
            for command in self.of(where).values():
                if (command["name"], command["type"]) == (name, kind):
                    return command
        return None

    def names(self, guild: Guild | None) -> list[str]:
        """All that a member sees."""
        everywhere = [*self.of(None).values(), *(self.of(guild.id).values() if guild else ())]
        return sorted({command["name"] for command in everywhere})

    def replace(self, guild_id: int | None, forms: object) -> list[Json]:
        """Takes a whole new set; commands of the same name keep their id."""
        if not isinstance(forms, list):
            raise Refused(400, 50035)
        for index, form in enumerate(forms):
            check_command(form, str(index))
        check_together(forms)
        known = {(command["name"], command["type"]): command["id"] for command in self.of(guild_id).values()}
        made = [self._made(form, guild_id, known.get((form["name"], form.get("type") or 1))) for form in forms]
        self.by_guild[guild_id] = {int(command["id"]): command for command in made}
        self.world.bell.ring()
        return made

    def upsert(self, guild_id: int | None, form: Json) -> Json:
        """Adds one command, or replaces that of the same name."""
        check_command(form, "")
        old = next((c for c in self.of(guild_id).values() if (c["name"], c["type"]) == _key(form)), None)
        if (
            old is None
            and sum(c["type"] == (form.get("type") or 1) for c in self.of(guild_id).values()) >= MAX_COMMANDS
        ):
            raise Refused(400, 30032)
        return self._store(guild_id, self._made(form, guild_id, old["id"] if old else None))

    def edit(self, guild_id: int | None, command_id: int, form: Json) -> Json:
        """Changes one command."""
        changed = self.one(guild_id, command_id) | form
        check_command(changed, "")
        return self._store(guild_id, self._made(changed, guild_id, str(command_id)))

    def _store(self, guild_id: int | None, command: Json) -> Json:
        self.of(guild_id)[int(command["id"])] = command
        self.world.bell.ring()
        return command

    def one(self, guild_id: int | None, command_id: int) -> Json:
        """One command; else 10063."""
        if command_id not in self.of(guild_id):
            raise unknown(10063)
        return self.of(guild_id)[command_id]

    def delete(self, guild_id: int | None, command_id: int) -> None:
        """Takes one command away."""
        self.one(guild_id, command_id)
        del self.of(guild_id)[command_id]

    def _made(self, form: Json, guild_id: int | None, command_id: str | None) -> Json:
        permissions = form.get("default_member_permissions")
        command: Json = {
            "id": command_id or str(self.world.snowflakes.next()),
            "application_id": str(self.world.bot.id),
            "version": str(self.world.snowflakes.next()),
            "type": form.get("type") or CHAT_INPUT,
            "name": form["name"],
            "name_localizations": form.get("name_localizations"),
            "description": form.get("description", ""),
            "description_localizations": form.get("description_localizations"),
            "options": form.get("options") or [],
            "default_member_permissions": None if permissions is None else str(permissions),
            "nsfw": form.get("nsfw", False),
        }
        if guild_id is not None:
            return command | {"guild_id": str(guild_id)}
        dms = form.get("dm_permission")
        contexts = form.get("contexts") or ([0] if dms is False else [0, 1])
        types = form.get("integration_types") or [0]
        return command | {"contexts": contexts, "integration_types": types, "dm_permission": 1 in contexts}


def _key(form: Json) -> tuple[str, int]:
    return form["name"], form.get("type") or CHAT_INPUT
