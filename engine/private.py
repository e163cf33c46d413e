"""Switches off what other libraries would send, and keeps what they write in our folders. Knows no model.

ONNX Runtime reports to its maker from 1.29 on. When it is imported it writes a device id under the user's cache and
queues an event that describes the machine; some ten seconds later it asks for its maker's host; each session and the
runs of a network queue more. It reads ORT_DISABLE_TELEMETRY once, at its import, and "1" stops all of that. So the
variable is set when `engine` is imported: nothing later is sure to come before a program's own `import onnxruntime`.
Child processes inherit it.

A program that imports onnxruntime before engine has started the reports itself: the id is written and the first event
will be sent. `engine.model.onnx_step` then calls onnxruntime's own switch, which stops all further events: of 43 in
half a minute of sessions, the first one was left. (All of it seen with strace and in the queue, with 1.32.)

Keras writes a configuration file and imports Matplotlib, which keeps a list of the machine's fonts; fontconfig, which
Matplotlib asks, has a cache, too. They send nothing, but write into the user's folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def send_no_reports() -> None:
    """Switch off ONNX Runtime's reports for all later imports, whatever the user's own variable says."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"


@contextmanager
def own_folders() -> Iterator[None]:
    """Send what Keras and Matplotlib write at import to our cache, unless a variable names a folder for it."""
    import platformdirs  # not before a program shows its prompt

    ours = platformdirs.user_cache_dir("textrepl")
    folders = {"KERAS_HOME": f"{ours}/keras", "MPLCONFIGDIR": f"{ours}/matplotlib"}
    set_here = {name: folder for name, folder in folders.items() if name not in os.environ} | {"XDG_CACHE_HOME": ours}
    before = {name: os.environ.pop(name, None) for name in set_here}
    os.environ |= set_here
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value
