"""A simulated fauna as a dataset, written by several processes through the normal code."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa

from biovita.compute.cores import cpu_count
from biovita.dataset import Dataset, write_dataset
from biovita.dataset.schema import TRAITS, taxa_table
from biovita.errors import DatasetError
from biovita.files import new_directory
from biovita.progress import progress_bar
from biovita.simulation.fauna import Fauna
from biovita.simulation.seeds import stream
from biovita.simulation.species_media import Job, SpeciesMedia, make_items
from biovita.version import __version__

__all__ = ["SOURCE", "info_of", "simulate_media", "traits_table"]

SOURCE = "simulated"


def simulate_media(
    out: str | Path,
    species: int = 60,
    seed: int = 0,
    *,
    recordings: int = 8,
    photographs: int = 8,
    workers: int | None = None,
    permute_calls: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Dataset:
    """Write a simulated fauna, its recordings and photographs as a dataset.

    A species' files depend on the seed and its index alone: with more species, more workers or on another day they
    are the same bytes, as long as the library versions are.

    Parameters
    ----------
    out
        The dataset to make.
    species
        Number of species; those of a smaller fauna of the same seed come first.
    recordings, photographs
        Mean number a species; each species has its own, at least 2, or the mean where that is
        less; 0 makes none. A recording has one to three clips of 5 s.
    workers
        Processes; as many as processors if not given. They are spawned: a script that calls this with more than one
        guards its entry with ``if __name__ == "__main__"``.
    permute_calls
        Give each species the calls of another, drawn at random. What looks and calls share is then gone: models
        trained on such a dataset find no photograph by its call but by chance.
    overwrite
        Replace what is at ``out``.

    Raises
    ------
    DatasetError
        Where ``out`` exists and ``overwrite`` was not asked for, or a number is out of range.
    """
    for name, number in (("recordings", recordings), ("photographs", photographs)):
        if number < 0:
            raise DatasetError(f"{name} is {number}; it has to be 0 or more")
    if workers is not None and workers < 1:
        raise DatasetError(f"workers is {workers}; it has to be 1 or more")
    fauna = Fauna.grow(species, seed)
    callers = _permutation(len(fauna.species), seed) if permute_calls else range(len(fauna.species))
    out = Path(out)
    with new_directory(out, replace=overwrite, marker="dataset.toml") as directory:
        jobs = [
            Job(truth, fauna.species[caller], seed, recordings, photographs, directory)
            for truth, caller in zip(fauna.species, callers, strict=True)
        ]
        rows = _made(jobs, workers or cpu_count(), progress=progress)
        write_dataset(
            directory,
            {
                "taxa": taxa_table(truth.taxon for truth in fauna.species),
                "traits": traits_table(fauna),
                "audio": pa.concat_tables(each.audio for each in rows).combine_chunks(),
                "images": pa.concat_tables(each.images for each in rows).combine_chunks(),
            },
            info_of(
                out,
                "biovita simulate",
                species=species,
                seed=seed,
                recordings=recordings,
                photographs=photographs,
                permute_calls=permute_calls,
            ),
        )
    return Dataset.open(out)


def traits_table(fauna: Fauna) -> pa.Table:
    """Return the trait labels of a fauna in the `TRAITS` schema; none is unknown."""
    pairs = [(truth.taxon.id, label, value) for truth in fauna.species for label, value in truth.traits.items()]
    taxon_ids, labels, values = zip(*pairs, strict=True)
    return pa.table([taxon_ids, labels, values, pa.repeat(SOURCE, len(pairs))], schema=TRAITS)


def info_of(out: Path, by: str, **settings: int) -> dict[str, Any]:
    """Return what ``dataset.toml`` says of a simulated dataset: its name, and the command and settings that made it."""
    made = {"by": by, "biovita": __version__, "simulated": True, **settings}
    return {"name": out.resolve().name, "version": "1", "made": made}


def _permutation(count: int, seed: int) -> list[int]:
    """Return another species for each one: the next in a random cycle of all."""
    cycle = stream(seed, "permuted-calls").permutation(count).tolist()
    following = dict(zip(cycle, cycle[1:] + cycle[:1], strict=True))
    return [following[index] for index in range(count)]


def _made(jobs: Sequence[Job], workers: int, *, progress: bool) -> list[SpeciesMedia]:
    """Do the jobs and return the rows of each, in their order."""
    made = []
    with progress_bar("Simulating species", len(jobs), shown=progress) as advance:
        for rows in _results(jobs, min(workers, len(jobs))):
            made.append(rows)
            advance(1)
    return made


def _results(jobs: Sequence[Job], workers: int) -> Iterator[SpeciesMedia]:
    if workers == 1:
        yield from map(make_items, jobs)
        return
    with _pool(workers) as pool:
        waiting: list[Future[SpeciesMedia]] = [pool.submit(make_items, job) for job in jobs]
        for future in waiting:
            yield future.result()


@contextmanager
def _pool(workers: int) -> Iterator[Executor]:
    """Give worker processes that stop with this one: Ctrl-C waits for what they have in hand and no more."""
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end when it was killed: a pool's processes would wait for it for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
