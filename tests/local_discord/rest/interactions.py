"""REST: the first answer to an interaction, its follow-ups, and edits of both by the interaction's token."""

from __future__ import annotations

from tests.local_discord.errors import Json, Refused, bad_form, inside, unknown
from tests.local_discord.forms.commands import check_choices
from tests.local_discord.forms.mentions import note_pings
from tests.local_discord.forms.messages import EPHEMERAL, SENDING, Draft
from tests.local_discord.forms.modals import check_modal
from tests.local_discord.rest.messages import change, require_unlocked
from tests.local_discord.rest.server import Incoming, Route
from tests.local_discord.world.interactions import (
    AUTOCOMPLETE,
    CHOICES,
    COMMAND,
    COMPONENT,
    DEFERRED_MESSAGE,
    DEFERRED_UPDATE,
    FORM,
    MESSAGE,
    MODAL,
    UPDATE,
    Interaction,
)
from tests.local_discord.world.messages import DEFAULT, LOADING, REPLY, SLASH, Message

CALLBACK = "/interactions/{interaction}/{token}/callback"
WEBHOOK = "/webhooks/{application}/{token}"
ORIGINAL, OTHER = WEBHOOK + "/messages/@original", WEBHOOK + "/messages/{message}"
ALLOWED = {
    COMMAND: {MESSAGE, DEFERRED_MESSAGE, FORM},
    COMPONENT: {MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE, FORM},
    AUTOCOMPLETE: {CHOICES},
    MODAL: {MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE},
}


def answer(incoming: Incoming) -> Json | None:
    """POST of the first answer."""
    interaction = incoming.world.interactions.get(incoming.values["token"])
    if interaction is None or interaction.id != incoming.number("interaction"):
        raise unknown(10062)
    form = incoming.fields
    kind, data = int(form.get("type") or 0), form.get("data") or {}
    if interaction.is_open and kind not in ALLOWED[interaction.kind]:
        allowed = tuple(sorted(ALLOWED[interaction.kind]))
        raise bad_form("type", "BASE_TYPE_CHOICES", f"Value must be one of {allowed}.")
    if interaction.is_open:
        try:
            _check_answer(interaction, kind, data, incoming)
        except Refused as refused:
            raise inside("data", refused) from None
    interaction.take_answer(kind)
    _carry_out(interaction, kind, Draft(data, incoming.uploads))
    interaction.bell.ring()
    return _callback_json(interaction) if incoming.query.get("with_response") in ("1", "true") else None


def _check_answer(interaction: Interaction, kind: int, data: Json, incoming: Incoming) -> None:
    if kind == CHOICES:
        focused = _focused(interaction.data)
        check_choices(data.get("choices"), focused["type"], "choices")
    elif kind == FORM:
        check_modal(data)
    elif kind in (MESSAGE, UPDATE):
        _require_place(interaction)
        draft = Draft(data, incoming.uploads)
        old = interaction.source.flags if kind == UPDATE and interaction.source else 0
        draft.check(interaction.channel, SENDING | EPHEMERAL if kind == MESSAGE else SENDING, old)
        if kind == MESSAGE and draft.is_empty:
            raise Refused(400, 50006)
        if kind == UPDATE and (interaction.source is None or interaction.source.is_deleted):
            raise unknown(10008)
    elif (data.get("flags") or 0) & ~EPHEMERAL:
        raise bad_form("flags", "BASE_TYPE_CHOICES", "Only EPHEMERAL can be set here.")


def _focused(data: Json) -> Json:
    for option in data.get("options") or []:
        if option.get("focused"):
            found: Json = option
            return found
        if option.get("options"):
            return _focused(option)
    raise bad_form("choices", "BASE_TYPE_REQUIRED", "Nothing is focused")


def _carry_out(interaction: Interaction, kind: int, draft: Draft) -> None:
    if kind == CHOICES:
        interaction.choices = draft.form["choices"]
    elif kind == FORM:
        interaction.modal = draft.form
    elif kind == MESSAGE:
        interaction.original = _add(interaction, draft)
    elif kind == DEFERRED_MESSAGE:
        flags = (draft.form.get("flags") or 0) | LOADING
        interaction.original = _add(interaction, Draft({"flags": flags, "content": ""}))
    else:
        interaction.original = interaction.source
        if kind == UPDATE and interaction.source is not None:
            change(interaction.source, draft)


