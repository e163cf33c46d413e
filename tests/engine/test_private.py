"""What other libraries do unasked is off, in whatever order a program imports them, and in its children."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

from engine.private import own_folders
from tests.watching import Watched

LOAD = "engine.load().conversation().say('x', length=1).result(); "
CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import onnxruntime'], check=True)"


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "one")


@pytest.mark.parametrize(
    "code",
    [
        f"import engine; {LOAD}",
        f"import engine, onnxruntime; {LOAD}",
        f"import engine; {LOAD} import onnxruntime; onnxruntime.SessionOptions()",
        f"from engine import Sampling; {CHILD}",
        "from engine.model.onnx_step import OnnxStep",
        "import repl.program, onnxruntime",
    ],
)
def test_onnx_runtime_writes_nothing(watched: Watched, code: str) -> None:
    watched.run(sys.executable, "-c", code)
    assert not watched.left()


@pytest.mark.parametrize("given", ["", "0", "false"])
def test_a_variable_that_would_not_stop_it_does_not_count(watched: Watched, given: str) -> None:
    watched.environment["ORT_DISABLE_TELEMETRY"] = given
    watched.run(sys.executable, "-c", f"import engine; {LOAD}")
    assert not watched.left()


def test_a_program_that_imported_it_first_has_it_switched_off(watched: Watched) -> None:
    watched.environment["ORT_DISABLE_TELEMETRY"] = "1"  # no report from a test, not even that one
    spy = "import onnxruntime; calls = []; onnxruntime.disable_telemetry_events = lambda: calls.append(1)"
    watched.run(sys.executable, "-c", f"{spy}; import engine; {LOAD} assert calls")


def test_matplotlib_writes_into_our_cache(watched: Watched) -> None:
    found = importlib.util.find_spec("matplotlib")
    assert found is not None
    assert found.origin is not None
    fonts = watched.home / ".local/share/fonts/textrepl"  # of the person's own: fontconfig has not seen them yet
    fonts.mkdir(parents=True)
    shutil.copy(Path(found.origin).parent / "mpl-data/fonts/ttf/cmr10.ttf", fonts)
    code = "from engine.private import own_folders\nwith own_folders():\n  import matplotlib.figure\n"
    watched.run(sys.executable, "-c", code)
    assert not watched.left()
    assert list((watched.home / ".cache/textrepl/matplotlib").glob("fontlist*"))


def test_the_environment_is_as_before_and_a_persons_own_places_stand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("MPLCONFIGDIR", "mine")
    monkeypatch.delenv("KERAS_HOME", raising=False)
    before = dict(os.environ)
    with own_folders():
        assert os.environ["MPLCONFIGDIR"] == "mine"
        assert Path(os.environ["KERAS_HOME"]).is_relative_to(tmp_path)
    assert dict(os.environ) == before
