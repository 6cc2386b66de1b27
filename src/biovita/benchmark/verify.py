"""Checking a benchmark in the published layout: what is missing, undecodable or inconsistent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from biovita.benchmark.layout import MANIFEST, index_file, task_file
from biovita.benchmark.media_files import resolve_media
from biovita.benchmark.reader import BenchmarkProblem, home_of, leads_out, read_manifest, read_with_problems
from biovita.benchmark.task import Benchmark, Task
from biovita.errors import MediaError
from biovita.hashing import sha256_of
from biovita.media.packed_files import MediaPath
from biovita.modality import Modality, modalities_of

__all__ = ["Verdict", "verify_benchmark"]

_WORKERS = 4
CANDIDATES = 100  # a query's, in the published benchmark


@dataclass(frozen=True)
class Verdict:
    """What `verify_benchmark` found.

    Attributes
    ----------
    files
        How many media files were read.
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
    on_file: Callable[[int], None] | None = None,
) -> Verdict:
    """Read a benchmark and every media file that its tasks use, and return what is wrong.

    Parameters
    ----------
    metadata
        The release's ``metadata.csv``, by which misnamed recordings are found; by default looked for nearby.
    on_file
        Called with 1 for each media file read, for progress.

    Raises
    ------
    DatasetError
        Where there is no benchmark to verify, or a file lacks a column.
    """
    path = Path(path)
    benchmark, problems = read_with_problems(path, media_root=media_root)
    benchmark, renamed = resolve_media(benchmark, metadata)
    problems += [
        BenchmarkProblem("misnamed", index_file(r.modality), 0, f"{r.said} is called {r.found}", counts=False)
        for r in renamed
    ]
    most = benchmark.made.get("candidates", CANDIDATES)
    for task in benchmark.tasks:
        problems += _counts(task, None if most == "all" else most)
        problems += _labels(benchmark, task)
    if most == "all":
        problems += _same_candidates(benchmark)
    problems += _hashes(path)
    found, files = _media(benchmark, on_file)
    problems += found
    queries = sum(len(task.queries) for task in benchmark.tasks)
    return Verdict(tuple(problems), len(benchmark.tasks), queries, files)


def _where(task: Task) -> str:
    return f"{task.part}/{task_file(task.direction, task.level.value)}"


def _counts(task: Task, most: int | None) -> Iterable[BenchmarkProblem]:
    """Find queries with another number of candidates than ``most``, or all taxa of the task where it has fewer."""
    counts = task.candidate_counts
    taxa = len(set(task.taxa))
    due = taxa if most is None else min(most, taxa)
    odd = np.flatnonzero(counts != due)
    if len(odd):
        detail = f"{len(odd)} queries do not have {due} candidates; the first of them has {counts[odd[0]]}"
        yield BenchmarkProblem("candidate-count", _where(task), 0, detail)


def _labels(benchmark: Benchmark, task: Task) -> Iterable[BenchmarkProblem]:
    """Find queries and samples that the index puts into another taxon than the task does."""
    asked, answered = modalities_of(task.direction)
    taxa = np.array(task.taxa, object)
    names = benchmark.labels(asked, task.level)[task.queries]
    wrong = np.flatnonzero(names != taxa[task.correct_taxa])
    if len(wrong):
        first = f"{names[wrong[0]]} in {index_file(asked)}, {taxa[task.correct_taxa[wrong[0]]]} in the task"
        yield BenchmarkProblem("label-mismatch", _where(task), 0, f"{len(wrong)} queries; the first is {first}")
    if task.texts is not None:
        owners = np.broadcast_to(taxa[task.correct_taxa][:, None], task.texts.shape)[task.texts >= 0]
        wrong = np.flatnonzero(benchmark.labels(asked, task.level)[task.texts[task.texts >= 0]] != owners)
        if len(wrong):
            detail = (
                f"{len(wrong)} texts that ask are not of the query's {task.level.value}; the first is one for "
            )
            yield BenchmarkProblem("label-mismatch", _where(task), 0, f"{detail}{owners[wrong[0]]}")
    owners = np.repeat(taxa, np.diff(task.offsets))
    names = benchmark.labels(answered, task.level)[task.samples]
    wrong = np.flatnonzero(names != owners)
    if len(wrong):
        first = f"{names[wrong[0]]} in {index_file(answered)}, {owners[wrong[0]]} in the task"
        yield BenchmarkProblem("label-mismatch", _where(task), 0, f"{len(wrong)} samples; the first is {first}")


def _same_candidates(benchmark: Benchmark) -> Iterable[BenchmarkProblem]:
    """Find tasks of a direction and level that have other candidates in one part than in another."""
    first: dict[tuple[str, str], tuple[Task, dict[str, frozenset[str]]]] = {}
    for task in benchmark.tasks:
        ids = np.array(benchmark.ids(modalities_of(task.direction)[1]), object)
        spans = zip(task.taxa, task.offsets, task.offsets[1:], strict=False)
        mine = {name: frozenset(ids[task.samples[begin:end]]) for name, begin, end in spans}
        other, theirs = first.setdefault((task.direction, task.level.value), (task, mine))
        if mine != theirs:
            apart = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
            detail = f"{len(apart)} taxa are other candidates than in {_where(other)}; the first is {apart[0]}"
            yield BenchmarkProblem("other-candidates", _where(task), 0, detail)


def _hashes(path: Path) -> Iterable[BenchmarkProblem]:
    home = home_of(path)
    manifest = read_manifest(home)
    part = "" if home == path else f"{path.resolve().name}/"
    for name, digest in (manifest or {}).get("sha256", {}).items():
        if not name.startswith(part):
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


def _media(benchmark: Benchmark, on_file: Callable[[int], None] | None) -> tuple[list[BenchmarkProblem], int]:
    from biovita.media import probe_audio, probe_image

    problems: list[BenchmarkProblem] = []
    files = 0
    probes: tuple[tuple[Modality, Callable[[MediaPath], Any]], ...]
    probes = ((Modality.AUDIO, probe_audio), (Modality.IMAGE, probe_image))
    for modality, probe in probes:
        used = benchmark.items[modality].select(["part", "path"]).take(pa.array(benchmark.used(modality)))
        parts, paths = (used[name].to_pylist() for name in used.column_names)
        with ThreadPoolExecutor(_WORKERS) as pool:
            found = pool.map(partial(_read, probe), map(benchmark.locate, paths))
            for part, path, (code, detail) in zip(parts, paths, found, strict=True):
                files += 1
                if on_file:
                    on_file(1)
                if code:
                    where = f"{part}/{index_file(modality)}"
                    problems.append(BenchmarkProblem(code, where, 0, f"{path}: {detail}", counts=code != "odd"))
    return problems, files


def _read(probe: Callable[[MediaPath], Any], file: MediaPath) -> tuple[str, str]:
    """Return a code and what is the matter with a file, or two empty strings."""
    try:
        warnings = getattr(probe(file), "warnings", ())
    except MediaError as error:
        return error.reason, str(error).removeprefix(f"{file}: ")
    return ("odd", "; ".join(warnings)) if warnings else ("", "")
