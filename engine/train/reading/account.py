"""How much of a text was read and what was left out, in lines that a person can check."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

MAX_REMARKS = 5
_PLURAL = re.compile(r"(?<![.\w])(?P<one>\w+?)s(?=\s|$)")  # the "s" of a word, but of no suffix such as ".js"


@dataclass(slots=True)
class Account:
    """How much was read and what was left out."""

    files: int = 0
    characters: int = 0
    left_out: dict[str, int] = field(default_factory=dict)  # how many of what, in the plural
    remarks: list[str] = field(default_factory=list)  # further lines, such as how a file was decoded
    speakers: Counter[str] = field(default_factory=Counter)  # lines of a chat by the name before them

    def leave_out(self, what: str, count: int = 1, unit: str = "") -> None:
        """Count what was left out: "messages of bots", or so many "characters" of "a license"."""
        if count:
            name = f"{unit} of {what}" if unit else what
            self.left_out[name] = self.left_out.get(name, 0) + count

    def add(self, other: Account) -> None:
        """Take over what another has counted."""
        self.files += other.files
        self.characters += other.characters
        for what, count in other.left_out.items():
            self.leave_out(what, count)
        self.remarks += other.remarks
        self.speakers += other.speakers

    def omissions(self, lead: str = "") -> str:
        """What was left out, after `lead`; "" if nothing was."""
        if not self.left_out:
            return ""
        return f"{lead}left out: {', '.join(_counted(count, what) for what, count in self.left_out.items())}"

    def in_brackets(self) -> str:
        """What was left out, in brackets for use in a sentence; "" if nothing was."""
        return f" ({self.omissions()})" if self.left_out else ""

    def describe(self) -> str:
        """All of it in one line."""
        read = f"read {_counted(self.files, 'files')}, {_counted(self.characters, 'characters')}"
        return read + self.omissions("; ")

    def lines(self) -> list[str]:
        """`describe()`, and up to `MAX_REMARKS` lines on files that are not plain UTF-8."""
        more = len(self.remarks) - MAX_REMARKS
        return [self.describe(), *self.remarks[:MAX_REMARKS], *([f"and {more:,} more such files"] if more > 0 else [])]


def _counted(count: int, what: str) -> str:
    """A number of things, whose name is in the plural: "1 file", "2 messages of bots", "1 .log file"."""
    return f"{count:,} {_PLURAL.sub(lambda found: found['one'], what, count=1) if count == 1 else what}"
