"""The list of all commands that opens while one is typed, and says what each does.

It is prompt_toolkit's menu of completions, filled at once: nothing is waited for between two keys.
"""

from __future__ import annotations

from prompt_toolkit.buffer import Buffer, CompletionState

from repl.editing.completion import command_names, is_begun_command

ROWS = 12  # of the list


def list_while_typing(buffer: Buffer) -> None:
    """Open the list whenever the beginning of a command is typed into the buffer."""
    buffer.on_text_insert += list_commands


def list_commands(buffer: Buffer) -> None:
    """List the commands for what was typed so far; nothing if that is the beginning of no command."""
    if is_begun_command(buffer.text) and buffer.document.is_cursor_at_the_end:
        found = command_names(buffer.text.removeprefix("/"))
        buffer.complete_state = CompletionState(buffer.document, found) if found else None


def open_list(buffer: Buffer) -> None:
    """List all commands, as typing "/" does. A line that was begun can be called back by Up."""
    if not is_begun_command(buffer.text):
        if buffer.text:
            buffer.append_to_history()
        buffer.reset()
        buffer.insert_text("/")
    list_commands(buffer)
