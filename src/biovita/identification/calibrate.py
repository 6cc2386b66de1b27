"""A calibration from a run and annotations of its recordings, with the thresholds for a precision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from biovita.csv_safe import write_rows
from biovita.files import make_directory, replacing
from biovita.identification.calibration import Calibration
from biovita.identification.labelled_scores import labelled_scores
from biovita.identification.question import Question
from biovita.identification.thresholds import ScoreThreshold, thresholds_at

__all__ = ["Calibrated", "calibrate", "write_calibrated"]

_COLUMNS = ["scientific_name", "common_name", "threshold", "pooled", "labelled", "right", "kept", "kept_right"]
_INTERVAL = ["precision_low", "precision_high"]
_SHOWN = 20


@dataclass(frozen=True)
class Calibrated:
    """A calibration, and what it was made from.

    Attributes
    ----------
    thresholds
        Of all taxa together, then by candidate.
    precision
        That the thresholds are for.
    names
        By number of a candidate, its scientific and common name.
    left_out
        Sentences on what labels were not used.
    """

    calibration: Calibration
    thresholds: tuple[ScoreThreshold, ...]
    precision: float
    names: Mapping[int, tuple[str, str | None]]
    left_out: tuple[str, ...]


def calibrate(
    windows: pa.Table,
    candidates: pa.Table,
    annotations: pa.Table,
    media: pa.Table,
    question: Question,
    *,
    kind: Literal["auto", "isotonic", "logistic"] = "auto",
    precision: float = 0.9,
    seed: int = 0,
) -> Calibrated:
    """Return the calibration of a run by annotations, and thresholds for a precision.

    Parameters
    ----------
    windows, candidates, annotations, media
        As `biovita.identification.labelled_scores.labelled_scores` takes them.
    question
        What the run was asked.
    kind, seed
        As `Calibration.fit` takes them.
    precision
        As `thresholds_at` takes it.

    Raises
    ------
    BiovitaError
        Where nothing that was scored is annotated, or there are too few labels.
    """
    labelled = labelled_scores(windows, candidates, annotations, media)
    calibration = Calibration.fit(labelled.scores, labelled.right, labelled.groups, question, kind=kind, seed=seed)
    thresholds = thresholds_at(precision, labelled)
    scientific, common = (candidates[name].to_pylist() for name in ("scientific_name", "common_name"))
    numbers = [row.candidate for row in thresholds if row.candidate is not None]
    said = []
    if labelled.doubtful:
        said.append(
            f"{labelled.doubtful:,} scores are left out, because it cannot be told whether they are right."
        )
    if labelled.unnamed:
        some = ", ".join(labelled.unnamed[:_SHOWN])
        said.append(f"{len(labelled.unnamed):,} label(s) are of no candidate: {some}.")
    names = {number: (scientific[number], common[number]) for number in numbers}
    return Calibrated(calibration, thresholds, precision, names, tuple(said))


def write_calibrated(found: Calibrated, out: Path) -> tuple[Path, Path]:
    """Write ``calibration.json`` and ``thresholds.csv`` into a directory, and return their paths."""
    make_directory(out)
    table = out / "thresholds.csv"
    with replacing(table) as scratch, scratch.open("w", encoding="utf-8", newline="") as stream:
        write_rows(stream, [*_COLUMNS, *_INTERVAL], list(_rows(found)))
    return found.calibration.save(out / "calibration.json"), table


def _rows(found: Calibrated) -> Iterator[dict[str, Any]]:
    for row in found.thresholds:
        name, common = ("", None) if row.candidate is None else found.names[row.candidate]
        numbers = (row.threshold, row.pooled, row.n, row.right, row.kept, row.kept_right, row.low, row.high)
        yield dict(zip([*_COLUMNS, *_INTERVAL], (name, common, *numbers), strict=True))
