"""What is taken of chats and of lists of objects, what is left out and told, and what is refused with which mend."""

from __future__ import annotations

import itertools
import zipfile
from pathlib import Path
from typing import Any

import pytest

from engine.train.reading import chats, formats, sources
from engine.train.reading.account import Account
from tests.engine.train.common.texts import read_with_omissions as read
from tests.engine.train.common.texts import refused, written


def said(content: str, name: str = "eve", *, bot: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "id": "4", "type": "Default", "content": content, "author": {"name": name, "nickname": None, "isBot": bot},
        "attachments": [], "embeds": [], "stickers": [], **more,
    }  # fmt: skip


def export(path: Path, *messages: Any, indent: int | None = 2) -> Path:
    head = {"guild": {"name": "g"}, "channel": {"topic": 'of "messages": ["x"]'}}
    return written(path, {**head, "messages": messages, "messageCount": len(messages)}, indent=indent)


@pytest.mark.parametrize("indent", [None, 2])
def test_of_a_discord_export_people_are_read_and_the_rest_is_told(tmp_path: Path, indent: int | None) -> None:
    path = export(
        tmp_path / "chat.json",
        said("Good morning."),
        said("Beep.", "robot", bot=True),
        said("Started a thread.", type="ThreadCreated"),
        said("Boosted.", type="8"),
        said("Yes!", "sam", type="Reply", reference={"messageId": "4"}),
        said("", stickers=[{"name": "wave"}]),
        said("", embeds=[{"title": "a page"}]),
        said("", attachments=[{"fileName": "cat.png"}]),
        said("", forwardedMessage={"content": "Heard elsewhere."}),
        said("Look:", forwardedMessage={"content": "this"}),
        said("/roll", "robot", bot=True, type="20"),
        said("", "sam"),
        indent=indent,
    )
    text, left_out = read(path)
    assert text == "Good morning.\nYes!\nHeard elsewhere.\nLook:\nthis\n"
    assert left_out == {chats.BOTS: 2, chats.SYSTEM: 2, chats.WORDLESS: 3, chats.BARE: 1}
    text, left_out = read(path, has_bots=True, is_named_speech=True)
    assert text == (
        "eve: Good morning.\nrobot: Beep.\nsam: Yes!\neve: Heard elsewhere.\neve: Look:\neve: this\nrobot: /roll\n"
    )
    assert chats.BOTS not in left_out


def test_a_name_stands_before_each_line_and_is_counted(tmp_path: Path) -> None:
    names = ["Ann: the 2nd", "\x1b[31mRed\x1b[0m", "Two  Words\n", "דנה", "👩\u200d🚀"]
    path = export(tmp_path / "chat.json", *(said("one\r\n\n two", name) for name in names))
    account = Account()
    parts = (formats.read(source, "", True, account=account) for source in sources.open_all([path]))
    text = "".join(itertools.chain.from_iterable(parts))
    seen = ["Ann: the 2nd", "[31mRed [0m", "Two Words", "דנה", "👩\u200d🚀"]
    assert text == "".join(f"{name}: one\n{name}:  two\n" for name in seen)
    assert account.speakers == dict.fromkeys(seen, 2)


def test_emojis_and_members_are_read_by_their_names(tmp_path: Path) -> None:
    words = "hi <@1> and <@!2>, <a:wave:99> <:cat_face:12345678901> <@3> <#5> <t:1700000000:R> :smile: a<b"
    seen = "hi @Una and @bo, :wave: :cat_face: <@3> <#5> <t:1700000000:R> :smile: a<b\n"
    mentions = [{"id": "1", "name": "u", "nickname": "Una"}, {"id": 2, "username": "bo"}, "odd"]
    assert read(export(tmp_path / "chat.json", said(words, mentions=mentions)))[0] == seen
    assert read(export(tmp_path / "odd.json", said("<@1>", mentions=7)))[0] == "<@1>\n"
    slack = written(tmp_path / "slack.json", [{"type": "message", "user": "U1", "text": "<a:b:1> to <@1>"}])
    assert read(slack)[0] == "<a:b:1> to <@1>\n"


