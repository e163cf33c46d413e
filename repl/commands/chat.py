"""The commands of a chat: it begins and ends, another person sits down at the keyboard."""

from __future__ import annotations

import engine
from repl.commands.command import Command
from repl.session.answers import Answer
from repl.session.chat import Chat, read_chat
from repl.session.session import Session


def chat(session: Session, argument: str) -> Answer:
    """Begin a chat, or end it. The story goes on as it is."""
    if argument == "off":
        was_on, session.chat = session.chat is not None, None
        return Answer("the chat is over: what you type is the story again" if was_on else "there is no chat")
    if argument or session.chat is None:
        session.chat = read_chat(argument, session.speakers)
    return Answer(chat_hint(session.chat))


def me(session: Session, argument: str) -> Answer:
    """Another person types now."""
    if session.chat is None:
        raise ValueError("me: no chat is on: '/chat ME:OTHER' begins one")
    if not argument:
        raise ValueError(f"me: give your name, as in '/me {engine.visible(session.chat.me)}'")
    session.chat = session.chat.with_me(argument)
    return Answer(chat_hint(session.chat))


def chat_hint(chat: Chat) -> str:
    """Who is who, and how to leave, in a line."""
    me, other = map(engine.visible, (chat.me, chat.other))
    return f"a chat: you are {me}, the model is {other}; '/me NAME' changes you, '/chat off' leaves"


COMMANDS = {
    "chat": Command("[ME:OTHER|off]", "talk with it: you type lines of ME, it writes lines of OTHER", chat, "pair"),
    "me": Command("NAME", "in a chat: another person types now", me, "speaker"),
}
