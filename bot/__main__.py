"""The Discord bot: python -m bot [--config FILE], or textbot."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from engine import program


def main(argv: Sequence[str] | None = None) -> int:
    """Run the bot; returns 0 if all is done, 1 if it could not, 2 for wrong usage, 130 if it was interrupted."""
    program.begin()
    try:
        from bot.program import run

        return run(argv)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in ("discord", "aiohttp", "yarl"):
            raise
        return program.fail("textbot", "needs discord.py: pip install 'textrepl[bot]'")
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
