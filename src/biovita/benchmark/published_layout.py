"""The published benchmark layout: where its files lie, how much they will take, and writing them.

A directory holds one part, or one directory a part. A part has ``audio_index.csv``, ``image_index.csv`` and
``text_index.csv``, and for each level and direction ``species/test_audio_to_image.csv`` and so on. What we write has
more columns than the published files, after theirs. The indices of a part have what its tasks use: where all taxa are
candidates, items of other parts, too. Each query has a line with the names and the samples of all its candidates, so
the files grow with the number of queries times that of samples.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.benchmark.task import Benchmark, Task
from biovita.csv_safe import write_rows
from biovita.modality import Modality, modalities_of

__all__ = [
    "ASKING",
    "COLUMNS",
    "INDEX_COLUMNS",
    "TASK_COLUMNS",
    "index_file",
    "published_bytes",
    "rows_of_part",
    "task_file",
    "write_published",
]

_TAXON = ("species", "genus", "family", "class")
INDEX_COLUMNS: dict[Modality, tuple[str, ...]] = {  # what the published files have
    Modality.AUDIO: ("id", "file_path", *_TAXON),
    Modality.IMAGE: ("id", "file_path", *_TAXON),
    Modality.TEXT: ("id", *_TAXON, "common_name", "text"),
}
_MORE: dict[Modality, tuple[str, ...]] = {
    Modality.AUDIO: ("key", "common_name", "start_s", "end_s", "license", "attribution", "sha256", "cut_from"),
    Modality.IMAGE: ("key", "common_name", "license", "attribution", "sha256"),
    Modality.TEXT: ("level",),
}
TASK_COLUMNS: tuple[str, ...] = (
    "query_id",
    "task",
    "taxon_level",
    "query_payload_id",
    "correct_taxon",
    "candidates_taxa",
    "candidates_target_ids",
    "taxon_class",
)
ASKING = "query_payload_ids"  # of tasks whose queries ask with several texts: these, as JSON
COLUMNS = frozenset(  # of any file of the layout
    {*TASK_COLUMNS, ASKING}.union(*INDEX_COLUMNS.values(), *_MORE.values())
)
_IN_ITEMS = {"key": "id", "text": "id", "file_path": "path"}  # columns of other names there
_SPAN = 4  # characters of a number of seconds
_AT_ONCE = 1 << 12  # queries


def index_file(modality: Modality) -> str:
    """Return the name of a modality's index in a part."""
    return f"{modality.value}_index.csv"


def task_file(direction: str, level: str) -> str:
    """Return the name of a task's file in a part.

    Examples
    --------
    >>> task_file("A2I", "species")
    'species/test_audio_to_image.csv'
    """
    asked, answered = modalities_of(direction)
    return f"{level}/test_{asked.value}_to_{answered.value}.csv"


def rows_of_part(benchmark: Benchmark, part: str, modality: Modality) -> np.ndarray:
    """Return the rows of a modality that a part's index has: its own items, and what its tasks use; ascending."""
    mine = replace(benchmark, tasks=tuple(task for task in benchmark.tasks if task.part == part))
    own = np.flatnonzero(pc.equal(benchmark.items[modality]["part"], part).fill_null(fill_value=False))
    return np.union1d(own, mine.used(modality))


def write_published(benchmark: Benchmark, directory: Path) -> None:
    """Write the files of all parts of a benchmark into a directory."""
    for part in sorted({task.part for task in benchmark.tasks}):
        place = directory / part
        place.mkdir()
        rows = {modality: rows_of_part(benchmark, part, modality) for modality in Modality}
        for modality, mine in rows.items():
            items = benchmark.items[modality].take(pa.array(mine))
            _write_csv(
                place / index_file(modality), (*INDEX_COLUMNS[modality], *_MORE[modality]), _index_lines(items)
            )
        for task in benchmark.tasks:
            if task.part == part:
                file = place / task_file(task.direction, task.level.value)
                file.parent.mkdir(exist_ok=True)
                columns = TASK_COLUMNS if task.texts is None else (*TASK_COLUMNS, ASKING)
                _write_csv(file, columns, _task_lines(benchmark, task, rows))


def _index_lines(items: pa.Table) -> Iterable[dict[str, Any]]:
    batches = items.to_batches(max_chunksize=_AT_ONCE)
    for number, item in enumerate(item for batch in batches for item in batch.to_pylist()):
        yield {**item, "id": number} | {name: item[there] for name, there in _IN_ITEMS.items()}


