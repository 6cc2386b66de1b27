"""How long the recordings are that a benchmark asks with, and how clear."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from biovita.benchmark.task import Benchmark
from biovita.errors import MediaError
from biovita.modality import Modality, modalities_of

__all__ = ["Recordings", "contrast_db", "measured", "stated"]

_FRAME_S = 0.02
_BAND_HZ = 500.0  # wind and traffic lie below
_WORKERS = 4
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Recordings:
    """What is known of a benchmark's recordings that ask.

    Attributes
    ----------
    seconds
        ``(recordings,)`` the length of each, by its row; NaN where neither a table nor its samples say it, and of one
        that does not ask.
    contrast_db
        ``(recordings,)`` how far its loud moments stand out from its quiet ones, in decibels (see `contrast_db`); NaN
        where it was not measured.
    """

    seconds: np.ndarray
    contrast_db: np.ndarray


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


def stated(benchmark: Benchmark) -> Recordings:
    """Return the lengths that the benchmark states; no file is opened."""
    found, rows = _unknown(benchmark), _asked(benchmark)
    start, end = (benchmark.items[Modality.AUDIO][name].to_numpy().astype(float) for name in ("start_s", "end_s"))
    found.seconds[rows] = (end - start)[rows]
    return found


def measured(benchmark: Benchmark) -> Recordings:
    """Return length and contrast of the recordings that ask, each of which is decoded for it.

    Of recordings that cannot be read nothing is known: they are reported where they are embedded.
    """
    found = _unknown(benchmark)
    if benchmark.root is None:
        return found
    spans = benchmark.items[Modality.AUDIO].select(["path", "start_s", "end_s"])
    with ThreadPoolExecutor(_WORKERS) as pool:
        for some in np.array_split(rows := _asked(benchmark), -(-len(rows) // _ROWS_AT_ONCE) or 1):
            items = spans.take(pa.array(some)).to_pylist()
            for row, got in zip(some, pool.map(lambda item: _measured(benchmark, **item), items), strict=True):
                found.seconds[row], found.contrast_db[row] = got
    return found


def _unknown(benchmark: Benchmark) -> Recordings:
    count = benchmark.items[Modality.AUDIO].num_rows
    return Recordings(np.full(count, np.nan), np.full(count, np.nan))


def _asked(benchmark: Benchmark) -> np.ndarray:
    tasks = [task.queries for task in benchmark.tasks if modalities_of(task.direction)[0] == Modality.AUDIO]
    return np.unique(np.concatenate([np.empty(0, np.int64), *tasks]))


def _measured(benchmark: Benchmark, path: str, start_s: float | None, end_s: float | None) -> tuple[float, float]:
    from biovita.media import read_clip

    try:
        samples, rate = read_clip(benchmark.locate(path), start_s or 0.0, end_s)
    except MediaError:
        return np.nan, np.nan
    return len(samples) / rate, contrast_db(samples, rate)
