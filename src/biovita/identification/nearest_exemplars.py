"""The labelled recording and photograph that are nearest to each answer of a run, from vectors that are stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import Archive
from biovita.archive.archive_tables import ANNOTATIONS, Kind
from biovita.archive.embed_media import media_table
from biovita.archive.pieces import photograph_items, pieces
from biovita.archive.stored_windows import photograph_places, window_places
from biovita.embedding.store import Snapshot
from biovita.identification.exemplars import Exemplars
from biovita.media.hearing import Hearing
from biovita.modality import Modality
from biovita.taxonomy import Rank
from biovita.towers.encoder import Windowing

__all__ = ["NEAREST", "NearestTo", "with_nearest"]

NEAREST: Mapping[Modality, str] = {Modality.AUDIO: "nearest_audio", Modality.IMAGE: "nearest_image"}
"""Columns of `ANNOTATIONS` that hold ids of exemplars."""

_AT_ONCE = 4096  # answers whose vectors are held
_KEYS = ["kind", "taxon_id", "label", "rank"]

_Key = tuple[str | None, ...]
_Members = dict[_Key, np.ndarray]
_Project = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class NearestTo:
    """With what the answers of a run are compared.

    Attributes
    ----------
    archive
        That has the vectors of their windows and photographs.
    towers
        Name of the model that gave these vectors.
    windowing, hearing
        How recordings were cut and heard; the first is None where there are none.
    exemplars
        By modality.
    projection
        Gives what takes vectors of a modality to the shared space; None compares what is of one modality alone.
    """

    archive: Archive
    towers: str
    windowing: Windowing | None
    hearing: Hearing
    exemplars: Mapping[Modality, Exemplars]
    projection: Callable[[Modality], _Project] | None


def with_nearest(annotations: pa.Table, compared: NearestTo, candidates: pa.Table, wanted: np.ndarray) -> pa.Table:
    """Return annotations with the ids of the nearest exemplars of what they say is there.

    An event is compared by the window of its maximum. Exemplars of its own modality are compared by the tower's
    vectors, those of the other one in the shared space. A group is compared with the exemplars of its members. An
    exemplar of the same ``group_id`` as the recording or photograph is passed over. Where no exemplar is left, there is
    no id.

    Parameters
    ----------
    candidates
        Rows of `biovita.archive.archive_tables.CANDIDATES`: exemplars state their numbers.
    wanted
        ``(candidates,)``, bool: those that may be answers.
    """
    if not compared.exemplars or not len(annotations):
        return annotations
    keys = list(zip(*(annotations[name].to_pylist() for name in _KEYS), strict=True))
    members = _members(dict.fromkeys(keys), candidates, wanted)
    found = {modality: np.full(len(keys), None, object) for modality in compared.exemplars}
    modalities = np.array(annotations["modality"].to_pylist(), object)
    with_members = np.array([bool(len(members[key])) for key in keys])
    for modality in Modality:
        rows = np.flatnonzero((modalities == modality.value) & with_members)
        if len(rows):
            mine = [members[keys[row]] for row in rows.tolist()]
            for other, ids in _nearest(annotations.take(pa.array(rows)), modality, mine, compared).items():
                found[other][rows] = ids
    for modality, ids in found.items():
        name = NEAREST[modality]
        column = pa.array(ids.tolist(), pa.string())
        annotations = annotations.set_column(ANNOTATIONS.get_field_index(name), ANNOTATIONS.field(name), column)
    return annotations


def _members(keys: Mapping[_Key, None], candidates: pa.Table, wanted: np.ndarray) -> _Members:
    """Return the numbers of the candidates that each answer is of, or has in it."""
    found: _Members = {}
    for key in keys:
        kind, taxon_id, label, rank = key
        same = pc.equal(candidates["kind"], kind)
        if kind == Kind.TAXON:
            of = pc.equal(candidates["taxon_id"], taxon_id or "")
            if rank is not None and rank != Rank.SPECIES:
                of = pc.or_(of, pc.fill_null(pc.equal(candidates[rank], label), fill_value=False))
        else:
            of = pc.equal(candidates["scientific_name"], label)
        found[key] = np.flatnonzero(pc.and_(same, of).to_numpy() & wanted)
    return found


def _nearest(
    answers: pa.Table, modality: Modality, members: Sequence[np.ndarray], compared: NearestTo
) -> dict[Modality, np.ndarray]:
    """Return by modality of exemplars the ids of the nearest, ``(answers,)``, of answers of one modality."""
    others = [each for each in compared.exemplars if each == modality or compared.projection is not None]
    found = {other: np.full(len(answers), None, object) for other in others}
    table = media_table(compared.archive, compared.towers, modality)
    if not table.exists:
        return found
    snapshot = table.snapshot()
    places, groups = _stored(answers, modality, compared, snapshot)
    rows = np.flatnonzero(places >= 0)
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        vectors = snapshot.take(places[some])
        alike: dict[bytes, list[int]] = {}
        for at, row in enumerate(some.tolist()):
            alike.setdefault(members[row].tobytes(), []).append(at)
        for other in others:
            exemplars = compared.exemplars[other]
            asked, there = _directions(vectors, modality, other, compared)
            own, ids = (np.array(exemplars.rows[name].to_pylist(), object) for name in ("group_id", "id"))
            for mine in alike.values():
                spans = _rows_of(exemplars, members[some[mine[0]]])
                if len(spans):
                    best = _best(asked[mine] @ there[spans].T, groups[some[mine]], own[spans])
                    found[other][some[mine]] = np.where(best >= 0, ids[spans][best], None)
    return found


def _directions(
    vectors: np.ndarray, modality: Modality, other: Modality, compared: NearestTo
) -> tuple[np.ndarray, np.ndarray]:
    """Return answers and exemplars where they are compared, of length 1."""
    exemplars = compared.exemplars[other]
    if other == modality:
        return exemplars.directed(vectors), exemplars.directions
    assert compared.projection is not None, "the caller passes over what cannot be compared"
    return compared.projection(modality)(vectors), compared.projection(other)(exemplars.vectors)


def _rows_of(exemplars: Exemplars, numbers: np.ndarray) -> np.ndarray:
    """Return the rows of the exemplars of some candidates."""
    ends = np.append(exemplars.starts[1:], len(exemplars.rows))
    at = np.flatnonzero(np.isin(exemplars.candidates, numbers))
    spans = [np.arange(exemplars.starts[place], ends[place]) for place in at.tolist()]
    return np.concatenate(spans) if spans else np.empty(0, np.int64)


def _best(cosines: np.ndarray, groups: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return the place of the nearest by row, ``(rows,)``; -1 where all are of the row's own group."""
    named = np.array([group is not None for group in groups.tolist()])
    same = (groups[:, None] == own[None]) & named[:, None]
    left = np.where(same, -np.inf, cosines)
    return np.where(np.isfinite(left).any(axis=1), left.argmax(axis=1), -1)


def _stored(
    annotations: pa.Table, modality: Modality, compared: NearestTo, snapshot: Snapshot
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the vectors of answers lie, -1 where there is none, and the groups of their media."""
    media = compared.archive.table("recordings" if modality == Modality.AUDIO else "photographs")
    at = pc.fill_null(pc.index_in(annotations["media_id"], value_set=media["id"].combine_chunks()), -1).to_numpy()
    groups = np.array([*media["group_id"].to_pylist(), None], object)[at]
    if modality == Modality.IMAGE:
        return np.append(photograph_places(photograph_items(media), snapshot), -1)[at], groups
    assert compared.windowing is not None, "recordings were cut"
    cut = pieces(media, compared.windowing, compared.hearing)
    return window_places(cut, snapshot, at, annotations["best_start_s"].to_numpy()), groups
