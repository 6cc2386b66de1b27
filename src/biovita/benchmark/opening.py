"""Opening a benchmark: from its published files, or as a divided dataset describes it."""

from __future__ import annotations

from pathlib import Path

from biovita.benchmark.from_split import benchmark_from_split
from biovita.benchmark.reader import read_benchmark
from biovita.benchmark.task import Benchmark
from biovita.dataset.dataset import Dataset
from biovita.errors import BiovitaError

__all__ = ["open_benchmark"]


def open_benchmark(place: Dataset | str | Path, media_root: str | Path | None = None) -> Benchmark:
    """Return the benchmark at a place.

    Parameters
    ----------
    place
        A benchmark in the published layout; or a divided dataset, which gives its standard benchmark.
    media_root
        Where the file paths of a published benchmark start. None: what its manifest says, or the directory itself.
        A dataset says itself where its media are.

    Raises
    ------
    DatasetError, BiovitaError
        Where there is neither, or it cannot be read, or ``media_root`` is given for a dataset.
    """
    if isinstance(place, Dataset) or (Path(place) / "dataset.toml").is_file():
        if media_root is not None:
            where = place.path if isinstance(place, Dataset) else place
            raise BiovitaError(
                f"{where} is a dataset, and media_root is for a published benchmark: a dataset says itself where its "
                "media are. Leave media_root (--media-root) out"
            )
        return benchmark_from_split(Dataset.open(place))
    return read_benchmark(place, media_root=media_root)
