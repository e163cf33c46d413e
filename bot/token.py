"""Checks the bot's token, as people paste it, before anything is sent. No message shows any part of it."""

from __future__ import annotations

import re

NAME = "DISCORD_TOKEN"
SOURCE = "https://discord.com/developers"
_WRAPPERS = "\"'`´“”„‘’‚«»<>[](){}"
_PREFIXES = ("bot ", "bearer ", "token ", "token:", "token=", "authorization:", f"{NAME.lower()}=", "export ")


class TokenError(Exception):
    """The message says what is wrong with the token, without any part of it."""


def read_token(pasted: str) -> str:
    """The token. Blanks and line ends around it do no harm. Raises `TokenError`."""
    token = pasted.strip().removeprefix("\ufeff").strip()
    if not token:
        raise TokenError(f"{NAME} is not set: take the token from {SOURCE} and export it")
    if token[0] in _WRAPPERS or token[-1] in _WRAPPERS:
        raise TokenError(f"{NAME} has quotes or brackets around it: set it to the token alone")
    if prefix := next((prefix for prefix in _PREFIXES if token.lower().startswith(prefix)), ""):
        raise TokenError(f"{NAME} begins with {token[: len(prefix)].strip()!r}: set it to the token alone")
    if len(token.split()) > 1:
        raise TokenError(f"{NAME} holds blanks or line ends, which no token has: copy the token again")
    if not re.fullmatch(r"[\w.=+/-]+", token, re.ASCII):
        raise TokenError(f"{NAME} holds letters or marks that no token has: copy the token again")
    if token.isdigit():
        raise TokenError(f"{NAME} is a mere number, as an application's id is: take the token from its page Bot")
    return token
