"""Checking a benchmark: what is missing, undecodable or inconsistent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from biovita.benchmark.bench_manifest import FORMATS, MANIFEST, home_of, read_manifest
from biovita.benchmark.bench_problem import BenchmarkProblem, leads_out
from biovita.benchmark.compact_layout import items_file, queries_file
from biovita.benchmark.media_files import resolve_media
from biovita.benchmark.published_layout import index_file, task_file
from biovita.benchmark.reader import read_with_problems
from biovita.benchmark.task import Benchmark, Task
from biovita.errors import MediaError
from biovita.hashing import sha256_of
from biovita.media.packed_files import MediaPath
from biovita.modality import Modality, modalities_of
from biovita.progress import progress_bar
from biovita.taxonomy import Rank

__all__ = ["Verdict", "verify_benchmark"]

_WORKERS = 4
_FILES = 1024  # that are waited for at once
_AT_ONCE = 1 << 14  # queries
CANDIDATES = 100  # a query's, in the published benchmark


@dataclass(frozen=True)
class Verdict:
    """What `verify_benchmark` found.

    Attributes
    ----------
    files
        How many media files were read, each once in a part.
    """

    problems: tuple[BenchmarkProblem, ...]
    tasks: int
    queries: int
    files: int

    @property
    def sound(self) -> bool:
        """Whether nothing was found that changes a score."""
        return not any(problem.counts for problem in self.problems)


def verify_benchmark(
    path: str | Path,
    *,
    media_root: str | Path | None = None,
    metadata: Path | None = None,
    progress: bool = False,
) -> Verdict:
    """Read a benchmark and every media file that its tasks use, and return what is wrong.

    Parameters
    ----------
    metadata
        The release's ``metadata.csv``, by which misnamed recordings are found; by default looked for nearby.
    progress
        Show how many media files are read.

    Raises
    ------
    DatasetError
        Where there is no benchmark to verify, or a file lacks a column.
    """
    path = Path(path)
    benchmark, problems = read_with_problems(path, media_root=media_root)
    benchmark, renamed = resolve_media(benchmark, metadata)
    manifest = read_manifest(home_of(path))
    files = _COMPACT if manifest is not None and manifest["format"] == FORMATS["compact"] else _PUBLISHED
    problems += [
        BenchmarkProblem("misnamed", files.items(r.modality), 0, f"{r.said} is called {r.found}", counts=False)
        for r in renamed
    ]
    most = benchmark.made.get("candidates", CANDIDATES)
    names = _Labels(benchmark)
    for task in benchmark.tasks:
        problems += _counts(files, task, None if most == "all" else most)
        problems += _twice(files, task)
        problems += _labels(files, names, task)
    if most == "all":
        problems += _same_candidates(files, benchmark)
    missing = {problem.file for problem in problems if problem.code == "missing-file"}
    problems += [each for each in _hashes(path, manifest or {}) if each.file not in missing]
    found, read = _media(files, benchmark, progress=progress)
    problems += found
    queries = sum(len(task.queries) for task in benchmark.tasks)
    return Verdict(tuple(problems), len(benchmark.tasks), queries, read)


@dataclass(frozen=True)
class _Files:
    """How the files of a layout are called: of items in a part, and of a task."""

    items: Callable[[Modality], str]
    task: Callable[[str, str], str]
    by_part: bool  # whether each part has its own items

    def of_task(self, task: Task) -> str:
        return f"{task.part}/{self.task(task.direction, task.level.value)}"

    def of_items(self, part: str, modality: Modality) -> str:
        return f"{part}/{self.items(modality)}" if self.by_part else self.items(modality)


_PUBLISHED = _Files(index_file, task_file, by_part=True)
_COMPACT = _Files(items_file, queries_file, by_part=False)


class _Labels:
    """The names of a benchmark's items as numbers, one number a name at a level in all modalities."""

    def __init__(self, benchmark: Benchmark) -> None:
        self._benchmark = benchmark
        self._names: dict[Rank, dict[str | None, int]] = {}
        self._known: dict[tuple[Modality, Rank], np.ndarray] = {}

    def numbers(self, level: Rank, names: Sequence[str | None]) -> np.ndarray:
        """Return the number of each name at a level."""
        known = self._names.setdefault(level, {})
        return np.array([known.setdefault(name, len(known)) for name in names], np.int64)

    def items(self, modality: Modality, level: Rank) -> np.ndarray:
        """Return ``(items,)`` the number of the name of each item's taxon at a level."""
        if (modality, level) not in self._known:
            column = self._benchmark.items[modality][level.value].combine_chunks()
            coded = column.dictionary_encode(null_encoding="encode")
            numbers = self.numbers(level, coded.dictionary.to_pylist())
            self._known[modality, level] = numbers[coded.indices.to_numpy()]
        return self._known[modality, level]

    def name(self, level: Rank, number: int) -> str | None:
        """Return the name with a number."""
        return list(self._names[level])[number]


