"""What an archive knows of its recordings or photographs, as a search filters by it, and how it is recognised again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import MEDIA_TABLES, Archive
from biovita.archive.present_taxa import present_taxa
from biovita.embedding.text_hashes import text_hashes
from biovita.modality import Modality
from biovita.retrieval.lineage_names import lineage_names

__all__ = ["MediaFacts", "media_facts"]

_MICROSECONDS = 1e6
_LABELLED = pa.schema(
    [
        pa.field("medium", pa.int64()),
        pa.field("start_s", pa.float64()),  # none is from the begin, and up to the end
        pa.field("end_s", pa.float64()),
        pa.field("names", pa.list_(pa.string())),
    ]
)
_OF_WINDOWS = """
    SELECT w.row, list_sort(list_distinct(flatten(list(l.names)))) AS names
    FROM windows w JOIN labelled l USING (medium)
    WHERE (l.start_s IS NULL OR w.end_s IS NULL OR l.start_s < w.end_s)
      AND (l.end_s IS NULL OR w.start_s IS NULL OR l.end_s > w.start_s)
    GROUP BY w.row ORDER BY w.row
"""


@dataclass(frozen=True, eq=False)
class MediaFacts:
    """Recordings or photographs, and what is known of each.

    Attributes
    ----------
    media
        As the archive has them.
    facts
        By row of these: site, license, latitude, longitude, begin_local and utc_offset_min.
    labelled
        What labels say is there: medium (a row), start_s, end_s, and the folded names that it counts under.
    states
        ``(media,)``, uint64: a hash of the facts and labels of each.
    """

    media: pa.Table
    facts: pa.Table
    labelled: pa.Table
    states: np.ndarray

    def of_rows(self, medium: np.ndarray, start_s: np.ndarray, end_s: np.ndarray) -> Mapping[str, pa.Array]:
        """Return the columns of `biovita.retrieval.searched_rows.SEARCHED` that filters ask for.

        Parameters
        ----------
        medium
            ``(rows,)``, int64: rows of ``media``.
        start_s, end_s
            ``(rows,)``, seconds within the file; NaN for photographs.
        """
        taken = self.facts.take(pa.array(medium))
        found = {name: taken[name].combine_chunks() for name in ("site", "license", "latitude", "longitude")}
        moved = pa.array((np.nan_to_num(start_s) * _MICROSECONDS).astype(np.int64)).cast(pa.duration("us"))
        local = pc.add(taken["begin_local"].combine_chunks(), moved)
        local = pc.if_else(taken["utc_offset_min"].combine_chunks().is_valid(), local, None)
        found["day"] = local.cast(pa.date32(), safe=False)
        found["month"] = pc.month(local).cast(pa.int8())
        found["hour"] = pc.hour(local).cast(pa.int8())
        found["taxa"] = self._taxa(medium, start_s, end_s)
        return found

    def _taxa(self, medium: np.ndarray, start_s: np.ndarray, end_s: np.ndarray) -> pa.Array:
        """Return the names of what labels say is there, ``(rows,)``, list of string."""
        kind = pa.list_(pa.string())
        here = self.labelled.filter(pc.is_in(self.labelled["medium"], value_set=pa.array(np.unique(medium))))
        if not len(here):
            return pa.ListArray.from_arrays(
                pa.array(np.zeros(len(medium) + 1, np.int32)), pa.array([], pa.string())
            )
        spans = {name: pa.array(at, mask=np.isnan(at)) for name, at in (("start_s", start_s), ("end_s", end_s))}
        windows = pa.table({"row": np.arange(len(medium)), "medium": medium, **spans})
        with duckdb.connect() as database:
            database.register("windows", windows)
            database.register("labelled", here)
            named = database.sql(_OF_WINDOWS).to_arrow_table()
        at = pc.index_in(pa.array(np.arange(len(medium))), value_set=named["row"].combine_chunks())
        names = named["names"].combine_chunks().cast(kind).take(at)
        return pc.fill_null(names, pa.scalar([], kind))


def media_facts(archive: Archive, modality: Modality) -> MediaFacts:
    """Return what an archive knows of its recordings or photographs."""
    media = archive.table(MEDIA_TABLES[modality])
    deployments = archive.table("deployments")
    at = pc.index_in(media["deployment_id"], value_set=deployments["id"].combine_chunks())
    at = at.combine_chunks()
    facts = {name: media[name].combine_chunks() for name in ("license", "begin_local", "utc_offset_min")}
    facts["site"] = deployments["site"].combine_chunks().take(at)
    stated = media["latitude"].combine_chunks().is_valid()
    for name in ("latitude", "longitude"):
        of_site = deployments[name].combine_chunks().take(at)
        facts[name] = pc.if_else(stated, media[name].combine_chunks(), of_site)
    labelled = _labelled(archive, media)
    return MediaFacts(media, pa.table(facts), labelled, _states(media, pa.table(facts), labelled))


def _labelled(archive: Archive, media: pa.Table) -> pa.Table:
    """Return where labels, of people and machines, say that a taxon is, of the media that there are."""
    columns = ["media_id", "start_s", "end_s", "scientific_name", "kind", "presence"]
    labels = pa.concat_tables([archive.table(name).select(columns) for name in ("labels", "annotations")])
    labels = present_taxa(labels)
    medium = pc.index_in(labels["media_id"], value_set=media["id"].combine_chunks())
    labels = labels.append_column("medium", medium.cast(pa.int64())).filter(medium.is_valid())
    names = pc.unique(labels["scientific_name"]).to_pylist()
    known = lineage_names(set(names), archive.table("taxa"))
    lists = pa.array([known[name] for name in names], pa.list_(pa.string()))
    at = pc.index_in(labels["scientific_name"], value_set=pa.array(names, pa.string()))
    found = lists.take(at.combine_chunks())
    return pa.table([labels["medium"], labels["start_s"], labels["end_s"], found], schema=_LABELLED)


def _states(media: pa.Table, facts: pa.Table, labelled: pa.Table) -> np.ndarray:
    """Return a hash of what is known of each medium, ``(media,)``, uint64; the order of labels does not matter."""
    columns = [media["sha256"].combine_chunks(), *(column.combine_chunks() for column in facts.columns)]
    found = text_hashes(_joined(columns))
    if len(labelled):
        names = pc.binary_join(labelled["names"], " / ").combine_chunks()
        of_labels = text_hashes(
            _joined([names, labelled["start_s"].combine_chunks(), labelled["end_s"].combine_chunks()])
        )
        np.add.at(found, labelled["medium"].to_numpy(), of_labels)
    return found


def _joined(columns: list[pa.Array]) -> pa.Array:
    texts = [pc.fill_null(column.cast(pa.string()), "") for column in columns]
    return pc.binary_join_element_wise(*texts, "\t")
