"""Binds the keys that differ from prompt_toolkit's own, and those that the writer has chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from prompt_toolkit.application import get_app
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_completions, has_focus
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from repl.editing.palette import list_commands, open_list
from repl.editing.suggestions import first_word, suggestion

AT_EMPTY_PROMPT = {"left": "/previous", "right": "/next", "up": "/choice"}  # what Alt with an arrow does


class KeyTarget(Protocol):
    """What the keys do to the terminal."""

    @property
    def is_writing(self) -> bool: ...
    def stop(self) -> None: ...
    def interrupt(self) -> None: ...
    def end_of_input(self) -> None: ...
    def run_command(self, line: str) -> None: ...


def make_keys(terminal: KeyTarget, chosen: Mapping[str, tuple[str, ...]]) -> KeyBindings:
    """Bind Ctrl-C and Ctrl-D, and the `chosen` keys of each of `repl.key_names.ACTIONS`."""
    keys = KeyBindings()
    at_prompt = has_focus(DEFAULT_BUFFER)
    is_writing, is_suggested = Condition(lambda: terminal.is_writing), at_prompt & Condition(lambda: bool(suggestion()))

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

    for key in ("right", "c-e", "c-f"):  # prompt_toolkit takes a suggestion with these, too
        if chosen["accept-ghost"] != ("right",):
            keys.add(key, filter=is_suggested)(lambda event: None)
    keys.add("escape", "right", filter=at_prompt)(next_word)
    is_empty = at_prompt & Condition(lambda: not get_app().current_buffer.text)
    keys.add(*chosen["walk"], filter=is_empty)(lambda event: terminal.run_command("/walk"))
    for key, command in AT_EMPTY_PROMPT.items():
        keys.add("escape", key, filter=is_empty)(lambda event, command=command: terminal.run_command(command))
    keys.add(*chosen["palette"], filter=at_prompt & ~has_completions)(lambda event: open_list(event.current_buffer))
    keys.add("backspace", filter=at_prompt & has_completions)(delete_in_list)
    keys.add("escape", filter=at_prompt & has_completions)(lambda event: event.current_buffer.cancel_completion())
    keys.add(*chosen["newline"], filter=at_prompt)(lambda event: event.current_buffer.insert_text("\n"))
    keys.add(*chosen["editor"], filter=at_prompt)(lambda event: event.current_buffer.open_in_editor())
    keys.add(*chosen["accept-ghost"], filter=is_suggested)(lambda event: take(event, lambda text: text))
    keys.add(*chosen["accept-word"], filter=is_suggested)(lambda event: take(event, first_word))
    keys.add(*chosen["stop"], filter=is_writing, eager=True)(lambda event: terminal.stop())
    return keys


def delete_in_list(event: KeyPressEvent) -> None:
    """Delete a character of the name by which commands are listed, and list those of the rest."""
    event.current_buffer.delete_before_cursor()
    list_commands(event.current_buffer)


def take(event: KeyPressEvent, part: Callable[[str], str]) -> None:
    """Write a part of the suggestion into the line."""
    event.current_buffer.insert_text(part(suggestion()))


def next_word(event: KeyPressEvent) -> None:
    """Move the cursor to the end of the word."""
    buffer = event.current_buffer
    buffer.cursor_position += buffer.document.find_next_word_ending() or 0
