"""Configuration in TOML: reads a file, and says in which line a mistake is."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from engine.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Toml:
    """A TOML text and its values; `name` stands for it in messages."""

    name: str
    text: str
    values: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """A file, or None if there is none. Raises `ConfigError`."""
        try:
            return cls.parse(path.read_text(encoding="utf-8-sig"), str(path))
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            reason, mend = "it is not UTF-8", "save it as UTF-8"
        except OSError as error:
            reason, mend = str(error.strerror), "mend it"
        raise ConfigError(f"{path} cannot be read ({reason}): {mend}, or move it away")

    @classmethod
    def parse(cls, text: str, name: str) -> Self:
        """A text. Raises `ConfigError`."""
        try:
            return cls(name, text, tomllib.loads(text))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ConfigError(f"{name}: {error}; mend that line") from None

    def mistake(self, table: str, key: str, message: str) -> ConfigError:
        """An error about a key of a table, or about a table at the top if `table` is ""."""
        line = self._line(f"{table}.{key}" if table else key)
        return ConfigError(f"{self.name}{f', line {line}' if line else ''}: {message}")

    def _line(self, key: str) -> int:
        """The line of a key, or of the header of a table, by its dotted name; 0 if it cannot be found."""
        table = ""
        for number, line in enumerate(self.text.split("\n"), 1):
            if head := re.match(r"\s*\[+([^\]]+)\]", line):
                here = table = _dotted(head[1])
            else:
                left, equals, value = line.partition("=")
                if not equals:
                    continue
                here = f"{table}.{_dotted(left)}" if table else _dotted(left)
                if key.startswith(f"{here}.") and re.search(rf"\b{re.escape(key.rpartition('.')[2])}\b", value):
                    return number  # in an inline table
            if f"{here}.".startswith(f"{key}."):
                return number
        return 0


def _dotted(name: str) -> str:
    """A name as TOML has it, without blanks and quotes."""
    return re.sub(r"[\s\"']", "", name)
