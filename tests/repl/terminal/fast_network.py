"""A terminal over a tiny network that writes faster than anybody reads.

Run as python -m tests.repl.terminal.fast_network.
"""

from __future__ import annotations

import sys

import engine
from repl.session.session import Session
from repl.terminal.terminal import Terminal
from tests.networks import tiny_engine


def main() -> int:
    """Until Ctrl-D."""
    Terminal(lambda: Session(tiny_engine(), engine.Sampling(seed=7, length=10**9))).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
