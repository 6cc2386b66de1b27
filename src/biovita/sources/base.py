"""What every source gives: candidate records as a stream of Arrow batches, and the rows that were no records."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from biovita.dataset.schema import REJECTED
from biovita.redact import redacted

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "BATCH_ROWS",
    "NAME_COLUMNS",
    "RECORDS",
    "Batch",
    "Rejected",
    "Source",
    "SourceViews",
    "StreamedSource",
    "batches_of",
    "identifier",
    "name_key_of",
    "parquet",
    "sql_file",
    "sql_text",
]

BATCH_ROWS = 10_000  # a batch is some 5 MB
_PATTERN = re.compile(r"[*?[]")

RECORDS = pa.schema(
    [
        pa.field("modality", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),  # as the source gives it
        pa.field("name_key", pa.int64(), nullable=False),  # the same for the same name and lineage within a source
        pa.field("vernacular", pa.string()),
        pa.field("rank", pa.string()),
        pa.field("kingdom", pa.string()),
        pa.field("phylum", pa.string()),
        pa.field("class", pa.string()),
        pa.field("order", pa.string()),
        pa.field("family", pa.string()),
        pa.field("genus", pa.string()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("source_id", pa.string(), nullable=False),  # of the file: unique within source and modality
        pa.field("group", pa.string(), nullable=False),  # of the observation or recording that it belongs to
        pa.field("url", pa.string()),
        pa.field("path", pa.string()),  # where the file is at hand already
        pa.field("license", pa.string()),  # as `biovita.sources.licenses` writes it
        pa.field("license_given", pa.string()),
        pa.field("attribution", pa.string()),
        pa.field("observer", pa.string()),  # or recordist
        pa.field("recorded_at", pa.string()),  # ISO 8601, as precise as it is known
        pa.field("latitude", pa.float64()),
        pa.field("longitude", pa.float64()),
        pa.field("country", pa.string()),  # as given: a code or a name
        pa.field("quality", pa.string()),  # research, needs_id, casual; A to E; as given elsewhere
        pa.field("duration_s", pa.float64()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("bytes", pa.int64()),
        pa.field("file", pa.string(), nullable=False),  # the table it was read from
        pa.field("row", pa.int64(), nullable=False),  # its line there; the header is line 1
    ]
)
NAME_COLUMNS: tuple[str, ...] = (
    "name",
    "vernacular",
    "rank",
    "kingdom",
    "phylum",
    "class",
    "order",
    "family",
    "genus",
)
_LINEAGE = ("kingdom", "phylum", "class", "order", "family", "genus")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that gives no record: where it is, and why."""

    modality: str
    file: str
    row: int
    reason: str
    detail: str
    name: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in the `RECORDS` schema, and rejected rows in that of ``rejected.parquet``."""

    records: pa.RecordBatch
    rejected: pa.RecordBatch


@runtime_checkable
class Source(Protocol):
    """Where candidate records come from."""

    @property
    def label(self) -> str:
        """What the ``source`` column of its records says."""
        ...

    def batches(self) -> Iterator[Batch]:
        """Yield all records and rejected rows, in the order of the source, in bounded memory."""
        ...

    def views(self, connection: duckdb.DuckDBPyConnection, scratch: Path) -> SourceViews:
        """Make the source's records known to DuckDB, without reading more than has to be read."""
        ...


@dataclass(frozen=True, slots=True)
class SourceViews:
    """Names of DuckDB views.

    Attributes
    ----------
    records
        `RECORDS` and ``problem``, the reason why a row is no record, null for records. So one pass can count both.
    names
        ``name_key`` and `NAME_COLUMNS`, a row a name.
    rejected
        All rows that are no records, as ``rejected.parquet`` has them.
    unread
        Those of them that ``records`` does not show.
    """

    records: str
    names: str
    rejected: str
    unread: str


class StreamedSource(BaseModel):
    """A source that reads its rows one after the other; a subclass gives `items` and `label`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def label(self) -> str:
        """What the ``source`` column of its records says."""
        raise NotImplementedError

    def items(self) -> Iterator[Mapping[str, Any] | Rejected]:
        """Yield the columns of each record, and what was rejected."""
        raise NotImplementedError

    def batches(self) -> Iterator[Batch]:
        """Yield all records and rejected rows, in the order of the source, in bounded memory."""
        return batches_of(self.items(), self.label)

    def views(self, connection: duckdb.DuckDBPyConnection, scratch: Path) -> SourceViews:
        """Write the batches to Parquet files in ``scratch`` once, and make them known to DuckDB."""
        number = len(list(scratch.glob("*.records.parquet")))
        records, rejected = scratch / f"{number}.records.parquet", scratch / f"{number}.rejected.parquet"
        with pq.ParquetWriter(records, RECORDS) as good, pq.ParquetWriter(rejected, REJECTED) as bad:
            for batch in self.batches():
                good.write_batch(batch.records)
                bad.write_batch(batch.rejected)
        views = SourceViews(f"records_{number}", f"names_{number}", f"rejected_{number}", f"rejected_{number}")
        connection.execute(
            f"create view {views.records} as select *, null::varchar as problem from {parquet(records)}"  # noqa: S608 - quoted
        )
        connection.execute(f"create view {views.rejected} as from {parquet(rejected)}")
        columns = ", ".join(f'any_value("{column}") as "{column}"' for column in NAME_COLUMNS)
        connection.execute(
            f"create view {views.names} as select name_key, {columns} from {views.records} group by name_key"  # noqa: S608 - our own names
        )
        return views


def batches_of(items: Iterable[Mapping[str, Any] | Rejected], source: str) -> Iterator[Batch]:
    """Gather records and rejected rows into batches of at most `BATCH_ROWS`.

    ``source`` and ``name_key`` are filled in; a ``group`` that is absent is the ``source_id``.
    """
    records: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    for item in items:
        if isinstance(item, Rejected):
            row = {field: getattr(item, field) for field in REJECTED.names}
            rejected.append({**row, **{name: redacted(row[name]) for name in ("path", "detail") if row[name]}})
        else:
            key = name_key_of(item["name"], *(item.get(rank) for rank in _LINEAGE))
            records.append({"group": item["source_id"], **item, "source": source, "name_key": key})
        if len(records) + len(rejected) >= BATCH_ROWS:
            yield _batch(records, rejected)
            records, rejected = [], []
    if records or rejected:
        yield _batch(records, rejected)


def _batch(records: list[dict[str, Any]], rejected: list[dict[str, Any]]) -> Batch:
    return Batch(
        pa.RecordBatch.from_pylist(records, schema=RECORDS), pa.RecordBatch.from_pylist(rejected, schema=REJECTED)
    )


@lru_cache(maxsize=1 << 16)
def name_key_of(name: str, *lineage: str | None) -> int:
    """Return a stable 63-bit number for a name and its lineage as given."""
    text = "\x1f".join([name, *(part or "" for part in lineage)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def sql_text(value: str | Path) -> str:
    """Return a string literal of SQL."""
    return "'" + str(value).replace("'", "''") + "'"


def sql_file(file: Path) -> str:
    """Return a string literal of SQL that names one file to DuckDB, which takes ``*``, ``?`` and ``[`` as patterns."""
    return sql_text(_PATTERN.sub(r"[\g<0>]", os.path.abspath(file)))  # noqa: PTH100 - links are not followed


def parquet(file: Path) -> str:
    """Return the table of a Parquet file in SQL: its columns alone, whatever the folders above are called."""
    return f"read_parquet({sql_file(file)}, hive_partitioning = false)"


def identifier(name: str) -> str:
    """Return a quoted identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'
