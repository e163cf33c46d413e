"""The prompt: lines in, streamed text out, above a prompt that stays usable. What a line does is decided in `session`.

One event loop reads the keys and draws; one other thread does what takes a while (loading, commands, the store), one
thing after the other, so that no conversation is ever used by two. What stands is printed once and scrolls away; only
the paragraph that is being written and the prompt below it are redrawn.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.input import Input
from prompt_toolkit.output import ColorDepth, Output, create_output

import engine
from repl.config import Config
from repl.session.answers import Answer, Quit
from repl.session.progress import Patience
from repl.session.session import Session
from repl.signals import heed_hang_up
from repl.terminal.editor import edit_text
from repl.terminal.key_names import shown_keys
from repl.terminal.prompt import make_prompt
from repl.view.display import Display
from repl.view.layout import harmless
from repl.view.stream import Writing

TICK = 0.25  # seconds from one word on how far it is to the next
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
        self.session = session if isinstance(session, Session) else None
        self._prepare = (lambda: session) if isinstance(session, Session) else session
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._waiting: list[str] = []  # lines that were entered and are still to be done
        self._state = "loading the model"
        self._ghost: engine.Reply | None = None
        self._begun = Answer()  # the last that the session gave
        self._keys = shown_keys(config.bindings)
        self._failure: BaseException | None = None
        self._is_leaving = self._is_ending = self._is_interrupted = False
        self._display = Display(output or create_output(), config.looks, config.prompt)
        self._writing = Writing(self._display)
        self._thread = ThreadPoolExecutor(1, "session")
        self._prompt = make_prompt(self, self._display, config, input)

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
        return self._writing.is_on

    def stop(self) -> None:
        """Stop the replies that are being written; what stands is kept."""
        self._writing.stop()

    def interrupt(self) -> None:
        """Ctrl-C: stops what goes on; else clears the line, or takes back those that wait; else, twice, leaves."""
        buffer = self._prompt.default_buffer
        if self.is_writing:
            self.stop()
        elif self._patience is not None:
            self._patience.stop()
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
            self._is_ending = True
            self._lines.put_nowait(None)
            self._prompt.app.invalidate()
        else:
            self._leave()

    def accept(self, buffer: Buffer) -> bool:
        """Enter: the line waits for its turn, and the prompt is empty again; after Ctrl-D it stays in the prompt."""
        self._is_leaving = False
        if self._is_ending:
            return True
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
        if self._patience is not None:
            self._patience.stop()
        self._leave()

    @property
    def _patience(self) -> Patience | None:
        """What takes long, while it does."""
        patience = self.session.patience if self.session is not None else None
        return patience if patience is not None and patience.is_on else None

    # What the prompt shows

    def message(self) -> FormattedText:
        """What moves above the prompt, the lines that wait, and the prompt itself."""
        columns = self._display.columns
        fragments: list[tuple[str, str]] = [("", f"{row}\n") for row in self._display.moving()]
        fragments += [("class:note", f"{engine.first_words(line, columns - 4)} ...\n") for line in self._waiting[:3]]
        return FormattedText([*fragments, ("class:accent", self._display.prompt)])

    def toolbar(self) -> str:
        """What goes on, or the settings and the place."""
        if self._is_leaving:
            return " Ctrl-C again or Ctrl-D leaves"
        if self._is_ending:
            return " leaving once this is done; Ctrl-C stops it"
        status = self.session.status() if self.session is not None and self._state != "working" else ""
        if self.is_writing:
            doing = f"{self._writing.words()}; Ctrl-C or {self._keys['stop']} stops"
        elif self._patience is not None:
            doing = f"{self._patience.words()}; Ctrl-C stops"
        else:
            doing = self._state
        speed = f"  {self._writing.speed:,.0f} chars/s" if self._writing.speed else ""
        return f" {doing}" if doing else f" {status}{speed}"

    async def suggest(self, text: str) -> str:
        """What the model would write after a text that is being typed; nothing while it is busy."""
        session = self.session
        if session is None or self._state or self._waiting:
            return ""
        try:
            self._ghost = await self._in_thread(lambda: session.ghost(text))
            return harmless("".join([piece async for piece in self._ghost]))
        except (engine.EngineError, ValueError):
            return ""
        finally:
            self._ghost = None

    # One line after the other

    def _begin(self) -> None:
        heed_hang_up(asyncio.get_running_loop(), self._hang_up)
        self._prompt.app.create_background_task(self._work())

    async def _work(self) -> None:
        try:
            self.session = await self._in_thread(self._prepare)
            self.session.has_color = self._prompt.app.color_depth != ColorDepth.DEPTH_1_BIT
            self.session.keys = self._keys
            self._greet(self.session)
            if self._lines.empty() and self.session.keeper is not None:
                self.session.keeper.start()  # else it opens once the first words are on the screen
            while True:
                self._state = ""
                self._prompt.app.invalidate()
                line = await self._lines.get()
                if line is None:
                    break
                await self._do(self.session, line)
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
        answer = asyncio.ensure_future(self._in_thread(lambda: self._begin_answer(lambda: session.enter(line))))
        self._display.echo(line)  # while the network reads it already
        ticking = asyncio.ensure_future(self._tick())
        try:
            await self._show(session, await answer)
        finally:
            ticking.cancel()

    async def _tick(self) -> None:
        """Have the toolbar show how far it is."""
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
            answer = await self._in_thread(lambda: self._begin_answer(lambda: session.edited(edit, text)))
            await self._show(session, answer)
        elif answer.reply is not None or answer.replies:
            await self._writing.show(
                answer.replies if answer.reply is None else [answer.reply],
                session.speed,
                session.progress,
                is_beside=answer.reply is None,
                is_unwanted=self._is_interrupted,
            )
            if answer.reply is not None and answer.reply.finish_reason == "cancelled":
                self._display.note("(stopped; Enter goes on from here)")  # before it is kept, for a disk may take long
            await self._show(session, await self._in_thread(lambda: session.finish(answer)))

    async def _in_thread(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, act)

    def _begin_answer(self, act: Callable[[], Answer]) -> Answer:
        """In the thread: what a line leads to, held for the end, which may come before it is shown."""
        self._begun = act()
        return self._begun

    def _close(self) -> None:
        """Keep what stands of a reply that the end came upon, shown or not."""
        for reply in (*self._begun.replies, self._begun.reply):
            if reply is not None:
                reply.stop()
        if self.session is not None:
            self.session.finish(Answer())

    def _greet(self, session: Session) -> None:
        info = session.model.info
        self._display.note(
            f"{info.name}: {info.layers} x {info.units} {info.cell.upper()}, {info.parameters:,} parameters\n"
            "Type a beginning and Enter; /help tells the rest."
        )
        if session.remark:
            self._display.note(session.remark)
        if session.story.tree:
            self._display.above((("", f"{session.where().message}\n"),))
