"""What a run of ``biovita identify``, or another archive, has to give: its media, what is said of them, its vectors."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import Archive
from biovita.archive.archive_tables import NAMED_TAXA, Kind
from biovita.archive.take_in import NamedTables
from biovita.embedding.lance_table import LanceTable
from biovita.embedding.made import Made
from biovita.embedding.store import COLUMNS

__all__ = ["archive_media", "copy_vectors"]

_ROWS_AT_ONCE = 65_536


def archive_media(other: Archive) -> NamedTables:
    """Return the media of an archive; what it answered stays what a machine said."""
    labels = pa.concat_tables([other.table("labels"), other.table("annotations")])
    return NamedTables(
        deployments=other.table("deployments"),
        recordings=other.table("recordings"),
        photographs=other.table("photographs"),
        left_out=other.table("left_out"),
        labels=labels,
        taxa=pa.concat_tables([other.table("taxa"), _answered_taxa(other.table("candidates"), labels)]),
    )


def _answered_taxa(candidates: pa.Table, labels: pa.Table) -> pa.Table:
    """Return the species that were answered, and the species of the groups that were."""
    named = labels["scientific_name"].combine_chunks()
    answered = pc.is_in(candidates["scientific_name"], value_set=named)
    for rank in ("genus", "family"):
        answered = pc.or_(answered, pc.fill_null(pc.is_in(candidates[rank], value_set=named), fill_value=False))
    found = candidates.filter(pc.and_(answered, pc.equal(candidates["kind"], Kind.TAXON.value)))
    nothing = pa.array([[]] * len(found), pa.list_(pa.string()))
    columns = [found[field.name] if field.name in found.column_names else nothing for field in NAMED_TAXA]
    return pa.table(columns, schema=NAMED_TAXA)


def copy_vectors(source: LanceTable, target: LanceTable, ids: pa.Array, made: Made) -> int:
    """Copy the vectors of items from one table to another that lacks them, and return how many.

    Nothing is copied of a table that was made in another way: those vectors cannot be compared.

    Parameters
    ----------
    ids
        Of the items that are wanted.
    made
        The record of what makes the other table.
    """
    if not source.exists or not len(ids) or source.made().difference(made):
        return 0
    if target.exists and not target.made().difference(made):
        there = target.snapshot().state(["id"])["id"].combine_chunks()
        ids = ids.filter(pc.invert(pc.is_in(ids, value_set=there)))
    snapshot = source.snapshot()
    rows = snapshot.state(COLUMNS.names)
    places = pc.indices_nonzero(pc.is_in(rows["id"], value_set=ids)).to_numpy()
    for start in range(0, len(places), _ROWS_AT_ONCE):
        some = places[start : start + _ROWS_AT_ONCE].astype("int64")
        target.commit(rows.take(pa.array(some)), snapshot.take(some), made)
    return len(places)
