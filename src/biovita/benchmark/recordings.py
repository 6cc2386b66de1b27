"""How long the recordings are that a benchmark asks with, and how clear."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from biovita.benchmark.task import Benchmark
from biovita.errors import MediaError
from biovita.modality import Modality, modalities_of

__all__ = ["Recording", "contrast_db", "measured", "stated"]

_FRAME_S = 0.02
_BAND_HZ = 500.0  # wind and traffic lie below
_WORKERS = 4


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of a recording that asks.

    Attributes
    ----------
    seconds
        Its length; None where neither a table nor its samples say it.
    contrast_db
        How far its loud moments stand out from its quiet ones, in decibels (see `contrast_db`); None where it was not
        measured.
    """

    seconds: float | None
    contrast_db: float | None = None


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


def stated(benchmark: Benchmark) -> dict[int, Recording]:
    """Return the lengths that the benchmark states, by row of the recordings that ask; no file is opened."""
    rows = _asked(benchmark)
    items = benchmark.items[Modality.AUDIO].select(["start_s", "end_s"]).take(pa.array(rows)).to_pylist()
    return {
        row: Recording(item["end_s"] - item["start_s"])
        for row, item in zip(rows, items, strict=True)
        if item["start_s"] is not None and item["end_s"] is not None
    }


def measured(benchmark: Benchmark) -> dict[int, Recording]:
    """Return length and contrast by row of the recordings that ask, each of which is decoded for it.

    Recordings that cannot be read are left out: they are reported where they are embedded.
    """
    if benchmark.root is None:
        return {}
    rows = _asked(benchmark)
    items = benchmark.items[Modality.AUDIO].select(["path", "start_s", "end_s"]).take(pa.array(rows)).to_pylist()
    with ThreadPoolExecutor(_WORKERS) as pool:
        found = list(pool.map(lambda item: _measured(benchmark, **item), items))
    return {row: got for row, got in zip(rows, found, strict=True) if got is not None}


def _asked(benchmark: Benchmark) -> list[int]:
    tasks = [task.queries for task in benchmark.tasks if modalities_of(task.direction)[0] == Modality.AUDIO]
    return np.unique(np.concatenate(tasks)).tolist() if tasks else []


def _measured(benchmark: Benchmark, path: str, start_s: float | None, end_s: float | None) -> Recording | None:
    from biovita.media import read_clip

    try:
        samples, rate = read_clip(benchmark.locate(path), start_s or 0.0, end_s)
    except MediaError:
        return None
    return Recording(len(samples) / rate, contrast_db(samples, rate))
