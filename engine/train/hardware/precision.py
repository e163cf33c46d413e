"""Which precision `--precision auto` stands for on this machine. Knows no TensorFlow."""

from __future__ import annotations

from pathlib import Path

CPU = Path("/proc/cpuinfo")
INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}  # of x86, for products of bfloat16


def fastest_precision(*, is_gpu: bool = False, cpu: Path = CPU) -> str:
    """`bfloat16` where Linux says that the CPU multiplies it; `float32` elsewhere, where it was not measured.

    Of several machines, all take `bfloat16` or none does (`trainer.Trainer`).
    """
    try:
        lines = cpu.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return "float32"
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return "bfloat16" if INSTRUCTIONS & set(flags) and not is_gpu else "float32"
