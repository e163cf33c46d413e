"""The engine's errors. Every message is one line that says what is wrong and what to do; front ends print it as it is.

    EngineError
    ├── ModelLoadError    a model directory or file cannot be used
    ├── EngineBusy        too many replies wait already
    ├── EngineClosed      the engine was closed, or its thread has died
    ├── StoreError        stored conversations cannot be read or written
    │   └── OtherWeights  another model has written this one
    ├── TrainingError     training cannot start or cannot go on
    └── ConfigError       a configuration file cannot be used

A bad argument is a `ValueError` that names the argument and the value.
"""


class EngineError(Exception):
    """Anything that the engine could not do."""


class ModelLoadError(EngineError):
    """A model cannot be loaded; the message names the file and the remedy."""


class EngineBusy(EngineError):
    """Too many replies wait already; `seconds` is a guess when to come back."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class EngineClosed(EngineError):
    """The engine was closed before or while it worked on this."""


class StoreError(EngineError):
    """Stored conversations cannot be read or written."""


class OtherWeights(StoreError):
    """A stored conversation was written with other weights than those loaded: its states mean nothing to them."""


class TrainingError(EngineError):
    """Training cannot start or go on; the message says what to change."""


class ConfigError(EngineError):
    """A configuration file cannot be used; the message names the file, the line and the mend."""
