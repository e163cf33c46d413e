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
FLOORS = [  # of engine/, from the lowest to the highest: a module imports only from its own floor and those below
    {"errors", "names", "private", "program", "settings", "sampling"},
    {"text"},
    {"model"},
    {"memory"},
    {"conversation"},
    {"serving"},
    {"store"},
    {"train"},
    {"adopt", "bench", "evaluate"},
]
FOLDERS_OF_REPL = {
    "view": 0,
    "session": 1,
    "commands": 2,
    "editing": 3,
    "pipe": 3,
    "terminal": 4,
}  # each with its floor
FOR_FRONT_ENDS = {"engine.program"}  # beside the package itself
MAX_FILES = 12  # a folder
MAX_METHODS = 20  # a class
OF_TENSORFLOW = ("train", "bench")  # folders that may know it, and modules
OF_TENSORFLOW_ALONE = ("keras_step.py", "legacy_h5.py", "private.py", "program.py")


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sources("engine", "repl", "bot")}


def imports(path: Path) -> Iterator[str]:
    """Every name that a file imports, at any place in it, also for types alone."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def imported_modules(path: Path) -> set[str]:
    """Those of ours that a file imports; a name in a module stands for the module."""
    found = (name if name in MODULES else name.rpartition(".")[0] for name in imports(path))
    return {name for name in found if name in MODULES}


def circles() -> list[list[str]]:
    """Groups of modules that import each other in a circle (Tarjan 1972)."""
    graph = {name: imported_modules(path) - {name} for name, path in MODULES.items()}
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = lowest[name] = len(index)
        stack.append(name)
        for other in graph[name]:
            if other not in index:
                visit(other)
            if other in stack:
                lowest[name] = min(lowest[name], lowest[other])
        if lowest[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in graph:
        if name not in index:
            visit(name)
    return found


def test_nobody_imports_in_a_circle() -> None:
    assert circles() == []


@pytest.mark.parametrize("path", sources("engine"), ids=str)
def test_the_engine_knows_no_front_end(path: Path) -> None:
    assert not [name for name in imports(path) if name.split(".")[0] in ("repl", "bot", "prompt_toolkit", "discord")]


@pytest.mark.parametrize("path", sources("repl", "bot"), ids=str)
def test_front_ends_import_the_root_of_the_engine_and_its_program(path: Path) -> None:
    inside = {f"engine.{name}" for name in engine.__all__} | FOR_FRONT_ENDS
    others = [name for name in imports(path) if name.startswith("engine.") and name not in inside]
    assert not [name for name in others if name.rpartition(".")[0] not in FOR_FRONT_ENDS]
    other = "bot" if "repl" in path.parts else "repl"
    assert not [name for name in imports(path) if name.split(".")[0] == other]


@pytest.mark.parametrize("path", sources("engine"), ids=str)
def test_few_modules_know_tensorflow(path: Path) -> None:
    if set(OF_TENSORFLOW) & set(path.parts) or path.name in OF_TENSORFLOW_ALONE:
        return
    assert not [name for name in imports(path) if name.split(".")[0] in ("tensorflow", "keras")]


@pytest.mark.parametrize("path", sources("engine"), ids=str)
def test_a_module_imports_from_no_floor_above_it(path: Path) -> None:
    floors = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
    parts = path.relative_to(ROOT / "engine").with_suffix("").parts
    if parts == ("__init__",):
        return
    for name in imported_modules(path) - {"engine"}:
        assert floors[name.split(".")[1]] <= floors[parts[0]], f"{path} imports {name}"


@pytest.mark.parametrize("path", [path for path in sources("repl") if path.parent.name in FOLDERS_OF_REPL], ids=str)
def test_a_folder_of_repl_imports_from_none_above_or_beside_it(path: Path) -> None:
    folder = path.parent.name
    for other in {name.split(".")[1] for name in imported_modules(path) if name.startswith("repl.")} - {folder}:
        assert FOLDERS_OF_REPL.get(other, -1) < FOLDERS_OF_REPL[folder], f"{path} imports from {other}"


@pytest.mark.parametrize(
    "folder",
    sorted({path.parent for path in [*sources("engine", "repl", "bot"), *(ROOT / "tests").rglob("*.py")]}),
    ids=str,
)
def test_a_folder_has_few_files(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MAX_FILES


def test_a_class_has_few_methods() -> None:
    large = [
        f"{name_of(path)}.{node.name}"
        for path in sources("engine", "repl", "bot")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and sum(isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) for item in node.body) > MAX_METHODS
    ]
    assert large == []


def test_loading_leaves_tensorflow_alone(keras_model_dir: Path) -> None:
    code = (
        f"import sys, engine; engine.load({str(keras_model_dir)!r}).close(); "
        "assert not {'tensorflow', 'keras', 'prompt_toolkit', 'matplotlib'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_importing_the_engine_says_and_starts_nothing() -> None:
    code = "import threading, engine, engine.bench.__main__, repl.__main__; assert threading.active_count() == 1"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
    assert done.stdout == done.stderr == b""


def test_all_names_what_is_exposed() -> None:
    assert sorted(engine.__all__) == engine.__all__
    assert all(hasattr(engine, name) for name in engine.__all__)


def test_no_name_that_is_looked_up_late_is_also_a_modules() -> None:
    """Importing a module of that name would put the module in its place."""
    modules = {path.stem for path in sources("engine") if path.parent.name == "engine"}
    modules |= {path.name for path in (ROOT / "engine").iterdir() if path.is_dir()}
    late = {name for names in engine._HOMES.values() for name in names}
    assert not late & modules