def test_messages_as_discord_itself_gives_them(tmp_path: Path) -> None:
    handed_on = {"message_snapshots": [{"message": {"content": "handed on"}}]}
    path = written(
        tmp_path / "raw.json",
        [
            {"type": 0, "content": "one", "author": {"username": "u", "global_name": "Una"}},
            {"type": 19, "content": "two", "author": {"username": "b", "bot": True}},
            {"type": 7, "content": "", "author": {"username": "u"}},
            {"type": 0, "content": "", "author": {"username": "u"}, **handed_on},
        ],
    )
    assert read(path, is_named_speech=True) == ("Una: one\nu: handed on\n", {chats.BOTS: 1, chats.SYSTEM: 1})


def test_an_export_without_texts_says_why(tmp_path: Path) -> None:
    path = export(tmp_path / "chat.json", *[said("")] * 5)
    assert "5 messages without any content): was this exported by a bot without" in refused(path)
    assert read(tmp_path) == ("", {"files without texts (.json)": 1})
    assert "messages of bots): keep those of bots by --bots" in refused(export(path, *[said("x", bot=True)] * 2))
    assert read(path, has_bots=True)[0] == "x\nx\n"
    assert "3 messages of the system" in refused(export(path, *[said("Joined.", type="GuildMemberJoin")] * 3))
    assert "is empty" in refused(export(path))
    assert "is empty" in refused(written(path, ""))
    export(path, said("one word"), *[said("")] * 3)  # one's own, and mentions, are given to such a bot, too
    assert read(path) == ("one word\n", {f"{chats.BARE} ({chats.INTENT})": 3})


@pytest.mark.parametrize(
    "columns", ["AuthorID,Author,Date,Content,Attachments,Reactions", "Author,Date,Content,Attachments"]
)
def test_tables_of_discord_exports(tmp_path: Path, columns: str) -> None:
    begin = "1," if columns.startswith("AuthorID") else ""
    end = ",like (1)" if columns.endswith("Reactions") else ""
    rows = [f"{begin}eve,d,{content},{file}{end}" for content, file in (("hi", ""), ('"so, so"', ""), ("", "a.png"))]
    path = written(tmp_path / "chat.csv", "\r\n".join([columns, *rows, f"{begin}sam,d,Joined the server.,{end}"]))
    text, left_out = read(path, is_named_speech=True)
    if begin:
        assert (text, left_out) == ("eve: hi\neve: so, so\n", {chats.WORDLESS: 1, chats.SYSTEM: 1})
    else:
        assert text == "eve: hi\neve: so, so\nsam: Joined the server.\n"
    written(path, "\n".join([columns, *[f"{begin}eve,d,,{end}"] * 4]))
    assert "message content intent" in refused(path)


def test_tables_with_other_names_and_signs(tmp_path: Path) -> None:
    assert read(written(tmp_path / "a.csv", "id;Text\n1;yes\n2;no, never\n"))[0] == "yes\nno, never\n"
    assert read(written(tmp_path / "b.tsv", "id\tbody\n1\ta, b\n"))[0] == "a, b\n"
    assert read(written(tmp_path / "c.csv", "message\nonly\n"))[0] == "only\n"
    assert "(it has id, lyrics): name one by --field" in refused(written(tmp_path / "d.csv", "id,lyrics\n1,la\n"))
    assert read(tmp_path / "d.csv", field="lyrics")[0] == "la\n"
    assert "is empty" in refused(written(tmp_path / "e.csv", "id,text\n"))


def package(folder: Path) -> Path:
    own = [{"ID": 1, "Timestamp": "t", "Contents": "I said.", "Attachments": ""}]
    own.append({**own[0], "Contents": "", "Attachments": "https://x/y.png"})
    written(folder / "account" / "user.json", {"id": "1", "username": "me", "relationships": [{"nickname": "x"}]})
    written(folder / "messages" / "index.json", {"1": "somewhere"})
    written(folder / "messages" / "c123" / "channel.json", {"id": "123", "type": "DM"})
    written(folder / "messages" / "c123" / "messages.json", own)
    written(folder / "messages" / "c9" / "messages.csv", "ID,Timestamp,Contents,Attachments\n1,t,Long ago.,\n")
    written(folder / "servers" / "1" / "audit-log.json", [{"id": "1", "action_type": 2}])
    written(folder / "activity" / "events.json", '{"event_type": "a", "n": 1}\n{"event_type": "b"}\n')
    return folder


