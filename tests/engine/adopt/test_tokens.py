"""What people keep of a model's tokens, read as its vocabulary or refused by the first wrong one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine import ModelLoadError
from engine.adopt.tokens import read_tokens
from engine.text.vocabulary import Vocabulary

WORD_INDEX = {"class_name": "Tokenizer", "config": {"num_words": 3, "word_index": '{"e": 1, "a": 2, "x": 3}'}}


def read(folder: Path, data: Any, size: int) -> Vocabulary:
    (path := folder / "tokens.json").write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return read_tokens(path, size)


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (["b", "a"], ["b", "a"]),
        ({"0": "b", "1": "a"}, ["b", "a"]),
        ({"a": 1, "b": 0}, ["b", "a"]),
        ({"a": "1", "b": "0"}, ["b", "a"]),
        ({"a": 1.0, "b": 0.0}, ["b", "a"]),
        ({"a": 2, "b": 1}, ["b", "a"]),
        ({"2": "a", "1": "b"}, ["b", "a"]),
        ({"a": 1, "b": 2}, ["", "a", "b"]),
        ({"1": "a", "2": "b"}, ["", "a", "b"]),
        ({"a": 1, "b": 2}, ["", "a", "b", ""]),
        ({"a": 0, "b": 1}, ["a", "b", ""]),
        (["", "[UNK]", "a"], ["", "[UNK]", "a"]),
        ([None, "a"], ["", "a"]),
        (["<pad>", "a", "<end>"], ["", "a", ""]),
        (["<", ">", "["], ["<", ">", "["]),
        ({"<OOV>": 1, "a": 2}, ["", "<OOV>", "a"]),
        (WORD_INDEX, ["", "e", "a"]),
        (json.dumps(json.dumps(WORD_INDEX)), ["", "e", "a"]),
        ({"0": 1, "1": 0}, ["1", "0"]),
        ({"0": "7", "1": "9"}, ["7", "9"]),
        ({"7": "0", "9": "1"}, ["7", "9"]),
        ("\ufeff" + '["a", "b"]', ["a", "b"]),
        (Vocabulary(("a", "b"), unwritten=(0,)).to_json(), ["", "b"]),
        ({str(index): chr(65 + index) for index in range(12)}, [chr(65 + index) for index in range(12)]),
    ],
)
def test_each_way_to_keep_tokens_is_understood(data: Any, texts: list[str], tmp_path: Path) -> None:
    vocabulary = read(tmp_path, data, len(texts))
    shown = ["" if index in vocabulary.unwritten else token for index, token in enumerate(vocabulary.tokens)]
    assert shown == texts
    assert Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary
    assert all(vocabulary.tokens)
    assert len(set(vocabulary.tokens)) == len(texts)
    assert vocabulary.unknown in (None, "[UNK]", "<OOV>")


@pytest.mark.parametrize(
    ("data", "size", "words"),
    [
        ({"a": 0, "b": 2, "c": 3}, 4, "no token has the id 1,"),
        ({"a": 0, "b": 5}, 3, "'b' has the id 5, but the network takes ids from 0 to 2"),
        ({"a": -1, "b": 0}, 2, "'a' has the id -1"),
        ({"a": 2, "b": 3}, 4, "no token has the id 1,"),
        ({"a": 1, "b": 1}, 2, "the id 1 stands twice, for 'a' and for 'b'"),
        ({"a": 1.5, "b": 0}, 2, "the id of 'a' is 1.5"),
        ({"a": True, "b": 0}, 2, "the id of 'a' is true"),
        ({"a": None, "b": 0}, 2, "the id of 'a' is null"),
        ({"0": "a", "1": 7}, 2, "its token 1 is 7"),
        (["a", ["b"]], 2, 'its token 1 is ["b"]'),
        (["a", "b", "a"], 3, "'a' stands twice"),
        (["a"], 2, "it has 1 tokens but the network takes 2"),
        (Vocabulary(("a", "b")).to_json(), 3, "it has 2 tokens but the network takes 3"),
        ({"version": 9, "tokens": ["a"]}, 1, "version 9"),
        ({"0": "1", "1": "2", "2": "0"}, 3, "two ways"),
        (["the", "cat", "sat", "."], 4, "are words (such as 'the')"),
        (["", ""], 2, "no token to write"),
        (["\ud800", "a"], 2, "half a character"),
        ({}, 2, "give a list of tokens"),
        (5, 2, "give a list of tokens"),
        ("a\nb\n", 2, "no JSON"),
        ("[" * 100_000, 2, "tokens.json"),
    ],
)
def test_what_fits_no_network_is_refused_by_the_first_wrong_token(
    data: Any, size: int, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelLoadError) as caught:
        read(tmp_path, data, size)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="cannot be read: No such file"):
        read_tokens(tmp_path / "none.json", 2)
    (tmp_path / "tokens.pkl").write_bytes(b"\x80\x04\x95\xff")
    with pytest.raises(ModelLoadError, match="no JSON"):
        read_tokens(tmp_path / "tokens.pkl", 2)
