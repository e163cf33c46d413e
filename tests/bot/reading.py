"""What a member reads in the bot's messages."""

from __future__ import annotations

import re

from bot.messages.markdown import BLANK
from tests.local_discord import Channel, Interaction, Member, Message

LONG = 4000  # tokens, of a reply that is still being written when something happens


def is_written(message: Message) -> bool:
    """Whether a message is the end of a reply, with the buttons that stay."""
    return any(button["label"] == "Continue" for button in message.buttons)


def is_choice(message: Message) -> bool:
    """Whether a message has alternatives to choose from."""
    return any(button["label"] == "1" for button in message.buttons)


def is_growing(message: Message) -> bool:
    """Whether a message is the end of a reply that is being written."""
    return any(button["label"] == "Stop" for button in message.buttons)


def written(call: Interaction, timeout: float = 20.0) -> Message:
    """The last message of a reply, once it is whole."""
    return call.wait_message(is_written, timeout)


def story_of(*messages: Message) -> str:
    """The words that a reader sees in some messages, without marks and the lines below the story."""
    parts = [part for message in messages for part in message.texts or [message.content]]
    text = "\n".join(re.sub(r"\n-# .*", "", part) for part in parts if not part.startswith("-# "))
    return re.sub(r"\\([^0-9A-Za-z\s])", r"\1", text.replace("**", "").replace(BLANK, ""))


def same_words(one: str, other: str) -> bool:
    """Discord takes away the blanks at the ends of a message, so where one page ends and the next begins."""
    return "".join(one.split()) == "".join(other.split())


def text_of(member: Member, channel: Channel) -> str:
    """The story's text as the bot exports it."""
    message = member.slash(channel, "export").wait_message(lambda m: m.attachments)
    return message.attachments[0].data.decode()


def turn_of(message: Message) -> int:
    """The turn that a message's buttons name."""
    return int(message.buttons[0]["custom_id"].split(":")[3])


def begun(channel: Channel, member: Member) -> Message:
    """A long reply whose first words are there, and that is still being written."""
    call = member.slash(channel, "continue", text="ROMEO:", length=LONG, seed=3, temperature=0.7)
    return call.wait_message(is_growing, 20)


def whole(channel: Channel, timeout: float = 30) -> list[Message]:
    """The messages of the channel's only reply, once it is whole."""
    channel.wait_message(is_written, timeout)
    return [message for message in channel.messages if message.text and message.ephemeral_to is None]


def answer(call: object, wanted: str = "") -> str:
    """The text of an answer, once it is there."""
    return call.wait_message(lambda m: m.text and wanted in m.text).text  # type: ignore[attr-defined,no-any-return]
