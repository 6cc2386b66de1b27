"""The published benchmark layout: where its files lie, and writing a benchmark in it.

A directory holds one part, or one directory a part. A part has ``audio_index.csv``, ``image_index.csv`` and
``text_index.csv``, and for each level and direction ``species/test_audio_to_image.csv`` and so on. What we write has
more columns than the published files, after theirs, and ``manifest.json`` beside the parts. The indices of a part have
what its tasks use: where all taxa are candidates, items of other parts, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from biovita.benchmark.task import Benchmark, Task
from biovita.csv_safe import write_rows
from biovita.dataset.outgoing import Outgoing, allowed_outside, copied, unchanged
from biovita.errors import DatasetError
from biovita.filenames import path_from, safe_suffix
from biovita.files import new_directory, write_whole
from biovita.hashing import sha256_of
from biovita.modality import MEDIA, Modality, modalities_of

__all__ = [
    "ASKING",
    "COLUMNS",
    "INDEX_COLUMNS",
    "MANIFEST",
    "TASK_COLUMNS",
    "index_file",
    "media_outside",
    "task_file",
    "write_benchmark",
]

MANIFEST = "manifest.json"
FORMAT = 1

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


def write_benchmark(
    benchmark: Benchmark, out: Path, *, media: str = "keep", overwrite: bool = False, allow_outside: bool = False
) -> Path:
    """Write a benchmark in the published layout, with a manifest of counts, seed and hashes.

    The ``runs`` of one that is replaced stay.

    Parameters
    ----------
    media
        ``keep`` leaves recordings and photographs where they are: file paths start at the directory that the
        manifest names. ``copy`` puts them into ``OUT/media``, spans of longer recordings cut out as WAV of float32,
        so that scores stay the same.
    allow_outside
        Copy media that lie outside `Benchmark.root`, too.

    Raises
    ------
    DatasetError
        Where ``out`` exists and ``overwrite`` was not asked for; with ``copy``, where media lie outside the root and
        that is not allowed, or one is not what the tables state.
    MediaError
        With ``copy``, where a recording cannot be read.
    """
    if media not in {"keep", "copy"}:
        raise DatasetError(f"media is {media!r}. It has to be 'keep' or 'copy'")
    out = Path(out)
    with new_directory(out, replace=overwrite, marker=MANIFEST, keep=["runs"]) as scratch:
        paths = _copied(benchmark, scratch, allow_outside=allow_outside) if media == "copy" else {}
        keep = benchmark.root if media == "keep" else None
        root = None if keep is None else path_from(out, keep)
        parts = sorted({task.part for task in benchmark.tasks})
        for part in parts:
            _write_part(benchmark, part, scratch / part, paths)
        text = json.dumps(_manifest(benchmark, scratch, parts, root), indent=1, sort_keys=True)
        write_whole(scratch / MANIFEST, text + "\n")
    return out


def _write_part(
    benchmark: Benchmark, part: str, directory: Path, paths: Mapping[tuple[Modality, int], tuple[str, str]]
) -> None:
    directory.mkdir()
    ids: dict[Modality, dict[int, int]] = {}
    for modality in Modality:
        rows = benchmark.items[modality].to_pylist()
        mine = _rows_of(benchmark, part, modality).tolist()
        ids[modality] = {row: number for number, row in enumerate(mine)}
        lines = (_index_line(ids[modality][row], rows[row], paths.get((modality, row))) for row in mine)
        _write_csv(directory / index_file(modality), (*INDEX_COLUMNS[modality], *_MORE[modality]), lines)
    for task in benchmark.tasks:
        if task.part == part:
            file = directory / task_file(task.direction, task.level.value)
            file.parent.mkdir(exist_ok=True)
            columns = TASK_COLUMNS if task.texts is None else (*TASK_COLUMNS, ASKING)
            _write_csv(file, columns, _task_lines(benchmark, task, ids))


def _rows_of(benchmark: Benchmark, part: str, modality: Modality) -> np.ndarray:
    """Return the rows of a modality that a part's index has: its own items, and what its tasks use; ascending."""
    mine = replace(benchmark, tasks=tuple(task for task in benchmark.tasks if task.part == part))
    own = np.flatnonzero(np.array(benchmark.items[modality]["part"].to_pylist(), object) == part)
    return np.union1d(own, mine.used(modality))


