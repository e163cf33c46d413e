"""Training: `python -m engine.train`, and `engine.train.fit` for a notebook.

from engine.train import fit

history = fit("my-novel.txt", "models/mine", units=256, epochs=10)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.train.notebook import History, fit

__all__ = ["History", "fit"]


def __getattr__(name: str) -> Any:
    """Import the notebook module on first use: the command line imports this package, and needs none of it."""
    if name in __all__:
        from engine.train import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
