"""Backbones read from files: iNaturalist's taxa as Parquet, or a Darwin Core checklist."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biovita.errors import DatasetError
from biovita.foreign_tables import Held
from biovita.hashing import sha256_of
from biovita.limits import limit, over
from biovita.taxonomy.backbone import LINEAGE, Backbone
from biovita.taxonomy.checklist import read_checklist

__all__ = ["open_backbone"]

_BATCH = 65_536  # rows of a Parquet file
_HELD = 64  # times the size of the file may be held of it, where that is more than the memory that may be used


def open_backbone(path: str | Path) -> Backbone:
    """Return the backbone in a file.

    Parameters
    ----------
    path
        iNaturalist's taxa as Parquet, or a Darwin Core checklist: its taxon file (``Taxon.tsv``, ...), the
        folder that holds it, or the archive as a zip.

    Raises
    ------
    DatasetError
        Where it is neither.
    """
    path = Path(path)
    if not path.exists():
        raise DatasetError(
            f"{path} does not exist. A backbone is a Parquet file of taxa or a Darwin Core checklist"
        )
    if path.suffix == ".parquet":
        return _open_parquet(path)
    return read_checklist(path)


def _open_parquet(path: Path) -> Backbone:
    """Read the columns of iNaturalist's taxonomy as its Parquet file names them."""
    wanted = {"id": "id", "scientificName": "name", "taxonRank": "rank", **{rank: rank for rank in LINEAGE}}
    try:
        names = pq.read_schema(path.absolute()).names
        missing = [column for column in wanted if column not in names]
        if missing:
            raise DatasetError(f"{path} lacks the column(s) {', '.join(missing)} of a table of taxa")
        _check_size(path, ("id", "scientificName"))
        table = pq.read_table(path.absolute(), columns=list(wanted), read_dictionary=["taxonRank", *LINEAGE])
        table.validate(full=True)  # texts that are not UTF-8
    except (pa.ArrowException, OSError, KeyError) as error:
        raise DatasetError(f"{path} cannot be read as Parquet: {error}") from error
    return Backbone.of(path.name, {wanted[name]: table[name] for name in wanted}, sha256=sha256_of(path))


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
