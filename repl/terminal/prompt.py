"""Makes the prompt out of prompt_toolkit's parts. The terminal decides what its keys and lines do."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol, cast

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import is_done
from prompt_toolkit.input import Input
from prompt_toolkit.layout import ConditionalContainer, FormattedTextControl, HSplit, Window
from prompt_toolkit.styles import DynamicStyle

from repl.config import Config
from repl.editing.completion import CommandCompleter
from repl.editing.history import open_history
from repl.editing.palette import ROWS, list_while_typing
from repl.editing.suggestions import Suggestions
from repl.key_names import all_keys
from repl.terminal.key_bindings import KeyTarget, make_keys
from repl.terminal.status import Status
from repl.terminal.walker import Walker
from repl.view.display import Display, color_depth

ESCAPE_SECONDS = 0.05  # within which the rest of a key's code follows Escape


class LineTarget(KeyTarget, Protocol):
    """What takes the lines of the prompt, and makes suggestions."""

    def accept(self, buffer: Buffer) -> bool: ...
    def suggest(self, text: str) -> Awaitable[str]: ...


def make_prompt(
    terminal: LineTarget, status: Status, display: Display, config: Config, input: Input | None, walker: Walker
) -> PromptSession[None]:
    """Make a prompt, in whose place walks are shown, with a toolbar below, attached to the display."""
    prompt: PromptSession[None] = PromptSession(
        status.message,
        history=open_history(),
        completer=CommandCompleter(lambda: status.session),
        complete_in_thread=True,
        complete_while_typing=False,
        enable_history_search=True,
        reserve_space_for_menu=ROWS,
        enable_open_in_editor=True,
        enable_suspend=True,
        auto_suggest=Suggestions(terminal.suggest) if config.has_suggestions else None,
        editing_mode=EditingMode.VI if config.keys == "vi" else EditingMode.EMACS,
        style=DynamicStyle(lambda: display.style),
        include_default_pygments_style=False,
        color_depth=color_depth(),
        key_bindings=make_keys(terminal, all_keys(config.bindings)),
        input=input,
        output=display.output,
    )
    prompt.default_buffer.accept_handler = terminal.accept
    list_while_typing(prompt.default_buffer)
    prompt.app.ttimeoutlen = ESCAPE_SECONDS
    display.attach(prompt.app)
    toolbar = Window(FormattedTextControl(status.toolbar), height=1, style="class:toolbar")
    root = cast(HSplit, prompt.layout.container)
    root.children = [ConditionalContainer(HSplit(root.children), ~walker.is_on), walker.container]
    root.children.append(ConditionalContainer(toolbar, ~is_done))
    status.is_walking = walker.is_on
    return prompt
