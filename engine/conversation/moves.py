"""Where a conversation stands in its tree, and how it moves about. Knows no network."""

from __future__ import annotations

from abc import ABC, abstractmethod

from engine.conversation.tree import Tree, Turn, story_turns, there_are


class Moves(ABC):
    """A tree of turns with a present one."""

    _tree: Tree

    @abstractmethod
    def settle(self) -> Turn:
        """Wait for what is being written and put its turns into the tree. Returns the present turn."""

    def undo(self, n: int = 1) -> None:
        """Go back `n` turns (a prompt is one, a reply is one). Raises `ValueError` if there are fewer."""
        if not isinstance(n, int) or n < 1 or n > len(self.turns):
            raise ValueError(f"undo {n}: {there_are(len(self.turns))} to take back")
        self._tree.back(n)

    def redo(self, n: int = 1) -> None:
        """Go forward `n` turns, to those last visited. Raises `ValueError` if there are fewer."""
        if not isinstance(n, int) or n < 1:
            raise ValueError(f"redo {n}: must be a whole number, at least 1")
        self.settle()
        self._tree.ahead(n)

    def goto(self, turn_id: int) -> None:
        """Go to any turn of the tree; 0 is the start. Raises `ValueError` if there is no such turn."""
        self.settle()
        self._tree.go(turn_id)

    @property
    def text(self) -> str:
        """The text of the present branch, without what is remembered."""
        return "".join(turn.text for turn in story_turns(self.turns))

    @property
    def turns(self) -> list[Turn]:
        """The turns of the present branch, from the start's first child to the present one."""
        return self._tree.path(self.settle())

    @property
    def tree(self) -> list[Turn]:
        """All turns in the order they were made, without the start."""
        self.settle()
        return [turn for turn in self._tree.turns.values() if turn.parent is not None]

    @property
    def present(self) -> int:
        """The id of the turn that the next one follows; 0 at the start."""
        return self.settle().id
