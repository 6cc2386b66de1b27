"""The recordings and photographs of an archive are embedded: what is new or changed, the rest is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import Archive
from biovita.archive.archive_tables import LEFT_OUT
from biovita.embedding.engine import OpenEncoder, Settings, run_plan
from biovita.embedding.failures import Failure
from biovita.embedding.items import Items
from biovita.embedding.lance_table import LanceStore, LanceTable
from biovita.embedding.made import Made
from biovita.errors import DatasetError
from biovita.filenames import file_name, own_place
from biovita.media.hearing import Hearing
from biovita.modality import Modality
from biovita.towers.encoder import Encoder

__all__ = ["EmbeddedMedia", "embed_media", "failed_rows", "media_made", "media_table"]


@dataclass(frozen=True, slots=True)
class EmbeddedMedia:
    """What was done about recordings or photographs.

    Attributes
    ----------
    new, kept
        Items embedded now, and those that had their vectors: pieces of recordings, photographs or their boxes.
    failed
        Items without vectors, and why.
    seconds
        Of embedding.
    stopped
        Whether Ctrl-C ended it early; what was done is kept.
    """

    new: int
    kept: int
    failed: tuple[Failure, ...]
    seconds: float
    stopped: bool = False


def media_table(archive: Archive, towers: str, modality: Modality) -> LanceTable:
    """Return the table of vectors of a model's tower; it need not exist yet."""
    return LanceStore(own_place(archive.path, "embeddings", file_name(towers))).table(modality)


def media_made(encoder: Encoder, hearing: Hearing) -> Made:
    """Return the record of what makes vectors, with what is heard of recordings."""
    said = hearing.describe() if encoder.card.modality == Modality.AUDIO else ""
    card = replace(
        encoder.card, preprocessing=f"{said}; {encoder.card.preprocessing}" if said else encoder.card.preprocessing
    )
    return Made.by(card, encoder.windows if encoder.card.modality == Modality.AUDIO else None)


def embed_media(
    items: Items, encoder: Encoder, made: Made, table: LanceTable, settings: Settings
) -> EmbeddedMedia:
    """Write the vectors of items that have none; a run that was stopped goes on where it was.

    Raises
    ------
    DatasetError
        Where the table was made in another way, which would take the place of what is there.
    """
    if table.exists and (difference := table.made().difference(made)):
        raise DatasetError(
            f"{table.path} was made in another way ({difference}). Give another --out, or --overwrite to begin again"
        )
    failed: list[Failure] = []
    try:
        done = run_plan(OpenEncoder(encoder), made, items, table, settings, failed=failed)
    except KeyboardInterrupt:
        return EmbeddedMedia(0, 0, tuple(failed), 0.0, stopped=True)
    return EmbeddedMedia(done.new, done.kept, done.failed, done.seconds)


def failed_rows(failed: tuple[Failure, ...], items: Items) -> pa.Table:
    """Return failures as rows of `LEFT_OUT`, with the span of a recording that they are of."""
    rows = items.rows.select(["id", "path", "start_s", "end_s"]).filter(
        pc.is_in(items.rows["id"], value_set=pa.array([each.id for each in failed], pa.string()))
    )
    places = {row["id"]: row for row in rows.to_pylist()}
    found = [
        {
            "path": places[each.id]["path"],
            "start_s": places[each.id]["start_s"],
            "end_s": places[each.id]["end_s"],
            "reason": each.reason,
            "detail": each.detail,
        }
        for each in failed
    ]
    return pa.Table.from_pylist(found, schema=LEFT_OUT)
