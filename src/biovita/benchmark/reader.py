"""Reading a benchmark, in the compact layout or in the published one, ours or the release's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from biovita.benchmark.bench_manifest import FORMATS, MANIFEST, home_of, media_root_of, read_manifest
from biovita.benchmark.bench_problem import BenchmarkProblem
from biovita.benchmark.compact_reader import CompactReader
from biovita.benchmark.published_layout import index_file, rows_of_part
from biovita.benchmark.published_reader import PublishedReader
from biovita.benchmark.task import Benchmark, Task
from biovita.errors import DatasetError
from biovita.modality import Modality, modalities_of
from biovita.suggestion import suggested
from biovita.taxonomy import Rank

__all__ = ["read_benchmark", "read_with_problems"]


def read_benchmark(path: str | Path, *, media_root: str | Path | None = None) -> Benchmark:
    """Return the benchmark in a directory of the compact or the published layout.

    In the published layout, queries and samples are known by the index's ``id`` (by ``key`` where we wrote it), text by
    its words: the bare name at the level, or where the manifest says so the ``text`` column at species level, and the
    texts of the members at genus and family level.

    Parameters
    ----------
    media_root
        Where file paths start; by default what the manifest says, or else the directory itself. The manifest is
        looked for beside the parts, so that a part can be read alone.

    Raises
    ------
    DatasetError
        Where files are missing or do not fit together; the message names the first place. Task files without
        queries are left out, not an error.
    """
    benchmark, problems = read_with_problems(path, media_root=media_root)
    serious = [problem for problem in problems if problem.counts]
    if serious:
        more = f" (and {len(serious) - 1} more: {suggested('bench verify', path)})" if len(serious) > 1 else ""
        raise DatasetError(f"{path}: {serious[0]}{more}")
    return benchmark


def read_with_problems(
    path: str | Path, *, media_root: str | Path | None = None
) -> tuple[Benchmark, list[BenchmarkProblem]]:
    """Return what can be read of a benchmark, and everything that is wrong with the rest."""
    path = Path(path)
    if not path.is_dir():
        raise DatasetError(f"{path} is not a directory. A benchmark is a directory with files such as {MANIFEST}")
    home = home_of(path)
    manifest = read_manifest(home)
    root = media_root_of(home, manifest) if media_root is None else Path(media_root)
    stated = manifest or {"format": FORMATS["published"], "made": {"text": "name"}}
    compact = stated["format"] == FORMATS["compact"]
    if compact:
        items, tasks, problems = _compact(path, home, stated, root)
    else:
        items, tasks, problems = _published(path, stated["made"], root)
    made = {"benchmark": path.resolve().name, **stated["made"]}
    unseen = {Rank(level): frozenset(names) for level, names in stated.get("unseen", {}).items()}
    others = stated.get("other_names", {})
    chosen = Path(media_root or home)
    found = Benchmark(items, tuple(tasks), (), made, root, chosen, unseen=unseen, other_names=others)
    return (_alone(found, path.resolve().name) if compact and path != home else found), problems


def _compact(
    path: Path, home: Path, manifest: Mapping[str, Any], root: Path
) -> tuple[dict[Modality, pa.Table], list[Task], list[BenchmarkProblem]]:
    parts = manifest["parts"]
    if path != home:
        name = path.resolve().name
        if name not in parts:
            raise DatasetError(
                f"{path}: {home / MANIFEST} names no part {name!r}. Name the benchmark, or a part of it"
            )
        parts = {name: parts[name]}
    reader = CompactReader(home, root)
    reader.read(parts)
    return reader.items, reader.tasks, reader.problems


def _alone(benchmark: Benchmark, part: str) -> Benchmark:
    """Return a benchmark with the items of one part alone, as the published layout has them."""
    kept = {modality: rows_of_part(benchmark, part, modality) for modality in Modality}
    tasks = []
    for task in benchmark.tasks:
        asked, answered = (kept[modality] for modality in modalities_of(task.direction))
        texts = task.texts
        if texts is not None:
            texts = np.where(texts >= 0, np.searchsorted(asked, texts), -1).astype(np.int32)
        queries, samples = np.searchsorted(asked, task.queries), np.searchsorted(answered, task.samples)
        moved = {"queries": queries.astype(np.int32), "samples": samples.astype(np.int32), "texts": texts}
        tasks.append(replace(task, **moved))
    items = {modality: benchmark.items[modality].take(pa.array(rows)) for modality, rows in kept.items()}
    return replace(benchmark, items=items, tasks=tuple(tasks))


def _published(
    path: Path, made: Mapping[str, Any], root: Path
) -> tuple[dict[Modality, pa.Table], list[Task], list[BenchmarkProblem]]:
    if any((path / index_file(m)).is_file() for m in Modality):
        parts = {path.resolve().name: path}
    else:
        parts = {p.name: p for p in sorted(path.iterdir()) if any((p / index_file(m)).is_file() for m in Modality)}
    if not parts:
        raise DatasetError(
            f"{path} holds no benchmark: it has no {MANIFEST}, and neither it nor a directory in it has an index such "
            f"as {index_file(Modality.AUDIO)}"
        )
    for name in parts:
        if not name.isprintable():
            raise DatasetError(f"{path}: the name of the folder {name!r} cannot be printed. Rename the folder")
    reader = PublishedReader(path, made.get("text", "name"), root, by_members=made.get("groups") == "members")
    for name, directory in parts.items():
        reader.part(name, directory)
    return reader.tables(), reader.tasks, reader.problems
