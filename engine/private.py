"""Nothing is sent and nothing is left lying about: what other libraries do unasked is switched off before it begins.

ONNX Runtime reports to its maker from 1.29 on. When it is imported it writes a device id under the user's cache and
queues an event that describes the machine; some ten seconds later it asks for its maker's host; each session and the
runs of a network queue more. It reads ORT_DISABLE_TELEMETRY once, at its import, and "1" stops all of that. So the
variable is set when `engine` is imported: nothing later is sure to come before a program's own `import onnxruntime`.
Child processes inherit it.

A program that imports onnxruntime before engine has started the reports itself: the id is written and the first event
will be sent. `engine.model.onnx_step` then calls onnxruntime's own switch, which stops all further events: of 43 in
half a minute of sessions, the first one was left. (All of it seen with strace and in the queue, with 1.32.)

Keras writes a configuration file and imports Matplotlib, which keeps a list of the machine's fonts; fontconfig, which
it asks for them, has a cache, too. They ask nobody for anything, but do this in the user's folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def send_no_reports() -> None:
    """For all that this process imports from now on, whatever the user's own variable says."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"


@contextmanager
def own_folders() -> Iterator[None]:
    """What Keras and Matplotlib write while they are imported goes into our cache, unless they have a place."""
    import platformdirs  # not before a program shows its prompt

    ours = platformdirs.user_cache_dir("textrepl")
    places = {"KERAS_HOME": f"{ours}/keras", "MPLCONFIGDIR": f"{ours}/matplotlib"}
    set_here = {name: place for name, place in places.items() if name not in os.environ} | {"XDG_CACHE_HOME": ours}
    before = {name: os.environ.pop(name, None) for name in set_here}
    os.environ |= set_here
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value
