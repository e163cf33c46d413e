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


def test_what_follows_a_list_is_read_or_told(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for between in ("", "\n", " \n\n", ",\n"):
        path.write_text(f'[{{"text": "one"}}]{between}[{{"text": "two"}}]{between}[]')
        assert read(path) == "one\ntwo\n"
    for rest in ("words", '{"text": "two"}', "]", "null"):
        path.write_text(f'[{{"text": "one"}}]\n{rest}')
        assert refused(path) == f"{path} goes on after its list, with no other list: export it again"
        assert refused(tmp_path) == refused(path)  # what was read of it is not left out
    path.write_text('[{"size": 3}] // why')
    (tmp_path / "a.txt").write_text("words\n")
    assert read(tmp_path) == "words\n"
