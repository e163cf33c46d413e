"""The gateway's transport compression: one stream a connection, one flush a message."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable

Pack = Callable[[str], bytes]


def packer(name: str) -> Pack | None:
    """What turns texts into binary frames for the `compress` of the address; none for an uncompressed connection."""
    if name == "zlib-stream":
        return _zlib()
    return _zstd() if name == "zstd-stream" else None


def _zlib() -> Pack:
    stream = zlib.compressobj(1)

    def pack(text: str) -> bytes:
        return stream.compress(text.encode()) + stream.flush(zlib.Z_SYNC_FLUSH)

    return pack


def _zstd() -> Pack:
    """discord.py asks for zstd where the package `zstandard` or Python itself (3.14) has it."""
    try:
        module = importlib.import_module("zstandard")
        stream, flush = module.ZstdCompressor().compressobj(), module.COMPRESSOBJ_FLUSH_BLOCK
    except ImportError:
        stream = importlib.import_module("compression.zstd").ZstdCompressor()
        flush = stream.FLUSH_BLOCK

    def pack(text: str) -> bytes:
        packed: bytes = stream.compress(text.encode()) + stream.flush(flush)
        return packed

    return pack
