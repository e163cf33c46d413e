"""The prompt: lines in, streamed text out, above a prompt that stays usable. What a line does is decided in `session`.

One event loop reads the keys and draws; one other thread does what takes a while (loading, commands, the store), one
thing after the other, so that no conversation is ever used by two. What stands is printed once and scrolls away; only
the paragraph that is being written and the prompt below it are redrawn.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import is_done
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.input import Input
from prompt_toolkit.layout import ConditionalContainer, FormattedTextControl, HSplit, Window
from prompt_toolkit.output import ColorDepth, Output, create_output

import engine
from repl.answers import Answer, Quit
from repl.completion import CommandCompleter
from repl.config import Config
from repl.display import Display, color_depth
from repl.editor import edit_text
from repl.ghost import Ghost
from repl.history import open_history
from repl.keys import make_keys
from repl.screen import HARMLESS, Pace
from repl.session import Session

FRAME = 1 / 30  # seconds from one drawing of a text that is being written to the next
NOTE_EVERY = 1.0  # seconds between notes of how far a reply is, should the process be killed
T = TypeVar("T")


class Terminal:
    """Runs one session in a terminal; `input` and `output` are prompt_toolkit's, given in tests.

    A session that takes a while to make is given as the function that makes it: the prompt is there before.
    """

    def __init__(
        self,
        session: Session | Callable[[], Session],
        input: Input | None = None,
        output: Output | None = None,
        config: Config | None = None,
    ) -> None:
        config = config or Config()
        self._session = session if isinstance(session, Session) else None
        self._prepare = (lambda: session) if isinstance(session, Session) else session
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._waiting: list[str] = []  # lines that were entered and are still to be done
        self._speed, self._state = 0.0, "loading the model"
        self._answer: Answer | None = None  # whose replies are being written
        self._ghost: engine.Reply | None = None
        self._failure: BaseException | None = None
        self._is_leaving = self._is_interrupted = False
        self._hurry: asyncio.Event | None = None  # set when the present reply is stopped
        self._display = Display(output or create_output(), config.looks, config.prompt)
        self._thread = ThreadPoolExecutor(1, "session")
        self._prompt: PromptSession[None] = PromptSession(
            self._message,
            history=open_history(),
            completer=CommandCompleter(lambda: self._session),
            complete_in_thread=True,
            complete_while_typing=False,
            enable_history_search=True,
            enable_open_in_editor=True,
            auto_suggest=Ghost(self._suggest) if config.ghost else None,
            editing_mode=EditingMode.VI if config.keys == "vi" else EditingMode.EMACS,
            style=self._display.style,
            include_default_pygments_style=False,
            color_depth=color_depth(),
            key_bindings=make_keys(self),
            input=input,
            output=self._display.output,
        )
        self._prompt.default_buffer.accept_handler = self._accept
        self._prompt.app.ttimeoutlen = 0.05  # seconds in which the rest of a key's code comes after Escape
        self._display.attach(self._prompt.app)
        toolbar = Window(FormattedTextControl(self._toolbar), height=1, style="class:toolbar")
        cast(HSplit, self._prompt.layout.container).children.append(ConditionalContainer(toolbar, ~is_done))

    def run(self) -> None:
        """Until Ctrl-D or /quit. Raises what kept the session from being made."""
        try:
            with contextlib.suppress(EOFError, KeyboardInterrupt):
                asyncio.run(self._prompt.prompt_async(pre_run=self._begin))
        finally:
            self._thread.submit(self._close).result()
            self._thread.shutdown()
        if self._failure is not None:
            raise self._failure

    # What the keys ask for

    @property
    def is_writing(self) -> bool:
        """Whether a reply is being written."""
        return self._answer is not None

    def stop(self) -> None:
        """Stop the replies that are being written; what stands is kept."""
        for reply in self._replies():
            reply.stop()
        if self._hurry is not None:
            self._hurry.set()

    def interrupt(self) -> None:
        """Ctrl-C: stops the writing; else clears the line, or takes back those that wait; else, twice, leaves."""
        buffer = self._prompt.default_buffer
        if self.is_writing:
            self.stop()
        elif buffer.text:
            buffer.append_to_history()
            buffer.reset()
        elif self._waiting:
            buffer.text = self._take_back()
            buffer.cursor_position = len(buffer.text)
        elif self._state == "working":
            self._is_interrupted = True
        elif self._is_leaving:
            self._leave()
        else:
            self._is_leaving = True
            self._prompt.app.invalidate()

    def end_of_input(self) -> None:
        """Ctrl-D: leaves once what was entered before is done."""
        if self._waiting or self.is_writing or self._state not in ("", "loading the model"):
            self._lines.put_nowait(None)
        else:
            self._leave()

    def _accept(self, buffer: Buffer) -> bool:
        self._is_leaving = False
        self._waiting.append(buffer.text)
        self._lines.put_nowait(buffer.text)
        return False

    def _take_back(self) -> str:
        """The lines that wait for their turn, which are not done then."""
        while not self._lines.empty():
            self._lines.get_nowait()
        lines, self._waiting = self._waiting, []
        return "\n".join(lines)

    def _leave(self) -> None:
        if self._prompt.app.is_running and not self._prompt.app.is_done:
            self._prompt.app.exit()

    def _hang_up(self) -> None:
        """The window was closed, or somebody wants the process to end."""
        self.stop()
        self._leave()

    # One line after the other

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
                loop.add_signal_handler(number, self._hang_up)
        self._prompt.app.create_background_task(self._work())

    async def _work(self) -> None:
        try:
            self._session = await self._in_thread(self._prepare)
            self._session.has_color = self._prompt.app.color_depth != ColorDepth.DEPTH_1_BIT
            self._greet(self._session)
            if self._lines.empty() and self._session.keeper is not None:
                self._session.keeper.start()  # else it opens once the first words are on the screen
            while True:
                self._state = ""
                self._prompt.app.invalidate()
                line = await self._lines.get()
                if line is None:
                    break
                await self._do(self._session, line)
        except Quit:
            pass
        except Exception as error:
            self._failure = error
            self._prompt.default_buffer.append_to_history()  # no words are lost
        self._leave()

    async def _do(self, session: Session, line: str) -> None:
        self._state, self._is_interrupted = "working", False
        session.columns = self._display.columns
        self._waiting.pop(0)
        if self._ghost is not None:
            self._ghost.stop()
        answer = asyncio.ensure_future(self._in_thread(lambda: session.enter(line)))
        self._display.echo(line)  # while the network reads it already
        await self._show(session, await answer)

    async def _show(self, session: Session, answer: Answer) -> None:
        if answer.message:
            self._display.note(answer.message, "" if answer.is_asked_for else "note")
        if answer.picture:
            self._display.above(answer.picture)
        if answer.edit is not None:
            edit = answer.edit
            text = await run_in_terminal(lambda: edit_text(edit.text), in_executor=True)
            await self._show(session, await self._in_thread(lambda: session.edited(edit, text)))
        elif answer.reply is not None or answer.replies:
            self._answer, self._hurry = answer, asyncio.Event()
            if self._is_interrupted:
                self.stop()
            try:
                if answer.reply is not None:
                    await self._stream(session, answer.reply)
                else:
                    await asyncio.to_thread(lambda: [reply.result() for reply in answer.replies])
            except engine.EngineError as error:
                self._display.note(str(error))
            self._answer = None
            await self._show(session, await self._in_thread(lambda: session.finish(answer)))
            if answer.reply is not None and answer.reply.finish_reason == "cancelled":
                self._display.note("(stopped; Enter goes on from here)")

    async def _stream(self, session: Session, reply: engine.Reply) -> None:
        """Show a reply while it is written."""
        started = shown_at = time.perf_counter()
        noted = started - NOTE_EVERY
        pace, unshown, count = Pace(session.speed, started), "", 0
        try:
            async for piece in reply:
                count += len(piece)
                unshown += piece.translate(HARMLESS)
                unshown = self._display.write(pace, unshown)
                now = time.perf_counter()
                if now - noted > NOTE_EVERY:
                    noted = now
                    session.progress(count)
                await self._rest(min(FRAME, (now - started) / 2) - (now - shown_at))  # the first frames come sooner
                shown_at = time.perf_counter()
            if count:
                self._speed = count / (time.perf_counter() - started)
            while unshown and not reply.is_cancelled:
                unshown = self._display.write(pace, unshown)
                await self._rest(FRAME)
        finally:
            self._display.finish(unshown)

    async def _rest(self, seconds: float) -> None:
        """Until the next frame is due, or the reply is stopped."""
        if self._hurry is not None and seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), seconds)

    async def _suggest(self, text: str) -> str:
        """What the model would write after a text that is being typed; nothing while it is busy."""
        session = self._session
        if session is None or self._state or self._waiting:
            return ""
        try:
            self._ghost = await self._in_thread(lambda: session.ghost(text))
            return "".join([piece async for piece in self._ghost]).translate(HARMLESS)
        except (engine.EngineError, ValueError):
            return ""
        finally:
            self._ghost = None

    async def _in_thread(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, act)

    def _close(self) -> None:
        """Keep what stands of a reply that the end came upon."""
        self.stop()
        if self._session is not None:
            self._session.finish(Answer())

    def _replies(self) -> list[engine.Reply]:
        answer = self._answer or Answer()
        return [*answer.replies, *([answer.reply] if answer.reply is not None else [])]

    # What is seen

    def _message(self) -> FormattedText:
        columns = self._display.columns
        fragments: list[tuple[str, str]] = [("", f"{row}\n") for row in self._display.moving()]
        fragments += [("class:note", f"{engine.first_words(line, columns - 4)} ...\n") for line in self._waiting[:3]]
        return FormattedText([*fragments, ("class:accent", self._display.prompt)])

    def _toolbar(self) -> str:
        if self._is_leaving:
            return " Ctrl-C again or Ctrl-D leaves"
        status = self._session.status() if self._session is not None and self._state != "working" else ""
        doing = "writing; Ctrl-C or Esc stops" if self.is_writing else self._state
        speed = f"  {self._speed:,.0f} chars/s" if self._speed else ""
        return f" {doing}" if doing else f" {status}{speed}"

    def _greet(self, session: Session) -> None:
        info = session.model.info
        self._display.note(
            f"{info.name}: {info.layers} x {info.units} {info.cell.upper()}, {info.parameters:,} parameters\n"
            "Type a beginning and Enter; /help tells the rest."
        )
        if session.story.tree:
            self._display.above((("", f"{session.where().message}\n".translate(HARMLESS)),))
