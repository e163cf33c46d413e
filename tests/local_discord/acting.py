"""What a person does in Discord's own client: commands, buttons, messages. The client's checks raise `NotPossible`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from tests.local_discord.errors import Json, NotPossible
from tests.local_discord.forms.messages import Draft, Upload
from tests.local_discord.forms.modals import fill_modal
from tests.local_discord.forms.slash_options import OptionValue, fill_options
from tests.local_discord.world.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL, Interaction
from tests.local_discord.world.messages import REPLY, Message
from tests.local_discord.world.permissions import P, channel_permissions

if TYPE_CHECKING:
    from tests.local_discord.world.channels import Channel
    from tests.local_discord.world.people import Member, User
    from tests.local_discord.world.world import World

Made = TypeVar("Made")
BUTTON_LINK, COMPONENT_BUTTON = 5, 2
MESSAGE_MENU = 3


class Actor:
    """A user, or a member of a guild; both act the same way."""

    world: World

    @property
    def user(self) -> User:
        """The account."""
        raise NotImplementedError

    def slash(self, channel: Channel, command: str, /, **options: OptionValue) -> Interaction:
        """Uses a command, subcommands after a space; returns at once."""
        return self._run(lambda: self._command(COMMAND, channel, command, options, None))

    def menu(self, message: Message, name: str) -> Interaction:
        """Uses a command of a message's context menu; returns at once."""
        return self._run(lambda: self._menu(message, name))

    def complete(
        self, channel: Channel, command: str, option: str, typed: str, timeout: float = 5.0, **others: OptionValue
    ) -> list[tuple[str, Any]]:
        """What the client offers while `typed` stands in the option: (name, value)."""
        options: dict[str, OptionValue] = {**others, option: typed}
        call = self._run(lambda: self._command(AUTOCOMPLETE, channel, command, options, option))
        return [(choice["name"], choice["value"]) for choice in call.wait_answer(timeout).choices]

    def press(self, message: Message, button: str) -> Interaction:
        """Presses the enabled button with this label, emoji or custom id; returns at once."""
        return self._run(lambda: self._component(message, _button(message, button), None))

    def choose(self, message: Message, custom_id: str, *values: str) -> Interaction:
        """Chooses from a select; returns at once."""

        def work() -> Interaction:
            part = next((part for part in message.parts if part.get("custom_id") == custom_id), None)
            if part is None or part["type"] == COMPONENT_BUTTON or part.get("disabled"):
                raise NotPossible(f"no enabled select {custom_id!r} on {message}")
            known = {option["value"] for option in part.get("options") or []}
            if known and not set(values) <= known:
                raise NotPossible(f"{values} are not among {sorted(known)}")
            return self._component(message, part, list(values))

        return self._run(work)

    def submit(self, call: Interaction, **values: str) -> Interaction:
        """Fills in the form that the bot has answered with, by the custom ids of its fields, and sends it."""
        return self._run(lambda: self._modal(call, values))

    def say(
        self,
        channel: Channel,
        text: str,
        reply_to: Message | None = None,
        mention: bool = True,
        files: dict[str, bytes] | None = None,
    ) -> Message:
        """Writes a message; `<@bot>` stands for a mention of the bot, `mention` is the switch beside a reply."""
        return self._run(lambda: self._say(channel, text, reply_to, mention, files or {}))

    def start_thread(self, channel: Channel, name: str, message: Message | None = None) -> Channel:
        """Opens a public thread, perhaps at a message."""
        if channel.parent or channel.guild is None or not self._may(channel) & P.CREATE_PUBLIC_THREADS:
            raise NotPossible(f"{self} cannot start a thread in {channel}")
        return self._run(lambda: self.world.events.open_thread(channel, self.user, name, message=message))

    def edit(self, message: Message, text: str) -> None:
        """Changes an own message."""

        def work() -> None:
            if message.author is not self.user or message.is_deleted:
                raise NotPossible(f"{self} cannot edit {message}")
            message.edited = self.world.now()
            self._draft(message, text, {}).apply(message)
            self.world.events.message_edited(message)

        self._run(work)

    def delete(self, message: Message) -> None:
        """Deletes a message: an own one, or with the permission for it."""
        if message.author is not self.user and not self._may(message.channel) & P.MANAGE_MESSAGES:
            raise NotPossible(f"{self} may not delete {message}")
        message.delete()

    def _run(self, work: Callable[[], Made]) -> Made:
        return self.world.run(work)

    def _may(self, channel: Channel) -> P:
        if channel.is_deleted:
            raise NotPossible(f"{channel} is deleted")
        if channel.guild is None:
            if self.user not in channel.people:
                raise NotPossible(f"{self} is not in this direct message")
        elif self.user.id not in channel.guild.members:
            raise NotPossible(f"{self} is not in {channel.guild}")
        return channel_permissions(channel, self.user.id)

    def _here(self, channel: Channel) -> User | Member:
        return self.user if channel.guild is None else channel.guild.members[self.user.id]

    def _interact(self, kind: int, channel: Channel, data: Json, source: Message | None = None) -> Interaction:
        interaction = Interaction(self.world, kind, channel, self._here(channel), data, source)
        interaction.deliver()
        return interaction

    def _command(
        self, kind: int, channel: Channel, path: str, options: dict[str, OptionValue], focused: str | None
    ) -> Interaction:
        may, (name, *below) = self._may(channel), path.split()
        command = self.world.commands.find(channel.guild if channel.has_bot else None, name)
        if command is None:
            raise NotPossible(f"no command /{name} here; there are {self.world.commands.names(channel.guild)}")
        self._check_right(command, channel, may)
        data: Json = {"id": command["id"], "name": name, "type": command["type"]}
        if "guild_id" in command:
            data["guild_id"] = command["guild_id"]
        data["options"], resolved = fill_options(command, below, options, channel, focused)
        return self._interact(kind, channel, data | ({"resolved": resolved} if resolved else {}))

    def _menu(self, message: Message, name: str) -> Interaction:
        channel = message.channel
        may = self._may(channel)
        if message.is_deleted or message.is_system or message.ephemeral_to is not None:
            raise NotPossible(f"{message} has no context menu for {self}")
        command = self.world.commands.find(channel.guild if channel.has_bot else None, name, MESSAGE_MENU)
        if command is None:
            raise NotPossible(f"no command {name!r} in the menu; there are {self.world.commands.names(channel.guild)}")
        self._check_right(command, channel, may)
        data: Json = {"id": command["id"], "name": name, "type": MESSAGE_MENU, "target_id": str(message.id)}
        if "guild_id" in command:
            data["guild_id"] = command["guild_id"]
        return self._interact(COMMAND, channel, data | {"resolved": {"messages": {str(message.id): message.to_json()}}})

    def _check_right(self, command: Json, channel: Channel, may: P) -> None:
        if channel.context not in command.get("contexts", [0]):
            raise NotPossible(f"/{command['name']} is not for this kind of channel")
        installs = command.get("integration_types", [0])
        if not ((channel.has_bot and 0 in installs) or (self.user.has_installed and 1 in installs)):
            raise NotPossible(f"nobody has installed /{command['name']} for {channel}: not {self}, either")
        if channel.guild is None:
            return
        if not may & P.USE_APPLICATION_COMMANDS or not may & P.VIEW_CHANNEL:
            raise NotPossible(f"{self} may not use commands in {channel}")
        needed = command["default_member_permissions"]
        if needed is None or may & P.ADMINISTRATOR:
            return
        if int(needed) == 0 or may & int(needed) != int(needed):
            raise NotPossible(f"{self} lacks the permissions {needed} for /{command['name']}")

    def _component(self, message: Message, part: Json, values: list[str] | None) -> Interaction:
        if not self._may(message.channel) & P.VIEW_CHANNEL:
            raise NotPossible(f"{self} does not see {message.channel}")
        if message.is_deleted or message.ephemeral_to not in (None, self.user) or message.is_loading:
            raise NotPossible(f"{self} does not see a finished {message}")
        data: Json = {"component_type": part["type"], "custom_id": part["custom_id"], "id": part["id"]}
        return self._interact(
            COMPONENT, message.channel, data | ({} if values is None else {"values": values}), message
        )

    def _modal(self, call: Interaction, values: dict[str, str]) -> Interaction:
        if call.modal is None or call.user is not self.user:
            raise NotPossible(f"{call} shows {self} no form")
        parts = fill_modal(call.modal, values)
        return self._interact(
            MODAL, call.channel, {"custom_id": call.modal["custom_id"], "components": parts}, call.source
        )

    def _say(
        self, channel: Channel, text: str, reply_to: Message | None, mention: bool, files: dict[str, bytes]
    ) -> Message:
        if not self._may(channel) & (P.SEND_MESSAGES_IN_THREADS if channel.is_thread else P.SEND_MESSAGES):
            raise NotPossible(f"{self} may not write in {channel}")
        message = Message(channel, self.user)
        if reply_to is not None:
            if reply_to.is_deleted or reply_to.ephemeral_to is not None:
                raise NotPossible(f"{self} cannot reply to {reply_to}")
            message.kind, message.reference = REPLY, (channel, reply_to.id)
        self._draft(message, text, files, mention).apply(message)
        self.world.events.add_message(message)
        return message

    def _draft(self, message: Message, text: str, files: dict[str, bytes], mention: bool = True) -> Draft:
        uploads = {index: Upload(name, data) for index, (name, data) in enumerate(files.items())}
        allowed = {"parse": ["users", "roles", "everyone"], "replied_user": mention}
        draft = Draft({"content": text.replace("<@bot>", self.world.bot.mention), "allowed_mentions": allowed}, uploads)
        draft.check(message.channel, 0)
        return draft


def _button(message: Message, wanted: str) -> Json:
    for part in message.buttons:
        names = (part.get("label"), part.get("custom_id"), (part.get("emoji") or {}).get("name"))
        if wanted in names and part["style"] != BUTTON_LINK:
            if part.get("disabled"):
                raise NotPossible(f"the button {wanted!r} on {message} is disabled")
            return part
    raise NotPossible(f"no button {wanted!r} on {message}: {[part.get('label') for part in message.buttons]}")
