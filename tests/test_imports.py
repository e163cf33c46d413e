"""The design's rules on who imports whom, and the names that `engine` shows."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine

ROOT = Path(__file__).parents[1]
FLOORS = [
    {"charsets", "errors", "file_kinds", "keras_file", "names", "near", "private", "program", "settings", "sampling"},
    {"bytepairs", "checkpoint", "decoding", "network", "reply", "scheduler", "stepwise", "stop", "tree", "vocabulary"},
    {"text", "words", "conversation", "batch", "rows", "steps", "model_dir", "worker", "foreign", "token_lists"},
    {"engine", "loading", "outline", "papers", "tables", "records", "store", "rewriting", "familiarity", "legacy_h5"},
    {"address"},
    {"train", "adopt", "evaluate", "bench", "bench_serving", "simulate"},
]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", sources("engine"), ids=str)
def test_the_engine_knows_no_front_end(path: Path) -> None:
    assert not [name for name in imports(path) if name.split(".")[0] in ("repl", "bot", "prompt_toolkit", "discord")]


@pytest.mark.parametrize("path", sources("repl") + sources("bot"), ids=str)
def test_front_ends_import_only_the_root_of_the_engine(path: Path) -> None:
    inside = {f"engine.{name}" for name in (*engine.__all__, "program")}
    assert not [name for name in imports(path) if name.startswith("engine.") and name not in inside]
    other = "bot" if "repl" in path.parts else "repl"
    assert not [name for name in imports(path) if name.split(".")[0] == other]


@pytest.mark.parametrize("path", sources("engine"), ids=str)
def test_only_the_trainer_the_keras_backend_and_the_benchmark_know_tensorflow(path: Path) -> None:
    if "train" in path.parts or path.name in ("keras.py", "bench.py", "program.py", "legacy_h5.py"):
        return
    assert not [name for name in imports(path) if name.split(".")[0] in ("tensorflow", "keras")]


@pytest.mark.parametrize("path", sources("engine"), ids=str)
def test_a_room_imports_no_floor_above_it(path: Path) -> None:
    floor_of = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
    parts = path.relative_to(ROOT / "engine").with_suffix("").parts
    if parts == ("__init__",):
        return
    floor = floor_of[parts[0]]
    for name in imports(path):
        room = name.split(".")[1] if name.startswith("engine.") else ""
        if room in floor_of:
            assert floor_of[room] <= floor, f"{path} imports {name}"


def test_loading_leaves_tensorflow_alone(keras_model_dir: Path) -> None:
    code = (
        f"import sys, engine; engine.load({str(keras_model_dir)!r}).close(); "
        "assert not {'tensorflow', 'keras', 'prompt_toolkit', 'matplotlib'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_importing_the_engine_says_and_starts_nothing() -> None:
    code = "import threading, engine, engine.bench, repl.__main__; assert threading.active_count() == 1"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
    assert done.stdout == done.stderr == b""


def test_all_names_what_is_exposed() -> None:
    assert sorted(engine.__all__) == engine.__all__
    assert all(hasattr(engine, name) for name in engine.__all__)


def test_no_name_that_is_looked_up_late_is_also_a_modules() -> None:
    """Importing a module of that name would put the module in its place."""
    modules = {path.stem for path in sources("engine") if path.parent.name == "engine"}
    late = {name for names in engine._HOMES.values() for name in names}
    assert not late & modules