def _counts(files: _Files, task: Task, most: int | None) -> Iterable[BenchmarkProblem]:
    """Find queries with another number of candidates than ``most``, or all taxa of the task where it has fewer."""
    counts = task.candidate_counts
    taxa = len(set(task.taxa))
    due = taxa if most is None else min(most, taxa)
    odd = np.flatnonzero(counts != due)
    if len(odd):
        detail = f"{len(odd)} queries do not have {due} candidates; the first of them has {counts[odd[0]]}"
        yield BenchmarkProblem("candidate-count", files.of_task(task), 0, detail)


def _twice(files: _Files, task: Task) -> Iterable[BenchmarkProblem]:
    """Find queries that have a candidate twice."""
    _, number = np.unique(np.array(task.taxa, object), return_inverse=True)
    lists = task.candidates[:1] if task.candidates.strides[0] == 0 else task.candidates
    double = 0
    for start in range(0, len(lists), _AT_ONCE):
        some = lists[start : start + _AT_ONCE]
        listed = np.sort(np.where(some >= 0, number[some].astype(np.int32), -1), axis=1)
        double += int(((listed[:, 1:] == listed[:, :-1]) & (listed[:, 1:] >= 0)).any(axis=1).sum())
    if double:
        yield BenchmarkProblem(
            "duplicate-candidate", files.of_task(task), 0, f"{double} queries have a candidate twice"
        )


def _labels(files: _Files, names: _Labels, task: Task) -> Iterable[BenchmarkProblem]:
    """Find queries and samples that the index puts into another taxon than the task does."""
    asked, answered = modalities_of(task.direction)
    where, level = files.of_task(task), task.level
    taxa = names.numbers(level, task.taxa)
    found, due = names.items(asked, level)[task.queries], taxa[task.correct_taxa]
    wrong = np.flatnonzero(found != due)
    if len(wrong):
        first = names.name(level, found[wrong[0]]), names.name(level, due[wrong[0]])
        said = f"{first[0]} in {files.items(asked)}, {first[1]} in the task"
        yield BenchmarkProblem("label-mismatch", where, 0, f"{len(wrong)} queries; the first is {said}")
    if task.texts is not None:
        there = task.texts >= 0
        owners = np.broadcast_to(taxa[task.correct_taxa][:, None], task.texts.shape)[there]
        wrong = np.flatnonzero(names.items(asked, level)[task.texts[there]] != owners)
        if len(wrong):
            said = f"{len(wrong)} texts that ask are not of the query's {level.value}; the first is one for "
            yield BenchmarkProblem("label-mismatch", where, 0, f"{said}{names.name(level, owners[wrong[0]])}")
    owners = np.repeat(taxa, np.diff(task.offsets))
    found = names.items(answered, level)[task.samples]
    wrong = np.flatnonzero(found != owners)
    if len(wrong):
        first = names.name(level, found[wrong[0]]), names.name(level, owners[wrong[0]])
        said = f"{first[0]} in {files.items(answered)}, {first[1]} in the task"
        yield BenchmarkProblem("label-mismatch", where, 0, f"{len(wrong)} samples; the first is {said}")


