"""``results.json``: everything a run got, in numbers, the same for the same run."""

from __future__ import annotations

from collections import Counter
from typing import Any

from biovita.bench.analysis import by_class, near_misses
from biovita.report.run import Run

__all__ = ["results"]


def results(run: Run) -> dict[str, Any]:
    """Return what ``results.json`` holds.

    ``scores`` is a flat list with a row a stage, task and k; ``mrr`` one with a row a stage and task; ``by_class``
    and ``near_misses`` are the analysis of the last stage. No times, no paths: the same run gives the same content.
    """
    benchmark = run.benchmark
    return {
        "format": 1,
        "title": run.title,
        "made": dict(run.made),
        "benchmark": dict(benchmark.made),
        "dataset": _dataset(run),
        "towers": [
            {
                "name": info.name,
                "modality": info.modality.value,
                "dim": info.dim,
                "source": info.source,
                "revision": info.revision,
                "license": info.license,
            }
            for info in run.towers
        ],
        "losses": {name: [float(value) for value in values] for name, values in run.losses.items()},
        "scores": [row for stage, scores in run.scores.items() for row in scores.rows(stage, seed=run.seed)],
        "mrr": [
            row
            for stage, scores in run.scores.items()
            for row in scores.reciprocal_rank_rows(stage, seed=run.seed)
        ],
        "by_class": by_class(benchmark, run.final, seed=run.seed),
        "near_misses": near_misses(benchmark, run.final, seed=run.seed),
        "left_out": [
            {"part": e.part, "direction": e.direction, "level": e.level, "reason": e.reason, "count": e.count}
            for e in benchmark.left_out
        ],
    }


def _dataset(run: Run) -> dict[str, Any] | None:
    if run.dataset is None:
        return None
    info = run.dataset.info
    reasons = Counter(run.dataset.rejected["reason"].to_pylist())
    return {
        "name": info.get("name"),
        "version": info.get("version"),
        "counts": info.get("counts"),
        "split": info.get("split"),
        "rejected": dict(sorted(reasons.items())),
    }
