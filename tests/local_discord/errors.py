"""How this Discord says no: to the bot over REST, and to a test that asks for what no member could do."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

MESSAGES = {
    0: "",
    10002: "Unknown Application",
    10003: "Unknown Channel",
    10004: "Unknown Guild",
    10007: "Unknown Member",
    10008: "Unknown Message",
    10013: "Unknown User",
    10014: "Unknown Emoji",
    10015: "Unknown Webhook",
    10062: "Unknown interaction",
    10063: "Unknown application command",
    30032: "Maximum number of application commands reached (100)",
    40001: "Unauthorized",
    40005: "Request entity too large",
    40094: "This interaction has reached the maximum number of follow-up messages",
    40060: "Interaction has already been acknowledged.",
    50001: "Missing Access",
    50003: "Cannot execute action on a DM channel",
    50005: "Cannot edit a message authored by another user",
    50006: "Cannot send an empty message",
    50007: "Cannot send messages to this user",
    50013: "Missing Permissions",
    50021: "Cannot execute action on a system message",
    50024: "Cannot execute action on this channel type",
    50027: "Invalid Webhook Token",
    50034: "You can only bulk delete messages that are under 14 days old.",
    50035: "Invalid Form Body",
    50083: "Thread is archived",
    50109: "The request body contains invalid JSON.",
    160002: "Cannot reply without permission to read message history",
    160004: "A thread has already been created for this message",
    160005: "Thread is locked",
}


class Refused(Exception):
    """A REST answer of 400 or more: Discord's HTTP status, its JSON error code and, for forms, where it is wrong."""

    def __init__(self, status: int, code: int, message: str | None = None, errors: Json | None = None) -> None:
        self.status, self.code, self.errors = status, code, errors
        self.message = message or MESSAGES[code]
        super().__init__(f"{status} {code} {self.message} {errors or ''}".rstrip())

    def to_json(self) -> Json:
        """The body that Discord sends."""
        body: Json = {"message": self.message, "code": self.code}
        return body if self.errors is None else body | {"errors": self.errors}


class NotPossible(Exception):
    """Discord's own client or server would not let this member do that, so nothing reaches the bot."""


def bad_form(path: str, code: str, message: str) -> Refused:
    """50035 at `path`, such as `embeds.0.description`, with Discord's name for what is wrong."""
    errors: Json = {"_errors": [{"code": code, "message": message}]}
    for key in reversed(path.split(".") if path else []):
        errors = {key: errors}
    return Refused(400, 50035, errors=errors)


def inside(key: str, refused: Refused) -> Refused:
    """The same refusal of a form that stands under `key` in a larger one."""
    if refused.errors is None:
        return refused
    return Refused(refused.status, refused.code, errors={key: refused.errors})


def unknown(code: int) -> Refused:
    """404 with Discord's code for what is not there."""
    return Refused(404, code)


def forbidden(code: int) -> Refused:
    """403 with Discord's code for what the bot may not do."""
    return Refused(403, code)
