"""What `python -m bot` does: write a configuration, check everything, or run the bot."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import functools
import gc
import logging
import os
import re
import signal
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import discord

import engine
from bot import gateway, setup
from bot.client import Textbot
from bot.monitoring import keep_health_file, serve_health, serve_metrics, set_up_log
from bot.settings import Settings, example, read
from bot.stories.chats import speakers_of
from bot.token import NAME as TOKEN
from bot.token import TokenError, read_token
from bot.watchdog import Watchdog
from engine import program

DEFAULT_CONFIG = Path("textbot.toml")
FIXED_KEYS = ("health_file", "health_port", "metrics_port")
CLOSE_SECONDS = 4.0  # that running replies have at the end
GATEWAY_CODES = {
    4004: "the token was changed; take the new one", 4010: "shard_ids do not fit shard_count",
    4011: "the bot is on so many servers that it needs more shards", 4014: "an intent was refused: update discord.py",
}  # fmt: skip
M_ARENA_MAX = -8  # of glibc's malloc.h
_log = logging.getLogger(__name__)
_fail = functools.partial(program.fail, "textbot")


class CannotStart(Exception):
    """The bot cannot start; the message says what is wrong and what to do."""


def run(argv: Sequence[str] | None) -> int:
    """Do what the command line says; returns the exit code, as `main` does."""
    arguments = _parser().parse_args(argv)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    try:
        if arguments.init_config is not None:
            return _write_example(arguments.init_config)
        path = arguments.config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
        settings, token = read(path), read_token(os.environ.get(TOKEN, ""))
        set_up_log(settings.service)
        _share_one_heap()
        with contextlib.ExitStack() as stack:
            models, speakers = _load(settings, stack)
            for name in settings.writing.remember:
                engine.read_files(name)  # raises what is wrong with it, before anybody waits for a story
            store = stack.enter_context(engine.Store(settings.store.url or None, keep_states=False))
            return asyncio.run(_main(settings, path, models, speakers, store, token, arguments.check))
    except (CannotStart, TokenError, engine.EngineError) as error:
        return _fail(str(error))
    except discord.LoginFailure:
        return _fail(f"Discord refuses the token: take a new one from its developer portal and set {TOKEN} to it")
    except discord.PrivilegedIntentsRequired:
        return _fail("Discord refuses the connection's intents, though none is privileged: update discord.py")
    except discord.ConnectionClosed as error:
        reason = GATEWAY_CODES.get(error.code or 0, "start the bot again")
        return _fail(f"Discord has closed the connection for good (code {error.code}): {reason}")
    except (aiohttp.ClientError, discord.DiscordException, OSError) as error:
        return _fail(f"cannot reach Discord ({' '.join(str(error).split())}): is the network up?")


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(
        prog="python -m bot",
        description="A Discord bot that writes stories with its server's members.",
        epilog=f"The Discord token comes from the environment variable {TOKEN}. docs/discord.md explains how "
        "to begin. SIGHUP reads the configuration again, SIGTERM ends within five seconds and loses nothing.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"settings ({DEFAULT_CONFIG} if it is there)")
    parser.add_argument(
        "--init-config", type=Path, nargs="?", const=DEFAULT_CONFIG, metavar="FILE",
        help=f"write a file with all settings, each explained, and exit ({DEFAULT_CONFIG})",
    )  # fmt: skip
    parser.add_argument("--check", action="store_true", help="test token, configuration, models and store, and exit")
    return parser


def _write_example(path: Path) -> int:
    try:
        with path.open("x", encoding="utf-8") as file:
            try:
                file.write(example())
                file.flush()
            except OSError:
                path.unlink()  # half a file would be taken for settings
                raise
    except FileExistsError:
        raise CannotStart(f"{path} is there already: move it away, or name another file") from None
    except OSError as error:
        raise CannotStart(f"{path} cannot be written ({error.strerror})") from None
    used = f"python -m bot --config {engine.quoted(path)} uses it"
    print(f"{engine.visible(path)}: all settings with their defaults; {used}")
    return 0


def _share_one_heap() -> None:
    """Have all threads allocate from one heap: glibc gives each thread its own, and each keeps what was freed in it."""
    with contextlib.suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def _load(
    settings: Settings, stack: contextlib.ExitStack
) -> tuple[dict[str, engine.Engine], dict[str, Sequence[str]]]:  # fmt: skip
    """Load the models; returns them by name, the default first, and the speakers of the chats that they know."""
    models: dict[str, engine.Engine] = {}
    speakers: dict[str, Sequence[str]] = {}
    for path in settings.engine.models:
        try:
            model = engine.load(
                path, precision=settings.engine.precision, max_batch=settings.engine.max_batch,
                threads=settings.engine.threads or None,
            )  # fmt: skip
        except engine.ModelLoadError as error:
            raise CannotStart(engine.only_fast(error, "the bot")) from None
        if model.info.name in models:
            model.close()
            raise CannotStart(f"two models are named {model.info.name!r}: rename the folder of one")
        models[model.info.name] = stack.enter_context(model)
        speakers[model.info.name] = speakers_of(engine.about(path).settings)
    return models, speakers


async def _main(
    settings: Settings, path: Path | None, models: dict[str, engine.Engine], speakers: dict[str, Sequence[str]],
    store: engine.Store, token: str, is_check: bool,
) -> int:  # fmt: skip
    address = settings.discord.api_url.rstrip("/")
    if address and not await gateway.use_other_address(address):
        raise CannotStart(f"api_url {re.sub('//.*@', '//', address)}: does not answer as Discord's API does")
    gateway.be_patient()
    bot = Textbot(settings, models, store, speakers)
    async with bot:
        if is_check:
            await bot.http.static_login(token)
            info = await bot.application_info()
            return _report(info, settings, models)
        await bot.login(token)
        print(f"invite it with {setup.invite(bot.application_id or 0)}", flush=True)
        return await _serve(bot, path)


def _report(application: discord.AppInfo, settings: Settings, models: dict[str, engine.Engine]) -> int:
    """Print what `--check` has found. Raises `CannotStart` for what keeps the bot from working."""
    if fault := next(setup.faults(application), None):
        raise CannotStart(f"{application.name}: {fault}")
    print(f"all is well: {application.name}, {', '.join(models)}")
    print(f"invite it with {setup.invite(application.id)}")
    if application.user_integration_config is not None:
        print(f"people install it with {setup.install(application.id)}")
    for line in setup.describe(application, settings):
        print(f"  {line}")
    return 0


async def _serve(bot: Textbot, path: Path | None) -> int:
    """Run until a signal or Discord ends it; returns the exit code."""
    gc.collect()
    gc.freeze()  # what exists now stays, so the collector can skip it
    loop, is_over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, is_over.set)
    if hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, lambda: _reload(bot, path))
    async with contextlib.AsyncExitStack() as stack:
        await _start_monitoring(bot, stack)
        connection, waiting = asyncio.create_task(bot.connect()), asyncio.create_task(is_over.wait())
        try:
            await asyncio.wait({connection, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if connection.done():
                connection.result()  # raises what ended it
                return 1
            _log.info("event=ending")
            await bot.shut_down(CLOSE_SECONDS)
            return 0
        finally:
            for task in (waiting, connection):
                task.cancel()
            await asyncio.gather(waiting, connection, return_exceptions=True)


async def _start_monitoring(bot: Textbot, stack: contextlib.AsyncExitStack) -> None:
    """Start the watchdog, and what the settings say about health and metrics; the stack ends them."""
    watchdog, given = Watchdog(), bot.settings.service
    stack.callback(watchdog.stop)
    if given.health_file:
        stack.callback(asyncio.create_task(keep_health_file(bot, Path(given.health_file))).cancel)
    try:
        if given.health_port:
            stack.push_async_callback(await serve_health(bot, given.health_port))
        if given.metrics_port:
            serve_metrics(bot, watchdog, given.metrics_port)
    except ImportError:
        raise CannotStart("metrics need prometheus-client: pip install 'textrepl[bot]'") from None
    except OSError as error:
        raise CannotStart(f"health_port or metrics_port cannot be used ({error.strerror}): choose another") from None


def _reload(bot: Textbot, path: Path | None) -> None:
    try:
        settings = read(path)
    except engine.ConfigError as error:
        _log.error("event=not-reloaded reason=%r", str(error))
        return
    before = bot.settings
    fixed = [name for name in ("discord", "engine", "store") if getattr(settings, name) != getattr(before, name)]
    fixed += [name for name in FIXED_KEYS if getattr(settings.service, name) != getattr(before.service, name)]
    set_up_log(settings.service)
    bot.apply(settings)
    _log.info("event=reloaded needs_restart=%s", ",".join(fixed) or "nothing")
