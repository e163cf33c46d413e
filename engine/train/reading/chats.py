"""What people said: chats of Discord and others, Discord's own data package, any lists of objects with a text.

What bots and the system wrote, and what has no words, is left out, and the account tells how much it was.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import TrainingError
from engine.train.reading.account import Account
from engine.train.reading.objects import LINES, TABLES, Listed, NotTextError, listed
from engine.train.reading.sources import Source

SUFFIXES = (".json", *LINES, *TABLES)
TEXTS = ("text", "content", "Content", "Contents", "body", "message", "Text", "Body", "Message")  # if none is named
AUTHORS = ("author", "Author", "from", "sender_name", "sender", "user", "username", "name")  # who speaks
NAMES = ("nickname", "global_name", "name", "username")  # fields of an author
SPOKEN = ("Default", "Reply", "0", "19")  # types of Discord messages that people write
COMMANDS = ("20", "23", "ChatInputCommand", "ContextMenuCommand")  # that bots answer with
SUBTYPES = ("bot_message", "file_share", "me_message", "thread_broadcast")  # of Slack's messages, with words in them
BESIDE = ("attachments", "Attachments", "embeds", "stickers", "components", "poll", "forwardedMessage")  # without words
BOTS, SYSTEM = "messages of bots", "messages of the system (who joined, what was pinned)"
WORDLESS, BARE = "messages without words", "messages without any content"
INTENT = "was this exported by a bot without the message content intent?"
MOST_FIELDS, MOST_SHOWN = 30, 80  # looked at; characters of them
_EMOJI = re.compile(r"<a?(:\w+:)\d+>")  # of a server, as Discord writes it where it is not shown
_MENTION = re.compile(r"<@!?(\d+)>")
_NOT_IN_A_NAME = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_NOTICE = re.compile(  # what a table of DiscordChatExporter has as the content of a system's message
    r"(?:Joined the server|Pinned a message|Started a thread|Left the group|Changed the channel icon"
    r"|Started a call that lasted [\d.,]+ minutes|Added a recipient|Removed a recipient)\."
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is taken of each object: a field ("" for the usual one), with its author's name or not; bots' or not."""

    field: str = ""
    names: bool = False
    bots: bool = False


def read(source: Source, parts: Iterable[str], wanted: Wanted, account: Account) -> Iterator[str]:
    """The texts that a file lists, each with a line end.

    A file without any is an error where the user named it; of a folder or an archive it is left out.
    Raises `TrainingError` for a damaged one.
    """
    chat = _Chat(source, wanted, account)
    try:
        yield from chat.texts(listed(source.name, source.suffix, parts))
    except NotTextError as reason:
        if source.is_named or chat.said:  # what was read of it is not left out
            raise TrainingError(f"{source.name}{reason}") from None
        account.leave_out(f"files without texts ({source.suffix})")
        return
    for what, count in chat.counts.items():
        account.leave_out(f"{what} ({INTENT})" if what == BARE and count > chat.said else what, count)


def as_lines(words: str, name: str, account: Account) -> str:
    """A message as text. With a name, that stands before each of its lines, and the account counts these."""
    name = _NOT_IN_A_NAME.sub(" ", name).strip()
    if not name:
        return f"{words}\n"
    lines = [f"{name}: {line}\n" for line in re.split(r"[\r\n]+", words) if line.strip()]
    account.speakers[name] += len(lines)
    return "".join(lines)


@dataclass(slots=True)
class _Chat:
    """One file: what was said in it, and how much is left out."""

    source: Source
    wanted: Wanted
    account: Account
    counts: Counter[str] = field(default_factory=Counter)
    said: int = 0
    is_met: bool = False  # the field that is read
    is_list: bool = False  # of one object at least
    fields: dict[str, None] = field(default_factory=dict)  # that hold a text, of objects without the one that is read

    def texts(self, objects: Iterator[Listed]) -> Iterator[str]:
        """The texts. Raises `NotTextError` if there is none, and says which field to name, or why there is none."""
        for item in objects:
            self.is_list = True
            if not isinstance(item.value, Mapping):
                raise self._wrong(
                    item, "is no object: mend or remove the line" if item.line else "is no list of objects"
                )
            if text := self._text(item):
                self.said += 1
                yield text
        if not self.is_list:
            raise NotTextError(" is empty: give a file with messages in it")
        if not self.is_met:
            raise NotTextError(f" has no {self._asked()}{self._choice()}")
        if not self.said and self.counts:
            raise NotTextError(self._silence())

    def _text(self, item: Listed) -> str:
        key, words = self._words(item)
        if words is None:
            return self._without(item, key)
        self.is_met = True
        message: Mapping[str, Any] = item.value
        left_out = self._left_out(message, words)
        if left_out:
            self.counts[left_out] += 1
            return ""
        if _is_of_discord(message):
            words = _as_shown(words, message)
        return as_lines(words, _name(message, key) if self.wanted.names else "", self.account)

    def _words(self, item: Listed) -> tuple[str, str | None]:
        """The field that is read of an object and its text; "" if the object lacks it, None if it is no text."""
        names = (self.wanted.field,) if self.wanted.field else TEXTS if item.is_plain else ()
        for key in names:
            if (value := _at(item.value, key)) is not _MISSING:
                words = _joined(value)
                forwarded = "" if self.wanted.field not in ("", "content") else _forwarded(item.value)
                return key, words if words is None else "\n".join(filter(None, (words, forwarded)))
        return "", None

    def _without(self, item: Listed, key: str) -> str:
        """Of an object without a text to read. Where each line has to have one, that is an error."""
        if len(self.fields) < MOST_FIELDS:
            self.fields.update(dict.fromkeys(_fields_with_text(item.value)))
        if item.line:
            raise self._wrong(item, f"its {key!r} is no text" if key else f"has no {self._asked()}", self._choice())
        if item.is_plain:
            self.counts[WORDLESS] += 1
        return ""

    def _wrong(self, item: Listed, problem: str, mend: str = "") -> Exception:
        """An error, and that of a damaged file once something was read."""
        told = f", line {item.line}: {problem}{mend}" if item.line else f" {problem}{mend}"
        return TrainingError(self.source.name + told) if self.is_met else NotTextError(told)

    def _asked(self) -> str:
        return f"{'column' if self.source.suffix in TABLES else 'field'} {self.wanted.field or TEXTS[0]!r}"

    def _choice(self) -> str:
        """Which fields there are to name."""
        shown = ", ".join(field if field.isprintable() else repr(field) for field in self.fields)
        if not shown:
            return ", nor another one with text: leave it out"
        shown = shown if len(shown) <= MOST_SHOWN else shown[: MOST_SHOWN - 3] + "..."
        return f" (it has {shown}): name one by --field"

    def _left_out(self, message: Mapping[str, Any], words: str) -> str:
        """What kind of message is left out, "" if it is kept."""
        if not self.wanted.bots and _is_of_a_bot(message):
            return BOTS
        if _is_of_the_system(message, words, SPOKEN + COMMANDS if self.wanted.bots else SPOKEN):
            return SYSTEM
        if words.strip():
            return ""
        return BARE if _is_of_discord(message) and not (words or any(message.get(key) for key in BESIDE)) else WORDLESS

    def _silence(self) -> str:
        """Why nobody says anything."""
        told = ", ".join(f"{count:,} {what}" for what, count in self.counts.items())
        if self.counts[BARE] > self.counts[WORDLESS]:
            return (
                f" has no text in it ({told}): {INTENT} Switch that on in Discord's developer portal, and export again"
            )
        mend = "keep those of bots by --bots" if self.counts[BOTS] else "give another file"
        return f" has no text of people in it ({told}): {mend}"


