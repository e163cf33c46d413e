"""The local Discord refuses bad messages, files and commands, and says where they are bad."""

from __future__ import annotations

import pytest

from tests.local_discord import Channel, Guild, LocalDiscord, Permission
from tests.local_discord.errors import Json, Refused
from tests.local_discord.forms.modals import check_modal
from tests.local_discord.raw import Answer, button, label, multipart, request, row, send, text

BAD_MESSAGES: list[tuple[Json, str]] = [
    ({"content": "x" * 2001}, "content BASE_TYPE_MAX_LENGTH"),
    ({"content": "x", "embeds": [{"description": "x" * 4097}]}, "embeds.0.description BASE_TYPE_MAX_LENGTH"),
    ({"embeds": [{"description": "x" * 3001}] * 2}, "embeds MAX_EMBED_SIZE_EXCEEDED"),
    ({"embeds": [{"title": "x"}] * 11}, "embeds BASE_TYPE_MAX_LENGTH"),
    ({"components": [row(button(str(n))) for n in range(6)]}, "components BASE_TYPE_BAD_LENGTH"),
    ({"components": [row(*(button(str(n)) for n in range(6)))]}, "components.0.components BASE_TYPE_BAD_LENGTH"),
    (
        {"components": [row(button("a"), button("a"))]},
        "components.0.components.1.custom_id COMPONENT_CUSTOM_ID_DUPLICATED",
    ),
    ({"components": [row(button("x" * 101))]}, "components.0.components.0.custom_id BASE_TYPE_BAD_LENGTH"),
    ({"components": [row(button(label="x" * 81))]}, "components.0.components.0.label BASE_TYPE_BAD_LENGTH"),
    ({"components": [row(button(style=7))]}, "components.0.components.0.style BASE_TYPE_CHOICES"),
    (
        {"components": [row(button(emoji={"name": "stop"}))]},
        "components.0.components.0.emoji.name BUTTON_COMPONENT_INVALID_EMOJI",
    ),
    (
        {"components": [row(button(emoji={"name": "■"}))]},
        "components.0.components.0.emoji.name BUTTON_COMPONENT_INVALID_EMOJI",
    ),
    (
        {"components": [row(button(label=None))]},
        "components.0.components.0 BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED",
    ),
    ({"components": [button()]}, "components.0.type UNION_TYPE_CHOICES"),
    (
        {"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
        "allowed_mentions MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
    ),
    ({"content": "x", "allowed_mentions": {"parse": ["all"]}}, "allowed_mentions.parse BASE_TYPE_CHOICES"),
    ({"content": "x", "message_reference": {"message_id": "1"}}, "message_reference MESSAGE_REFERENCE_UNKNOWN_MESSAGE"),
]


@pytest.mark.parametrize(("form", "where"), BAD_MESSAGES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_bad_message_is_refused_where_it_is_bad(
    local: LocalDiscord, channel: Channel, form: Json, where: str
) -> None:
    answer = send(local, channel, form)
    assert answer.code == (400, 50035)
    assert answer.where == where
    assert not channel.messages


LAYOUT: Json = {"flags": 1 << 15}
BAD_LAYOUTS: list[tuple[Json, str]] = [
    ({"content": "x", "components": [text()]}, "content MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"),
    ({"components": [text("x" * 2001), text("x" * 2000)]}, "components COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED"),
    ({"components": [text("\N{GRINNING FACE}" * 2001)]}, "components COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED"),
    ({"components": [text()] * 41}, "components COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED"),
    ({"components": [text(" ")]}, "components.0.content BASE_TYPE_REQUIRED"),
    ({"components": [button()]}, "components.0.type UNION_TYPE_CHOICES"),
    ({"components": [row(*(button(str(n)) for n in range(6)))]}, "components.0.components BASE_TYPE_BAD_LENGTH"),
    ({"components": [{"type": 17, "components": [{"type": 17}]}]}, "components.0.components.0.type UNION_TYPE_CHOICES"),
    ({"components": [{"type": 9, "components": [text()]}]}, "components.0.accessory.type UNION_TYPE_CHOICES"),
    ({"components": [{"type": 12, "items": []}]}, "components.0.items BASE_TYPE_BAD_LENGTH"),
]


@pytest.mark.parametrize(("form", "where"), BAD_LAYOUTS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_bad_layout_is_refused_where_it_is_bad(local: LocalDiscord, channel: Channel, form: Json, where: str) -> None:
    answer = send(local, channel, form | LAYOUT)
    assert answer.code == (400, 50035)
    assert answer.where == where


def test_a_message_becomes_a_layout_without_content_and_stays_one(local: LocalDiscord, channel: Channel) -> None:
    number = send(local, channel, {"content": "x"}).id
    path = f"/channels/{channel.id}/messages/{number}"
    full = [text("\N{GRINNING FACE}" * 2000), row(*(button(str(n)) for n in range(5)))]
    assert request(local, "PATCH", path, {"components": full} | LAYOUT).where.startswith("content MESSAGE_CANNOT")
    assert request(local, "PATCH", path, {"content": None, "components": full} | LAYOUT).status == 200
    assert request(local, "PATCH", path, {"content": "x", "components": []}).where.startswith("content MESSAGE_CANNOT")
    assert request(local, "PATCH", path, {"components": [text("y")]}).status == 200
    assert channel.messages[-1].text == "y"


FIELD: Json = {"type": 4, "style": 1, "custom_id": "a"}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"title": "x" * 46}, "title BASE_TYPE_BAD_LENGTH"),
        ({"custom_id": ""}, "custom_id BASE_TYPE_BAD_LENGTH"),
        ({"components": []}, "components BASE_TYPE_BAD_LENGTH"),
        ({"components": [label(FIELD | {"custom_id": str(n)}) for n in range(6)]}, "components BASE_TYPE_BAD_LENGTH"),
        ({"components": [label(FIELD) | {"label": "x" * 46}]}, "components.0.label BASE_TYPE_BAD_LENGTH"),
        ({"components": [label(FIELD | {"max_length": 4001})]}, "components.0.component.max_length NUMBER_TYPE_MAX"),
        ({"components": [label(FIELD | {"style": 3})]}, "components.0.component.style BASE_TYPE_CHOICES"),
        (
            {"components": [label(FIELD), label(FIELD)]},
            "components.1.component.custom_id COMPONENT_CUSTOM_ID_DUPLICATED",
        ),
        ({"components": [label(button())]}, "components.0.component.type UNION_TYPE_CHOICES"),
        ({"components": [row(button())]}, "components.0.type UNION_TYPE_CHOICES"),
        ({"components": [row(FIELD)]}, "components.0.components.0.label BASE_TYPE_REQUIRED"),
    ],
)
def test_a_bad_form_is_refused_where_it_is_bad(change: Json, where: str) -> None:
    good: Json = {"title": "T", "custom_id": "f", "components": [label(FIELD)]}
    check_modal(good)
    with pytest.raises(Refused) as refused:
        check_modal(good | change)
    assert Answer(400, refused.value.to_json(), {}).where == where


