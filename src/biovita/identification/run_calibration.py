"""A run of ``biovita identify`` beside the labels of what it heard and saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.annotation_formats.annotation_readers import read_annotations
from biovita.archive.archive import MEDIA_TABLES, SCORES, Archive
from biovita.archive.archive_tables import ANNOTATIONS, WINDOWS
from biovita.errors import BiovitaError
from biovita.identification.back_off import back_off_of, posterior_of_kept
from biovita.identification.calibrate import Calibrated, calibrate
from biovita.identification.evidence import Candidate
from biovita.identification.identify_run import Run, question_of
from biovita.identification.run_answers import candidates_in
from biovita.modality import Modality

__all__ = ["calibrated_run", "labels_in"]


def labels_in(archive: Archive, files: Sequence[Path], file_format: str) -> tuple[pa.Table, tuple[str, ...]]:
    """Return the labels of what an archive holds as `ANNOTATIONS`, and sentences on rows that are none.

    Without files, they are those of the datasets that were taken in. A label of a dataset is of a whole item, so it has
    no span.

    Raises
    ------
    BiovitaError
        Where a file cannot be read, or there are no labels.
    """
    if not files:
        labels = archive.table("labels")
        if not len(labels):
            raise BiovitaError(
                f"{archive.path} has no labels: no dataset was taken in. Give --annotations FILES of its recordings"
            )
        nothing = pa.nulls(len(labels), pa.float64())
        for name in ("start_s", "end_s"):
            labels = labels.set_column(ANNOTATIONS.get_field_index(name), ANNOTATIONS.field(name), nothing)
        return labels, ()
    recordings = archive.table("recordings")
    found = [read_annotations(file, file_format, media=recordings) for file in files]
    rejected = [
        f"{file}: {len(read.rejected):,} rows are no annotations, the first in line {read.rejected[0].line}."
        for file, read in zip(files, found, strict=True)
        if read.rejected
    ]
    return pa.concat_tables([read.annotations for read in found]), tuple(rejected)


def calibrated_run(
    done: Run,
    labels: pa.Table,
    modality: Modality | None = None,
    *,
    kind: Literal["auto", "isotonic", "logistic"] = "auto",
    precision: float = 0.9,
    seed: int = 0,
) -> Calibrated:
    """Return the calibration of a run by labels, as `calibrate` makes it.

    Parameters
    ----------
    modality
        Of what is calibrated; recordings where the run has some, if not given.

    Raises
    ------
    BiovitaError
        Where the run has no scores of the modality, or `calibrate` refuses the labels.
    """
    archive = done.archive
    there = [each for each, name in SCORES.items() if archive.file(name).is_file()]
    chosen = modality or next(iter(there), None)
    if chosen not in there or chosen is None:
        raise BiovitaError(f"{archive.path} has no scores of {modality or 'anything'}. Identify again")
    candidates = archive.table("candidates")
    if chosen == Modality.AUDIO:
        windows = archive.table(SCORES[chosen])
    else:
        batches = _shares(archive, candidates_in(candidates))
        windows = pa.Table.from_batches(batches, WINDOWS)
    return calibrate(
        windows,
        candidates,
        labels.filter(pc.equal(labels["modality"], chosen.value)),
        archive.table(MEDIA_TABLES[chosen]),
        question_of(archive, done.record, chosen),
        kind=kind,
        precision=precision,
        seed=seed,
    )


def _shares(archive: Archive, candidates: Sequence[Candidate]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of photographs with the shares of their best candidates, which is what answers state as scores."""
    settings = back_off_of(Modality.IMAGE)
    for batch in archive.batches(SCORES[Modality.IMAGE]):
        lists = [batch.column(name) for name in ("candidates", "scores")]
        numbers, scores = ([np.asarray(row.values) for row in column] for column in lists)
        found = posterior_of_kept(numbers, scores, candidates, settings)
        there = found.numbers >= 0
        ends = pa.array(np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32))
        kept = {"candidates": found.numbers[there], "scores": found.probabilities[there]}
        kept["evidence"] = np.zeros(int(there.sum()), np.uint8)
        columns = [
            pa.ListArray.from_arrays(ends, pa.array(kept[field.name]).cast(field.type.value_type))
            if field.name in kept
            else batch.column(field.name)
            for field in WINDOWS
        ]
        yield pa.RecordBatch.from_arrays(
            [column.cast(field.type) for column, field in zip(columns, WINDOWS, strict=True)], schema=WINDOWS
        )
