"""The local Discord keeps Discord's rules on rights, threads, pings, interactions, tempo and gateway manners."""

from __future__ import annotations

import time

import pytest

from tests.local_discord import (
    Channel,
    Guild,
    Interaction,
    LocalDiscord,
    Member,
    NotPossible,
    Permission,
    Rate,
    Rates,
    Settings,
)
from tests.local_discord.errors import Json
from tests.local_discord.raw import Answer, button, exchange, identify, request, row, send


@pytest.mark.parametrize(
    ("denied", "form", "code"),
    [
        (Permission.VIEW_CHANNEL, {"content": "x"}, 50001),
        (Permission.SEND_MESSAGES, {"content": "x"}, 50013),
        (Permission.EMBED_LINKS, {"embeds": [{"title": "x"}]}, 50013),
        (Permission.READ_MESSAGE_HISTORY, {"content": "x", "message_reference": {"message_id": "1"}}, 160002),
    ],
)
def test_missing_rights_are_refused(
    local: LocalDiscord, guild: Guild, channel: Channel, denied: Permission, form: Json, code: int
) -> None:
    channel.set_permissions(guild.me, deny=denied)
    assert send(local, channel, form).code == (403, code)
    assert local.refused[-1].code == code


def test_threads_have_rights_names_and_places_of_their_own(local: LocalDiscord, guild: Guild, channel: Channel) -> None:
    def start(channel: Channel, **form: object) -> Answer:
        return request(local, "POST", f"/channels/{channel.id}/threads", {"name": "Fork", "type": 11} | form)

    assert start(channel, name="").code == (400, 50035)
    assert start(channel, name="x" * 101).code == (400, 50035)
    assert start(local.dm(guild.owner)).code == (403, 50003)
    thread = local.world.channels[start(channel).id]
    assert start(thread).code == (400, 50024)
    channel.set_permissions(guild.me, deny=Permission.CREATE_PUBLIC_THREADS | Permission.SEND_MESSAGES_IN_THREADS)
    assert start(channel).code == (403, 50013)
    assert send(local, thread, {"content": "x"}).code == (403, 50013)
    channel.set_permissions(guild.me)
    thread.archive()
    message = send(local, thread, {"content": "x"})
    assert not thread.is_archived
    thread.archive(locked=True)
    path = f"/channels/{thread.id}/messages/{message.id}"
    assert request(local, "PATCH", path, {"content": "y"}).code == (400, 50083)
    thread.delete()
    assert send(local, thread, {"content": "x"}).code == (404, 10003)


def test_only_own_standing_messages_can_be_edited(local: LocalDiscord, channel: Channel, anna: Member) -> None:
    theirs, mine = (
        anna.say(channel, "mine"),
        send(local, channel, {"content": "x", "nonce": "n", "enforce_nonce": True}),
    )
    path = f"/channels/{channel.id}/messages/"
    assert send(local, channel, {"content": "x", "nonce": "n", "enforce_nonce": True}).id == mine.id
    assert request(local, "PATCH", f"{path}{theirs.id}", {"content": "y"}).code == (403, 50005)
    assert request(local, "DELETE", f"{path}{theirs.id}").code == (403, 50013)
    assert request(local, "PATCH", f"{path}{mine.id}", {"content": ""}).code == (400, 50006)
    assert request(local, "DELETE", f"{path}{mine.id}").status == 204
    assert request(local, "PATCH", f"{path}{mine.id}", {"content": "y"}).code == (404, 10008)
    assert request(local, "GET", f"{path}{mine.id}", token="wrong").code == (401, 0)
    assert request(local, "GET", "/nowhere").code == (404, 0)


