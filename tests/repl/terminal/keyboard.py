"""Types keys into a terminal in this process."""

from __future__ import annotations

import io
import os
import signal
import threading
import time

from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput
from prompt_toolkit.output.vt100 import Vt100_Output

import engine
from engine.serving.engine import Engine
from repl.session.session import Session
from repl.terminal.terminal import Terminal

SAMPLING = engine.Sampling(seed=4, length=30, temperature=1.0)


def run_terminal(
    tiny: Engine, pipe: PipeInput, keys: str, sampling: engine.Sampling = SAMPLING, *, interrupt_at: str = "",
    after: float = 0.0,
) -> tuple[Session, str]:  # fmt: skip
    """Type `keys` into a new session; returns it and all that was written to the terminal.

    So many seconds `after` the text `interrupt_at` is there, Ctrl-C comes as a signal.
    """
    stream = io.StringIO()
    output = Vt100_Output(stream, lambda: Size(rows=24, columns=80), term="dumb")
    session = Session(tiny, sampling)

    def type_keys() -> None:
        pipe.send_text(keys)  # in a thread, for a pipe holds 64 kB
        if interrupt_at:
            until = time.monotonic() + 60
            while interrupt_at not in stream.getvalue() and time.monotonic() < until:
                time.sleep(0.02)
            time.sleep(after)
            os.kill(os.getpid(), signal.SIGINT)

    typing = threading.Thread(target=type_keys)
    typing.start()
    Terminal(session, pipe, output).run()
    typing.join()
    return session, stream.getvalue()
