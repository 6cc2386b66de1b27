"""Opening a benchmark: from its files, or as a divided dataset describes it; and where its runs lie."""

from __future__ import annotations

from pathlib import Path

from biovita.benchmark.bench_manifest import MANIFEST
from biovita.benchmark.from_split import benchmark_from_split
from biovita.benchmark.layout import write_benchmark
from biovita.benchmark.reader import read_benchmark
from biovita.benchmark.scored_models import safe_name
from biovita.benchmark.task import Benchmark
from biovita.dataset.dataset import Dataset
from biovita.dataset.held_out import split_hash
from biovita.errors import BiovitaError
from biovita.filenames import own_place
from biovita.files import require_possible
from biovita.suggestion import suggested

__all__ = ["RUNS", "STANDARD", "find_run", "open_benchmark", "open_to_run", "standard_place"]

STANDARD = ("bench", "standard")  # where the standard benchmark of a dataset lies, from the dataset
RUNS = "runs"  # where the runs of a benchmark lie, from the benchmark


def open_benchmark(place: Dataset | str | Path, media_root: str | Path | None = None) -> Benchmark:
    """Return the benchmark at a place.

    Parameters
    ----------
    place
        A benchmark; or a divided dataset, which gives its standard benchmark: the one in
        `STANDARD`, or the one that its split describes where none was built.
    media_root
        Where the file paths of a benchmark start. None: what its manifest says, or the directory itself.
        A dataset says itself where its media are.

    Raises
    ------
    DatasetError, BiovitaError
        Where there is neither, or it cannot be read, ``media_root`` is given for a dataset, or the standard benchmark
        is of an earlier split.
    """
    dataset = _dataset_at(place)
    if dataset is None:
        return read_benchmark(str(place), media_root=media_root)
    if media_root is not None:
        raise BiovitaError(
            f"{dataset.path} is a dataset, and media_root is for a benchmark: a dataset says itself where "
            "its media are. Leave media_root (--media-root) out"
        )
    standard = standard_place(dataset)
    if not (standard / MANIFEST).is_file():
        return benchmark_from_split(dataset)
    benchmark = read_benchmark(standard)
    stated = benchmark.made.get("split_sha256")
    if stated is not None and stated != split_hash(dataset):
        raise BiovitaError(
            f"{standard} is of an earlier split of {dataset.path}. Build it anew: "
            f"{suggested('bench build', dataset.path, '--overwrite')} (its runs are kept), or name the benchmark that "
            "you mean"
        )
    return benchmark


def _dataset_at(place: Dataset | str | Path) -> Dataset | None:
    """Return the dataset at a place; None where it is something else."""
    if isinstance(place, Dataset):
        return place
    return Dataset.open(place) if (Path(place) / "dataset.toml").is_file() else None


def standard_place(dataset: Dataset) -> Path:
    """Return where the standard benchmark of a dataset lies, or would lie."""
    return own_place(dataset.path, *STANDARD)


def open_to_run(
    bench: Dataset | str | Path,
    called: str,
    *,
    out: str | Path | None = None,
    media_root: str | Path | None = None,
) -> tuple[Benchmark, Path]:
    """Return the benchmark at a place, and where the run of a model on it goes.

    Parameters
    ----------
    bench, media_root
        As `open_benchmark` takes them.
    called
        The name of the model.
    out
        Where the run goes. None: `RUNS` of the benchmark. Of a dataset it is its standard benchmark, which is written
        where it is not there, so that runs of a dataset and of its benchmark lie together.
    """
    if out is not None:
        require_possible(Path(out))
        return open_benchmark(bench, media_root), Path(out)
    benchmark = open_benchmark(bench, media_root)
    dataset = _dataset_at(bench)
    if dataset is None:
        place = own_place(Path(str(bench)), RUNS, safe_name(called))
        require_possible(place)
        return benchmark, place
    standard = standard_place(dataset)
    if not (standard / MANIFEST).is_file():
        write_benchmark(benchmark, standard)
        benchmark = open_benchmark(dataset)
    return benchmark, own_place(dataset.path, *STANDARD, RUNS, safe_name(called))


def find_run(place: str | Path) -> Path:
    """Return where a run lies: the place itself, or the other place where the runs of its dataset have been written.

    Earlier versions wrote them to ``DATASET/runs``. Such a run is looked for in ``DATASET/bench/standard/runs``, too,
    and the other way round.
    """
    place = Path(place)
    if place.exists() or place.parent.name != RUNS:
        return place
    home = place.parent.parent
    others = [home.joinpath(*STANDARD)]
    if home.parts[-len(STANDARD) :] == STANDARD:
        others.append(home.parent.parent)
    found = [other / RUNS / place.name for other in others if (other / RUNS / place.name).exists()]
    return found[0] if found else place