def test_pings_are_worked_out(local: LocalDiscord, guild: Guild, channel: Channel, anna: Member) -> None:
    poets = guild.add_role("Poets", mentionable=True)
    text = f"@everyone {anna.mention} {poets.mention} <@1>"
    before = len(local.pings)
    send(local, channel, {"content": text, "allowed_mentions": {"parse": []}})
    assert len(local.pings) == before
    send(local, channel, {"content": text})
    named = local.pings[-1].mentions
    assert (named.users, named.roles, named.everyone) == ((anna.user,), (poets,), False)
    guild.bot_role.permissions = Permission.MENTION_EVERYONE
    message = send(
        local, channel, {"content": text, "allowed_mentions": {"parse": ["everyone"], "users": [str(anna.id)]}}
    )
    named = local.pings[-1].mentions
    assert (named.users, named.roles, named.everyone) == ((anna.user,), (), True)
    request(local, "PATCH", f"/channels/{channel.id}/messages/{message.id}", {"content": anna.mention})
    assert len(local.pings) == before + 2
    assert local.mentions_by_edit[-1].mentions.users == (anna.user,)
    guild.bot_role.permissions = Permission(0)


def answer(local: LocalDiscord, call: Interaction, kind: int, data: Json | None = None) -> Answer:
    form = {"type": kind} | ({} if data is None else {"data": data})
    return request(local, "POST", f"/interactions/{call.id}/{call.token}/callback", form)


def follow(local: LocalDiscord, call: Interaction, method: str, path: str = "", form: Json | None = None) -> Answer:
    return request(local, method, f"/webhooks/{local.bot.id}/{call.token}{path}", form)


def test_an_interaction_is_answered_once_in_time_and_in_order(
    local: LocalDiscord, channel: Channel, anna: Member
) -> None:
    call = anna.slash(channel, "hold")
    assert follow(local, call, "POST", form={"content": "x"}).code == (404, 10015)
    assert answer(local, call, 7, {"content": "x"}).code == (400, 50035)
    long = answer(local, call, 4, {"content": "x" * 2001})
    assert long.where == "data.content BASE_TYPE_MAX_LENGTH"
    assert answer(local, call, 5, {"flags": 64}).status == 204
    assert call.answer is not None
    assert call.answer.is_loading
    assert answer(local, call, 4, {"content": "x"}).code == (400, 40060)
    assert follow(local, call, "POST", form={"content": "done", "flags": 0}).id == call.answer.id
    assert call.answer.ephemeral_to is anna.user
    assert request(local, "GET", f"/channels/{channel.id}/messages/{call.answer.id}").code == (404, 10008)
    assert follow(local, call, "PATCH", "/messages/@original", {"content": "more"}).status == 200
    assert [text for _, text in call.answer.edits] == ["done", "more"]
    further = follow(local, call, "POST", form={"content": "further"})
    assert follow(local, call, "DELETE", f"/messages/{further.id}").status == 204
    assert follow(local, call, "PATCH", f"/messages/{further.id}", {"content": "x"}).code == (404, 10008)
    call.expire()
    assert follow(local, call, "PATCH", "/messages/@original", {"content": "x"}).code == (401, 50027)


def test_where_only_a_person_has_installed_it_five_further_messages_are_taken(local: LocalDiscord) -> None:
    guild = local.add_guild("Abroad")
    guild.remove_bot()
    vera, channel = guild.add_member("Vera"), guild.add_channel("anywhere")
    with pytest.raises(NotPossible, match="nobody has installed"):
        vera.slash(channel, "hold")
    vera.user.has_installed = True
    local.world.commands.upsert(None, {"name": "hold", "description": "x", "integration_types": [0, 1]})
    call = vera.slash(channel, "hold")
    assert call.to_json()["authorizing_integration_owners"] == {"1": str(vera.id)}
    assert answer(local, call, 4, {"content": "x"}).status == 204
    assert [follow(local, call, "POST", form={"content": "x"}).status for _ in range(5)] == [200] * 5
    assert follow(local, call, "POST", form={"content": "x"}).code == (400, 40094)
    assert follow(local, call, "PATCH", "/messages/@original", {"content": "y"}).status == 200
    assert send(local, channel, {"content": "x"}).code == (403, 50001)


