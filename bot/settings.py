"""What an operator may set, in TOML. Each key is declared once, with its default, its limits and its purpose.

The token is not a setting: it comes only from the environment.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import engine

NAMES = {
    "models": "storyteller",
    "remember": "chapter.txt",
    "ban": "the end",
}  # keys that list names, each with an example
ENDS, MEMORIES = (engine.Sampling.__dataclass_fields__[name].metadata["choices"] for name in ("end", "memory"))
MAX_ALTERNATIVES = 5  # as many buttons as Discord puts in a row


def _key(default: Any, help: str, low: float = 0, high: float = 10**9, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": help, "low": low, "high": high, "choices": choices})


@dataclass(frozen=True, slots=True)
class Discord:
    """The connection."""

    guilds: tuple[int, ...] = _key((), "ids of the servers that get the commands at once; none: all servers, globally")
    shard_count: int = _key(0, "shards of all processes together; 0: as many as Discord recommends, in this process")
    shard_ids: tuple[int, ...] = _key((), "the shards of this process; none: all")
    components: str = _key(
        "auto", "how messages are made: v2 holds twice as much; auto is v2 unless Discord refuses it",
        choices=("auto", "v1", "v2"),
    )  # fmt: skip
    api_url: str = _key("", "another address of Discord's API, for a proxy or a test; empty: Discord itself")


@dataclass(frozen=True, slots=True)
class Engine:
    """The models."""

    models: tuple[str, ...] = _key(("storyteller",), "model folders or names under models/; the first is the default")
    precision: str = _key("int8", "of the weights; int8 is faster, and hardly worse", choices=("float32", "int8"))
    threads: int = _key(
        1, "that compute a step; more leave less of the machine to Discord. 0: as many as pay off", 0, 64
    )
    max_batch: int = _key(64, "replies that are written in one step together", 1, 1024)


@dataclass(frozen=True, slots=True)
class Store:
    """Where stories are kept."""

    url: str = _key("", "postgresql://... or sqlite:///file.db; empty: a file in the platform's data folder")


@dataclass(frozen=True, slots=True)
class Writing:
    """How replies are written unless a channel or a command says otherwise."""

    length: int = _key(300, "tokens of a reply", 1, 4000)
    end: str = _key(
        "sentence", "where a reply may end once it has its length: after half as much more at the latest",
        choices=ENDS,
    )  # fmt: skip
    temperature: float = _key(0.8, "0 always takes the likeliest, 1 writes as the text it learned from", 0, 2)
    top_p: float = _key(1.0, "choose among the likeliest that together have this probability", 0.01, 1)
    max_length: int = _key(2000, "the longest reply that anybody may ask for, in tokens", 1, 4000)
    max_alternatives: int = _key(
        5, "the most continuations that /alternatives writes at once", 2, MAX_ALTERNATIVES
    )  # fmt: skip
    max_temperature: float = _key(2.0, "the highest temperature that anybody may ask for", 0, 2)
    max_text: int = _key(4000, "characters that a member may add at once", 1, 6000)
    memory: str = _key(
        "off", "write with the story's own words: mine, what members wrote; all, the bot's replies, too",
        choices=MEMORIES,
    )  # fmt: skip
    remember: tuple[str, ...] = _key((), "files whose words every new story's memory knows")
    max_memory: str = _key("all", "the most of that which a channel may choose", choices=MEMORIES)
    ban: tuple[str, ...] = _key((), "phrases that are never written; a channel may have more, never fewer")
    max_banned: int = _key(50, "phrases that a channel may ban; 0: none", 0, 1000)
    max_remembered: int = _key(500_000, "characters of a file that /remember takes; 0: none", 0, 5_000_000)


@dataclass(frozen=True, slots=True)
class Limits:
    """How often members may ask, and how many requests may wait."""

    member_seconds: float = _key(3.0, "between a member's requests in the long run; 0: no limit")
    member_burst: int = _key(4, "requests that a member may make at once before that", 1)
    channel_seconds: float = _key(1.0, "between a channel's requests in the long run; 0: no limit")
    channel_burst: int = _key(8, "requests that a channel may make at once before that", 1)
    channel_waiting: int = _key(5, "requests that may wait in a channel while a reply is written there", 1)
    running: int = _key(256, "replies that are written at once; others wait in line and see their position", 1)
    waiting: int = _key(1000, "requests that may wait in line; more are refused", 1)


@dataclass(frozen=True, slots=True)
class Service:
    """The log, health and metrics."""

    log_level: str = _key("info", "how much is logged", choices=("debug", "info", "warning", "error"))
    log_format: str = _key("text", "one line an event, as key=value or as JSON", choices=("text", "json"))
    log_texts: bool = _key(False, "also log what members write and what is written for them")
    health_file: str = _key("", "a file that is touched every few seconds while all is well")
    health_port: int = _key(0, "a port on 127.0.0.1 that answers GET /health; 0: none", 0, 65535)
    metrics_port: int = _key(0, "a port on 127.0.0.1 that answers GET /metrics for Prometheus; 0: none", 0, 65535)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, by table."""

    discord: Discord = field(default_factory=Discord)
    engine: Engine = field(default_factory=Engine)
    store: Store = field(default_factory=Store)
    writing: Writing = field(default_factory=Writing)
    limits: Limits = field(default_factory=Limits)
    service: Service = field(default_factory=Service)