def _task_lines(benchmark: Benchmark, task: Task, rows: Mapping[Modality, np.ndarray]) -> Iterable[dict[str, Any]]:
    asked, answered = modalities_of(task.direction)
    classes = benchmark.items[asked]["class"].take(pa.array(task.queries)).to_pylist()
    numbers = np.searchsorted(rows[answered], task.samples).tolist()
    samples = [json.dumps(numbers[begin:end]) for begin, end in zip(task.offsets, task.offsets[1:], strict=False)]
    names = [json.dumps(name, ensure_ascii=False) for name in task.taxa]
    payloads = np.searchsorted(rows[asked], task.queries).tolist()
    for number, (listed, own) in enumerate(zip(task.candidates, task.correct_taxa, strict=True)):
        taxa = listed[listed >= 0].tolist()
        line = {
            "query_id": number,
            "task": task.direction,
            "taxon_level": task.level.value,
            "query_payload_id": payloads[number],
            "correct_taxon": task.taxa[own],
            "candidates_taxa": f"[{', '.join([names[t] for t in taxa])}]",
            "candidates_target_ids": f"[{', '.join([samples[t] for t in taxa])}]",
            "taxon_class": classes[number],
        }
        if task.texts is not None:
            asking = task.texts[number]
            line[ASKING] = json.dumps(np.searchsorted(rows[asked], asking[asking >= 0]).tolist())
        yield line


def _write_csv(file: Path, columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        write_rows(stream, columns, lines)


def published_bytes(benchmark: Benchmark) -> int:
    """Return how many bytes the files of `write_published` will take, to within a few percent."""
    size = 0
    for part in sorted({task.part for task in benchmark.tasks}):
        rows = {modality: rows_of_part(benchmark, part, modality) for modality in Modality}
        for modality, mine in rows.items():
            columns = (*INDEX_COLUMNS[modality], *_MORE[modality])
            items = benchmark.items[modality].take(pa.array(mine))
            size += len(mine) * len(columns) + int(_digits(np.arange(len(mine))).sum())
            size += sum(_cells(items[_IN_ITEMS.get(name, name)]) for name in columns if name != "id")
        size += sum(_task_bytes(benchmark, task, rows) for task in benchmark.tasks if task.part == part)
    return size


def _task_bytes(benchmark: Benchmark, task: Task, rows: Mapping[Modality, np.ndarray]) -> int:
    asked, answered = modalities_of(task.direction)
    names = np.array([len(name.encode()) for name in task.taxa], np.int64)
    digits = np.concatenate([[0], np.cumsum(_digits(np.searchsorted(rows[answered], task.samples)))])
    members = np.diff(task.offsets)
    # A name has two doubled quotes around it, a list two brackets; a comma and a space stand between two of each.
    each = names + 6 + np.diff(digits[task.offsets]) + 2 * np.maximum(members - 1, 0) + 4
    size = 0
    for start in range(0, len(task.queries), _AT_ONCE):
        listed = task.candidates[start : start + _AT_ONCE]
        size += int(np.where(listed >= 0, each[listed], 0).sum())
    columns = len(task.direction) + len(task.level.value) + len(TASK_COLUMNS) + 4  # four quotes
    size += columns * len(task.queries) + int(names[task.correct_taxa].sum())
    size += int(_digits(np.arange(len(task.queries))).sum())
    size += int(_digits(np.searchsorted(rows[asked], task.queries)).sum())
    size += _cells(benchmark.items[asked]["class"].take(pa.array(task.queries)))
    if task.texts is not None:
        asking = np.searchsorted(rows[asked], task.texts[task.texts >= 0])
        size += int((_digits(asking) + 2).sum()) + 3 * len(task.queries)
    return size


def _digits(numbers: np.ndarray) -> np.ndarray:
    """Return how many digits whole numbers have."""
    digits: np.ndarray = np.searchsorted(10 ** np.arange(1, 19), numbers, "right") + 1
    return digits


def _cells(column: pa.ChunkedArray) -> int:
    """Return how many bytes the cells of a column take, with the quotes of those that hold a comma or a quote."""
    if not pa.types.is_string(column.type):
        return _SPAN * (len(column) - column.null_count)
    quoted = pc.sum(pc.match_substring_regex(column, '[,"\\r\\n]')).as_py() or 0
    return (pc.sum(pc.binary_length(column)).as_py() or 0) + 2 * quoted