def test_autocomplete_and_buttons_have_answers_of_their_own(
    local: LocalDiscord, channel: Channel, anna: Member
) -> None:
    message = local.world.channels[channel.id].stored[
        send(local, channel, {"content": "x", "components": [row(button())]}).id
    ]
    press = anna.press(message, "a")
    assert answer(local, press, 8, {"choices": []}).code == (400, 50035)
    message.delete()
    assert answer(local, press, 7, {"content": "y"}).code == (404, 10008)
    assert answer(local, press, 6).status == 204
    hold = anna.slash(channel, "hold")
    hold.kind = 4
    hold.data["options"] = [{"name": "a", "type": 3, "value": "", "focused": True}]
    many = [{"name": str(n), "value": str(n)} for n in range(26)]
    assert answer(local, hold, 8, {"choices": many}).where == "data.choices BASE_TYPE_MAX_LENGTH"
    assert answer(local, hold, 8, {"choices": [{"name": "x" * 101, "value": "x"}]}).code == (400, 50035)


def test_limits_are_told_and_kept() -> None:
    rates = Rates(message_edit=Rate(2, 0.4), overall=Rate(6, 0.4))
    with LocalDiscord(settings=Settings(rates=rates)) as local:
        channel = local.add_guild("Busy").add_channel("a")
        path = f"/channels/{channel.id}/messages/{send(local, channel, {'content': 'x'}).id}"
        answers = [request(local, "PATCH", path, {"content": str(n)}) for n in range(2)]
        time.sleep(0.05)
        answers.append(request(local, "PATCH", path, {"content": "2"}))
        assert [a.headers["X-RateLimit-Remaining"] for a in answers] == ["1", "0", "0"]
        assert (answers[2].status, answers[2].headers["X-RateLimit-Scope"]) == (429, "user")
        assert [limited.avoidable for limited in local.limited] == [True]
        time.sleep(float(answers[2].headers["X-RateLimit-Reset-After"]))
        assert request(local, "PATCH", path, {"content": "y"}).status == 200
        pace = [request(local, "GET", "/users/@me").status for _ in range(7)]
        assert pace.count(429) >= 1
        assert local.limited[-1].scope == "global"
        assert local.count_invalid() == len(local.limited)


def test_a_forced_overall_limit_holds_for_everything_until_it_is_over() -> None:
    with LocalDiscord() as local:
        local.misbehave.limit(0.2, everywhere=True)
        first = request(local, "GET", "/users/@me")
        assert (first.status, first.headers["X-RateLimit-Global"]) == (429, "true")
        time.sleep(0.05)
        assert request(local, "GET", "/users/@me/guilds").status == 429
        time.sleep(0.2)
        assert request(local, "GET", "/users/@me").status == 200
        assert [(limited.forced, limited.avoidable) for limited in local.limited] == [(True, False), (True, True)]


def test_the_gateway_closes_on_bad_manners() -> None:
    with LocalDiscord(settings=Settings(heartbeat_interval=0.05, heartbeat_tolerance=0.05)) as local:
        closes = {
            4004: [identify(local, token="wrong")],
            4010: [identify(local, shard=[1, 1])],
            4013: [identify(local, intents=1 << 40)],
            4014: [identify(local, intents=1 << 15)],
            4003: [{"op": 8, "d": {}}],
            4007: [{"op": 6, "d": {"token": local.token, "session_id": "", "seq": 9}}],
        }
        ready = exchange(local, identify(local), identify(local))
        assert ready[-1] == {"close": 4005}
        closes[4007][0]["d"]["session_id"] = ready[1]["d"]["session_id"]
        for code, payloads in closes.items():
            assert exchange(local, *payloads)[-1] == {"close": code}
        assert exchange(local, query="v=6&encoding=json")[-1] == {"close": 4012}
        assert exchange(local, identify(local))[-2:] == [{"op": 9, "d": False, "s": None, "t": None}, {"close": 4000}]
        assert [late.closed for late in local.late_heartbeats] == [True]


def test_session_starts_run_out() -> None:
    with LocalDiscord(settings=Settings(session_starts=1, identify_window=0.0)) as local:
        assert exchange(local, identify(local))[-1]["t"] == "READY"
        limit = request(local, "GET", "/gateway/bot").body
        assert isinstance(limit, dict)
        assert limit["session_start_limit"]["remaining"] == 0
        assert exchange(local, identify(local))[-1] == {"close": 4004}
        assert request(local, "GET", "/users/@me").code == (401, 0)
