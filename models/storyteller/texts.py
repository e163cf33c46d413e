"""Cuts the texts that storyteller learned from: python models/storyteller/texts.py DATA OUT

DATA is a folder of texts as the card names them. OUT gets what it learns from (`train-*.txt`), what chose the best
epoch (`valid.txt`) and what it is tested on (`test-*.txt`): every 50th story and dialogue; every 200th chooses.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

OLDER = (
    "edgar-rice-burroughs_a-princess-of-mars", "f-scott-fitzgerald_the-beautiful-and-damned",
    "f-scott-fitzgerald_this-side-of-paradise", "h-g-wells_short-fiction", "h-g-wells_the-history-of-mr-polly",
    "jacob-grimm_wilhelm-grimm_household-tales_margaret-hunt", "rudyard-kipling_the-jungle-book", "saki_short-fiction",
    "sinclair-lewis_babbitt",
)  # fmt: skip
DIALOGUES = "topical_chat", "synthetic_persona_chat", "casino_camping"
APART = "alice", "sherlock_holmes_adventures"  # one is a test, the other stands under prose/, too
TEST_BOOK, CHOOSING_BOOK = "willa-cather_my-antonia", "l-frank-baum_the-road-to-oz"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig").replace("\r\n", "\n")


def wrapped(text: str, width: int) -> str:
    """A book whose paragraphs are a line each, with lines of `width` and a blank line between, as most books are."""
    lines = [line for line in text.split("\n") if line.strip()]
    return "\n\n".join(textwrap.fill(x, width, break_long_words=False, break_on_hyphens=False) for x in lines) + "\n"


def main(data: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    training, choosing, tests = list[str](), list[str](), {"stories": list[str](), "dialogue": list[str]()}

    def add_blocks(path: Path, kind: str) -> None:
        kept = []
        for number, block in enumerate(read(path).strip("\n").split("\n\n")):
            part = tests[kind] if number % 50 == 49 else choosing if number % 200 == 24 else kept
            part.append(block)
        training.append("\n\n".join(kept))

    for path in sorted((data / "stories").glob("*.txt")):
        add_blocks(path, "stories")
    for number, path in enumerate(sorted((data / "prose").glob("*.txt"))):
        text = read(path)
        if path.stem == TEST_BOOK:
            (out / "test-prose.txt").write_text(text, encoding="utf-8")
        elif path.stem == CHOOSING_BOOK:
            choosing.append(text)
        else:
            training.append(wrapped(text, 68 + number % 5) if number % 2 else text)
    training += [read(data / "prose_older" / f"{name}.txt") for name in OLDER]
    training += [read(path) for path in sorted((data / "gutenberg").glob("*.txt")) if path.stem not in APART]
    for name in DIALOGUES:
        add_blocks(data / "dialogue" / f"{name}.txt", "dialogue")
    training.append(read(data / "speeches" / "state_union.txt"))
    for number, text in enumerate(training):
        (out / f"train-{number:02}.txt").write_text(text.strip("\n") + "\n\n", encoding="utf-8")
    (out / "valid.txt").write_text("\n\n".join(text.strip("\n") for text in choosing) + "\n", encoding="utf-8")
    for kind, blocks in tests.items():
        (out / f"test-{kind}.txt").write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
