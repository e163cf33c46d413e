"""Small recurrent text models: load one, hold conversations with it, score text.

import engine

model = engine.load("models/shakespeare")
talk = model.conversation(sampling=engine.Sampling(temperature=0.8, seed=7))
for piece in talk.say("ROMEO:", length=200):
    print(piece, end="", flush=True)
"""

from engine.conversation import Conversation, Turn
from engine.engine import Engine, Info, Score, load
from engine.errors import EngineBusy, EngineClosed, EngineError, ModelLoadError, StoreError, TrainingError
from engine.reply import Reply
from engine.sampling import Sampling
from engine.vocabulary import Vocabulary

__all__ = [
    "Conversation",
    "Engine",
    "EngineBusy",
    "EngineClosed",
    "EngineError",
    "Info",
    "ModelLoadError",
    "Reply",
    "Sampling",
    "Score",
    "StoreError",
    "TrainingError",
    "Turn",
    "Vocabulary",
    "load",
]
