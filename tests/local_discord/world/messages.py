"""Messages and their attachments: what the channel shows, and everything that it has shown."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.local_discord.errors import Json
from tests.local_discord.world.snowflakes import iso

if TYPE_CHECKING:
    from tests.local_discord.world.channels import Channel
    from tests.local_discord.world.interactions import Interaction
    from tests.local_discord.world.people import Role, User

DEFAULT, THREAD_CREATED, REPLY, SLASH, THREAD_STARTER = 0, 18, 19, 20, 21
SUPPRESS_EMBEDS, HAS_THREAD, EPHEMERAL, LOADING = 1 << 2, 1 << 5, 1 << 6, 1 << 7
SUPPRESS_NOTIFICATIONS, COMPONENTS_V2 = 1 << 12, 1 << 15
TEXT = 10  # the type of a text among components


@dataclass(slots=True)
class Attachment:
    """A file that came with a message; `url` can be fetched."""

    id: int
    name: str
    data: bytes
    url: str
    description: str | None = None
    content_type: str = "application/octet-stream"

    def to_json(self) -> Json:
        """Discord's attachment object."""
        body = {
            "id": str(self.id),
            "filename": self.name,
            "size": len(self.data),
            "url": self.url,
            "proxy_url": self.url,
            "content_type": self.content_type,
            "flags": 0,
        }
        return body if self.description is None else body | {"description": self.description}


@dataclass(frozen=True, slots=True)
class Mentions:
    """Whom a text names: the `users` and `roles` that its author let be named, and perhaps everyone."""

    users: tuple[User, ...] = ()
    roles: tuple[Role, ...] = ()
    everyone: bool = False

    def __bool__(self) -> bool:
        return bool(self.users or self.roles or self.everyone)


@dataclass(eq=False, slots=True)
class Message:
    """One message. `edits` are (moment by `time.monotonic`, text); `ephemeral_to` is the only one who sees it."""

    channel: Channel
    author: User
    content: str = ""
    kind: int = DEFAULT
    flags: int = 0
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    mentions: Mentions = Mentions()
    reference: tuple[Channel, int] | None = None  # 0 for a message that only points to a channel
    interaction: Interaction | None = None
    ephemeral_to: User | None = None
    nonce: str | None = None
    thread: Channel | None = None
    is_deleted: bool = False
    edited: float | None = None
    reactions: dict[str, set[int]] = field(default_factory=dict)
    id: int = 0
    sent: float = 0.0
    time: float = 0.0
    edits: deque[tuple[float, str]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        world = self.channel.world
        self.id = self.id or world.snowflakes.next()
        self.sent, self.time = world.now(), world.clock()
        self.edits = deque(maxlen=world.settings.max_edits)

    def __repr__(self) -> str:
        return f"<Message of {self.author.name}: {self.text!r}{' (deleted)' if self.is_deleted else ''}>"

    @property
    def text(self) -> str:
        """All that can be read in it: its content, or the texts of its layout, a line each."""
        return "\n".join([self.content, *self.texts]).strip("\n")

    @property
    def texts(self) -> list[str]:
        """The texts of its layout (V2)."""
        return [part["content"] for part in self._nested if part["type"] == TEXT]

    @property
    def is_system(self) -> bool:
        """Whether Discord itself wrote it, about a thread."""
        return self.kind in (THREAD_CREATED, THREAD_STARTER)

    @property
    def is_loading(self) -> bool:
        """Whether it still says that the bot is thinking."""
        return bool(self.flags & LOADING)

    @property
    def buttons(self) -> list[Json]:
        """All buttons, row by row, as the bot sent them."""
        return [part for part in self.parts if part["type"] == 2]

    @property
    def parts(self) -> list[Json]:
        """All components that can be used, wherever they are nested."""
        return [part for part in self._nested if part["type"] in (2, 3, 5, 6, 7, 8)]

    @property
    def _nested(self) -> list[Json]:
        """All components, outer ones first."""
        found, left = [], list(self.components)
        while left:
            part = left.pop(0)
            left[:0] = [*part.get("components", []), *([part["accessory"]] if "accessory" in part else [])]
            found.append(part)
        return found

    def wait(self, wanted: str, timeout: float = 5.0) -> Message:
        """Waits until the text has `wanted` in it."""
        return self.channel.wait_any(lambda m: m is self and wanted in m.text, timeout)

    def delete(self) -> None:
        """Deletes the message, as a moderator does."""
        world = self.channel.world
        world.run(lambda: world.events.delete_message(self))

    def to_json(self, stripped: bool = False, nested: bool = True) -> Json:
        """Discord's message object; `stripped` of what an application without the content intent does not see."""
        guild = self.channel.guild
        body: Json = {
            "id": str(self.id),
            "channel_id": str(self.channel.id),
            "type": self.kind,
            "content": "" if stripped else self.content,
            "author": self.author.to_json(),
            "attachments": [] if stripped else [a.to_json() for a in self.attachments],
            "embeds": [] if stripped else self.embeds,
            "components": [] if stripped else self.components,
            "mentions": [user.to_json() for user in self.mentions.users],
            "mention_roles": [str(role.id) for role in self.mentions.roles],
            "mention_everyone": self.mentions.everyone,
            "timestamp": iso(self.sent),
            "edited_timestamp": None if self.edited is None else iso(self.edited),
            "flags": self.flags,
            "pinned": False,
            "tts": False,
        }
        if self.nonce is not None:
            body["nonce"] = self.nonce
        if self.reactions:
            body["reactions"] = self._reactions_json()
        if self.thread is not None and guild is not None:
            body["thread"] = self.thread.to_json()
        if self.interaction is not None:
            body |= self.interaction.message_json()
        return body | (self._reference_json() if self.reference and nested else {})

    def _reactions_json(self) -> list[Json]:
        bot = self.channel.world.bot.id
        return [
            {"emoji": {"id": None, "name": name}, "count": len(users), "me": bot in users, "me_burst": False}
            | {"burst_colors": [], "count_details": {"burst": 0, "normal": len(users)}}
            for name, users in self.reactions.items()
        ]

    def _reference_json(self) -> Json:
        assert self.reference is not None
        channel, message_id = self.reference
        pointer: Json = {"type": 0, "channel_id": str(channel.id)}
        if message_id:
            pointer["message_id"] = str(message_id)
        if channel.guild is not None:
            pointer["guild_id"] = str(channel.guild.id)
        if self.kind not in (REPLY, THREAD_STARTER):
            return {"message_reference": pointer}
        found = channel.stored.get(message_id)
        shown = None
        if found is not None and not found.is_deleted:
            shown = found.to_json(stripped=channel.world.hides_content(found), nested=False)
        return {"message_reference": pointer, "referenced_message": shown}
