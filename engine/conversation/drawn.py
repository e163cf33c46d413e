"""The tokens that a reply has drawn, and their text. Knows no state and no batch."""

from __future__ import annotations

from engine.text.vocabulary import Vocabulary


class Drawn:
    """What was drawn after the token `before`, which is None at the beginning of a text.

    Where a prompt's last word is `open`, the first tokens write it again and go on with it; its own text is not written
    a second time.
    """

    def __init__(self, vocabulary: Vocabulary, before: int | None, open: tuple[int, ...]) -> None:
        self.tokens: list[int] = []
        self.open = open
        """The tokens of the prompt that are to be written again still."""
        self._vocabulary, self._before, self._opened = vocabulary, before, open
        self._decoder = vocabulary.decoder(before)
        self._cut = self._reopened = len(vocabulary.decode(open))  # characters to be written again: still, and in all
        self._has_text = False

    def add(self, tokens: list[int]) -> str:
        """Take more tokens, one by one while a word is open. Returns the whole characters."""
        self.tokens += tokens
        if self.open:
            self.open = self.open[1:] if tokens[-1] == self.open[0] else ()
        piece = self._decoder.add(tokens)
        if self._cut:
            piece, self._cut = piece[self._cut :], max(0, self._cut - len(piece))
        self._has_text = self._has_text or bool(piece)
        return piece

    def back(self, count: int, whole: int) -> None:
        """Forget all but the first `count` tokens. After the first `whole`, not more than these, the text is whole."""
        again, self.tokens = self.tokens[whole:count], self.tokens[:whole]
        self._decoder = self._vocabulary.decoder(self.tokens[-1] if whole else self._before)
        if not whole:
            self.open, self._cut, self._has_text = self._opened, self._reopened, False
        for token in again:
            self.add([token])

    @property
    def tail(self) -> int:
        """How many of the latest tokens are no text yet: they end within a character, or write the prompt's word."""
        return len(self.tokens) if self._reopened and not self._has_text else self._decoder.tail

    @property
    def continuing(self) -> list[int]:
        """The tokens that may be drawn next while a word is open."""
        return self._vocabulary.continuing(self.open)

    def text(self, count: int) -> str:
        """The text of the first tokens."""
        return self._vocabulary.decode(self.tokens[:count], self._before)[self._reopened :]
