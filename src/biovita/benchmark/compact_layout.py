"""The compact benchmark layout: Parquet files that say each thing once, and writing them.

Beside ``manifest.json`` a directory has ``audio.parquet``, ``image.parquet`` and ``text.parquet``: the items of all
parts, a row each, with the columns of `biovita.benchmark.task.ITEMS`. Each task has two files, such as
``unseen/species/audio_to_image_taxa.parquet`` and ``unseen/species/audio_to_image_queries.parquet``.

A taxa file has a row for each candidate taxon: ``taxon``, its name, and ``samples``, its rows in the items of the
target modality. Where all queries have the same candidates it has ``order``, too: row k has the k-th of them, as a row
of this file.

A queries file has a row for each query: ``query``, its row in the items that ask; ``taxon``, its own taxon, as a row of
the taxa file; ``candidates``, in the order that decides ties, -1 beyond the last, unless all queries have the same; and
``texts``, the rows of the texts that a query asks with, where there are several. Rows count from 0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from biovita.benchmark.task import Benchmark, Task
from biovita.modality import Modality, modalities_of

__all__ = ["items_file", "queries_file", "taxa_file", "write_compact"]

_AT_ONCE = 1 << 15  # queries of a row group
_NUMBER = pa.field("row", pa.int32(), nullable=False)


def items_file(modality: Modality) -> str:
    """Return the name of the file of a modality's items."""
    return f"{modality.value}.parquet"


def queries_file(direction: str, level: str) -> str:
    """Return the name of the file of a task's queries in a part.

    Examples
    --------
    >>> queries_file("A2I", "species")
    'species/audio_to_image_queries.parquet'
    """
    return _task_file(direction, level, "queries")


def taxa_file(direction: str, level: str) -> str:
    """Return the name of the file of a task's taxa in a part."""
    return _task_file(direction, level, "taxa")


def _task_file(direction: str, level: str, what: str) -> str:
    asked, answered = modalities_of(direction)
    return f"{level}/{asked.value}_to_{answered.value}_{what}.parquet"


def write_compact(benchmark: Benchmark, directory: Path) -> None:
    """Write the files of a benchmark into a directory."""
    for modality in Modality:
        _write(benchmark.items[modality], directory / items_file(modality))
    for task in benchmark.tasks:
        place = directory / task.part
        (place / task.level.value).mkdir(parents=True, exist_ok=True)
        shared = _is_shared(task)
        _write(_taxa(task, shared=shared), place / taxa_file(task.direction, task.level.value))
        _write_queries(task, place / queries_file(task.direction, task.level.value), shared=shared)


def _write(table: pa.Table, file: Path) -> None:
    with file.open("wb") as raw:  # pyarrow would take some names for addresses
        pq.write_table(table, raw, compression="zstd")


def _is_shared(task: Task) -> bool:
    """Return whether all queries have all taxa as their candidates, in one order."""
    first = task.candidates[0]
    if len(task.candidates) < 2 or len(np.unique(first[first >= 0])) < len(task.taxa):
        return False
    return task.candidates.strides[0] == 0 or bool((task.candidates == first).all())


def _taxa(task: Task, *, shared: bool) -> pa.Table:
    offsets = pa.array(task.offsets.astype(np.int32))
    samples = pa.ListArray.from_arrays(offsets, pa.array(task.samples.astype(np.int32)), pa.list_(_NUMBER))
    columns = {"taxon": pa.array(task.taxa, pa.string()), "samples": samples}
    if shared:
        columns["order"] = pa.array(task.candidates[0].astype(np.int32))
    return pa.table(columns)


def _write_queries(task: Task, file: Path, *, shared: bool) -> None:
    width = task.candidates.shape[1]
    fields = [pa.field("query", pa.int32(), nullable=False), pa.field("taxon", pa.int32(), nullable=False)]
    if not shared:
        fields.append(pa.field("candidates", pa.list_(_NUMBER, width), nullable=False))
    if task.texts is not None:
        fields.append(pa.field("texts", pa.list_(_NUMBER), nullable=False))
    schema = pa.schema(fields)
    with file.open("wb") as raw, pq.ParquetWriter(raw, schema, compression="zstd") as writer:
        for start in range(0, len(task.queries), _AT_ONCE):
            here = slice(start, start + _AT_ONCE)
            columns = [_numbers(task.queries[here]), _numbers(task.correct_taxa[here])]
            if not shared:
                listed = _numbers(task.candidates[here].reshape(-1))
                columns.append(pa.FixedSizeListArray.from_arrays(listed, type=fields[2].type))
            if task.texts is not None:
                columns.append(_lists(task.texts[here]))
            writer.write_batch(pa.record_batch(columns, schema=schema))


def _numbers(values: np.ndarray) -> pa.Array:
    return pa.array(values.astype(np.int32, copy=False))


def _lists(rows: np.ndarray) -> pa.Array:
    """Return the rows of an array as lists, without what is below 0."""
    there = rows >= 0
    offsets = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), _numbers(rows[there]), pa.list_(_NUMBER))
