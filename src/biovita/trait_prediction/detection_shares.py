"""What share of the detections of a recording, a photograph or a site is of taxa that have a label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive_tables import Kind, Presence
from biovita.hours import Hours
from biovita.taxonomy import Rank, Taxon
from biovita.trait_labels import LABELS, group_of
from biovita.trait_prediction.prediction_rows import DETECTION_SHARES
from biovita.trait_prediction.species_labels import SpeciesLabels

__all__ = ["CountedDetections", "count_detections", "shares_of_detections"]

_TAXON = ("taxon_id", "scientific_name", "common_name", "rank")


@dataclass(frozen=True, eq=False)
class CountedDetections:
    """Detections that count, and how many do not.

    Attributes
    ----------
    rows
        Those of `biovita.archive.archive_tables.ANNOTATIONS` that say that a taxon is present, in the hours.
    not_counted
        How many annotations say nothing here, by reason.
    """

    rows: pa.Table
    not_counted: Mapping[str, int]


def count_detections(annotations: pa.Table, hours: Hours | None) -> CountedDetections:
    """Return the annotations of present taxa, with ``hours`` those that begin in them.

    Hours are those of the recorder's clock where its zone is stated. What has no time or no zone is in no hour.
    """
    present = np.asarray(pc.equal(annotations["presence"], Presence.PRESENT.value), bool)
    taxon = np.asarray(pc.equal(annotations["kind"], Kind.TAXON.value), bool)
    taxon &= np.asarray(pc.is_valid(annotations["scientific_name"]), bool)
    counted = present & taxon
    reasons = {"not said to be present": ~present, "of no taxon": present & ~taxon}
    if hours is not None:
        timed = np.asarray(pc.is_valid(annotations["begin_local"]), bool)
        zoned = timed & np.asarray(pc.is_valid(annotations["utc_offset_min"]), bool)
        hour = pc.fill_null(pc.hour(annotations["begin_local"]), 0).to_numpy()
        inside = np.array([each in hours for each in range(24)])[hour]
        reasons |= {
            "without a time": counted & ~timed,
            "with a clock whose zone is not known": counted & timed & ~zoned,
            "in other hours": counted & zoned & ~inside,
        }
        counted &= zoned & inside
    not_counted = {reason: int(mask.sum()) for reason, mask in reasons.items() if mask.any()}
    return CountedDetections(annotations.filter(pa.array(counted)), not_counted)


def shares_of_detections(
    detections: pa.Table, unit: np.ndarray, about: pa.Table, known: SpeciesLabels
) -> pa.Table:
    """Return the shares of detections by label, as `DETECTION_SHARES`; those without a detection have no rows.

    Parameters
    ----------
    detections
        As `count_detections` gives them.
    unit
        ``(detections,)``: the row of ``about`` that each is of.
    about
        The first four columns of `DETECTION_SHARES`, a row a recording, photograph or site.
    """
    taxa = _taxa(detections)
    labels = known.matrix(list(taxa.values()))
    places = {key: place for place, key in enumerate(taxa)}
    of = np.array([places[key] for key in _keys(detections)], np.int64)
    counts = np.bincount(unit, minlength=len(about))
    told = labels[of] if len(of) else np.empty((0, len(LABELS)))
    sums = np.zeros((2, len(about), len(LABELS)), np.int64)
    np.add.at(sums[0], unit, ~np.isnan(told))
    np.add.at(sums[1], unit, told == 1)
    row, column = np.divmod(np.arange(len(about) * len(LABELS)), len(LABELS))
    there = counts[row] > 0
    row, column = row[there], column[there]
    knowing, having = (each[row, column] for each in sums)
    columns = {name: about[name].take(pa.array(row)) for name in about.column_names}
    columns |= {
        "group": pa.array([group_of(label) for label in LABELS]).take(pa.array(column)),
        "label": pa.array(LABELS).take(pa.array(column)),
        "detections": pa.array(counts[row]),
        "known": pa.array(knowing),
        "having": pa.array(having),
        "share": pa.array(having / np.maximum(knowing, 1), mask=knowing == 0),
    }
    return pa.table([columns[field.name] for field in DETECTION_SHARES], names=DETECTION_SHARES.names).cast(
        DETECTION_SHARES
    )


def _keys(detections: pa.Table) -> list[tuple[str, ...]]:
    return list(zip(*(detections[name].to_pylist() for name in _TAXON), strict=True))


def _taxa(detections: pa.Table) -> dict[tuple[str, ...], Taxon]:
    """Return the taxa of detections, each once; one without a rank counts as a species."""
    return {
        (taxon_id, name, common, rank): Taxon(taxon_id or name, name, common, Rank(rank or Rank.SPECIES))
        for taxon_id, name, common, rank in dict.fromkeys(_keys(detections))
    }
