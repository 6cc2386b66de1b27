"""The evidence of a label: the species that have it and are nearest to a recording, a photograph or a site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from biovita.trait_labels import LABELS, group_of
from biovita.trait_prediction.asked_media import AskedMedia
from biovita.trait_prediction.labelled_species import LabelledSpecies
from biovita.trait_prediction.prediction_rows import EVIDENCE

__all__ = ["NEAREST_TAXA", "nearest_species"]

NEAREST_TAXA = 3
_AT_ONCE = 256  # media times all labelled items are held at a time
_OF_ITEM = ("license", "attribution", "start_s", "end_s")


def nearest_species(
    asked: AskedMedia, unit: np.ndarray, about: pa.Table, species: LabelledSpecies
) -> tuple[pa.Table, np.ndarray]:
    """Return the nearest species that have each label, as `EVIDENCE`, and the rows of the first ones, ``(about, 34)``.

    Species are compared by their nearest item. An item of the same ``group_id`` as a medium is passed over, and so is
    one of the same file. Where no species has a label, the row is -1.

    Parameters
    ----------
    unit
        ``(media,)``: the row of ``about`` that a medium is of; the nearest to any of them counts.
    about
        The first four columns of `EVIDENCE`, a row a recording, photograph or site.
    """
    cosines = np.full((len(about), len(species.taxa)), -np.inf)
    items = np.zeros((len(about), len(species.taxa)), np.int64)
    for rows, found in _cosines(asked, species):
        best = _best_items(found, species)
        value = np.take_along_axis(found, best, axis=1)
        for row, place in enumerate(unit[rows].tolist()):
            better = value[row] > cosines[place]
            cosines[place, better], items[place, better] = value[row, better], best[row, better]
    first, tables, before = np.full((len(about), len(LABELS)), -1), [EVIDENCE.empty_table()], 0
    for column, label in enumerate(LABELS):
        having = np.flatnonzero(species.labels[:, column] == 1)
        order = np.argsort(-cosines[:, having], axis=1, kind="stable")[:, :NEAREST_TAXA]
        of, place = (each.ravel() for each in np.indices(order.shape))
        taxon = having[order.ravel()] if len(having) else np.empty(0, np.int64)
        kept = np.isfinite(cosines[of, taxon])
        chosen = _Nearest(of[kept], place[kept], taxon[kept])
        first[chosen.unit[chosen.place == 0], column] = before + np.flatnonzero(chosen.place == 0)
        before += int(kept.sum())
        tables.append(_of_label(label, chosen, items, cosines, about, species))
    return pa.concat_tables(tables), first


@dataclass(frozen=True, eq=False)
class _Nearest:
    """Species that are near, a number each: of what they are near to, of their place from 0, and of the species."""

    unit: np.ndarray
    place: np.ndarray
    taxon: np.ndarray


def _cosines(asked: AskedMedia, species: LabelledSpecies) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield some media and their cosines with all items; minus infinity where an item is passed over."""
    own = np.array(species.rows["group_id"].to_pylist(), object)
    named = np.array([group is not None for group in own.tolist()])
    paths, groups = (np.array(asked.rows[name].to_pylist(), object) for name in ("path", "group_id"))
    there = np.array(species.rows["path"].to_pylist(), object)
    for start in range(0, len(paths), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        found = (asked.vectors[rows] @ species.vectors.T).astype(np.float64)
        same = (groups[rows][:, None] == own[None]) & named | (paths[rows][:, None] == there[None])
        found[same] = -np.inf
        yield rows, found


def _best_items(cosines: np.ndarray, species: LabelledSpecies) -> np.ndarray:
    """Return the nearest item of each species, ``(media, species)``."""
    ends = np.append(species.starts[1:], len(species.of))
    spans = zip(species.starts.tolist(), ends.tolist(), strict=True)
    return np.stack([start + cosines[:, start:end].argmax(axis=1) for start, end in spans], axis=1)


def _of_label(  # noqa: PLR0917 - all of it is of one row
    label: str,
    near: _Nearest,
    items: np.ndarray,
    cosines: np.ndarray,
    about: pa.Table,
    species: LabelledSpecies,
) -> pa.Table:
    rows = species.rows.take(pa.array(items[near.unit, near.taxon]))
    taxa = [species.taxa[number] for number in near.taxon.tolist()]
    columns = {name: about[name].take(pa.array(near.unit)) for name in about.column_names}
    columns |= {
        "group": pa.repeat(group_of(label), len(taxa)),
        "label": pa.repeat(label, len(taxa)),
        "place": pa.array((near.place + 1).astype(np.int8)),
        "cosine": pa.array(cosines[near.unit, near.taxon]),
        "taxon_id": pa.array([each.id for each in taxa], pa.string()),
        "scientific_name": pa.array([each.scientific_name for each in taxa], pa.string()),
        "common_name": pa.array([each.common_name for each in taxa], pa.string()),
        "nearest_modality": pa.repeat(species.modality.value, len(taxa)),
        "nearest_media": rows["id"],
        "nearest_path": rows["path"],
        **{name: rows[name] for name in _OF_ITEM},
    }
    return pa.table([columns[field.name] for field in EVIDENCE], names=EVIDENCE.names).cast(EVIDENCE)
