"""The keys that are not as prompt_toolkit has them."""

from __future__ import annotations

from typing import Protocol

from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from repl.ghost import first_word


class Asked(Protocol):
    """What the keys ask of the terminal."""

    @property
    def is_writing(self) -> bool: ...
    def stop(self) -> None: ...
    def interrupt(self) -> None: ...
    def end_of_input(self) -> None: ...


def make_keys(terminal: Asked) -> KeyBindings:
    """Ctrl-C, Esc, Ctrl-D, Alt-Enter and Alt-Right."""
    keys = KeyBindings()
    at_prompt = has_focus(DEFAULT_BUFFER)

    @keys.add("escape", "enter", filter=at_prompt)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("escape", filter=Condition(lambda: terminal.is_writing), eager=True)
    def _(event: KeyPressEvent) -> None:
        terminal.stop()

    @keys.add("c-c", filter=at_prompt)
    @keys.add("<sigint>")
    def _(event: KeyPressEvent) -> None:
        terminal.interrupt()

    @keys.add("c-d", filter=at_prompt)
    def _(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.delete()
        else:
            terminal.end_of_input()

    @keys.add("escape", "right", filter=at_prompt)
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.suggestion is not None and buffer.document.is_cursor_at_the_end:
            buffer.insert_text(first_word(buffer.suggestion.text))
        else:
            buffer.cursor_position += buffer.document.find_next_word_ending() or 0

    return keys
