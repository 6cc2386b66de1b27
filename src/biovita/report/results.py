"""``results.json``: everything a run got, in numbers, the same for the same run."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from biovita.benchmark.headlines import HEADLINE_KS, headline_record, main_headline
from biovita.benchmark.records import record, records
from biovita.dataset import Dataset
from biovita.dataset.file_rows import value_counts
from biovita.report.content import ReportContent

__all__ = ["rejected_by_reason", "results"]


def results(run: ReportContent) -> dict[str, Any]:
    """Return what ``results.json`` holds.

    ``headlines`` has Top-1 and Top-5 of each stage at species level, in words, too. ``scores`` is a flat list with a
    row a stage, task and k; ``mrr`` one with a row a stage and task; ``generalised`` one of `GeneralisedRow`, empty
    unless all taxa are candidates; everything after is the analysis of the last stage.
    No times, no paths: the same run gives the same content.
    """
    analysis = run.analysis
    return {
        "format": 1,
        "title": run.title,
        "made": dict(run.made),
        "benchmark": dict(run.benchmark.made),
        "dataset": _dataset(run),
        "met": None if run.check is None else run.check.as_json(),
        "makers_knew": records(run.makers_knew),
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
        "headlines": [
            headline_record(found, stage)
            for stage in run.scores
            for k in HEADLINE_KS
            if (found := main_headline(run.rows, stage=stage, k=k, seed=run.seed)) is not None
        ],
        "scores": records(run.rows),
        "mrr": [
            record(row)
            for stage, scores in run.scores.items()
            for row in scores.reciprocal_rank_rows(stage, seed=run.seed, leak=run.leaks)
        ],
        "generalised": records(run.generalised),
        **{table.name: records(getattr(analysis, table.name)) for table in fields(analysis)},
        "trait_prediction": records(run.predictions),
        "failed": [{"modality": f.modality.value, "id": f.id, "reason": f.reason} for f in run.failed],
        "left_out": records(run.benchmark.left_out),
    }


def rejected_by_reason(dataset: Dataset) -> dict[str, int]:
    """Return how many records were left out of a dataset for each reason, in the order of their first."""
    return {str(reason): number for reason, number in value_counts(dataset, "rejected", "reason").items()}


def _dataset(run: ReportContent) -> dict[str, Any] | None:
    if run.dataset is None:
        return None
    info = run.dataset.info
    return {
        "name": info.get("name"),
        "version": info.get("version"),
        "counts": info.get("counts"),
        "split": info.get("split"),
        "rejected": dict(sorted(rejected_by_reason(run.dataset).items())),
    }
