"""Opens a text in the writer's own editor."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

EDITORS = ("editor", "nano", "vi")


def edit_text(text: str) -> str:
    """Open a text in `$VISUAL`, `$EDITOR` or what there is. Raises `ValueError` that says why nothing was changed."""
    name = next((name for name in ("VISUAL", "EDITOR") if os.environ.get(name, "").strip()), "")
    command = os.environ[name] if name else next(filter(shutil.which, EDITORS), "")
    if not command:
        raise ValueError("there is no editor here: set EDITOR to one, as in EDITOR=nano; nothing was changed")
    told = f"the editor {command!r}{f' of {name}' if name else ''}"
    with tempfile.TemporaryDirectory(prefix="textrepl-") as folder:  # a folder that only its owner may read
        path = Path(folder) / "story.txt"
        path.write_text(text + "\n", encoding="utf-8", errors="surrogatepass")
        try:
            done = subprocess.run([*shlex.split(command), str(path)], check=False)
            changed = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError(f"{told} has not saved the text as UTF-8; nothing was changed") from None
        except OSError as error:
            raise ValueError(f"{told} cannot be used ({error.strerror}): set EDITOR; nothing was changed") from None
        except ValueError as error:
            raise ValueError(f"{told} cannot be read ({error}): set EDITOR; nothing was changed") from None
    if done.returncode:
        raise ValueError(f"{told} has failed (code {done.returncode}); nothing was changed")
    return changed.removesuffix("\n")
