"""`engine.evaluate` over several models and all kinds of text, and with what a memory knows."""

from __future__ import annotations

import gzip
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

import engine
from engine import evaluate
from engine.memory.counts import Index
from engine.memory.training import FILE, packed
from engine.program import import_tensorflow
from tests.networks import LETTERS

import_tensorflow()


@pytest.fixture
def filtered(keras_model_dir: Path, tmp_path: Path) -> Path:
    """A model whose text was filtered as it was read."""
    folder = shutil.copytree(keras_model_dir, tmp_path / "filtered")
    settings = {"lower": True, "ascii": True, "keep": "a-z ", "names": True, "units": 24, "later": 7}
    (folder / "settings.json").write_text(json.dumps({"settings": settings}))
    return folder


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_several_models_get_a_table(
    keras_model_dir: Path, filtered: Path, plain_text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(keras_model_dir), str(filtered), "--data", str(plain_text), "--tail", "0.02"]
    assert evaluate.main(command) == 0
    header, *rows = lines(capsys)
    assert header.startswith("model ")
    assert header.endswith(" parameters   characters       tokens  nats/token  bits/char  perplexity")
    assert [row.split()[0] for row in rows] == ["tiny-keras", "filtered"]
    assert len({len(line) for line in (header, *rows)}) == 1  # in columns
    assert evaluate.main([*command, "--json"]) == 0
    figures = [json.loads(line) for line in lines(capsys)]
    for row, one in zip(rows, figures, strict=True):
        assert row.split()[1:5] == ["char", "gru", f"{one['parameters']:,}", str(one["characters"])]
        assert float(row.split()[6]) == pytest.approx(one["nats_per_token"], abs=1e-4)
    assert figures[0]["characters"] > figures[1]["characters"]  # the full stops are left out


