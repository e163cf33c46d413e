"""Which precision a machine takes by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.program import import_tensorflow

import_tensorflow()

from engine.train.hardware.precision import fastest_precision  # noqa: E402


@pytest.mark.parametrize(
    ("flags", "precision"),
    [("fpu avx2", "float32"), ("fpu avx512_bf16", "bfloat16"), ("amx_bf16", "bfloat16"), ("avx512f xbf16", "float32")],
)
def test_bfloat16_is_for_cpus_that_have_it(flags: str, precision: str, tmp_path: Path) -> None:
    (path := tmp_path / "cpuinfo").write_text(f"processor\t: 0\nmodel name\t: amx_bf16 é\nflags\t\t: {flags}\n")
    assert fastest_precision(cpu=path) == precision
    assert fastest_precision(cpu=path, is_gpu=True) == "float32"
    assert fastest_precision(cpu=tmp_path / "none") == "float32"
