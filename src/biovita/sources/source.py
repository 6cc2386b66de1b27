"""What every source gives: candidate records as a stream of Arrow batches, and the rows that were no records."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload, runtime_checkable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from biovita.csv_records import BrokenRow
from biovita.csv_table import CsvRow, CsvTable
from biovita.dataset.schema import REJECTED
from biovita.errors import DatasetError
from biovita.limits import limit, over
from biovita.redact import redacted
from biovita.sources.rows_read import TableRead
from biovita.sql import parquet, sql_file

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "BATCH_ROWS",
    "MAX_NAME",
    "NAME_COLUMNS",
    "RECORDS",
    "UNTOLD",
    "Item",
    "RejectedRow",
    "Source",
    "SourceBatch",
    "SourceViews",
    "StreamedSource",
    "batches_of",
    "broken",
    "name_key_of",
    "of_table",
    "rejected_table",
    "storable",
    "table_read",
]

BATCH_ROWS = 10_000  # a batch is some 5 MB
BATCH_CHARACTERS = 16 << 20  # where its texts are long
MAX_NAME = 500  # characters; hybrid formulas with all authors stay under 250
UNTOLD = "untold"  # the modality of a record until its first bytes have been looked at
_SHOWN = 1000  # characters of a rejected row's texts
_LONG_KEY = 400  # characters of a name and its lineage; longer ones are not kept for the next time

RECORDS = pa.schema(
    [
        pa.field("modality", pa.string(), nullable=False),  # or `UNTOLD`
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
        pa.field("credited_source", pa.string()),  # where the source has it from, by its own word
        pa.field("credited_id", pa.string()),  # what it is called there; several files may share it
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
class RejectedRow:
    """A row that gives no record: where it is, and why."""

    modality: str
    file: str
    row: int
    reason: str
    detail: str
    name: str | None = None
    path: str | None = None


def broken(row: BrokenRow, file: str, modality: str = "unknown") -> RejectedRow:
    """Return a row of a CSV file that cannot be read, as a row that gives no record."""
    return RejectedRow(modality, file, row.line, row.reason, row.detail)


# What a source yields: the columns of a record, a rejected row, and after each table what was read of it.
Item = Mapping[str, Any] | RejectedRow | TableRead


def of_table(
    table: CsvTable, make: Callable[[CsvRow], Iterable[Item]], notes: tuple[str, ...] = ()
) -> Iterator[Item]:
    """Yield what each row of a table gives, those that are broken as rejected, and then what was read of it.

    Parameters
    ----------
    make
        From a row to its records, or to why it gives none: at least one of them.
    notes
        What is to be said of the table beside its own notes.
    """
    rows, name = 0, table.path.name
    for row in table:
        rows += 1
        if isinstance(row, BrokenRow):
            yield broken(row, name)
        else:
            yield from make(row)
    yield table_read(table, rows, notes)


def table_read(table: CsvTable, rows: int, notes: tuple[str, ...] = ()) -> TableRead:
    """Return what was read of a table that gave so many rows, broken ones among them; with more notes than its own."""
    notes = (*table.notes, *notes, *(() if rows else ("it has no row below its header",)))
    told = tuple(f"{table.path.name}: {note}" for note in notes)
    return TableRead(table.path.name, rows + table.skipped, table.skipped, told)


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """Records in the `RECORDS` schema, rejected rows in that of ``rejected.parquet``, and the tables that ended."""

    records: pa.RecordBatch
    rejected: pa.RecordBatch
    tables: tuple[TableRead, ...] = ()


@runtime_checkable
class Source(Protocol):
    """Where candidate records come from."""

    @property
    def label(self) -> str:
        """What the ``source`` column of its records says."""
        ...

    def batches(self) -> Iterator[SourceBatch]:
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
    tables
        What was read of each table; none where that is not counted apart from records and rejected rows.
    problems
        The reasons that ``problem`` may give.
    """

    records: str
    names: str
    rejected: str
    unread: str
    tables: tuple[TableRead, ...] = ()
    problems: tuple[str, ...] = ()


