"""Backbones in files: Parquet, written and read, and the checklists that people download."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biovita.errors import DatasetError
from biovita.foreign_tables import Held
from biovita.hashing import sha256_of
from biovita.limits import limit, over
from biovita.taxonomy.backbone import LINEAGE, Backbone
from biovita.taxonomy.bird_lists import lists_birds, read_birds
from biovita.taxonomy.checklist import Checklist, Unread, read_taxa, taxon_file
from biovita.taxonomy.checklist_files import ListFile
from biovita.taxonomy.checklist_forms import ChecklistForm, ListKind
from biovita.taxonomy.references import RowOfId, accepted_rows

__all__ = ["WHERE_TO_GET_ONE", "open_backbone", "read_list", "write_parquet"]

WHERE_TO_GET_ONE = (
    "`biovita taxonomy backbone FILE --out backbone.parquet` makes one of the lists that iNaturalist, GBIF, the "
    "Catalogue of Life and eBird give out; docs/backbone.md says where to get them"
)
_COLUMNS = {"id": "id", "scientificName": "name", "taxonRank": "rank", **{rank: rank for rank in LINEAGE}}
_ACCEPTED, _STATUS, _COMMON = "acceptedNameUsageID", "taxonomicStatus", "vernacularName"  # a file may lack them
_GROUP = 131_072  # rows of a row group

_BATCH = 65_536  # rows of a Parquet file
_HELD = 64  # times the size of the file may be held of it, where that is more than the memory that may be used


def open_backbone(path: str | Path) -> Backbone:
    """Return the backbone in a file.

    Parameters
    ----------
    path
        Parquet: what `write_parquet` writes, or iNaturalist's taxa. Or a checklist: its taxon file (``Taxon.tsv``,
        ``NameUsage.tsv``, ...), the folder that holds it, or the archive as a zip; or one of eBird or Clements.

    Raises
    ------
    DatasetError
        Where it is none of them.
    """
    path = Path(path)
    if not path.exists():
        raise DatasetError(f"{path} does not exist. {WHERE_TO_GET_ONE}")
    return read_list(path).backbone


def read_list(
    path: Path, within: Collection[str] = (), progress: Callable[[int], object] | None = None
) -> Checklist:
    """Return a list of taxa in any form that is read, with what was left out of it.

    Parameters
    ----------
    within, progress
        As `biovita.taxonomy.checklist.read_taxa`, for the forms that may have millions of rows.

    Raises
    ------
    DatasetError
        Where it is in none of them, or cannot be read.
    """
    if path.suffix == ".parquet":
        return Checklist(
            _open_parquet(path), ChecklistForm(ListKind.TAXA, (), {}, ""), ListFile(path), Unread(), ()
        )
    try:
        taxon_file(path)
    except DatasetError:
        if path.is_file() and lists_birds(path):
            return read_birds(path)
        raise
    return read_taxa(path, within, progress)


def write_parquet(backbone: Backbone, path: Path, about: str) -> None:
    """Write a backbone as Parquet, which `open_backbone` reads.

    The columns are Darwin Core's terms: ``id``, ``scientificName``, ``taxonRank``, kingdom to genus,
    ``acceptedNameUsageID`` (null of a taxon of its own), ``taxonomicStatus`` (``accepted`` or ``synonym``) and
    ``vernacularName``.

    Parameters
    ----------
    about
        What is known of it, JSON: the metadata ``biovita`` of the file.
    """
    table = backbone.table
    accepted, own = table["accepted"].to_numpy(), np.arange(len(backbone), dtype=np.int32)
    placed = pa.array(np.maximum(accepted, 0), mask=(accepted < 0) | (accepted == own))
    columns = {
        **{column: table[field] for column, field in _COLUMNS.items()},
        _ACCEPTED: table["id"].combine_chunks().take(placed),
        _STATUS: pc.if_else(pa.array(accepted == own), "accepted", "synonym"),
        _COMMON: table["common_name"],
    }
    written = pa.table(columns).replace_schema_metadata({"biovita": about})
    pq.write_table(written, path.absolute(), compression="zstd", row_group_size=_GROUP)


def _open_parquet(path: Path) -> Backbone:
    """Read the columns of a table of taxa, and of its synonyms and common names where it has them."""
    try:
        names = pq.read_schema(path.absolute()).names
        missing = [column for column in _COLUMNS if column not in names]
        if missing:
            raise DatasetError(
                f"{path} lacks the column(s) {', '.join(missing)} of a table of taxa. {WHERE_TO_GET_ONE}"
            )
        more = [column for column in (_ACCEPTED, _STATUS, _COMMON) if column in names]
        _check_size(path, ("id", "scientificName", *more))
        table = pq.read_table(path.absolute(), columns=[*_COLUMNS, *more], read_dictionary=["taxonRank", *LINEAGE])
        table.validate(full=True)  # texts that are not UTF-8
        columns = {_COLUMNS[name]: table[name] for name in _COLUMNS}
        if _COMMON in more:
            columns["common_name"] = table[_COMMON]
        if _ACCEPTED in more:
            columns["accepted"] = _accepted(table, str(path))
    except (pa.ArrowException, OSError, KeyError) as error:
        raise DatasetError(f"{path} cannot be read as Parquet: {error}") from error
    return Backbone.of(path.name, columns, sha256=sha256_of(path))


def _accepted(table: pa.Table, where: str) -> pa.Array:
    texts = table.select(["id", _ACCEPTED]).cast(pa.schema([("id", pa.string()), (_ACCEPTED, pa.string())]))
    if _STATUS in table.column_names:
        status = pc.fill_null(table[_STATUS].cast(pa.string()), "")
        texts = texts.append_column("synonym", pc.match_substring(pc.utf8_lower(status), "synonym"))
    return pa.array(accepted_rows(texts, RowOfId(texts["id"].combine_chunks(), where)))


def _check_size(path: Path, texts: Sequence[str]) -> None:
    """Refuse a Parquet file whose texts, a few of which may stand in all rows, are too long to be written out."""
    held, most = Held(str(path), _HELD * path.stat().st_size), limit("rows")
    with pq.ParquetFile(path.absolute(), read_dictionary=list(texts)) as file:
        if file.metadata.num_rows > most:
            raise DatasetError(f"{path}: has too many rows: {over('rows')}")
        for batch in file.iter_batches(_BATCH, columns=list(texts)):
            held.add(sum(_written_out(column) for column in batch.columns))


def _written_out(column: pa.Array) -> int:
    """Return how many bytes a column of words takes when each row has its own."""
    if not pa.types.is_dictionary(column.type) or not pa.types.is_string(column.type.value_type):
        return int(column.nbytes)
    return int(pc.sum(pc.binary_length(column.dictionary).take(column.indices)).as_py() or 0)