def _index_line(number: int, item: Mapping[str, Any], copy: tuple[str, str] | None) -> dict[str, Any]:
    line = {**item, "id": number, "key": item["id"], "text": item["id"], "file_path": item["path"]}
    if copy is not None:  # cut out
        cut_from = item["sha256"] if item["start_s"] is not None else item["cut_from"]
        line["file_path"], line["sha256"], line["cut_from"] = *copy, cut_from
        line["start_s"] = line["end_s"] = None
    return line


def _task_lines(
    benchmark: Benchmark, task: Task, ids: Mapping[Modality, Mapping[int, int]]
) -> Iterable[dict[str, Any]]:
    asked, answered = modalities_of(task.direction)
    classes = benchmark.items[asked]["class"].to_pylist()
    samples = [
        [ids[answered][int(s)] for s in task.samples[task.offsets[t] : task.offsets[t + 1]]]
        for t in range(len(task.taxa))
    ]
    for number, (row, asking, listed, own) in enumerate(
        zip(task.queries, task.asking, task.candidates, task.correct_taxa, strict=True)
    ):
        taxa = [int(t) for t in listed if t >= 0]
        yield {
            "query_id": number,
            "task": task.direction,
            "taxon_level": task.level.value,
            "query_payload_id": ids[asked][int(row)],
            "correct_taxon": task.taxa[own],
            "candidates_taxa": json.dumps([task.taxa[t] for t in taxa], ensure_ascii=False),
            "candidates_target_ids": json.dumps([samples[t] for t in taxa]),
            "taxon_class": classes[int(row)],
        } | ({} if task.texts is None else {ASKING: json.dumps([ids[asked][int(r)] for r in asking if r >= 0])})


def _write_csv(file: Path, columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        write_rows(stream, columns, lines)


def _manifest(benchmark: Benchmark, scratch: Path, parts: Sequence[str], root: str | None) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "made": dict(benchmark.made),
        "media_root": root,
        "parts": {
            part: {
                "items": {m.value: len(_rows_of(benchmark, part, m)) for m in Modality},
                "tasks": [
                    {
                        "direction": task.direction,
                        "level": task.level.value,
                        "queries": len(task.queries),
                        "taxa": len(task.taxa),
                        "most_candidates": int(task.candidate_counts.max()),
                    }
                    for task in benchmark.tasks
                    if task.part == part
                ],
            }
            for part in parts
        },
        "other_names": {name: list(others) for name, others in benchmark.other_names.items()},
        "unseen": {level.value: sorted(names) for level, names in benchmark.unseen.items()},
        "left_out": [asdict(entry) for entry in benchmark.left_out],
        "sha256": {
            file.relative_to(scratch).as_posix(): sha256_of(file)
            for part in parts
            for file in sorted((scratch / part).rglob("*.csv"))
        },
    }


def media_outside(benchmark: Benchmark, *, allow: bool = True) -> int:
    """Return how many of a benchmark's media lie outside its root; raise a DatasetError where none are allowed to."""
    root = benchmark.root or Path()
    return allowed_outside(root, (file for _, _, _, file in _outgoing(benchmark)), allow=allow)


def _outgoing(benchmark: Benchmark) -> Iterator[tuple[Modality, int, dict[str, Any], Outgoing]]:
    """Yield modality, row and item of each recording and photograph of a benchmark, and its file."""
    for modality in MEDIA:
        for row, item in enumerate(benchmark.items[modality].to_pylist()):
            yield modality, row, item, Outgoing(benchmark.locate(item["path"]), modality, item["sha256"])


def _copied(
    benchmark: Benchmark, scratch: Path, *, allow_outside: bool
) -> dict[tuple[Modality, int], tuple[str, str]]:
    """Copy the media into ``scratch/media``; return where each item's file lies, from ``scratch``, and its hash."""
    from biovita.media import read_clip
    from biovita.media.wav import write_float_wav

    media_outside(benchmark, allow=allow_outside)
    found: dict[tuple[Modality, int], tuple[str, str]] = {}
    known: set[Any] = set()
    for modality, row, item, file in _outgoing(benchmark):
        folder = scratch / "media" / modality.value
        folder.mkdir(parents=True, exist_ok=True)
        cut = item["start_s"] is not None
        place = folder / f"{row:06d}{'.wav' if cut else safe_suffix(item['path']).lower()}"
        if cut:
            with unchanged(file, known) as source:
                samples, rate = read_clip(source, item["start_s"], item["end_s"])
            write_float_wav(place, samples, rate)  # exact: rounding moves scores
        else:
            copied(file, place)
        found[modality, row] = f"media/{modality.value}/{place.name}", sha256_of(place)
    return found
