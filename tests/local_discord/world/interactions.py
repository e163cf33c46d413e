"""An interaction from a member's click to its last follow-up, with the rules on when it may still be answered."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.local_discord.errors import Json, Refused, unknown
from tests.local_discord.waiting import Bell
from tests.local_discord.world.permissions import P, Permission, channel_permissions

if TYPE_CHECKING:
    from tests.local_discord.world.channels import Channel
    from tests.local_discord.world.messages import Message
    from tests.local_discord.world.people import Member, User
    from tests.local_discord.world.world import World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
MAX_FOLLOWUPS = 5
MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE, CHOICES, FORM = 4, 5, 6, 7, 8, 9


class Interaction:
    """What a test holds after `slash`, `press` or `complete`, and what the bot answers by its token."""

    def __init__(
        self,
        world: World,
        kind: int,
        channel: Channel,
        actor: Member | User,
        data: Json,
        source: Message | None = None,
    ) -> None:
        self.world, self.kind, self.channel, self.actor = world, kind, channel, actor
        self.data, self.source = data, source
        self.id, self.token = world.snowflakes.next(), secrets.token_urlsafe(64)
        self.created = world.clock()
        self.expires = self.created + world.settings.token_lifetime
        self.answered_at: float | None = None
        self.answer_kind = 0
        self.error: str | None = None
        self.original: Message | None = None
        self.messages: list[Message] = []
        self.choices: list[Json] = []
        self.modal: Json | None = None
        self.num_followups = 0
        self.shards_told = 0
        self.bell = Bell()

    def __repr__(self) -> str:
        return f"<Interaction {self.data.get('name') or self.data.get('custom_id')} of {self.actor}: {self.state}>"

    @property
    def user(self) -> User:
        """Who did it."""
        return self.actor.user

    @property
    def state(self) -> str:
        """What became of it so far, in words."""
        if self.error is not None:
            return self.error
        return "unanswered" if self.answered_at is None else f"answered with type {self.answer_kind}"

    @property
    def is_open(self) -> bool:
        """Whether the first answer may still come."""
        late = self.world.clock() > self.created + self.world.settings.answer_within
        return self.answered_at is None and self.error is None and not late

    @property
    def latency(self) -> float:
        """Seconds from the member's act to the bot's first answer; endless while there is none."""
        return float("inf") if self.answered_at is None else self.answered_at - self.created

    @property
    def is_deferred(self) -> bool:
        """Whether the first answer was only a promise."""
        return self.answer_kind in (DEFERRED_MESSAGE, DEFERRED_UPDATE)

    @property
    def answer(self) -> Message | None:
        """The message that the first answer made or will become."""
        return self.original

    def wait_answer(self, timeout: float = 5.0) -> Interaction:
        """Waits for the first answer, deferred or not; `TimeoutError` if the bot missed it."""
        self.bell.wait(lambda: self.answered_at is not None or self.error, timeout, lambda: repr(self))
        if self.answered_at is None:
            raise TimeoutError(repr(self))
        return self

    def wait_message(self, wanted: Callable[[Message], object] = lambda m: True, timeout: float = 5.0) -> Message:
        """The first message that the interaction made (no longer loading) that is as `wanted`."""

        def look() -> Message | None:
            return next((m for m in list(self.messages) if not m.is_loading and wanted(m)), None)

        self.bell.wait(lambda: look() or self.error, timeout, lambda: f"no such message by {self}: {self.messages}")
        found = look()
        if found is None:
            raise TimeoutError(repr(self))
        return found

    def wait_text(self, timeout: float = 5.0) -> str:
        """The text of the first message of the interaction, once it has one."""
        return self.wait_message(lambda m: m.text or m.embeds, timeout).text

    def deliver(self) -> None:
        """Tells the bot, and sets the clock for its answer."""
        self.world.interactions[self.token] = self
        guild = self.channel.guild
        told = self.world.sessions.dispatch("INTERACTION_CREATE", self.to_json(), guild.id if guild else None)
        self.shards_told = told
        if not told:
            self._fail("the bot is not connected")
        assert self.world.loop is not None
        self.world.loop.call_later(self.world.settings.answer_within, self._too_late)

    def _too_late(self) -> None:
        if self.answered_at is None:
            self._fail(f"the bot did not answer within {self.world.settings.answer_within} s")

    def _fail(self, why: str) -> None:
        self.error = self.error or why
        self.bell.ring()

    def expire(self) -> None:
        """Makes the token older than its lifetime."""
        self.expires = 0.0

    def take_answer(self, kind: int) -> None:
        """Counts the first answer: 10062 when it is too late, 40060 when there was one before."""
        if self.answered_at is not None:
            raise Refused(400, 40060)
        if not self.is_open:
            raise unknown(10062)
        self.answered_at, self.answer_kind = self.world.clock(), kind

    def require_open(self) -> None:
        """Refuses follow-ups: 50027 with an old token, 10015 before the first answer."""
        if self.world.clock() > self.expires:
            raise Refused(401, 50027)
        if self.answered_at is None:
            raise unknown(10015)

    def count_followup(self) -> None:
        """Counts a further message: where only a person has installed the application, five are taken (40094)."""
        if not self.channel.has_bot and self.num_followups >= MAX_FOLLOWUPS:
            raise Refused(400, 40094)
        self.num_followups += 1

    def to_json(self) -> Json:
        """Discord's interaction object."""
        guild = self.channel.guild
        body: Json = {
            "id": str(self.id),
            "application_id": str(self.world.bot.id),
            "type": self.kind,
            "token": self.token,
            "version": 1,
            "data": self.data,
            "channel_id": str(self.channel.id),
            "channel": self.channel.to_json(),
            "app_permissions": str(int(self._app_permissions())),
            "locale": "en-US",
            "entitlements": [],
            "entitlement_sku_ids": [],
            "authorizing_integration_owners": self.owners(),
            "context": self.channel.context,
            "attachment_size_limit": self.world.settings.attachment_size_limit,
        }
        if self.source is not None:
            body["message"] = self.source.to_json()
        if guild is None:
            return body | {"user": self.user.to_json()}
        member = guild.members[self.user.id].to_json(self.channel)
        body["channel"]["permissions"] = member["permissions"]
        short = {"id": str(guild.id), "locale": "en-US", "features": []}
        return body | {"guild_id": str(guild.id), "guild": short, "guild_locale": "en-US", "member": member}

    def _app_permissions(self) -> Permission:
        """What the bot may do there; where it is not, what a person's application always may."""
        if self.channel.has_bot:
            return channel_permissions(self.channel, self.world.bot.id)
        return P.ATTACH_FILES | P.EMBED_LINKS | P.MENTION_EVERYONE

    def owners(self) -> dict[str, str]:
        """Who installed the application: the guild (in a direct message with the bot, `0`), and a user.

        Below a message, the user is who asked for that message.
        """
        owners: dict[str, str] = {}
        if self.channel.has_bot:
            owners["0"] = str(self.channel.guild.id) if self.channel.guild else "0"
        if self.source is not None and self.source.interaction is not None:
            above = self.source.interaction.owners()
            return owners | ({"1": above["1"]} if "1" in above else {})
        return owners | ({"1": str(self.user.id)} if self.user.has_installed else {})

    def message_json(self) -> Json:
        """What a message that came of it says about it."""
        short: Json = {"id": str(self.id), "type": self.kind, "user": self.user.to_json()}
        metadata = short | {"authorizing_integration_owners": self.owners()}
        body: Json = {"application_id": str(self.world.bot.id), "webhook_id": str(self.world.bot.id)}
        if self.kind == COMPONENT and self.source is not None:
            metadata["interacted_message_id"] = str(self.source.id)
            return body | {"interaction_metadata": metadata}
        return body | {"interaction_metadata": metadata, "interaction": short | {"name": self.data.get("name", "")}}