def test_a_text_is_filtered_as_the_model_was_trained(
    filtered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (text := tmp_path / "x.txt").write_text("The Cät sat: 3 times.")
    assert evaluate.main([str(filtered), "--data", str(text), "--json"]) == 0
    captured = capsys.readouterr()
    with engine.load(filtered) as model:
        expected, as_is = model.score("the cat sat  times"), model.score("The Cät sat: 3 times.")
    assert json.loads(captured.out)["nats_per_token"] == expected.nats / 18
    assert "reads the text in lower case, in ASCII, only of 'a-z '" in captured.err
    assert evaluate.main([str(filtered), "--data", str(text), "--json", "--as-is"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["nats_per_token"] == as_is.nats / as_is.characters
    assert "lower case" not in captured.err
    text.write_text("123")
    assert evaluate.main([str(filtered), "--data", str(text)]) == 1
    assert "has nothing that the model knows" in capsys.readouterr().err


def test_all_that_the_trainer_reads_can_be_scored(
    keras_model_dir: Path, filtered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder := tmp_path / "texts").mkdir()
    (folder / "a.txt.gz").write_bytes(gzip.compress(b"the cat\r\n"))
    (folder / "b.jsonl").write_text('{"text": "sat"}\n{"text": "down"}\n')
    (folder / "c.csv").write_text("Author,Content\nann,hello\n")
    whole = "the cat\nsat\ndown\nhello\n"
    with engine.load(keras_model_dir) as model:
        plain, named = model.score(whole), model.score(whole.replace("hello", "ann: hello"))
    command = [str(keras_model_dir), "--data", str(folder / "a*"), str(folder / "b.jsonl"), str(folder / "c.csv")]
    assert evaluate.main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["nats_per_token"] == plain.nats / len(whole)
    assert evaluate.main([str(filtered), "--data", str(folder), "--as-is", "--json"]) == 0  # trained with --names
    assert json.loads(capsys.readouterr().out)["nats_per_token"] == named.nats / (len(whole) + 5)
    assert evaluate.main([str(filtered), "--data", str(folder), "--as-is", "--json", "--no-names"]) == 0
    assert json.loads(capsys.readouterr().out)["nats_per_token"] == plain.nats / len(whole)
    assert evaluate.main([*command, "--field", "verse"]) == 1
    assert "has no field 'verse'" in capsys.readouterr().err


def test_one_missing_model_is_found_before_hours_of_scoring(
    keras_model_dir: Path, plain_text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.main([str(keras_model_dir), "none/such", "--data", str(plain_text)]) == 1
    captured = capsys.readouterr()
    assert "no such model" in captured.err
    assert captured.out == ""


def test_the_memory_of_a_text_predicts_the_rest_of_it_better(
    keras_model_dir: Path, plain_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(keras_model_dir), "--data", str(plain_text), "--tail", "0.1", "--memory", "all"]
    assert evaluate.main([*command, "--json"]) == 0
    alone, mixed = (json.loads(line) for line in lines(capsys))
    assert "memory" not in alone
    assert mixed["memory"] == {"story": True, "remembered": 0, "training": False}
    assert mixed["tokens"] == alone["tokens"] == 960
    assert alone["nats_per_token"] == pytest.approx(math.log(len(LETTERS)), abs=0.2)  # it knows nothing
    assert mixed["nats_per_token"] < alone["nats_per_token"] - 1
    (more := tmp_path / "more.txt").write_text(plain_text.read_text(encoding="utf-8")[:2000], encoding="utf-8")
    assert evaluate.main([*command, "--remember", str(more)]) == 0
    said = lines(capsys)
    assert said[0].startswith("tiny-keras on 960 characters: ")
    assert said[1].startswith("tiny-keras, memory of the text itself and of 2,000 remembered characters on 960")
    assert float(said[1].split(": ")[1].split()[0]) < mixed["nats_per_token"]


def test_the_counts_of_the_training_text_are_told_apart(
    keras_model_dir: Path, plain_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "brought"
    shutil.copytree(keras_model_dir, folder)
    command = [str(folder), "--data", str(plain_text), "--tail", "0.1", "--memory"]
    assert evaluate.main([*command, "training"]) == 1
    assert "brought has no counts of its training text" in capsys.readouterr().err
    with engine.load(folder) as model:
        ids = model.vocabulary.encode(plain_text.read_text(encoding="utf-8")[:2000]).ids
        (folder / FILE).write_bytes(packed(Index.of(len(model.vocabulary), [(ids, None)])))
    losses = {}
    for kind in ("training", "all"):
        assert evaluate.main([*command, kind, "--json"]) == 0
        alone, mixed = (json.loads(line) for line in lines(capsys))
        assert mixed["memory"] == {"story": kind == "all", "remembered": 0, "training": True}
        losses[kind] = mixed["nats_per_token"]
    assert max(losses.values()) < alone["nats_per_token"] - 1
    assert losses["all"] != losses["training"]
    assert evaluate.main([*command, "training"]) == 0
    assert lines(capsys)[1].startswith("brought, memory of its training text on 960 characters: ")


@pytest.mark.parametrize(
    "wrong",
    [["--remember", "x.txt"], ["--memory", "mine"], ["--tail", "2"]],
)
def test_wrong_usage_is_refused_with_2(wrong: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        evaluate.main(["--data", "x", *wrong])


def test_a_long_scoring_tells_how_far_it_is_and_stops_at_once(keras_model_dir: Path, tmp_path: Path) -> None:
    (text := tmp_path / "long.txt").write_text("the cat sat on the mat.\n" * 40_000)
    command = ["-m", "engine.evaluate", str(keras_model_dir), "--data", str(text)]
    child = pexpect.spawn(sys.executable, command, timeout=60, encoding="utf-8")
    child.expect(r"scoring tiny-keras: [\d,]+ of 960,000 tokens, [\d:]+ (s )?left")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert "Traceback" not in (child.before or "")


def test_what_json_has_no_number_for_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate._shown(True, ["a"])({"model": "a", "perplexity": math.inf})
    assert json.loads(capsys.readouterr().out) == {"model": "a", "perplexity": None}


def test_evaluate_prints_what_score_says(
    keras_model_dir: Path, plain_text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(keras_model_dir), "--data", str(plain_text), "--tail", "0.05"]
    assert evaluate.main([*command, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    text = plain_text.read_text()
    with engine.load(keras_model_dir) as model:
        score = model.score(text[int(len(text) * 0.95) :])
    assert figures["bits_per_character"] == score.bits_per_character
    assert figures["nats_per_token"] == score.nats / len(score.tokens)
    assert math.isclose(math.exp(figures["nats_per_token"]), figures["perplexity"])
    assert evaluate.main(command) == 0
    assert f"{score.bits_per_character:.4f} bits a character" in capsys.readouterr().out


def test_evaluate_tells_what_the_model_never_saw(
    keras_model_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path := tmp_path / "x.txt").write_text("the cat \u6f22\u6f22 \u00e9")
    assert evaluate.main([str(keras_model_dir), "--data", str(path)]) == 0
    captured = capsys.readouterr()
    assert "never saw 3 of these 12 characters" in captured.err
    assert "on 10 characters" in captured.out
    command = f"{sys.executable} -m engine.evaluate {keras_model_dir} --data {path} > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_evaluate_refuses_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main([str(tmp_path), "--data", str(tmp_path / "none")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    with pytest.raises(SystemExit, match="2"):
        evaluate.main(["--data", "x", "--tail", "0"])
