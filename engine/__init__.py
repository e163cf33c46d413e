"""Small recurrent text models: load one, hold conversations with it, score text.

import engine

model = engine.load("models/shakespeare")
talk = model.conversation(sampling=engine.Sampling(temperature=0.8, seed=7))
for piece in talk.say("ROMEO:", length=200):
    print(piece, end="", flush=True)
"""

from typing import TYPE_CHECKING, Any

from engine.conversation import Conversation, Turn
from engine.engine import Activity, Engine, Info, Score, load
from engine.errors import EngineBusy, EngineClosed, EngineError, ModelLoadError, OtherWeights, StoreError, TrainingError
from engine.outline import first_words, last_words, outline
from engine.replay import replay
from engine.reply import Reply
from engine.sampling import Sampling
from engine.vocabulary import Vocabulary

if TYPE_CHECKING:
    from engine.store import Store

__all__ = [
    "Activity",
    "Conversation",
    "Engine",
    "EngineBusy",
    "EngineClosed",
    "EngineError",
    "Info",
    "ModelLoadError",
    "OtherWeights",
    "Reply",
    "Sampling",
    "Score",
    "Store",
    "StoreError",
    "TrainingError",
    "Turn",
    "Vocabulary",
    "first_words",
    "last_words",
    "load",
    "outline",
    "replay",
]


def __getattr__(name: str) -> Any:
    """`engine.Store`, imported when it is asked for: a database library is no part of a quick start."""
    if name == "Store":
        from engine.store import Store

        return Store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