def test_discords_own_data_package_is_read_whole(tmp_path: Path) -> None:
    folder = package(tmp_path / "package")
    told = {"files without texts (.json)": 5, chats.WORDLESS: 1}
    assert read(folder) == ("I said.\nLong ago.\n", told)
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, path.relative_to(tmp_path))
    assert read(tmp_path / "package.zip") == ("I said.\nLong ago.\n", told)
    assert "(it has id, username, nickname): name one by --field" in refused(folder / "account" / "user.json")
    assert "has no field 'text'" in refused(folder / "messages" / "index.json")


def test_telegram_and_others(tmp_path: Path) -> None:
    pieces = ["see ", {"type": "link", "text": "example.org"}, " there"]
    one = [{"type": "service", "text": "", "actor": "A"}, {"type": "message", "from": "A", "text": pieces}]
    two = [{"type": "message", "from": "B", "text": "ok"}, {"type": "message", "from": "B", "text": "", "photo": "p"}]
    told = {chats.SYSTEM: 1, chats.WORDLESS: 1}
    path = written(tmp_path / "result.json", {"chats": {"list": [{"messages": one}, {"messages": two}]}}, indent=1)
    assert read(path, is_named_speech=True) == ("A: see example.org there\nB: ok\n", told)
    assert read(written(path, {"name": "c", "messages": one + two})) == ("see example.org there\nok\n", told)
    slack = [
        {"type": "message", "user": "U1", "text": "hi"},
        {"type": "message", "subtype": "channel_join", "text": "x"},
    ]
    slack.append({"type": "message", "subtype": "bot_message", "text": "beep"})
    assert read(written(path, slack)) == ("hi\n", {chats.SYSTEM: 1, chats.BOTS: 1})
    assert (
        read(written(path, {"messages": [{"sender_name": "M", "content": "yo"}]}), is_named_speech=True)[0] == "M: yo\n"
    )


def test_lists_of_objects_by_field(tmp_path: Path) -> None:
    poems = [{"title": "One", "poem": {"lines": ["a", "b"], "by": "me"}}, {"title": "Two"}]
    path = written(tmp_path / "poems.json", poems)
    assert "has no field 'text' (it has title, poem.by): name one by --field" in refused(path)
    assert read(path, field="title")[0] == "One\nTwo\n"
    assert read(path, field="poem.by") == ("me\n", {chats.WORDLESS: 1})
    assert read(path, field="poem.lines")[0] == "a\nb\n"
    inner = written(path, {"version": 1, "data": [{"quote": "q"}]})
    assert "(it has quote): name one by --field" in refused(inner)
    assert read(inner, field="quote")[0] == "q\n"
    assert read(written(path, '{"text": "lines"}\n{"text": "of JSON"}\n'))[0] == "lines\nof JSON\n"


def test_json_lines_have_a_usual_field_too(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", '{"content": "one"}\n{"content": null}\n{"content": "two"}')
    assert read(path) == ("one\ntwo\n", {chats.WORDLESS: 1})
    assert "line 1: has no field 'poem' (it has content): name one by --field" in refused(path, field="poem")
    written(path, '{"meta": {"said": "deep"}}\n')
    assert "(it has meta.said)" in refused(path)
    assert read(path, field="meta.said")[0] == "deep\n"


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[]",
        "3",
        '"text"',
        '{"messages": [1]}',
        '{"a": 1, // why\n}',
        '["a", "b"]',
        '{"a": {"text": 1}}',
        "nonsense",
        " \n",
    ],
)
def test_json_that_is_no_list_of_texts_stops_no_folder(tmp_path: Path, content: str) -> None:
    path = written(tmp_path / "settings.json", content)
    written(tmp_path / "text.txt", "words\n")
    assert read(tmp_path) == ("words\n", {"files without texts (.json)": 1})
    assert str(path) in refused(path)


def test_a_damaged_chat_is_told_wherever_it_lies(tmp_path: Path) -> None:
    path = export(tmp_path / "chat.json", *[said(f"message {n}") for n in range(50)])
    written(path, path.read_text()[:-400])
    assert "breaks off in the midst" in refused(path)
    assert "breaks off in the midst" in refused(tmp_path)
    assert "nested too deeply" in refused(written(path, '{"messages": [' + "[" * 100_000))


def test_a_message_may_lie_across_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.text.decoding.READ", 7)
    path = export(tmp_path / "chat.json", *[said(f"“{n}” é") for n in range(30)])
    assert read(path)[0] == "".join(f"“{n}” é\n" for n in range(30))
