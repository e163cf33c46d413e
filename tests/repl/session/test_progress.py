from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from repl.session.session import Session
from tests.networks import tiny_engine
from tests.repl.session.lines import said, write


@pytest.mark.parametrize(
    "line", ["/import {tmp}/long.txt", "/import {tmp}/long.json", "/heat {tmp}/long.txt", "/model x", "/cut 1"]
)
def test_what_takes_long_can_be_stopped_and_has_changed_nothing(session: Session, tmp_path: Path, line: str) -> None:
    write(session, "the cat")
    said(session, f"/export {tmp_path}/long.json")
    session.story.say("the cat sat. " * 50_000, length=0).stop()
    (tmp_path / "long.txt").write_text("the cat sat. " * 50_000, encoding="utf-8")
    exported = json.loads((tmp_path / "long.json").read_text(encoding="utf-8"))
    exported["turns"][0]["text"] = "the cat sat. " * 50_000
    (tmp_path / "long.json").write_text(json.dumps(exported), encoding="utf-8")
    before, present, model, heard = session.story.text, session.story.present, session.model, list[str]()

    def listen(description: str) -> None:
        heard.append(description)
        session.progress.stop()

    session.progress.on_update = listen
    session._load = lambda source: tiny_engine(seed=5)
    assert said(session, line.format(tmp=tmp_path)) == "(stopped; nothing has changed)"
    assert (session.story.text, session.story.present, session.model) == (before, present, model)
    assert re.search(r": \d+ %$", heard[0])
    assert not session.progress.is_on
    assert said(session, "/undo")  # the engine is free again
