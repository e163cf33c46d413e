"""textrepl [MODEL] [--prompt TEXT] ...: write with a model in a terminal, or in a pipe."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 done, 1 could not, 2 usage, 130 interrupted."""
    # Until a model is loaded there is nothing to lose, and few imports of libraries survive an exception.
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))
    from repl.program import run

    try:
        return run(argv)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
