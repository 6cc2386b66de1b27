"""The best events of each taxon, and those that a person speaks over."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive_tables import Kind, Presence

__all__ = ["best_events", "scores_of", "spoken_over"]

_NAMED = (Kind.TAXON.value, Kind.CLASS.value)


def best_events(annotations: pa.Table, per_taxon: int) -> pa.Table:
    """Return the best annotations of each taxon, spread over recordings and days.

    They are taken in rounds. A round takes the best one that is left of each recording. Within a round the best
    recording of each day comes first, then the second best, and so on. So the first of a taxon is its best of
    all, and a recording gives a second one only after the others gave theirs. A recording without a date is a day of
    its own.

    Parameters
    ----------
    annotations
        As `biovita.archive.archive_tables.ANNOTATIONS` has them. Those that are not present, and those of sounds that
        are no taxa and of background, are not taken.
    per_taxon
        How many of each taxon at most. A class of a user's own counts as a taxon.

    Returns
    -------
    The rows that were taken: taxa by scientific name, those of a taxon in the order in which they were taken.
    """
    if per_taxon < 1:
        raise ValueError(f"per_taxon is {per_taxon}; it has to be 1 or more")
    kept = annotations.filter(
        pc.and_(
            pc.equal(annotations["presence"], Presence.PRESENT.value),
            pc.is_in(annotations["kind"], value_set=pa.array(_NAMED)),
        )
    )
    if not kept.num_rows:
        return kept
    taxa = _codes(pc.coalesce(kept["scientific_name"], kept["label"]))
    media = _codes(pc.coalesce(kept["media_id"], kept["path"], kept["id"]))
    days = (
        pc.fill_null(pc.cast(pc.cast(kept["begin_local"], pa.date32()), pa.int32()), -1)
        .to_numpy()
        .astype(np.int64)
    )
    days = np.where(days == -1, -1 - media, days)
    names = _codes(kept["id"])  # so that the order of the table's rows does not matter
    better = -scores_of(kept)
    order = np.lexsort((names, better))
    turns = _turns(order, taxa, media)
    order = np.lexsort((names, better, turns))
    order = np.lexsort((names, better, _turns(order, taxa, turns, days), turns, taxa))
    return kept.take(pa.array(order[_turns(order, taxa)[order] < per_taxon]))


def scores_of(annotations: pa.Table) -> np.ndarray:
    """Return the probability of each annotation, or else its score, float64; -1 where it has neither."""
    return (
        pc.fill_null(pc.coalesce(annotations["probability"], annotations["score"]), -1.0).to_numpy().astype(float)
    )


def spoken_over(
    speech: Mapping[str, np.ndarray], media: pa.ChunkedArray, start_s: np.ndarray, end_s: np.ndarray
) -> np.ndarray:
    """Return ``(rows,)`` bool: whether a span of a recording overlaps one in which a person is heard.

    Parameters
    ----------
    speech
        Where that is: by recording ``(spans, 2)``, begin and end in seconds within the file, in any order.
    media
        ``(rows,)``: ids of recordings; none is in no recording.
    start_s, end_s
        ``(rows,)``, in seconds within the file.
    """
    found = np.zeros(len(start_s), bool)
    names = list(speech)
    place = pc.fill_null(pc.index_in(media, value_set=pa.array(names, pa.string())), -1).to_numpy()
    order = np.argsort(place, kind="stable")
    edges = np.searchsorted(place[order], np.arange(len(names) + 1))
    for number, name in enumerate(names):
        rows = order[edges[number] : edges[number + 1]]
        begins, ends = speech[name][np.argsort(speech[name][:, 0])].T
        before = np.searchsorted(begins, end_s[rows])  # spans that begin before the end
        latest = np.concatenate([[-np.inf], np.maximum.accumulate(ends)])
        found[rows] = latest[before] > start_s[rows]
    return found


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    """Return the place of each value among the sorted values, int64."""
    values = pc.unique(column)
    places = pc.index_in(column, value_set=values.take(pc.sort_indices(values)))
    return places.to_numpy().astype(np.int64)


def _turns(order: np.ndarray, *groups: np.ndarray) -> np.ndarray:
    """Return how many rows of the same group come before each, where rows are taken in an order."""
    by_group = order[np.lexsort([group[order] for group in groups])]
    changed = np.zeros(len(order), bool)
    for group in groups:
        changed[1:] |= group[by_group[1:]] != group[by_group[:-1]]
    first = np.maximum.accumulate(np.where(changed, np.arange(len(order)), 0))
    turns = np.empty(len(order), np.int64)
    turns[by_group] = np.arange(len(order)) - first
    return turns