def test_what_is_just_allowed_is_taken(local: LocalDiscord, channel: Channel) -> None:
    rows = [row(*(button(f"{r}{n}", emoji={"name": "⏹️"}, label="x" * 80) for n in range(5))) for r in range(5)]
    answer = send(local, channel, {"content": "😀" * 2000, "components": rows, "flags": 64})
    assert answer.status == 200
    assert len(channel.messages[0].buttons) == 25
    assert channel.messages[0].flags == 0
    assert send(local, channel, {"content": "  \n"}).code == (400, 50006)


def test_files_have_a_number_and_a_size(local: LocalDiscord, guild: Guild, channel: Channel) -> None:
    path = f"/channels/{channel.id}/messages"
    big = b"x" * (local.world.settings.attachment_size_limit + 1)
    assert request(local, "POST", path, multipart("{oops", b"")).code == (400, 50109)
    assert request(local, "POST", path, multipart("{}", *[b"x"] * 11)).code == (400, 50035)
    assert request(local, "POST", path, multipart("{}", big)).code == (413, 40005)
    form = '{"attachments": [{"id": 0, "description": "a tale"}]}'
    assert request(local, "POST", path, multipart(form, b"once\r\n--", b"twice")).status == 200
    assert [(a.name, a.data, a.description) for a in channel.messages[0].attachments] == [
        ("0.txt", b"once\r\n--", "a tale"),
        ("1.txt", b"twice", None),
    ]
    channel.set_permissions(guild.me, deny=Permission.ATTACH_FILES)
    assert request(local, "POST", path, multipart("{}", b"x")).code == (403, 50013)


