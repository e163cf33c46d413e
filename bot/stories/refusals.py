"""Why a request is refused. Each message goes to the member who asked, as it is."""

from __future__ import annotations

import logging

import engine

STORE_FAILED = "stories cannot be read or saved at the moment; the operator's log says why"
_log = logging.getLogger(__name__)


class Refusal(Exception):
    """The bot cannot do what was asked; the message tells the member why. A plain one is about the request itself."""


class Impossible(Refusal):
    """The story does not allow it, so another try changes nothing."""


class NoStory(Impossible):
    """There is no such story or turn; the message says why."""


class VoteOver(NoStory):
    """The vote has ended, or its message never had one."""


class QueueFull(Refusal):
    """Too many requests wait already."""


class Busy(Refusal):
    """The engine takes no more replies; `seconds` is when to try again."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class EngineFailed(Refusal):
    """The engine failed or was closed. The next process can still do what was asked."""


class StoreFailed(Refusal):
    """The database cannot be read or written."""


def refusal_of(error: engine.EngineError | ValueError) -> Refusal:
    """The refusal that tells a member about an error of the engine or the store."""
    if isinstance(error, engine.StoreError):
        _log.error("event=store-failed reason=%r", str(error))
        return StoreFailed(STORE_FAILED)
    if isinstance(error, engine.EngineBusy):
        return Busy(str(error), error.seconds)
    kind = EngineFailed if isinstance(error, engine.EngineError) else Impossible
    return kind(str(error))
