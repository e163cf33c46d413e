"""Small recurrent text models: load one, hold conversations with it, score text.

import engine

model = engine.load("models/storyteller")
talk = model.conversation(sampling=engine.Sampling(temperature=0.8, seed=7))
for piece in talk.say("Once upon a ti", length=100):
    print(piece, end="", flush=True)
"""

import importlib
from typing import TYPE_CHECKING, Any

from engine.conversation.outline import first_words, last_words, outline
from engine.errors import (
    ConfigError,
    EngineBusy,
    EngineClosed,
    EngineError,
    ModelLoadError,
    OtherWeights,
    StoreError,
    TrainingError,
)
from engine.names import decoded, did_you_mean, quoted, visible
from engine.private import send_no_reports
from engine.settings import Sampling

if TYPE_CHECKING:
    from engine.conversation.conversation import Conversation
    from engine.conversation.replay import Texts, read_again, replay
    from engine.conversation.reply import Reply
    from engine.conversation.tree import Turn
    from engine.conversation.walk import Place, Token
    from engine.model.card import About, about, model_names
    from engine.model.directory import only_fast
    from engine.serving.engine import Activity, Engine, Info, Score
    from engine.serving.loading import load
    from engine.store.store import Store
    from engine.text.files import read_lines, read_stream, read_text
    from engine.text.toml import Toml
    from engine.text.unseen import some_of, tell_unseen
    from engine.text.vocabulary import Vocabulary
    from engine.train.reading.spool import read_files

__all__ = [
    "About",
    "Activity",
    "ConfigError",
    "Conversation",
    "Engine",
    "EngineBusy",
    "EngineClosed",
    "EngineError",
    "Info",
    "ModelLoadError",
    "OtherWeights",
    "Place",
    "Reply",
    "Sampling",
    "Score",
    "Store",
    "StoreError",
    "Texts",
    "Token",
    "Toml",
    "TrainingError",
    "Turn",
    "Vocabulary",
    "about",
    "decoded",
    "did_you_mean",
    "first_words",
    "last_words",
    "load",
    "model_names",
    "only_fast",
    "outline",
    "quoted",
    "read_again",
    "read_files",
    "read_lines",
    "read_stream",
    "read_text",
    "replay",
    "some_of",
    "tell_unseen",
    "visible",
]


send_no_reports()  # nothing but this happens at import: `engine.private` says why it cannot wait

_HOMES = {
    "model.directory": ("only_fast",),
    "model.card": ("About", "about", "model_names"),
    "conversation.conversation": ("Conversation",),
    "conversation.tree": ("Turn",),
    "serving.engine": ("Activity", "Engine", "Info", "Score"),
    "serving.loading": ("load",),
    "conversation.reply": ("Reply",),
    "conversation.replay": ("Texts", "read_again", "replay"),
    "conversation.walk": ("Place", "Token"),
    "store.store": ("Store",),
    "text.files": ("read_lines", "read_stream", "read_text"),
    "text.toml": ("Toml",),
    "text.unseen": ("some_of", "tell_unseen"),
    "text.vocabulary": ("Vocabulary",),
    "train.reading.spool": ("read_files",),
}


def __getattr__(name: str) -> Any:
    """Import slow modules when they are first needed, so that a program shows its prompt before it loads NumPy."""
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(importlib.import_module(f"engine.{home}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