def _add(interaction: Interaction, draft: Draft) -> Message:
    """A new message of the interaction, in its channel; an ephemeral one is for its member alone."""
    world, channel = interaction.world, interaction.channel
    source = interaction.source
    kind = SLASH if interaction.kind == COMMAND and not interaction.messages else DEFAULT
    message = Message(channel, world.bot, kind=kind, interaction=interaction)
    before = interaction.messages[0] if interaction.messages else source
    if before is not None:
        message.kind, message.reference = REPLY, (channel, before.id)
    flags = draft.form.get("flags") or 0
    if flags & EPHEMERAL:
        message.ephemeral_to = interaction.user
    if flags & LOADING:
        message.flags = flags
    else:
        draft.apply(message)
    interaction.messages.append(message)
    world.events.add_message(message)
    interaction.bell.ring()
    note_pings(message)
    return message


def _callback_json(interaction: Interaction) -> Json:
    original = interaction.original
    about: Json = {"id": str(interaction.id), "type": interaction.kind}
    if original is None:
        return {"interaction": about}
    about |= {
        "response_message_id": str(original.id),
        "response_message_loading": original.is_loading,
        "response_message_ephemeral": original.ephemeral_to is not None,
    }
    body: Json = {"interaction": about, "resource": {"type": interaction.answer_kind}}
    if interaction.answer_kind in (MESSAGE, UPDATE):
        body["resource"]["message"] = original.to_json()
    return body


def _open(incoming: Incoming) -> Interaction:
    """The interaction of the token, if follow-ups are allowed now."""
    interaction = incoming.world.interactions.get(incoming.values["token"])
    if incoming.number("application") != incoming.world.bot.id:
        raise unknown(10015)
    if interaction is None:
        raise Refused(401, 50027)
    interaction.require_open()
    return interaction


def follow_up(incoming: Incoming) -> Json:
    """POST of a further message; the first one after a mere promise replaces the promise."""
    interaction, draft = _open(incoming), incoming.draft
    loading = interaction.original
    if loading is not None and loading.is_loading and not loading.is_deleted:
        draft.form.pop("flags", None)
        _edit(interaction, loading, draft)
        return loading.to_json()
    draft.check(interaction.channel, SENDING | EPHEMERAL)
    if draft.is_empty:
        raise Refused(400, 50006)
    _require_place(interaction)
    interaction.count_followup()
    return _add(interaction, draft).to_json()


def _require_place(interaction: Interaction) -> None:
    if interaction.channel.is_deleted:
        raise unknown(10003)
    require_unlocked(interaction.channel)


def _message(incoming: Incoming) -> tuple[Interaction, Message]:
    interaction = _open(incoming)
    if "message" not in incoming.values:
        message = interaction.original
    else:
        own = [*interaction.messages, *([interaction.source] if interaction.source else [])]
        message = next((m for m in own if m.id == incoming.number("message")), None)
    if message is None or message.is_deleted:
        raise unknown(10008)
    return interaction, message


def get_message(incoming: Incoming) -> Json:
    """GET of the original or a follow-up."""
    return _message(incoming)[1].to_json()


def edit_message(incoming: Incoming) -> Json:
    """PATCH of the original or a follow-up."""
    interaction, message = _message(incoming)
    _edit(interaction, message, incoming.draft)
    return message.to_json()


def _edit(interaction: Interaction, message: Message, draft: Draft) -> None:
    change(message, draft)
    interaction.bell.ring()


def delete_message(incoming: Incoming) -> None:
    """DELETE of the original or a follow-up."""
    _, message = _message(incoming)
    incoming.world.events.delete_message(message)


ROUTES = [
    Route("POST", CALLBACK, answer, "callback", "token"),
    Route("POST", WEBHOOK, follow_up, "webhook", "token"),
    Route("GET", ORIGINAL, get_message, "webhook", "token"),
    Route("PATCH", ORIGINAL, edit_message, "webhook", "token"),
    Route("DELETE", ORIGINAL, delete_message, "webhook", "token"),
    Route("GET", OTHER, get_message, "webhook", "token"),
    Route("PATCH", OTHER, edit_message, "webhook", "token"),
    Route("DELETE", OTHER, delete_message, "webhook", "token"),
]
