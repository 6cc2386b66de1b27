"""The recordings or photographs of a run: one vector each, what identification suggests of them, and where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from biovita.archive.archive import MEDIA_TABLES, Archive
from biovita.archive.embed_media import media_table
from biovita.archive.pieces import media_items
from biovita.archive.stored_windows import SomeVectors, media_vectors
from biovita.embedding.lance_table import LanceTable
from biovita.identification.asked import Perceiving
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.towers.encoder import Windowing
from biovita.trait_prediction.from_candidates import CandidateShares, shares_of_run
from biovita.trait_prediction.labelled_species import directed, shared_vectors
from biovita.trait_prediction.suggested_taxa import SuggestedTaxa

__all__ = ["AskedMedia", "asked_media"]


@dataclass(frozen=True, eq=False)
class AskedMedia:
    """Recordings or photographs that have a vector and scores.

    Attributes
    ----------
    rows
        ``id``, ``path``, ``site``, ``group_id`` and ``sha256``.
    vectors
        ``(media, dim)``: the mean of a recording's windows, or that of a photograph, as they are compared.
    shared
        The same in the space that media and texts share; None where there is none.
    shares
        Means over the windows.
    without
        How many media of the modality have no vector or no scores.
    """

    modality: Modality
    rows: pa.Table
    vectors: np.ndarray
    shared: np.ndarray | None
    shares: CandidateShares
    without: int


def asked_media(
    archive: Archive,
    record: Mapping[str, Any],
    model: ModelCard,
    modality: Modality,
    suggested: SuggestedTaxa,
) -> AskedMedia:
    """Return the media of one modality of a run. Nothing is decoded or encoded.

    Parameters
    ----------
    record
        What the run's ``run.json`` states.
    model
        That made the run.
    """
    media = archive.table(MEDIA_TABLES[modality])
    shares, windows = shares_of_run(
        archive, modality, suggested.candidates, suggested.labels, media["id"].to_pylist()
    )
    table = media_table(archive, model.towers.name, modality)
    sums = np.zeros((len(media), table.made().dim if table.exists else 0))
    counts = np.zeros(len(media), np.int64)
    for some in _stored(table, record, modality, media) if table.exists else ():
        np.add.at(sums, some.media, some.vectors)
        counts += np.bincount(some.media, minlength=len(media))
    there = np.flatnonzero((counts > 0) & (windows > 0))
    means = (sums[there] / counts[there, None]).astype(np.float32)
    found = len(there) > 0
    return AskedMedia(
        modality,
        _rows(archive, media).take(pa.array(there)),
        directed(model, modality, means) if found else means,
        shared_vectors(model, modality, means) if found else None,
        replace(shares, having=shares.having[there], known=shares.known[there]),
        len(media) - len(there),
    )


def _stored(
    table: LanceTable, record: Mapping[str, Any], modality: Modality, media: pa.Table
) -> Iterator[SomeVectors]:
    """Yield the vectors that a run has of its media."""
    heard = Windowing(**record["windowing"]) if modality == Modality.AUDIO else None
    hearing = Perceiving.from_json(record["perceiving"]).hearing
    return media_vectors(media_items(media, heard, hearing), media, table.snapshot())


def _rows(archive: Archive, media: pa.Table) -> pa.Table:
    """Return what is told of media; a deployment without a name of its site goes by its id."""
    deployments = archive.table("deployments")
    sites = {
        place: site or place
        for place, site in zip(deployments["id"].to_pylist(), deployments["site"].to_pylist(), strict=True)
    }
    of = [None if place is None else sites.get(place, place) for place in media["deployment_id"].to_pylist()]
    return media.select(["id", "path", "group_id", "sha256"]).append_column("site", pa.array(of, pa.string()))
