"""The story's memory as a writer meets it: what is remembered, undone, told, and gained."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import engine
from repl.commands.dispatch import enter
from repl.session.session import Session
from tests.repl.session.lines import Sessions, said, write, write_kept

WORDS = "the cat sat on the mat. the dog sat on the log. "


def with_memory(session: Session) -> Session:
    session.sampling = replace(session.sampling, memory="mine")
    return session


def test_a_text_is_remembered_and_told_by_the_tree_and_is_no_part_of_the_story(
    session: Session, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text(WORDS + "É", encoding="utf-8")
    told = said(with_memory(session), f"/remember {tmp_path}/mine.txt")
    assert "remembered 49 characters" in told
    assert "'É' as 'e'" in told
    assert "memory is off" not in told
    write(session, "the c")
    assert "(remembered) the cat sat on the mat." in said(session, "/tree")
    assert session.story.text.startswith("the c")
    said(session, f"/export {tmp_path}/story.md")
    assert "mat" not in (tmp_path / "story.md").read_text(encoding="utf-8")
    said(session, "/cut 3")
    said(session, "/undo 3")
    assert session.story.present == 0


def test_what_training_reads_can_be_remembered(session: Session, tmp_path: Path) -> None:
    messages = [{"author": {"name": "ann"}, "content": "the cat sat"}, {"author": {"name": "bo"}, "content": "on it"}]
    (tmp_path / "chat.json").write_text(json.dumps({"messages": messages}), encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as packed:
        packed.writestr("a.txt", WORDS)
    for name in ("chat.json", "texts.zip"):
        assert "remembered" in said(session, f"/remember {tmp_path}/{name}")
    assert "the cat sat\non it" in session.story.turns[0].text
    assert "/set memory mine" in said(session, f"/remember {tmp_path}/texts.zip")


def test_what_cannot_be_remembered_says_why_and_changes_nothing(session: Session, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "kana.txt").write_text("吾輩は猫である" * 20, encoding="utf-8")
    for name in ("empty.txt", "binary.txt", "kana.txt", "nowhere.txt", ""):
        told = said(session, f"/remember {tmp_path / name if name else ''}")
        assert told
        assert " characters of " not in told
        assert not session.story.tree


def test_why_shows_the_network_alone_and_with_the_memory(session: Session) -> None:
    write(with_memory(session), WORDS + "the c")
    head, *lines = said(session, "/why 3").splitlines()
    assert head.split("  ")[-1].strip() == "with temperature 1.0"
    assert "with the memory" in head
    mixed = dict(session.story.next_tokens(40, engine.Sampling(temperature=1, memory="mine")))
    likeliest = max(mixed, key=lambda token: mixed[token])
    assert any(f"{mixed[likeliest]:.3f}" in line.split("  ", 1)[1] for line in lines)


def test_heat_and_model_tell_what_the_memory_gained(session: Session, tmp_path: Path) -> None:
    assert "without it" not in said(session, "/model")
    write(with_memory(session), WORDS * 3)
    alone = session.model.score(session.story.text).bits_per_character
    picture = "".join(piece for _, piece in enter(session, "/heat").picture)
    assert f"without it {alone:.3f} bits a character" in picture
    assert f"without it {alone:.3f} bits a character" in said(session, "/model")


def test_memory_is_set_by_words(session: Session) -> None:
    assert "memory = mine (off, mine, all): " in said(session, "/set memory mine")
    assert "must be off, mine or all" in said(session, "/set memory on")


def test_what_stands_before_a_remembered_text_is_not_changed_by_accident(session: Session, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(WORDS, encoding="utf-8")
    write(session, "the cat")
    said(session, f"/remember {tmp_path}/mine.txt")
    for line in ("/cut 1", "/edit", "/edit prompt"):
        assert "turn 3 is a remembered text" in said(session, line)
    said(session, "/undo")
    assert said(session, "/cut 1")


def test_what_is_remembered_is_there_when_the_session_is_opened_again(sessions: Sessions, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(WORDS, encoding="utf-8")
    session = with_memory(sessions.start())
    said(session, "/save tale")
    said(session, f"/remember {tmp_path}/mine.txt")
    write_kept(session, "the c")
    (tmp_path / "mine.txt").unlink()
    again = sessions.start()
    said(again, "/open tale")
    assert again.sampling.memory == "mine"
    assert again.story.text == session.story.text
    write(session, "go")
    write(again, "go")
    assert again.story.turns[-1].text == session.story.turns[-1].text