BAD_COMMANDS: list[tuple[Json, str]] = [
    ({"name": "Upper"}, "0.name APPLICATION_COMMAND_INVALID_NAME"),
    ({"name": "two words"}, "0.name APPLICATION_COMMAND_INVALID_NAME"),
    ({"name": "x" * 33}, "0.name BASE_TYPE_BAD_LENGTH"),
    ({"description": ""}, "0.description BASE_TYPE_BAD_LENGTH"),
    ({"description": "x" * 101}, "0.description BASE_TYPE_BAD_LENGTH"),
    ({"default_member_permissions": "all"}, "0.default_member_permissions NUMBER_TYPE_COERCE"),
    ({"contexts": [3]}, "0.contexts BASE_TYPE_CHOICES"),
    ({"integration_types": [2]}, "0.integration_types BASE_TYPE_CHOICES"),
    ({"options": [{}] * 26}, "0.options BASE_TYPE_MAX_LENGTH"),
]
BAD_OPTIONS: list[tuple[list[Json], str]] = [
    ([{}, {"name": "b", "required": True}], "1 APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID"),
    ([{}, {}], "1 APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS"),
    ([{"type": 12}], "0.type BASE_TYPE_CHOICES"),
    ([{"type": 4, "min_value": 2, "max_value": 1}], "0 APPLICATION_COMMAND_OPTIONS_RANGE_INVALID"),
    ([{"type": 4, "min_length": 2}], "0 APPLICATION_COMMAND_OPTIONS_RANGE_INVALID"),
    ([{"max_length": 6001}], "0 NUMBER_TYPE_MAX"),
    ([{"choices": [{"name": f"{n}", "value": "v"} for n in range(26)]}], "0.choices BASE_TYPE_MAX_LENGTH"),
    ([{"choices": [{"name": "x" * 101, "value": "v"}]}], "0.choices.0.name BASE_TYPE_BAD_LENGTH"),
    (
        [{"autocomplete": True, "choices": [{"name": "a", "value": "v"}]}],
        "0 APPLICATION_COMMAND_AUTOCOMPLETE_AND_CHOICES_INVALID",
    ),
]


def put_commands(local: LocalDiscord, *forms: Json, guild_id: int | None = None) -> Answer:
    scope = f"/guilds/{guild_id}" if guild_id else ""
    return request(local, "PUT", f"/applications/{local.bot.id}{scope}/commands", list(forms))


@pytest.mark.parametrize(("form", "where"), BAD_COMMANDS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_bad_command_is_not_synced(local: LocalDiscord, form: Json, where: str) -> None:
    answer = put_commands(local, {"name": "a", "description": "d"} | form)
    assert answer.code == (400, 50035)
    assert answer.where == where
    assert "echo" in local.commands()


@pytest.mark.parametrize(("options", "where"), BAD_OPTIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_bad_option_is_not_synced(local: LocalDiscord, options: list[Json], where: str) -> None:
    filled = [{"type": 3, "name": "a", "description": "d"} | option for option in options]
    answer = put_commands(local, {"name": "a", "description": "d", "options": filled})
    assert answer.code == (400, 50035)
    assert answer.where == f"0.options.{where}"


def test_too_many_commands_and_foreign_guilds_are_refused(local: LocalDiscord, guild: Guild) -> None:
    forms = [{"name": f"c{n}", "description": "d"} for n in range(101)]
    assert put_commands(local, *forms).code == (400, 30032)
    assert put_commands(local, *forms[:100], guild_id=guild.id).status == 200
    assert len(local.commands(guild)) == 100
    assert put_commands(local, guild_id=guild.id).status == 200
    assert put_commands(local, guild_id=5).code == (404, 10004)
