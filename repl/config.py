"""Reads a writer's own settings from a TOML file in the platform's configuration folder. Mistakes name their line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

import engine
from repl.key_names import ACTIONS, check_conflict, parse_keys
from repl.session.story_files import create
from repl.settings import MAX_SPEED, PRESETS, PROMPT_DEFAULTS, SETTINGS
from repl.view.style import OWN, STYLES, THEMES

TEMPLATE = """\
# textrepl reads this when it opens its prompt or a session; a pipe without one does not. Flags override it.
# A line that begins with # counts as left out.

[start]
# model = "storyteller"                    # a name, a model directory or a .keras file
# store = "sqlite:////home/me/stories.db"  # where sessions are kept

[sampling]
{sampling}

[terminal]
# prompt = "> "
# keys = "emacs"     # or "vi"
# ghost = true       # the model's continuation, dim behind the cursor after a pause
# speed = 0          # characters a second on the screen, like a typewriter; 0 for at once
# theme = "{theme}"  # the terminal's own colors, or {themes}

[keys]               # as "ctrl-o", "alt-w", "f2", "shift-tab", or one after the other: "ctrl-x ctrl-n"
{keys}

[looks]              # colors: ansiblue, #ff8800; bold, dim, underline, reverse
{looks}

# [presets.mine]     # '/preset mine'
# temperature = 0.9
# min_p = 0.05
"""


KNOWN = {
    "start": ("model", "store"),
    "terminal": ("prompt", "keys", "ghost", "speed", "theme"),
    "keys": tuple(ACTIONS),
    "looks": tuple(STYLES),
}

FIELDS = {"ghost": "has_suggestions"}  # names of `Config` that differ from those in the file


@dataclass(frozen=True, slots=True)
class Config:
    """What may be set. Everything has a default."""

    model: str | None = None
    store: str | None = None
    sampling: dict[str, Any] = field(default_factory=dict)
    prompt: str = "> "
    keys: str = "emacs"
    has_suggestions: bool = True
    speed: float = 0
    theme: str = OWN
    bindings: dict[str, str] = field(default_factory=dict)
    styles: dict[str, str] = field(default_factory=dict)
    presets: dict[str, dict[str, Any]] = field(default_factory=lambda: dict(PRESETS))


def default_path() -> Path:
    """Where the file is looked for."""
    return Path(platformdirs.user_config_dir("textrepl")) / "config.toml"


def read(path: Path) -> Config:
    """The file's settings, or the defaults if there is none. Raises `engine.ConfigError`."""
    toml = engine.Toml.read(path)
    return Config() if toml is None else _config(toml)


def parse(text: str, path: Path) -> Config:
    """The settings in a text. Raises `engine.ConfigError` that names the line."""
    return _config(engine.Toml.parse(text, str(path)))


def _config(toml: engine.Toml) -> Config:
    made: dict[str, Any] = {"presets": dict(PRESETS)}
    for section, values in toml.values.items():
        try:
            made |= _section(section, values, made)
        except _Mistake as mistake:
            mend = f"{mistake}; mend it, or put a # before it"
            raise toml.mistake(mistake.section, mistake.key, mend) from None
    return Config(**made)


def init(path: Path) -> str:
    """Write a file that explains every setting and sets none. Raises `engine.ConfigError` if there is one."""
    lines = [
        f"# {name} = {_example(PROMPT_DEFAULTS.get(name, item.default))}  # {item.metadata['help']}"
        for name, item in SETTINGS.items()
    ]
    keys = [f'# {action} = "{key}"  # {meaning}' for action, (key, meaning) in ACTIONS.items()]
    looks = [f'# {name} = "{style}"' for name, style in STYLES.items()]
    text = TEMPLATE.format(
        sampling="\n".join(lines), keys="\n".join(keys), looks="\n".join(looks), theme=OWN,
        themes=", ".join(name for name in THEMES if name != OWN),
    )  # fmt: skip
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        create(path, text)
    except OSError as error:
        if isinstance(error, FileExistsError) and path.is_file():
            raise engine.ConfigError(f"{path} is there already: edit it, or move it away first") from None
        raise engine.ConfigError(f"{path} cannot be written ({error.strerror})") from None
    return f"{path} is written; every setting is in it, left out by a # until you take that away"


def _example(value: Any) -> str:
    """A default as TOML."""
    return "[]" if value == () else "1" if value is None else f'"{value}"' if isinstance(value, str) else str(value)


class _Mistake(ValueError):
    def __init__(self, section: str, key: str, message: str) -> None:
        super().__init__(message)
        self.section, self.key = section, key


def _section(section: str, values: Any, made: dict[str, Any]) -> dict[str, Any]:
    known = (*KNOWN, "sampling", "presets")
    if section not in known:
        raise _Mistake("", section, f"there is no section [{section}]: there are {', '.join(known)}")
    if not isinstance(values, dict):
        raise _Mistake("", section, f"[{section}] must be a section: a line of its own, with its settings below")
    if section == "sampling":
        return {"sampling": _checked_sampling("sampling", values)}
    if section == "presets":
        own = {name: _checked_sampling(f"presets.{name}", preset) for name, preset in values.items()}
        return {"presets": {**made["presets"], **own}}
    for key, value in values.items():
        if key not in KNOWN[section]:
            raise _Mistake(
                section, key, f"there is no setting {key!r} in [{section}]: there are {', '.join(KNOWN[section])}"
            )
        if problem := _problem(section, key, value):
            raise _Mistake(section, key, f"{key} {value!r}: must be {problem}")
    if section == "keys":
        return {"bindings": _checked_keys(values)}
    if section == "looks":
        return {"styles": values}
    return {FIELDS.get(str(key), str(key)): value for key, value in values.items()}


def _checked_keys(values: dict[str, str]) -> dict[str, str]:
    """Check each key by itself, then against the others."""
    for check in (lambda action: parse_keys(values[action]), lambda action: check_conflict(action, values)):
        for action in values:
            try:
                check(action)
            except ValueError as error:
                raise _Mistake("keys", action, f"{action} {error}") from None
    return values


def _problem(section: str, key: str, value: Any) -> str:
    """What a value has to be; "" if it is."""
    if section == "looks":
        return _style_problem(value)
    if section == "terminal" and key == "keys":
        return "" if value in ("emacs", "vi") else "'emacs' or 'vi'"
    if key == "theme":
        return "" if value in (*THEMES,) else f"one of {', '.join(THEMES)}"
    if key == "ghost":
        return "" if isinstance(value, bool) else "true or false"
    if key == "speed":
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if is_number and 0 <= value <= MAX_SPEED else f"a number from 0 to {MAX_SPEED}"
    if section == "start" and value == "":
        return "a text that is not empty"
    return "" if isinstance(value, str) and "\n" not in value else "a text in quotes"


def _style_problem(value: Any) -> str:
    from prompt_toolkit.styles import Style

    try:
        Style([("checked", value)])
    except (ValueError, AttributeError, TypeError):  # what is not a text raises one of the last two
        return "a style like 'ansiblue', '#ff8800', 'bold' or 'bg:#202020'"
    return ""


def _checked_sampling(section: str, values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise _Mistake(section.partition(".")[0], section.rpartition(".")[2], f"[{section}] must be a section")
    for key, value in values.items():
        if key not in SETTINGS:
            raise _Mistake(section, key, f"there is no setting {key!r}: there are {', '.join(SETTINGS)}")
        try:
            engine.Sampling(**{key: value})
        except ValueError as error:
            raise _Mistake(section, key, str(error)) from None
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
