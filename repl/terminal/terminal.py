"""The terminal: lines in, streamed text out, above a prompt that stays usable. `dispatch` decides what a line does.

One event loop reads the keys and draws. One other thread does what takes a while (loading, commands, the store), one
task after the other, so no conversation is ever used by two threads. Finished text is printed once and scrolls away;
only the paragraph being written and the prompt below it are redrawn.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.input import Input
from prompt_toolkit.output import ColorDepth, Output, create_output

import engine
from repl.commands.dispatch import Quit, enter, enter_edited, enter_taken
from repl.config import Config
from repl.editing.editor import edit_text
from repl.session.answers import Answer
from repl.session.session import Session
from repl.signals import on_hang_up
from repl.terminal.lines import Line
from repl.terminal.prompt import make_prompt
from repl.terminal.status import Status
from repl.terminal.walker import Walker
from repl.view.display import Display
from repl.view.layout import harmless
from repl.view.stream import Stream

TICK = 0.25  # seconds between two updates of the toolbar while something is running
T = TypeVar("T")


class Terminal:
    """Runs one session in a terminal. `input` and `output` are prompt_toolkit's, given in tests.

    A session that takes a while to make is given as the function that makes it, so that the prompt is there at once.
    """

    def __init__(
        self,
        session: Session | Callable[[], Session],
        input: Input | None = None,
        output: Output | None = None,
        config: Config | None = None,
    ) -> None:
        config = config or Config()
        self._prepare = (lambda: session) if isinstance(session, Session) else session
        self._suggestion: engine.Reply | None = None
        self._begun = Answer()  # the latest answer of the session
        self._keys = config.bindings
        self._failure: BaseException | None = None
        self._is_interrupted = False
        self._display = Display(output or create_output(), config.styles, config.prompt)
        self._display.show_theme(config.theme)
        self._stream = Stream(self._display)
        self._status = Status(self._display, self._stream, config.bindings)
        self._thread = ThreadPoolExecutor(1, "session")
        self._walker = Walker(self._display)
        self._prompt = make_prompt(self, self._status, self._display, config, input, self._walker)

    def run(self) -> None:
        """Run until Ctrl-D or /quit. Raises what kept the session from being made."""
        try:
            with contextlib.suppress(EOFError, KeyboardInterrupt):
                asyncio.run(self._prompt.prompt_async(pre_run=self._begin))
        finally:
            self._thread.submit(self._close).result()
            self._thread.shutdown()
        if self._failure is not None:
            raise self._failure

    # What the keys do

    @property
    def is_writing(self) -> bool:
        """Whether a reply is being written."""
        return self._stream.is_writing

    def stop(self) -> None:
        """Stop the replies that are being written; their text so far is kept."""
        self._stream.stop()

    def interrupt(self) -> None:
        """Ctrl-C: stop what is running; else clear the line, or take back those that wait; the second time, leave."""
        buffer = self._prompt.default_buffer
        if self._walker.is_on():
            self._walker.leave()
        elif self.is_writing:
            self.stop()
        elif (progress := self._status.progress) is not None:
            progress.stop()
        elif buffer.text:
            buffer.append_to_history()
            buffer.reset()
        elif self._status.lines.waiting:
            buffer.text = self._status.lines.take_back()
            buffer.cursor_position = len(buffer.text)
        elif self._status.doing == "working":
            self._is_interrupted = True
        elif self._status.is_leaving:
            self._leave()
        else:
            self._status.is_leaving = True
            self._prompt.app.invalidate()

    def end_of_input(self) -> None:
        """Ctrl-D: leave once what was entered before is done."""
        if self._status.lines.waiting or self.is_writing or self._status.doing not in ("", "loading the model"):
            self._status.is_ending = True
            self._status.lines.end()
            self._prompt.app.invalidate()
        else:
            self._leave()

    def accept(self, buffer: Buffer) -> bool:
        """Enter: have the line wait for its turn, and empty the prompt. After Ctrl-D the line stays in the prompt."""
        self._status.is_leaving = False
        if self._status.is_ending:
            return True
        self._status.lines.put(Line(buffer.text))
        return False

    def run_command(self, line: str) -> None:
        """Have a command that a key stands for run, unless something is running."""
        if self._status.is_idle:
            self._status.lines.put(Line(line, is_typed=False))

    def _leave(self) -> None:
        if self._prompt.app.is_running and not self._prompt.app.is_done:
            self._prompt.app.exit()

    def _hang_up(self) -> None:
        """Leave, because the window was closed or the process was told to end."""
        self.stop()
        if (progress := self._status.progress) is not None:
            progress.stop()
        self._leave()

    async def suggest(self, text: str) -> str:
        """What the model would write after a text that is being typed; empty while the session is busy."""
        session = self._status.session
        if session is None or not self._status.is_idle:
            return ""
        try:
            self._suggestion = await self._in_thread(lambda: session.suggest(text))
            return harmless("".join([piece async for piece in self._suggestion]))
        except (engine.EngineError, ValueError):
            return ""
        finally:
            self._suggestion = None

    # One line after the other

    def _begin(self) -> None:
        on_hang_up(asyncio.get_running_loop(), self._hang_up)
        self._prompt.app.create_background_task(self._work())

    async def _work(self) -> None:
        try:
            session = self._status.session = await self._in_thread(self._prepare)
            session.has_color = self._prompt.app.color_depth != ColorDepth.DEPTH_1_BIT
            session.keys = self._keys
            _greet(self._display, session)
            if not self._status.lines.waiting and session.store is not None:
                session.store.start()  # else it opens once the first words are on the screen
            while True:
                self._status.doing = ""
                self._prompt.app.invalidate()
                line = await self._status.lines.next()
                if line is None:
                    break
                await self._do(session, line)
        except Quit:
            pass
        except Exception as error:
            self._failure = error
            self._prompt.default_buffer.append_to_history()  # no words are lost
        self._leave()

    async def _do(self, session: Session, line: Line) -> None:
        self._status.doing, self._is_interrupted = "working", False
        session.columns = self._display.columns
        if self._suggestion is not None:
            self._suggestion.stop()
        answer = asyncio.ensure_future(self._in_thread(lambda: self._begin_answer(lambda: enter(session, line.text))))
        if line.is_typed:
            self._display.echo(line.text, self._status.prompt(line.text))  # while the network reads it already
        ticking = asyncio.ensure_future(self._tick())
        try:
            begun = await answer
            self._display.show_theme(session.theme)
            await self._show(session, begun)
        finally:
            ticking.cancel()

    async def _tick(self) -> None:
        """Keep the toolbar up to date."""
        while True:
            await asyncio.sleep(TICK)
            self._prompt.app.invalidate()

    async def _show(self, session: Session, answer: Answer) -> None:
        if answer.message:
            self._display.note(answer.message, "" if answer.is_asked_for else "note")
        if answer.picture:
            self._display.above(answer.picture)
        if answer.edit is not None:
            edit = answer.edit
            try:
                text = await run_in_terminal(lambda: edit_text(edit.text), in_executor=True)
            except ValueError as error:
                self._display.note(str(error))
                return
            answer = await self._in_thread(lambda: self._begin_answer(lambda: enter_edited(session, edit, text)))
            await self._show(session, answer)
        elif (walk := answer.walk) is not None:
            taken = None if self._is_interrupted else await self._walker.show(self._prompt.app, walk)
            if taken is not None:
                begun = await self._in_thread(lambda: self._begin_answer(lambda: enter_taken(session, walk, *taken)))
                await self._show(session, begun)
        elif answer.reply is not None or answer.replies:
            await self._stream.show(
                answer.replies if answer.reply is None else [answer.reply],
                session.speed,
                session.note_written,
                speaker=answer.speaker,
                is_beside=answer.reply is None,
                is_stopped=self._is_interrupted,
            )
            if answer.reply is not None and answer.reply.finish_reason == "cancelled":
                self._display.note(
                    "(stopped; Enter goes on from here)"
                )  # before it is kept, because a disk may take long
            await self._show(session, await self._in_thread(lambda: session.finish(answer)))

    async def _in_thread(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, act)

    def _begin_answer(self, act: Callable[[], Answer]) -> Answer:
        """In the thread: do what a line says, and remember the answer for `_close`."""
        self._begun = act()
        return self._begun

    def _close(self) -> None:
        """Stop what is still being written, shown or not, and keep it."""
        for reply in (*self._begun.replies, self._begun.reply):
            if reply is not None:
                reply.stop()
        if self._status.session is not None:
            self._status.session.finish(Answer())


def _greet(display: Display, session: Session) -> None:
    info = session.model.info
    display.note(
        f"{info.name}: {info.layers} x {info.units} {info.cell.upper()}, {info.parameters:,} parameters\n"
        "Type a beginning and Enter; /help tells the rest."
    )
    if session.remark:
        display.note(session.remark)
    if session.story.tree:
        display.above((("", f"{session.end_of_story().message}\n"),))