def _same_candidates(files: _Files, benchmark: Benchmark) -> Iterable[BenchmarkProblem]:
    """Find tasks of a direction and level that have other candidates in one part than in another."""
    first: dict[tuple[str, str], tuple[Task, dict[str, frozenset[str]]]] = {}
    for task in benchmark.tasks:
        ids = np.array(benchmark.ids(modalities_of(task.direction)[1]), object)
        spans = zip(task.taxa, task.offsets, task.offsets[1:], strict=False)
        mine = {name: frozenset(ids[task.samples[begin:end]]) for name, begin, end in spans}
        other, theirs = first.setdefault((task.direction, task.level.value), (task, mine))
        if mine != theirs:
            apart = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
            detail = (
                f"{len(apart)} taxa are other candidates than in {files.of_task(other)}; the first is {apart[0]}"
            )
            yield BenchmarkProblem("other-candidates", files.of_task(task), 0, detail)


def _hashes(path: Path, manifest: Mapping[str, Any]) -> Iterable[BenchmarkProblem]:
    home = home_of(path)
    part = "" if home == path else f"{path.resolve().name}/"
    for name, digest in manifest.get("sha256", {}).items():
        if "/" in name and not name.startswith(part):
            continue
        if leads_out(name):
            yield BenchmarkProblem("outside", MANIFEST, 0, f"{name!r} leads out of the benchmark")
            continue
        file = home / name
        if not file.is_file():
            yield BenchmarkProblem(
                "missing-file", name, 0, "the manifest names the file, and there is no such file"
            )
        elif sha256_of(file) != digest:
            yield BenchmarkProblem("changed", name, 0, "the file is not the one that the manifest has the hash of")


def _media(files: _Files, benchmark: Benchmark, *, progress: bool) -> tuple[list[BenchmarkProblem], int]:
    """Return what is wrong with the media files that tasks use, and how many there are."""
    from biovita.media import probe_audio, probe_image

    problems: list[BenchmarkProblem] = []
    probes: dict[Modality, Callable[[MediaPath], Any]]
    probes = {Modality.AUDIO: probe_audio, Modality.IMAGE: probe_image}
    used = {m: _used_files(benchmark, m) for m in probes}
    total = sum(table.num_rows for table in used.values())
    with ThreadPoolExecutor(_WORKERS) as pool, progress_bar("media", total, shown=progress) as advance:
        for modality, probe in probes.items():
            for batch in used[modality].to_batches(max_chunksize=_FILES):
                parts, paths = (column.to_pylist() for column in batch.columns)
                found = pool.map(partial(_read, probe), map(benchmark.locate, paths))
                for part, path, (code, detail) in zip(parts, paths, found, strict=True):
                    advance(1)
                    if code:
                        where = files.of_items(part, modality)
                        problems.append(
                            BenchmarkProblem(code, where, 0, f"{path}: {detail}", counts=code != "odd")
                        )
    return problems, total


def _used_files(benchmark: Benchmark, modality: Modality) -> pa.Table:
    """Return ``part`` and ``path`` of the files that tasks use, each file of a part once."""
    columns = ["part", "path"]
    used = benchmark.items[modality].select(columns).take(pa.array(benchmark.used(modality)))
    return used.group_by(columns, use_threads=False).aggregate([])


def _read(probe: Callable[[MediaPath], Any], file: MediaPath) -> tuple[str, str]:
    """Return a code and what is the matter with a file, or two empty strings."""
    try:
        warnings = getattr(probe(file), "warnings", ())
    except MediaError as error:
        return error.reason, str(error).removeprefix(f"{file}: ")
    return ("odd", "; ".join(warnings)) if warnings else ("", "")
