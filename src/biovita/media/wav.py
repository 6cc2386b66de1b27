"""Sound as WAV in float32: exact, and the same bytes each time. libsndfile would write the time of writing into it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

__all__ = ["write_float_wav"]

_IEEE_FLOAT = 3


def write_float_wav(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    """Write samples, ``(samples,)`` or ``(samples, channels)``, at a rate in hertz.

    The chunks are those that a WAV file of other than whole numbers has to have (Microsoft, *Multiple Channel Audio
    Data and WAVE Files*): ``fmt``, ``fact`` and ``data``.
    """
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    content = np.ascontiguousarray(samples, "<f4").tobytes()
    form = struct.pack(
        "<HHIIHHH", _IEEE_FLOAT, channels, sample_rate, sample_rate * channels * 4, channels * 4, 32, 0
    )
    head = b"fmt " + struct.pack("<I", len(form)) + form + b"fact" + struct.pack("<II", 4, len(samples))
    body = b"WAVE" + head + b"data" + struct.pack("<I", len(content)) + content
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