class StreamedSource(BaseModel):
    """A source that reads its rows one after the other; a subclass gives `items` and `label`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def label(self) -> str:
        """What the ``source`` column of its records says."""
        raise NotImplementedError

    def items(self) -> Iterator[Item]:
        """Yield the columns of each record, what was rejected, and after each table what was read of it."""
        raise NotImplementedError

    def batches(self) -> Iterator[SourceBatch]:
        """Yield all records and rejected rows, in the order of the source, in bounded memory."""
        return batches_of(self.items(), self.label)

    def views(self, connection: duckdb.DuckDBPyConnection, scratch: Path) -> SourceViews:
        """Write the batches to Parquet files in ``scratch`` once, and make them known to DuckDB."""
        number = len(list(scratch.glob("*.records.parquet")))
        records, rejected = scratch / f"{number}.records.parquet", scratch / f"{number}.rejected.parquet"
        tables: list[TableRead] = []
        with (
            pq.ParquetWriter(records.absolute(), RECORDS) as good,
            pq.ParquetWriter(rejected.absolute(), REJECTED) as bad,
        ):
            for batch in self.batches():
                good.write_batch(batch.records)
                bad.write_batch(batch.rejected)
                tables += batch.tables
        unread = f"rejected_{number}"
        views = SourceViews(f"records_{number}", f"names_{number}", unread, unread, tuple(tables))
        _make_views(connection, views, records, rejected)
        return views


def _make_views(connection: duckdb.DuckDBPyConnection, views: SourceViews, records: Path, rejected: Path) -> None:
    """Make the views of a source; of records that say the same of a modality and id the first counts.

    Where they are of several observations or names, the plan settles which one counts.
    """
    where, more = "", ""
    read = f"read_parquet({sql_file(records)}, hive_partitioning = false, file_row_number = true)"
    ((repeated,),) = connection.execute(
        f"select count(*) - count(distinct (modality, source_id)) from {read}"  # noqa: S608 - quoted
    ).fetchall()
    if repeated:
        connection.execute(
            f"create table not_{views.records} as select file_row_number as at from {read} qualify "  # noqa: S608 - quoted
            'row_number() over (partition by modality, source_id, "group", name_key order by file_row_number) > 1 '
            "or row_number() over (partition by modality, source_id, row order by file_row_number) > 1"
        )
        where = f"where file_row_number not in (from not_{views.records})"
        more = (
            "union all select modality, file, row, source_id as path, name, 'repeated-id' as reason, "  # noqa: S608 - quoted
            "'an earlier row of this source has the same id' as detail "
            f"from {read} where file_row_number in (from not_{views.records})"
        )
    connection.execute(
        f"create view {views.records} as select * exclude (file_row_number), null::varchar as problem "  # noqa: S608 - quoted
        f"from {read} {where}"
    )
    connection.execute(f"create view {views.rejected} as from {parquet(rejected)} {more}")
    columns = ", ".join(f'any_value("{column}") as "{column}"' for column in NAME_COLUMNS)
    connection.execute(
        f"create view {views.names} as select name_key, {columns} from {views.records} group by name_key"  # noqa: S608 - our own names
    )


def batches_of(items: Iterable[Item], source: str) -> Iterator[SourceBatch]:
    """Gather records and rejected rows into batches of at most `BATCH_ROWS`, fewer where their texts are long.

    ``source`` and ``name_key`` are filled in; a ``group`` that is absent is the ``source_id``. A record with a value
    that no table can hold is rejected: ``bad-value``, or ``not-utf8``.

    Raises
    ------
    DatasetError
        Where there are more of them than the limit ``rows``.
    """
    records: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    tables: list[TableRead] = []
    size, found, most = 0, 0, limit("rows")
    for item in items:
        if isinstance(item, TableRead):
            tables.append(item)
        elif isinstance(item, RejectedRow):
            rejected.append(_rejection(item))
            size += 3 * _SHOWN if len(item.detail) > _SHOWN else 100
        else:
            key = name_key_of(item["name"], *[item.get(rank) for rank in _LINEAGE])
            records.append({"group": item["source_id"], **item, "source": source, "name_key": key})
            size += sum([len(value) for value in item.values() if value.__class__ is str])
        if len(records) + len(rejected) >= BATCH_ROWS or size >= BATCH_CHARACTERS:
            found += len(records) + len(rejected)
            if found > most:
                raise DatasetError(f"{source}: has too many records and rejected rows: {over('rows')}")
            yield _batch(records, rejected, tables)
            records, rejected, tables, size = [], [], [], 0
    if records or rejected or tables:
        yield _batch(records, rejected, tables)


def _rejection(row: RejectedRow) -> dict[str, Any]:
    return {
        "modality": row.modality,
        "file": storable(row.file),
        "row": row.row,
        "path": storable(row.path and redacted(row.path)),
        "name": storable(row.name),
        "reason": row.reason,
        "detail": storable(redacted(row.detail)),
    }


def rejected_table(rows: Iterable[RejectedRow]) -> pa.Table:
    """Return rejected rows as ``rejected.parquet`` has them."""
    return pa.Table.from_pylist([_rejection(row) for row in rows], schema=REJECTED)


@overload
def storable(text: str) -> str: ...


@overload
def storable(text: None) -> None: ...


def storable(text: str | None) -> str | None:
    """Return a text of a rejected row as a table can hold it and a person can read it; None for None."""
    if text is None:
        return None
    if len(text) > _SHOWN:
        text = text[:_SHOWN] + "…"
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")


def _batch(records: list[dict[str, Any]], rejected: list[dict[str, Any]], tables: list[TableRead]) -> SourceBatch:
    try:
        made = pa.RecordBatch.from_pylist(records, schema=RECORDS)
        sound = not _has_faults(made)
    except _UNHELD:
        sound = False
    if not sound:
        good = []
        for record in records:
            fault = _fault(record)
            if fault is None:
                good.append(record)
            else:
                rejected.append(_rejection(fault))
        made = pa.RecordBatch.from_pylist(good, schema=RECORDS)
    return SourceBatch(made, pa.RecordBatch.from_pylist(rejected, schema=REJECTED), tuple(tables))


# What pyarrow raises for a lone surrogate, another type, and a number beyond its own.
_UNHELD = (UnicodeEncodeError, pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError)


def _has_faults(made: pa.RecordBatch) -> bool:
    """Return whether a value is missing that every record has, or a text holds a NUL or is too long for a name."""
    for field, column in zip(RECORDS, made.columns, strict=True):
        if not field.nullable and column.null_count:
            return True
        if field.type == pa.string() and pc.any(pc.match_substring(column, "\0")).as_py():
            return True
    return bool(made.num_rows and pc.max(pc.utf8_length(made["name"])).as_py() > MAX_NAME)


def _fault(record: Mapping[str, Any]) -> RejectedRow | None:
    """Return why a record cannot be held, None where it can."""
    reason, why = "bad-value", None
    for field in RECORDS:
        value = record.get(field.name)
        try:
            pa.array([value], field.type)
        except UnicodeEncodeError:
            reason, why = "not-utf8", f"{field.name}: holds text that is not UTF-8"
        except _UNHELD as error:
            why = f"{field.name}: {error}"
        if why is not None:
            pass
        elif value is None and not field.nullable:
            why = f"{field.name}: is missing"
        elif isinstance(value, str) and "\0" in value:
            why = f"{field.name}: holds the character NUL"
        elif field.name == "name" and isinstance(value, str) and len(value) > MAX_NAME:
            why = f"name: has {len(value):,} characters; it may have at most {MAX_NAME}"
        if why is not None:
            name, number = record.get("name"), record.get("source_id")
            return RejectedRow(
                str(record["modality"]), str(record["file"]), record["row"], reason, why, name, number
            )
    return None


def name_key_of(name: str, *lineage: str | None) -> int:
    """Return a stable 63-bit number for a name and its lineage as given."""
    text = "\x1f".join([name, *[part or "" for part in lineage]])
    return _kept_key(text) if len(text) <= _LONG_KEY else _key(text)


@lru_cache(maxsize=1 << 16)
def _kept_key(text: str) -> int:
    return _key(text)


def _key(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") >> 1
