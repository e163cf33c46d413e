"""What Discord accepts as a message: text, embeds, files, flags; for sending and for editing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.local_discord.errors import Json, Refused, bad_form
from tests.local_discord.forms.components import check_components, numbered
from tests.local_discord.forms.mentions import check_allowed, find_mentions
from tests.local_discord.world.messages import (
    COMPONENTS_V2,
    EPHEMERAL,
    LOADING,
    SUPPRESS_EMBEDS,
    SUPPRESS_NOTIFICATIONS,
    Attachment,
    Message,
)

if TYPE_CHECKING:
    from tests.local_discord.world.channels import Channel

MAX_CONTENT = 2000
MAX_EMBEDS = MAX_FILES = 10
MAX_EMBED_SIZE = 6000
EMBED_TEXTS = {"title": 256, "description": 4096, "footer.text": 2048, "author.name": 256}
SENDING = SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS | COMPONENTS_V2
EDITING = SUPPRESS_EMBEDS | COMPONENTS_V2


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a multipart request."""

    name: str
    data: bytes
    content_type: str = "application/octet-stream"


@dataclass(slots=True)
class Draft:
    """A form whose parts have each been checked; `None` is what the form leaves alone."""

    form: Json
    uploads: dict[int, Upload] = field(default_factory=dict)

    def check(self, channel: Channel, flags_allowed: int, old_flags: int = 0) -> None:
        """All rules that need no message; raises 50035 or 40005. Flags that cannot be set here are ignored."""
        check_content(self.form.get("content"))
        check_embeds(self.form.get("embeds") or [])
        flags = self.form.get("flags") or 0
        if not isinstance(flags, int):
            raise bad_form("flags", "NUMBER_TYPE_COERCE", f'Value "{flags}" is not int.')
        if "flags" in self.form:
            self.form["flags"] = flags = flags & flags_allowed
        is_layout = bool((flags | old_flags) & COMPONENTS_V2)
        if is_layout and not channel.world.settings.takes_layouts:
            raise bad_form("flags", "BASE_TYPE_CHOICES", "IS_COMPONENTS_V2 cannot be set here.")
        check_components(self.form.get("components") or [], is_layout)
        if is_layout and (self.form.get("content") or self.form.get("embeds")):
            raise _legacy("content" if self.form.get("content") else "embeds")
        check_allowed(self.form.get("allowed_mentions"))
        self._check_files(channel.world.settings.attachment_size_limit)

    def _check_files(self, limit: int) -> None:
        listed = self.form.get("attachments") or []
        if len(listed) > MAX_FILES or len(self.uploads) > MAX_FILES:
            raise bad_form("attachments", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_FILES} or fewer in length.")
        if any(len(upload.data) > limit for upload in self.uploads.values()):
            raise Refused(413, 40005)
        for index, entry in enumerate(listed):
            if len(str(entry.get("description") or "")) > 1024:
                message = "Must be 1024 or fewer in length."
                raise bad_form(f"attachments.{index}.description", "BASE_TYPE_MAX_LENGTH", message)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that a member could see."""
        text = str(self.form.get("content") or "").strip()
        return not (text or self.form.get("embeds") or self.form.get("components") or self.uploads)

    def apply(self, message: Message) -> None:
        """Writes the form into a new or existing message; refuses to leave it empty (50006)."""
        form = self.form
        content = (form["content"] or "").strip() if "content" in form else message.content
        embeds = (form["embeds"] or []) if "embeds" in form else message.embeds
        components = numbered(form["components"] or []) if "components" in form else message.components
        attachments = self._attachments(message)
        if not (content or embeds or components or attachments):
            raise Refused(400, 50006)
        if ((form.get("flags") or 0) | message.flags) & COMPONENTS_V2 and (content or embeds):
            raise _legacy("content" if content else "embeds")
        message.content, message.embeds, message.components = content, embeds, components
        message.attachments = attachments
        kept = message.flags & ~(LOADING | (SUPPRESS_EMBEDS if "flags" in form else 0))
        message.flags = kept | (form.get("flags") or 0)
        if "content" in form or "allowed_mentions" in form:
            message.mentions = find_mentions(message, form.get("allowed_mentions"))

    def _attachments(self, message: Message) -> list[Attachment]:
        """Those that the form keeps, and the new ones."""
        listed = self.form.get("attachments")
        kept = message.attachments
        texts: Json = {}
        if listed is not None:
            ids = {str(entry.get("id")) for entry in listed}
            kept = [attachment for attachment in kept if str(attachment.id) in ids]
            texts = {str(entry.get("id")): entry.get("description") for entry in listed}
        world = message.channel.world
        made = []
        for number, upload in self.uploads.items():
            new = world.store_file(message.channel.id, upload.name, upload.data)
            new.description, new.content_type = texts.get(str(number)), upload.content_type
            made.append(new)
        return [*kept, *made]


def _legacy(field: str) -> Refused:
    """What a layout leaves no room for; an edit that makes one of a message has to take its content away."""
    message = f"The '{field}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
    return bad_form(field, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message)


def check_content(content: object, at: str = "content") -> None:
    """At most 2,000 characters (code points)."""
    if content is not None and not isinstance(content, str):
        raise bad_form(at, "STRING_TYPE_CONVERT", f'Could not interpret "{content}" as string.')
    if content is not None and len(content) > MAX_CONTENT:
        raise bad_form(at, "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_CONTENT} or fewer in length.")


def check_embeds(embeds: list[Json]) -> None:
    """Each text of each embed, and all together."""
    if len(embeds) > MAX_EMBEDS:
        raise bad_form("embeds", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_EMBEDS} or fewer in length.")
    if sum(_check_embed(embed, f"embeds.{index}") for index, embed in enumerate(embeds)) > MAX_EMBED_SIZE:
        message = f"Embed size exceeds maximum size of {MAX_EMBED_SIZE}"
        raise bad_form("embeds", "MAX_EMBED_SIZE_EXCEEDED", message)


def _check_embed(embed: Json, at: str) -> int:
    """The size of one embed."""
    size = 0
    for key, longest in EMBED_TEXTS.items():
        outer, _, inner = key.partition(".")
        value = (embed.get(outer) or {}).get(inner) if inner else embed.get(outer)
        size += _check_embed_text(value, longest, f"{at}.{key}")
    fields = embed.get("fields") or []
    if len(fields) > 25:
        raise bad_form(f"{at}.fields", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    for index, entry in enumerate(fields):
        for key, longest in (("name", 256), ("value", 1024)):
            if not entry.get(key):
                raise bad_form(f"{at}.fields.{index}.{key}", "BASE_TYPE_REQUIRED", "This field is required")
            size += _check_embed_text(entry[key], longest, f"{at}.fields.{index}.{key}")
    return size


def _check_embed_text(value: str | None, longest: int, at: str) -> int:
    size = len((value or "").strip())
    if size > longest:
        raise bad_form(at, "BASE_TYPE_MAX_LENGTH", f"Must be {longest} or fewer in length.")
    return size


__all__ = ["EDITING", "EPHEMERAL", "SENDING", "Draft", "Upload", "check_content"]
