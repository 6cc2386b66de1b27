"""``results.json``: everything a run got, in numbers, the same for the same run."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from biovita.benchmark.analysis import by_class, by_family, by_recording, by_samples, confusions, near_misses
from biovita.benchmark.trait_scores import Traits, trait_agreement
from biovita.report.content import ReportContent
from biovita.taxonomy import Rank

__all__ = ["results"]

_CONFUSED = {Rank.SPECIES: 50, Rank.FAMILY: 500}  # pairs that are listed


def results(run: ReportContent) -> dict[str, Any]:
    """Return what ``results.json`` holds.

    ``scores`` is a flat list with a row a stage, task and k; ``mrr`` one with a row a stage and task; everything
    after is the analysis of the last stage. No times, no paths: the same run gives the same content.
    """
    benchmark, seed = run.benchmark, run.seed
    traits = Traits.of(run.dataset) if run.dataset is not None else Traits({})
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
        "scores": [asdict(row) for row in run.rows],
        "mrr": [
            asdict(row)
            for stage, scores in run.scores.items()
            for row in scores.reciprocal_rank_rows(stage, seed=run.seed)
        ],
        "by_class": by_class(benchmark, run.final, seed=seed),
        "by_family": by_family(benchmark, run.final, seed=seed),
        "by_samples": by_samples(run.final, seed=seed),
        "by_recording": by_recording(run.final, run.recordings, seed=seed) if run.recordings else [],
        "near_misses": near_misses(benchmark, run.final, seed=seed),
        "confusions": [
            row
            for level, most in _CONFUSED.items()
            for row in confusions(benchmark, run.final, level=level, most=most)
        ],
        "traits": trait_agreement(run.final, traits, seed=seed),
        "trait_prediction": [asdict(row) for row in run.predictions],
        "failed": [{"modality": f.modality.value, "id": f.id, "reason": f.reason} for f in run.failed],
        "left_out": [
            {"part": e.part, "direction": e.direction, "level": e.level, "reason": e.reason, "count": e.count}
            for e in benchmark.left_out
        ],
    }


def _dataset(run: ReportContent) -> dict[str, Any] | None:
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
