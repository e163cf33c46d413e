from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.repl.pipe.process import one_line, run
from tests.repl.screens import Screen, shows


def test_what_can_be_neither_read_nor_kept_is_in_a_file(model: str, home: str, tmp_path: Path) -> None:
    arguments = [model, "--session", "tale", "--store", home, "--prompt", "ab"]
    assert run(*arguments, "--length", "5").returncode == 0
    with closing(sqlite3.connect(tmp_path / "stories.db")) as database:
        database.execute("CREATE TRIGGER full BEFORE INSERT ON turns BEGIN SELECT RAISE(ABORT, 'full'); END")
    done = run(*arguments, "--length", "100000", shell="| head -c 5; exit ${PIPESTATUS[0]}")
    (path,) = (tmp_path / "textrepl").glob("unkept-*.txt")
    one_line(done, 1, "could not be kept", path.name)
    assert path.read_text(encoding="utf-8").count("ab") >= 2


def test_what_no_store_takes_is_in_a_file(model: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    screen = Screen(160, model, "--store", f"sqlite:///{tmp_path}/file/x.db", "--seed", "3", "--length", "30")
    screen.wait(shows("Type a beginning"))
    screen.child.send("/set end any\rthe cat\r")
    screen.wait(shows("not kept", "NOT KEPT"))
    screen.child.sendeof()
    screen.wait(shows("could not be kept"))
    (path,) = (tmp_path / "textrepl").glob("unkept-*.txt")
    assert re.fullmatch(r"the cat.{30,45}", path.read_text(encoding="utf-8"), re.DOTALL)
    assert path.stat().st_mode & 0o077 == 0
