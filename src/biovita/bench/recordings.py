"""How long the recordings of a benchmark are, and how clear."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from biovita.bench.task import Benchmark
from biovita.errors import MediaError
from biovita.modality import Modality, modalities_of

__all__ = ["Recording", "contrast_db", "measure"]

_FRAME_S = 0.02
_BAND_HZ = 500.0  # wind and traffic lie below
_WORKERS = 4


@dataclass(frozen=True)
class Recording:
    """What was measured of a recording.

    Attributes
    ----------
    contrast_db
        How far its loud moments stand out from its quiet ones, in decibels; see `contrast_db`.
    """

    seconds: float
    contrast_db: float


def contrast_db(samples: np.ndarray, sample_rate: float) -> float:
    """Return the level of the loudest twentieth of 20 ms frames over that of the quietest fifth, in decibels.

    Only what lies above 500 Hz counts. It is a stand-in for recording quality where none is stated: a near call over
    a quiet background has a large one, a distant or masked call, or a steady chorus, a small one.
    """
    size = max(2, int(_FRAME_S * sample_rate))
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    if not len(frames):
        return 0.0
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2
    power = spectrum[:, np.fft.rfftfreq(size, 1 / sample_rate) >= _BAND_HZ].sum(axis=1)
    levels = 10 * np.log10(np.maximum(power, 1e-12))
    quiet, loud = np.quantile(levels, [0.2, 0.95])
    return float(loud - quiet)


def measure(benchmark: Benchmark, rows: Sequence[int] | None = None) -> dict[int, Recording]:
    """Return what can be measured of recordings, by row; by default of those that are queries.

    Recordings that cannot be read are left out: they are reported where they are embedded.
    """
    if rows is None:
        asked = {
            int(row)
            for task in benchmark.tasks
            if modalities_of(task.direction)[0] == Modality.AUDIO
            for row in task.queries
        }
        rows = sorted(asked)
    if benchmark.root is None:
        return {}
    items = benchmark.items[Modality.AUDIO].select(["path", "start_s", "end_s"]).to_pylist()
    with ThreadPoolExecutor(_WORKERS) as pool:
        found = list(pool.map(lambda row: _measured(benchmark, **items[row]), rows))
    return {row: got for row, got in zip(rows, found, strict=True) if got is not None}


def _measured(benchmark: Benchmark, path: str, start_s: float | None, end_s: float | None) -> Recording | None:
    from biovita.media import read_clip

    try:
        samples, rate = read_clip(benchmark.locate(path), start_s or 0.0, end_s)
    except MediaError:
        return None
    return Recording(len(samples) / rate, contrast_db(samples, rate))
