"""Reads the vocabulary of a model made elsewhere from its maker's JSON file. Knows no network but its size.

Takes a list of tokens, an object of ids by token or of tokens by id (numbers may be strings, and count from 0 or 1),
what Keras' `Tokenizer.to_json()` gives, and a `vocabulary.json`. Keras' mask token "", an id that has no token, and
marks such as "<pad>" are tokens that are never written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import ModelLoadError
from engine.text.vocabulary import Vocabulary

UNKNOWN = "[UNK]"
UNKNOWNS = (UNKNOWN, "UNK", "<unk>", "<UNK>", "[OOV]", "<OOV>", "<oov>")  # as Keras and its users name it
MARK = re.compile(r"<[^<>\s]+>|\[[A-Z_]+\d*\]", re.ASCII)
FORMS = "give a list of tokens, or an object of ids by token or of tokens by id"


def read_tokens(path: Path, size: int) -> Vocabulary:
    """The tokens of a network of `size` ids. Raises `ModelLoadError` that names the file and the first wrong token."""
    try:
        data = _read(path)
        if isinstance(data, dict) and isinstance(data.get("tokens"), list):
            vocabulary = Vocabulary.from_json(data)
            if len(vocabulary) != size:
                raise ValueError(f"it has {len(vocabulary):,} tokens but the network takes {size:,}")
        else:
            vocabulary = _vocabulary(_in_order(data, size))
        json.dumps(vocabulary.tokens, ensure_ascii=False).encode()
        return vocabulary
    except UnicodeEncodeError as error:
        raise ModelLoadError(f"{path} has half a character among its tokens ({error.object[error.start]!a})") from None
    except OSError as error:
        raise ModelLoadError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ModelLoadError(f"{path} is no list of tokens of this network: {error}") from None


def _read(path: Path) -> Any:
    """The JSON of a file, unwrapped from a string or a `Tokenizer`."""
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
        if isinstance(data, str):  # to_json() gives a string, which people write as JSON again
            data = json.loads(data)
    except ValueError:
        raise ValueError(f"it is no JSON; {FORMS}") from None
    config = data.get("config") if isinstance(data, dict) else None
    if isinstance(config, dict) and "word_index" in config:
        return _of_tokenizer(config)
    return data


def _of_tokenizer(config: Mapping[str, Any]) -> Any:
    """The ids of a `Tokenizer` of Keras 2, which has none from `num_words` on."""
    index, limit = config["word_index"], config.get("num_words")
    index = json.loads(index) if isinstance(index, str) else index
    if not isinstance(limit, int) or not isinstance(index, dict):
        return index
    return {token: number for token, number in index.items() if not isinstance(number, int) or number < limit}


def _in_order(data: Any, size: int) -> list[str]:
    """Tokens in id order, "" for an id without one."""
    if isinstance(data, list):
        tokens = ["" if token is None else token for token in data]
        if len(tokens) != size:
            raise ValueError(
                f"it has {len(tokens):,} tokens but the network takes {size:,}; in a list, an id that stands for "
                'nothing has ""'
            )
    elif isinstance(data, dict) and data:
        tokens = _by_id(_pairs(data, size), size)
    else:
        raise ValueError(FORMS)
    for index, token in enumerate(tokens):
        if not isinstance(token, str):
            raise ValueError(f"its token {index} is {json.dumps(token)[:40]}, no text")
    return tokens


def _pairs(data: Mapping[str, Any], size: int) -> list[tuple[Any, Any]]:
    """`(id, token)` of an object, whose keys are either."""
    by_token = [(value, key) for key, value in data.items()]
    by_id = [(key, "" if value is None else value) for key, value in data.items()]
    if not all(_number(key) is not None for key in data):
        return by_token
    if not all(_number(value) is not None for value in data.values()):
        return by_id
    if not all(isinstance(value, str) for value in data.values()):
        return by_token  # numbers that are no text can only be ids
    one, other = _try(by_id, size), _try(by_token, size)  # all are digits: the tokens, too
    if one and other and one != other:
        raise ValueError("its tokens and its ids are all digits, so it can be read two ways; give a list")
    return by_token if other else by_id


def _try(pairs: Sequence[tuple[Any, Any]], size: int) -> list[str] | None:
    try:
        return _by_id(pairs, size)
    except ValueError:
        return None


def _by_id(pairs: Sequence[tuple[Any, Any]], size: int) -> list[str]:
    """Tokens in the order of their ids, which must be those of the network; one may be missing at either end."""
    token_of: dict[int, str] = {}
    for given, token in pairs:
        index = _number(given)
        if index is None:
            raise ValueError(f"the id of {token!r} is {json.dumps(given)[:40]}, no whole number")
        if index in token_of:
            raise ValueError(f"the id {index} stands twice, for {token_of[index]!r} and for {token!r}")
        token_of[index] = token
    shift = 1 if (min(token_of), max(token_of)) == (1, size) else 0
    for index in sorted(token_of):
        if not 0 <= index - shift < size:
            raise ValueError(f"{token_of[index]!r} has the id {index}, but the network takes ids from 0 to {size - 1}")
    for index in range(1 + shift, size - 1 + shift):
        if index not in token_of:
            raise ValueError(f"no token has the id {index}, but the network takes ids from 0 to {size - 1}")
    return [token_of.get(index + shift, "") for index in range(size)]


def _number(value: Any) -> int | None:
    """A whole number, also as text or with a point behind it; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def _vocabulary(tokens: Sequence[str]) -> Vocabulary:
    """The vocabulary, with names for the ids that have no token."""
    written = [token for token in tokens if token and not MARK.fullmatch(token)]
    words = [token for token in written if len(token) > 1]
    if len(words) > len(written) / 2:
        raise ValueError(f"its tokens are words (such as {words[0]!r}); engine.adopt takes models of characters")
    unknown = next((token for token in UNKNOWNS if token in tokens), None)
    unwritten = [
        index
        for index, token in enumerate(tokens)
        if not token or (token != unknown and len(token) > 1 and MARK.fullmatch(token))
    ]
    names = _names(tokens)
    named = tuple(token or next(names) for token in tokens)
    return Vocabulary(named, unknown=unknown, unwritten=tuple(unwritten))


def _names(taken: Sequence[str]) -> Iterator[str]:
    """Names for ids without a token. No character of a text is read as one of them."""
    number = 0
    while True:
        name = f"[none {number}]" if number else "[none]"
        if name not in taken:
            yield name
        number += 1
