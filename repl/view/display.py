"""Draws above the prompt. Finished text is printed once and scrolls away; the paragraph being written is redrawn."""

from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Mapping, Sequence

from prompt_toolkit.application import Application
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.styles import Style

import engine
from repl.view.layout import Live, Pace, harmless, rows, side_by_side
from repl.view.style import OWN, PARTS, STYLES, THEMES, Fragments

BEGIN_DRAWING, END_DRAWING = "\x1b[?2026h", "\x1b[?2026l"  # terminals that know these show what is between at once


class Display:
    """The part of a terminal above a prompt_toolkit application, which redraws itself below."""

    def __init__(self, output: Output, styles: Mapping[str, str], prompt: str) -> None:
        """`styles` are the writer's own, which go before those of a theme."""
        self.output, self.prompt = output, prompt
        self._own = styles
        self.show_theme(OWN)
        self._live = Live()
        self._speaker = ""  # whose line is being written, as it is shown, until that is printed
        self._preview: list[str] = []  # several texts that are being written
        self._app: Application[None] | None = None
        self._is_drawing = False
        if isinstance(output, Vt100_Output):
            output.enable_cpr = False  # it needs no cursor position

    def show_theme(self, name: str) -> None:
        """Draw in the colors of a theme from now on."""
        named = {**STYLES, **THEMES[name], **self._own}
        self.style = Style([*PARTS.items(), *named.items(), ("auto-suggestion", named["ghost"])])

    def attach(self, app: Application[None]) -> None:
        """Draw above this application."""
        self._app = app
        app.after_render += self._end_drawing

    @property
    def columns(self) -> int:
        """The width of the terminal."""
        return max(8, self.output.get_size().columns)

    def moving(self) -> Fragments:
        """The rows of what is being written, which are drawn above the prompt."""
        moving = self._preview or (rows(self._live.text, self.columns) if self._live.text else [])
        return self._styled("".join(f"{row}\n" for row in moving))

    def begin(self, speaker: str) -> None:
        """Begin a line with the name of who speaks."""
        self._speaker = f"{self.shown_name(speaker)}: "
        self._live.add(self._speaker)

    def shown_name(self, name: str) -> str:
        """A name, cut to a third of the width."""
        return engine.first_words(harmless(name), max(4, self.columns // 3))

    def _styled(self, text: str) -> Fragments:
        """A text that may begin with the speaker's name, which is dim."""
        name = self._speaker if text.startswith(self._speaker) else ""
        return ("note", name), ("", text[len(name) :])

    def write(self, pace: Pace, text: str) -> str:
        """Show as much of a text as the pace allows by now; returns the rest."""
        count = pace.allow(len(text), time.perf_counter())
        self._live.add(text[:count])
        if settled := self._live.settle(self.columns, self._height):
            self._print(settled)
        if self._app is not None:
            self._app.invalidate()
        return text[count:]

    def preview(self, texts: Sequence[str]) -> None:
        """Show the ends of several texts that are being written, until the next call; with none, show nothing."""
        self._preview = side_by_side(texts, self.columns, self._height) if texts else []
        if self._app is not None:
            self._app.invalidate()

    @property
    def _height(self) -> int:
        """The most rows that may move above the prompt."""
        return max(2, self.output.get_size().rows - 8)

    def finish(self, text: str) -> None:
        """Print the last of a text that was being written."""
        self._live.add(text)
        if rest := self._live.finish():
            self._print(rest)

    def _print(self, text: str) -> None:
        self.above(self._styled(text))
        self._speaker = ""

    def echo(self, line: str, prompt: str) -> None:
        """Print a line that was entered."""
        self.above((("accent", f"{prompt}{line}\n"),))

    def note(self, text: str, style: str = "note") -> None:
        """Print a message, broken between words to the width of the terminal."""
        width = self.columns
        lines = [
            textwrap.fill(line, width, replace_whitespace=False, drop_whitespace=len(line) > width)
            for line in harmless(text).split("\n")
        ]
        self.above(((style, "\n".join(lines) + "\n"),))

    def above(self, fragments: Fragments) -> None:
        """Print above the prompt, permanently."""
        named = [(style, harmless(text)) for style, text in self.named(fragments)]
        app = self._app
        if app is not None and app.is_running and not self._is_drawing:
            self._is_drawing = True
            self.output.write_raw(BEGIN_DRAWING)
            app.renderer.erase()
        depth = app.color_depth if app is not None else None
        print_formatted_text(self.output, FormattedText(named), self.style, color_depth=depth)
        if app is not None:
            app.invalidate()

    def named(self, fragments: Fragments) -> list[tuple[str, str]]:
        """Pieces of text with their styles as prompt_toolkit has them."""
        return [(" ".join(map(_class_of, style.split(" "))), text) for style, text in fragments]

    def _end_drawing(self, _: object) -> None:
        if self._is_drawing:
            self._is_drawing = False
            self.output.write_raw(END_DRAWING)
            self.output.flush()


def _class_of(name: str) -> str:
    return f"class:{name}" if name in STYLES else name


def color_depth() -> ColorDepth | None:
    """24-bit color where the terminal says that it has it; None lets prompt_toolkit choose."""
    has_all = os.environ.get("COLORTERM") in ("truecolor", "24bit") and not os.environ.get("NO_COLOR")
    return ColorDepth.DEPTH_24_BIT if has_all else None