_MISSING = object()


def _at(value: Any, key: str) -> Any:
    """What an object has under a key, or under keys with dots between; `_MISSING` if it has not."""
    if isinstance(value, Mapping) and key in value:
        return value[key]
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _MISSING
        value = value[part]
    return value


def _joined(value: Any) -> str | None:
    """A value as text: of a list its strings, a line each, or its pieces, as Telegram has them. None if it is none."""
    if value is None or isinstance(value, str):
        return value or ""
    if not isinstance(value, list):
        return None
    found = [piece.get("text") if isinstance(piece, Mapping) else piece for piece in value]
    pieces = [piece for piece in found if isinstance(piece, str)]
    if len(pieces) < len(value):
        return None
    return ("\n" if all(isinstance(piece, str) for piece in value) else "").join(pieces)


def _forwarded(message: Mapping[str, Any]) -> str:
    """The words that a message of Discord hands on, as DiscordChatExporter writes them or Discord itself."""
    paths = ("forwardedMessage.content", "message_snapshots.message.content")
    snapshots = message.get("message_snapshots")
    first = snapshots[0] if isinstance(snapshots, list) and snapshots else None
    found = [_at(message, paths[0]), _at({"message_snapshots": first}, paths[1])]
    return next((words for words in found if isinstance(words, str)), "")


def _is_of_discord(message: Mapping[str, Any]) -> bool:
    return isinstance(message.get("author"), Mapping) or "Author" in message or "Contents" in message


def _as_shown(words: str, message: Mapping[str, Any]) -> str:
    """A message's words as people saw them: emojis and members by their names, not by their numbers."""
    listed = message.get("mentions")
    members = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    names = {str(one.get("id")): name for one in members if (name := _name({"author": one}, ""))}
    words = _EMOJI.sub(r"\1", words)
    return _MENTION.sub(lambda found: f"@{names[found[1]]}" if found[1] in names else found[0], words)


def _fields_with_text(message: Mapping[str, Any]) -> Iterator[str]:
    for key, value in message.items():
        if isinstance(value, Mapping):
            yield from (f"{key}.{inner}" for inner, text in value.items() if text and isinstance(text, str))
        elif value and _joined(value):
            yield key


def _name(message: Mapping[str, Any], key: str) -> str:
    """Who says it, "" if that is not told. `key` is the field of the words."""
    for author in (message.get(name) for name in AUTHORS if name != key):
        if isinstance(author, Mapping):
            author = next((author[name] for name in NAMES if author.get(name)), None)
        if author and isinstance(author, str):
            return author
    return ""


def _is_of_a_bot(message: Mapping[str, Any]) -> bool:
    author = message.get("author")
    marks = [message.get(key) for key in ("isBot", "is_bot")]
    if isinstance(author, Mapping):
        marks += [author.get(key) for key in ("isBot", "bot")]
    return message.get("subtype") == "bot_message" or any(str(mark).lower() == "true" for mark in marks)


def _is_of_the_system(message: Mapping[str, Any], words: str, spoken: tuple[str, ...]) -> bool:
    """Whether Discord, Telegram or Slack wrote it."""
    kind = message.get("type")
    if isinstance(message.get("author"), Mapping) and kind is not None:
        return str(kind) not in spoken
    if kind == "message" and "subtype" in message:
        return message["subtype"] not in SUBTYPES
    return kind == "service" or ("AuthorID" in message and _NOTICE.fullmatch(words.strip()) is not None)
