"""The walk over a turn in the terminal: it takes the prompt's place for a while, and its keys.

`repl.view.walk` draws it. Knows no session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prompt_toolkit.application import Application
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import ConditionalContainer, Container, FormattedTextControl, Window

import engine
from repl.session.answers import Walk
from repl.view.display import Display
from repl.view.walk import View, drawn

MAX_ROWS = 24


class Walker:
    """Shows a walk, and waits until a token is taken or the walk is left."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._view: View | None = None
        self._taken: asyncio.Future[tuple[int, engine.Token] | None] | None = None
        self.is_on = Condition(lambda: self._view is not None)
        """Whether a walk is on, as a filter."""
        self._control = FormattedTextControl(
            self._fragments, focusable=True, key_bindings=self._keys(), show_cursor=False
        )
        self.container: Container = ConditionalContainer(
            Window(self._control, dont_extend_height=True, wrap_lines=False), self.is_on
        )
        """What is drawn in place of the prompt."""

    async def show(self, app: Application[None], walk: Walk) -> tuple[int, engine.Token] | None:
        """Walk until a token is taken: its place, and which it is. None if the walk is left."""
        before = app.layout.current_control
        self._view, self._taken = View(walk.places, len(walk.places) - 1), asyncio.get_running_loop().create_future()
        app.layout.focus(self._control)
        app.invalidate()
        try:
            return await self._taken
        finally:
            self._view = self._taken = None
            app.layout.focus(before)
            app.invalidate()

    def leave(self) -> None:
        """End the walk; nothing has changed."""
        self._end(None)

    def _end(self, taken: tuple[int, engine.Token] | None) -> None:
        if self._taken is not None and not self._taken.done():
            self._taken.set_result(taken)

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        def bind(move: Callable[[View], View], *names: str) -> None:
            def act(event: KeyPressEvent) -> None:
                if self._view is not None:
                    self._view = move(self._view)

            for name in names:
                keys.add(name)(act)

        bind(lambda view: to(view, view.here - 1), "left")
        bind(lambda view: to(view, view.here + 1), "right")
        bind(lambda view: to(view, 0), "home", "c-a")
        bind(lambda view: to(view, len(view.places) - 1), "end", "c-e")
        bind(lambda view: choose(view, view.chosen - 1), "up")
        bind(lambda view: choose(view, view.chosen + 1), "down")

        @keys.add("enter")
        def _(event: KeyPressEvent) -> None:
            if self._view is not None and self._view.chosen:
                self._end((self._view.here, self._view.token))

        @keys.add("escape", eager=True)
        @keys.add("c-c")
        @keys.add("c-d")
        @keys.add("q")
        def _(event: KeyPressEvent) -> None:
            self.leave()

        return keys

    def _fragments(self) -> FormattedText:
        if self._view is None:
            return FormattedText([])
        size = self._display.output.get_size()
        shown = drawn(self._view, self._display.columns, max(3, min(MAX_ROWS, size.rows - 3)))
        return FormattedText(self._display.named(shown))


def to(view: View, here: int) -> View:
    """The view with the cursor at another token, or at the first or last one."""
    return View(view.places, max(0, min(here, len(view.places) - 1)))


def choose(view: View, chosen: int) -> View:
    """The view with another choice, or the first or last one."""
    return View(view.places, view.here, max(0, min(chosen, len(view.place.others))))
