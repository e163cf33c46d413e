"""What a file is by its first bytes, and what files are called by their suffixes."""

from __future__ import annotations

import shlex

from engine.text.file_kinds import called_by


def test_suffixes_have_names() -> None:
    assert called_by(".JPG") == "pictures"
    assert called_by(".log") == ".log files"
    assert shlex.quote("FILE") == "FILE"
