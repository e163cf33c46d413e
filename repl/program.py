"""Does what the command line of `textrepl` asks for: one shot, or a terminal."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from repl import config
    from repl.startup import Startup

import engine
from engine.program import fail, say
from repl import arguments as command_line
from repl.pipe import oneshot
from repl.settings import PROMPT_DEFAULTS


def run(argv: Sequence[str] | None) -> int:
    """Returns the exit code. Whatever goes wrong is one line on stderr."""
    try:
        return _run(argv)
    except engine.EngineError as error:
        return _fail(str(error))
    except BrokenPipeError:
        return _fail("the reader of stdout went away before the text was whole")
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else "cannot write the text: "
        return _fail(f"{where}{error.strerror}")
    except Exception as error:  # outermost: no traceback reaches a person
        return _fail(f"a mistake in textrepl itself ({type(error).__name__}: {error}); what was written is kept")


def _run(argv: Sequence[str] | None) -> int:
    parser = command_line.parser()
    arguments = parser.parse_args(argv)
    try:
        sampling = command_line.sampling(arguments)
        if not 1 <= arguments.samples <= 1000:
            raise ValueError(f"samples {arguments.samples}: must be from 1 to 1000")
        if arguments.backend == "keras" and arguments.precision != "float32":
            raise ValueError(f"--backend keras has no --precision {arguments.precision}: leave one of them out")
    except ValueError as error:
        parser.error(str(error))
    if sys.stdout is None:
        return _fail("stdout is closed: there is nowhere to write to")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    if arguments.completions or arguments.init_config:
        print(_script(arguments.completions, parser) if arguments.completions else engine.visible(_init_config()))
        return 0
    is_interactive = arguments.prompt is None and sys.stdin is not None and sys.stdin.isatty()
    if is_interactive and not sys.stdout.isatty():
        parser.error("stdout is no terminal: give --prompt, or a beginning on standard input")
    for flag in ("samples", "echo", "json"):
        if is_interactive and getattr(arguments, flag) != parser.get_default(flag):
            parser.error(f"--{flag}: is for a text that is given with --prompt or through a pipe")
    if not is_interactive and arguments.prompt is None and sys.stdin is None:
        parser.error("standard input is closed: give --prompt")
    if not is_interactive and arguments.store is not None and arguments.session is None:
        parser.error("--store says where sessions are kept: give --session, too")
    if not is_interactive and arguments.session is not None and arguments.samples > 1:
        parser.error("--samples: a session goes on one way; leave --session out, or /alt in the terminal has several")
    if arguments.chat is not None and arguments.samples > 1:
        parser.error("--samples: a chat goes on one way; leave one of them out")
    if is_interactive:
        return _open_prompt(arguments, parser)
    files = tuple(arguments.remember)
    job = oneshot.Job(arguments.prompt or "", sampling, arguments.samples, arguments.echo, arguments.json, files)
    if arguments.session is not None or arguments.chat is not None:
        return _resume_in_pipe(arguments, parser, job)
    if arguments.prompt is None:
        job = replace(job, prompt=_read_prompt())
    with engine.load(arguments.model, backend=arguments.backend, precision=arguments.precision) as model:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return oneshot.run(model, job, sys.stdout, sys.stderr)
        except ValueError as error:  # a text that cannot be remembered
            return _fail(str(error))


def _read_prompt() -> str:
    return engine.read_stream(sys.stdin.buffer, "standard input", lambda line: say("textrepl", line))


def _read_lines() -> Iterator[str]:
    return engine.read_lines(sys.stdin.buffer, "standard input", lambda line: say("textrepl", line))


def _resume_in_pipe(arguments: argparse.Namespace, parser: argparse.ArgumentParser, job: oneshot.Job) -> int:
    """Write what a session goes on with to stdout: one continuation, or in a chat a line for each line."""
    from repl.pipe import session_shot

    startup, _ = _startup(arguments, parser, {})
    try:
        session = startup.prepare()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if arguments.prompt is not None:
            prompts: Iterable[str] = [arguments.prompt]
        else:
            prompts = [_read_prompt()] if session.chat is None else _read_lines()
        code = session_shot.run(session, prompts, job, sys.stdout, sys.stderr)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing may stop it from keeping the story
        farewell = startup.close()
        if startup.is_unkept:  # where the text is now matters more than what else went wrong
            raise engine.StoreError(farewell)
    return code


def _open_prompt(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Open the prompt, and load behind it. What only this needs is imported here, so that a pipe starts at once."""
    startup, settings = _startup(arguments, parser, PROMPT_DEFAULTS, is_prompt=True)
    try:
        if os.environ.get("TERM", "").lower() in ("dumb", "unknown"):
            from repl.terminal.plain_prompt import run_plain

            run_plain(startup.prepare, settings.prompt)
        else:
            from repl.terminal.terminal import Terminal

            Terminal(startup.prepare, config=settings).run()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing may stop it from keeping the story
        if farewell := startup.close():
            print(engine.visible(farewell))
    return 0


def _startup(
    arguments: argparse.Namespace,
    parser: argparse.ArgumentParser,
    defaults: Mapping[str, Any],
    *,
    is_prompt: bool = False,
) -> tuple[Startup, config.Config]:
    from repl import config
    from repl.startup import Startup

    is_plain = arguments.session is None and not is_prompt  # such a pipe depends on its flags alone
    settings = config.Config() if is_plain else config.read(config.default_path())
    try:
        return Startup(arguments, settings, defaults, is_prompt=is_prompt), settings
    except ValueError as error:
        parser.error(str(error))


def _init_config() -> str:
    from repl import config

    return config.init(config.default_path())


def _script(shell: str, parser: argparse.ArgumentParser) -> str:
    from repl import shell_completion

    return shell_completion.script(shell, parser)


def _fail(message: str) -> int:
    return fail("textrepl", message)
