"""The writer's own editor, for a text that is to be changed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

EDITORS = ("editor", "nano", "vi")


def edit_text(text: str) -> str:
    """Open a text in `$VISUAL`, `$EDITOR` or what there is; as it was if the editor fails or the text is spoilt."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or next(filter(shutil.which, EDITORS), "")
    with tempfile.TemporaryDirectory(prefix="textrepl-") as folder:  # a folder that only its owner may read
        path = Path(folder) / "story.txt"
        path.write_text(text + "\n", encoding="utf-8", errors="surrogatepass")
        try:
            done = subprocess.run([*shlex.split(command), str(path)], check=False)
            changed = path.read_text(encoding="utf-8")
        except (OSError, ValueError, IndexError):
            return text
    return changed.removesuffix("\n") if done.returncode == 0 else text
