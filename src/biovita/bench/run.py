"""Scoring a model on a benchmark from start to end: embed, score, analyse, report."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biovita.bench.compare import ranks_table
from biovita.bench.embed import embed_benchmark
from biovita.bench.media import resolve_media
from biovita.bench.models import identity, open_model
from biovita.bench.recordings import measure
from biovita.bench.score import MEMORY_MB
from biovita.bench.scores import Scores, VectorTable, score_benchmark
from biovita.bench.task import Benchmark
from biovita.bench.trait_run import predict_from_benchmark
from biovita.bench.vectors import read_precomputed
from biovita.csv_safe import write_rows
from biovita.dataset.store import Dataset, write_table
from biovita.embed.failures import Failure
from biovita.errors import BiovitaError
from biovita.filenames import file_name
from biovita.files import make_directory, write_whole
from biovita.modality import Modality

__all__ = ["RunResult", "run_benchmark", "safe_name"]


@dataclass(frozen=True)
class RunResult:
    """Where a run's files are, and what it got.

    Attributes
    ----------
    new, kept
        Items embedded now, and items whose vector was there already.
    failed
        Items without a vector, and why.
    """

    out: Path
    report: Path
    results: Path
    scores: Scores
    rows: list[dict[str, Any]]
    new: int
    kept: int
    failed: tuple[Failure, ...]


def run_benchmark(
    benchmark: Benchmark,
    model: Any,
    out: Path,
    *,
    name: str | None = None,
    dataset: Dataset | None = None,
    device: str = "auto",
    memory_mb: int = MEMORY_MB,
    seed: int = 0,
    progress: bool = True,
) -> RunResult:
    """Score a model, and write ``results.json``, ``scores.csv``, ``ranks.parquet`` and ``report.html`` into ``out``.

    Vectors are kept in ``out/vectors``; a run that was stopped goes on where it was.

    Parameters
    ----------
    model
        A name or directory (see `biovita.bench.models.open_model`), ``vectors:PATH`` for vectors made elsewhere (see
        `biovita.bench.vectors.read_precomputed`), or any object with ``embed_audio``, ``embed_images``,
        ``embed_texts`` or some of them. Tasks that it cannot answer are left out.
    name
        What it is called in the report; by default the name given, or the object's ``name``.
    dataset
        Where the benchmark is from, for its traits and counts.

    Raises
    ------
    BiovitaError
        Where the model or its vectors cannot be used, or it can answer no task.
    """
    from biovita.report import Run, write_report

    benchmark, _ = resolve_media(benchmark)
    name = name or (model if isinstance(model, str) else str(getattr(model, "name", type(model).__name__)))
    made: dict[str, Any] = {"model": name, "seed": seed}
    new = kept = 0
    failed: tuple[Failure, ...] = ()
    towers = []
    opened: Any = None
    vectors: Mapping[Modality, VectorTable]
    if isinstance(model, str) and model.startswith("vectors:"):
        vectors, zeros = read_precomputed(model.removeprefix("vectors:"), benchmark)
        made["zero vectors, taken as missing"] = {m.value: count for m, count in zeros.items() if count}
    else:
        opened = open_model(model, device=device) if isinstance(model, str) else model
        towers = [tower.card for tower in getattr(opened, "towers", {}).values()]
        embedded = embed_benchmark(
            benchmark, opened, out / "vectors", name=identity(name, opened), progress=progress
        )
        vectors, new, kept, failed = embedded.vectors, embedded.new, embedded.kept, embedded.failed
    make_directory(out)
    scores = score_benchmark(benchmark, vectors, memory_mb=memory_mb, device=_torch_device(device))
    if not scores.tasks:
        have = ", ".join(modality.value for modality in vectors)
        raise BiovitaError(f"{name}: the benchmark has no task between the modalities it has vectors of ({have})")
    run = Run(
        title=f"{name} on {benchmark.made.get('dataset') or benchmark.made.get('benchmark') or 'a benchmark'}",
        benchmark=benchmark,
        scores={name: scores},
        vectors=vectors,
        towers=towers,
        made=made,
        dataset=dataset,
        failed=failed,
        recordings=measure(benchmark),
        predictions=[] if dataset is None else predict_from_benchmark(benchmark, dataset, vectors, opened),
        published=True,
        seed=seed,
    )
    report, results = write_report(out, run)
    rows = scores.rows(name, seed=seed)
    _write_csv(out / "scores.csv", rows)
    write_table(ranks_table(benchmark, scores), out / "ranks.parquet")
    return RunResult(out, report, results, scores, rows, new, kept, failed)


def safe_name(name: str) -> str:
    """Return a model's name as a directory may be called.

    Examples
    --------
    >>> safe_name("mteb:risashinoda/BioVITA")
    'mteb-risashinoda-BioVITA'
    """
    return file_name(re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "model")


def _torch_device(device: str) -> str:
    from biovita.towers.device import select_device

    return select_device(device)


def _write_csv(file: Path, rows: list[dict[str, Any]]) -> None:
    stream = io.StringIO()
    write_rows(stream, list(rows[0]), rows)
    write_whole(file, stream.getvalue())