def read(path: Path | None) -> Settings:
    """The settings in a file, or the defaults without one. Raises `engine.ConfigError`."""
    if path is None:
        return Settings()
    if (toml := engine.Toml.read(path)) is None:
        raise engine.ConfigError(f"{path} cannot be read (it is not there): python -m bot --init-config makes one")
    return _settings(toml)


def parse(text: str, name: str) -> Settings:
    """The settings in a TOML text. Raises `engine.ConfigError` with the line of the mistake."""
    return _settings(engine.Toml.parse(text, name))


def _settings(toml: engine.Toml) -> Settings:
    tables = {item.name: item.default_factory for item in dataclasses.fields(Settings)}
    made: dict[str, Any] = {}
    for table, values in toml.values.items():
        kind = tables.get(table)
        if not isinstance(kind, type):
            hint = engine.did_you_mean(table, tables, f"there are {', '.join(tables)}")
            raise toml.mistake("", table, f"there is no table [{table}]; {hint}")
        if not isinstance(values, dict):
            raise toml.mistake("", table, f"{table} must be a table, headed [{table}]")
        items = {item.name: item for item in dataclasses.fields(kind)}
        for key, value in values.items():
            if key not in items:
                hint = engine.did_you_mean(key, items, f"there are {', '.join(items)}")
                raise toml.mistake(table, key, f"there is no key {key!r}; {hint}")
            if problem := _problem(items[key], value):
                raise toml.mistake(table, key, problem)
        made[table] = kind(**{key: type(items[key].default)(value) for key, value in values.items()})
    settings = Settings(**made)
    if found := _contradiction(settings):
        raise toml.mistake(*found)
    return settings


def example() -> str:
    """A TOML file with every key, its default and its purpose."""
    lines = ["# Settings of textbot. The token is not among them: set DISCORD_TOKEN in the environment."]
    for table in dataclasses.fields(Settings):
        kind = table.default_factory
        assert isinstance(kind, type)
        lines += ["", f"[{table.name}]"]
        for item in dataclasses.fields(kind):
            lines += [f"# {item.metadata['help']}{_limits(item)}", f"{item.name} = {_toml(item.default)}"]
    return "\n".join(lines) + "\n"


def _problem(item: dataclasses.Field[Any], value: Any) -> str:
    """What is wrong with the value of a key; empty if nothing is."""
    if isinstance(item.default, tuple):
        return _list_problem(item.name, value)
    wanted: Any = (int, float) if isinstance(item.default, float) else type(item.default)
    if not isinstance(value, wanted) or (isinstance(value, bool) and not isinstance(item.default, bool)):
        return f"{item.name} must be like {_toml(item.default)}, not {value!r}"
    if item.metadata["choices"] and value not in item.metadata["choices"]:
        return f"{item.name} {value!r}: must be {' or '.join(item.metadata['choices'])}"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and not item.metadata["low"] <= value <= item.metadata["high"]:
        return f"{item.name} {value}: must be from {item.metadata['low']} to {item.metadata['high']}"
    return ""


def _list_problem(key: str, values: Any) -> str:
    """What is wrong with a list of names (of models or files) or of ids."""
    is_names = key in NAMES
    if not isinstance(values, list) or not all(map(_is_name if is_names else _is_id, values)):
        words = f'names, like ["{NAMES[key]}"]' if is_names else "numbers, like [123]"
        return f"{key} must be a list of {words}, not {values!r}"
    return f"{key} must name at least one model" if key == "models" and not values else ""


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _contradiction(settings: Settings) -> tuple[str, str, str] | None:
    """Keys that do not fit together, as a table, a key and what is wrong; None if all fit."""
    count, ids, writing = settings.discord.shard_count, settings.discord.shard_ids, settings.writing
    if ids and not count:
        return "discord", "shard_ids", "shard_ids needs shard_count, the number of shards of all processes"
    if any(number >= count for number in ids):
        return "discord", "shard_ids", f"shard_ids {list(ids)}: must be from 0 to {count - 1}"
    if MEMORIES.index(writing.memory) > MEMORIES.index(writing.max_memory):
        return "writing", "max_memory", f"max_memory must not be below memory ({writing.memory})"
    for key in ("length", "temperature"):
        if getattr(writing, key) > getattr(writing, f"max_{key}"):
            return "writing", f"max_{key}", f"max_{key} must not be below {key} ({getattr(writing, key)})"
    return None


def _limits(item: dataclasses.Field[Any]) -> str:
    if item.metadata["choices"]:
        return f" ({' or '.join(item.metadata['choices'])})"
    if isinstance(item.default, bool) or not isinstance(item.default, int | float) or item.metadata["high"] >= 10**9:
        return ""
    return f" ({item.metadata['low']} to {item.metadata['high']})"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
