"""Lists of objects: JSON, JSON lines and tables."""

from __future__ import annotations

from pathlib import Path

from tests.engine.train.common.texts import read, refused


def test_json_lines(tmp_path: Path) -> None:
    (path := tmp_path / "x.jsonl").write_text('{"text": "one"}\n\n{"text": "t\\u00e9", "by": "x"}')
    assert read(path) == "one\nté\n"
    assert "line 1: has no field 'by'" in refused(path, field="by")
    path.write_text('{"text": "one"}\n{"text": 3}\n')
    assert "line 2: its 'text' is no text" in refused(path)
    path.write_text('{"text": "one"}\nhello\n')
    assert "line 2: is no JSON" in refused(path)
