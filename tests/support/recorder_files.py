"""WAV files with the chunks that recorders write, laid out by their specifications."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def chunk(name: bytes, content: bytes, *, pad: bool = True) -> bytes:
    """Return a RIFF chunk; of odd length it has a byte after it, unless ``pad`` is false."""
    return name + struct.pack("<I", len(content)) + content + (b"\0" if pad and len(content) % 2 else b"")


def wamd(records: Mapping[int, bytes | str]) -> bytes:
    """Return the content of a ``wamd`` chunk (Wildlife Acoustics, wa_meta.h 1.0) of version 1."""
    content = struct.pack("<HIH", 0, 2, 1)
    for number, value in records.items():
        data = value.encode() if isinstance(value, str) else value
        content += struct.pack("<HI", number, len(data)) + data
    return content


def bext(originator: str, date: str, time: str) -> bytes:
    """Return the content of a ``bext`` chunk of version 1 (EBU Tech 3285)."""
    content = struct.pack("<256s32s32s10s8sQH", b"", originator.encode(), b"", date.encode(), time.encode(), 0, 1)
    return content.ljust(602, b"\0")


def write_recorder_wav(
    path: Path,
    samples: np.ndarray,
    rate: int,
    *,
    guano: str | None = None,
    icmt: str | None = None,
    iart: str | None = None,
    wamd: bytes | None = None,
    bext: bytes | None = None,
    first: bool = False,
    rf64: bool = False,
    pad: bool = True,
) -> Path:
    """Write mono samples from -1 to 1 as 16 bits, and the chunks after them, or before them where ``first``."""
    pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    found = [
        (b"guan", None if guano is None else guano.encode()),
        (b"wamd", wamd),
        (b"bext", bext),
    ]
    extra = b"".join(chunk(name, content, pad=pad) for name, content in found if content is not None)
    texts = [(name, text) for name, text in ((b"ICMT", icmt), (b"IART", iart)) if text is not None]
    if texts:
        info = b"".join(chunk(name, text.encode() + b"\0") for name, text in texts)
        extra += chunk(b"LIST", b"INFO" + info)
    form = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16))
    data = b"data" + struct.pack("<I", 0xFFFFFFFF if rf64 else len(pcm)) + pcm
    body = form + (extra + data if first else data + extra)
    if rf64:
        wide = chunk(b"ds64", struct.pack("<QQQI", 4 + 36 + len(body), len(pcm), len(pcm) // 2, 0))
        path.write_bytes(b"RF64" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE" + wide + body)
    else:
        path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body)
    return path
