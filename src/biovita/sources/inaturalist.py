"""iNaturalist's open data: photos, observations, taxa and observers, tens of millions of rows, by DuckDB.

The files are named ``.csv`` and are tab separated. They are read as they lie, compressed or not, and only the
columns that a question needs.
"""
# ruff: noqa: S608 - what is put into SQL is quoted by `sql_text` or is a name of ours

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, field_validator

from biovita.dataset.schema import REJECTED
from biovita.errors import DatasetError
from biovita.files import require_file
from biovita.foreign_tables import DAMAGED
from biovita.sources.licenses import normalise_license
from biovita.sources.remote import copied
from biovita.sources.rows_read import lines_read
from biovita.sources.source import (
    BATCH_ROWS,
    MAX_NAME,
    RECORDS,
    SourceBatch,
    SourceViews,
)
from biovita.sources.watch import watched
from biovita.sql import identifier, named_csv, sql_text, typed_tsv
from biovita.storage import is_address, storage_address

if TYPE_CHECKING:
    import duckdb

__all__ = ["SIZES", "Inaturalist"]

PHOTO_URL = "https://inaturalist-open-data.s3.amazonaws.com/photos"
# Longest side in pixels of the sizes that the bucket holds (registry of open data, "iNaturalist licensed images").
SIZES: dict[str, int | None] = {"original": None, "large": 1024, "medium": 500, "small": 240}

_COLUMNS: dict[str, dict[str, str]] = {
    "photos": {
        "photo_id": "BIGINT",
        "observation_uuid": "UUID",
        "observer_id": "INTEGER",
        "extension": "VARCHAR",
        "license": "VARCHAR",
        "width": "INTEGER",
        "height": "INTEGER",
    },
    "observations": {
        "observation_uuid": "UUID",
        "latitude": "DOUBLE",
        "longitude": "DOUBLE",
        "taxon_id": "INTEGER",
        "quality_grade": "VARCHAR",
        "observed_on": "DATE",
    },
    "taxa": {"taxon_id": "INTEGER", "ancestry": "VARCHAR", "rank": "VARCHAR", "name": "VARCHAR"},
    "observers": {"observer_id": "INTEGER", "login": "VARCHAR", "name": "VARCHAR"},
}
_IDS = {"observations": "observation_uuid", "observers": "observer_id", "taxa": "taxon_id"}
_LONGEST_ANCESTRY = 2000  # characters; the published ones stay under 400
_SMALL = 32 << 20  # bytes of a table
_RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")
# The published codes are read once; what else stands there, by the reader of all sources.
_CODES = ("CC0", "CC-BY", "CC-BY-NC", "CC-BY-SA", "CC-BY-ND", "CC-BY-NC-SA", "CC-BY-NC-ND", "PD")


class Inaturalist(BaseModel):
    """The open-data tables.

    Parameters
    ----------
    path
        Directory with ``photos.csv``, ``observations.csv``, ``taxa.csv`` and ``observers.csv``, each possibly with
        ``.gz``; or an address of object storage such as ``s3://anonymous@inaturalist-open-data``, whose tables are
        copied to ``cache`` first.
    cache
        Directory for the copies.
    size
        Which of the sizes of a photograph its address leads to.
    vernaculars
        ``VernacularNames-english.csv`` of iNaturalist's taxonomy archive, for common names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["inaturalist"] = "inaturalist"
    path: str
    cache: Path | None = None
    size: Literal["original", "large", "medium", "small"] = "large"
    vernaculars: Path | None = None

    @field_validator("path")
    @classmethod
    def _plain_address(cls, path: str) -> str:
        return storage_address(path) if is_address(path) else path

    @property
    def label(self) -> str:
        """What the ``source`` column of its records says."""
        return "iNaturalist"

    def batches(self) -> Iterator[SourceBatch]:
        """Yield all records, in any order, then the rejected rows; DuckDB's limit bounds the memory."""
        import duckdb

        with tempfile.TemporaryDirectory() as scratch, duckdb.connect() as connection:
            connection.execute(f"set temp_directory = {sql_text(scratch)}; set enable_progress_bar = false")
            views = self.views(connection, Path(scratch))
            records = connection.sql(f"from {views.records} where problem is null")
            for rows in records.to_arrow_reader(BATCH_ROWS):
                yield SourceBatch(_cast(rows, RECORDS), _cast(None, REJECTED))
            for rows in connection.sql(f"from {views.rejected}").to_arrow_reader(BATCH_ROWS):
                yield SourceBatch(_cast(None, RECORDS), _cast(rows, REJECTED))

    def views(self, connection: duckdb.DuckDBPyConnection, scratch: Path) -> SourceViews:  # noqa: ARG002 - protocol
        """Make views over the tables; taxa and their lineages are read now, the rest when asked for."""
        with watched(connection):
            return self._views(connection)

    def _views(self, connection: duckdb.DuckDBPyConnection) -> SourceViews:
        directory = self._directory()
        row = connection.execute(
            "select count(*) from duckdb_views() where view_name like 'inat%_records'"
        ).fetchone()
        assert row is not None
        prefix = f"inat{row[0]}"
        files = {table: _file(directory, table) for table in _COLUMNS}
        for table, file in files.items():
            _table_view(connection, f"{prefix}_{table}", file, _COLUMNS[table])
            if table in _IDS:
                _check_ids(connection, f"{prefix}_{table}", file, _IDS[table])
        _names_table(connection, prefix, self.vernaculars)
        connection.create_function(f"{prefix}_license", _read_licenses, ["VARCHAR"], "VARCHAR", type="arrow")
        connection.execute(f"create view {prefix}_records as {self._records_sql(prefix, files)}")
        connection.execute(f"create view {prefix}_unread as {_unread_sql(prefix, files)}")
        connection.execute(f"create view {prefix}_rejected as {_rejected_sql(prefix, files)}")
        photos = files["photos"]
        is_quick = photos.suffix != ".gz" or photos.stat().st_size <= _SMALL
        return SourceViews(
            f"{prefix}_records",
            f"{prefix}_names",
            f"{prefix}_rejected",
            f"{prefix}_unread",
            (lines_read(photos),) if is_quick else (),
            _PROBLEMS,
        )

    def _directory(self) -> Path:
        if not is_address(self.path):
            return Path(self.path)
        if self.cache is None:
            raise DatasetError(f"{self.path}: set cache to a directory. The tables are copied there")
        names = [f"{table}.csv.gz" for table in _COLUMNS]
        return copied(self.path, names, self.cache)

    def _records_sql(self, prefix: str, files: dict[str, Path]) -> str:
        side = SIZES[self.size]
        shrink = f"least(1.0, {side} / greatest(p.width, p.height, 1))" if side else "1.0"
        license_ = " ".join(
            f"when {sql_text(given)} then {sql_text(normalise_license(given) or '')}" for given in _CODES
        )
        read = f"case p.license {license_} else nullif({prefix}_license(p.license), '') end"
        ranks = ", ".join(f't."{rank}"' for rank in _RANKS)
        return f"""
            select 'image' as modality, t.name, t.name_key, t.vernacular, t.rank, {ranks},
                '{self.label}' as source, p.photo_id::varchar as source_id,
                p.observation_uuid::varchar as "group", null::varchar as credited_source, null::varchar as credited_id,
                '{PHOTO_URL}/' || p.photo_id || '/{self.size}.' || p.extension as url, null::varchar as path,
                {read} as license, p.license as license_given,
                '(c) ' || coalesce(nullif(o.name, 'None'), o.login, 'observer ' || p.observer_id)
                    || case when {read} in ('CC0-1.0', 'PDM-1.0') then ', no' when {read} like 'CC-%'
                    then ', some' else ', all' end || ' rights reserved'
                    || coalesce(' (' || replace(p.license, 'CC-', 'CC ') || ')', '') as attribution,
                coalesce(o.login, p.observer_id::varchar) as observer, b.observed_on::varchar as recorded_at,
                case when abs(b.latitude) <= 90 and abs(b.longitude) <= 180 then b.latitude end as latitude,
                case when abs(b.latitude) <= 90 and abs(b.longitude) <= 180 then b.longitude end as longitude,
                null::varchar as country, b.quality_grade as quality, null::double as duration_s,
                round(p.width * {shrink})::integer as width, round(p.height * {shrink})::integer as height,
                null::bigint as bytes, {sql_text(files["photos"].name)} as file, p.line as row, {_PROBLEM} as problem
            from {prefix}_photos p
            left join {prefix}_observations b on b.observation_uuid = p.observation_uuid
            left join {prefix}_names t on t.name_key = b.taxon_id
            left join {prefix}_observers o on o.observer_id = p.observer_id"""


def _read_licenses(given: pa.ChunkedArray) -> pa.Array:
    """Return licences in the common spelling, empty where there is none; each that occurs is read once."""
    coded = pc.dictionary_encode(given.combine_chunks())
    read = pa.array([normalise_license(each) or "" for each in coded.dictionary.to_pylist()], pa.string())
    return read.take(coded.indices)


def _file(directory: Path, table: str) -> Path:
    """Return the table's file, compressed or not."""
    for name in (f"{table}.csv.gz", f"{table}.csv"):
        if (directory / name).is_file():
            return directory / name
    raise DatasetError(
        f"{directory}: has no {table}.csv.gz or {table}.csv. iNaturalist's open data are the tables "
        f"{', '.join(_COLUMNS)}"
    )


def _header(file: Path, wanted: dict[str, str]) -> list[str]:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            line = stream.readline(1 << 16)
    except (OSError, *DAMAGED) as error:
        raise DatasetError(f"{file} cannot be read: {error}") from None
    columns = line.decode("utf-8", errors="replace").rstrip("\r\n").split("\t")
    missing = [column for column in wanted if column not in columns]
    if not missing and len(set(columns) | {"_beyond"}) <= len(columns):
        raise DatasetError(f"{file}, line 1: names a column twice, or has a column _beyond, which biovita uses")
    if missing:
        raise DatasetError(f"{file}, line 1: lacks the column(s) {', '.join(missing)} (tab separated)")
    return columns


def _table_view(connection: duckdb.DuckDBPyConnection, view: str, file: Path, wanted: dict[str, str]) -> None:
    """Make a view of a table with its line numbers; rows that do not fit its types go to ``<view>_bad``.

    The published observations have rows with an empty column too many before their last one, the date.
    """
    import duckdb

    try:
        header = _header(file, wanted)
        columns = {column: wanted.get(column, "VARCHAR") for column in header}
        last, kept = header[-1], ", ".join(column for column in wanted if column != header[-1])
        if last in wanted:
            kept += f", coalesce({last}, try_cast(_beyond as {wanted[last]})) as {last}"
        connection.execute(
            f"create view {view} as select {kept}, 1 + row_number() over () as line "
            f"from {typed_tsv(file, columns, f'{view}_bad')}"
        )
        connection.execute(f"select * from {view} limit 1").fetchall()
    except duckdb.Error as error:
        raise DatasetError(f"{file} cannot be read: {str(error).splitlines()[0][:400]}") from None


def _check_ids(connection: duckdb.DuckDBPyConnection, view: str, file: Path, column: str) -> None:
    """Refuse a small table whose ids stand in several rows, and so would multiply the rows that name them.

    A large one is not looked through once more: its rows cost whoever made it as much as they cost here.
    """
    if file.stat().st_size > _SMALL:
        return
    ((repeated,),) = connection.execute(
        f"select count({column}) - count(distinct {column}) from {view}"
    ).fetchall()
    if repeated:
        raise DatasetError(f"{file}: {repeated:,} rows repeat the {column} of another row. Each may occur once")


def _names_table(connection: duckdb.DuckDBPyConnection, prefix: str, vernaculars: Path | None) -> None:
    """Make the table of names; species of a genus share their ancestry, so each is looked up once."""
    import duckdb

    above = ", ".join(f"max(name) filter (rank = '{rank}') as {identifier(rank)}" for rank in _RANKS)
    own = ", ".join(
        f"case when t.rank = '{rank}' then t.name else l.{identifier(rank)} end as {identifier(rank)}"
        for rank in _RANKS
    )
    names = f"select null::integer as id, null::varchar as vernacular from {prefix}_taxa where false"
    if vernaculars is not None:
        require_file(vernaculars, "Give vernaculars a file of iNaturalist's common names")
        names = (
            "select id, min_by(vernacular, place) as vernacular from (select try_cast(id as integer) as id, "
            "vernacularName as vernacular, row_number() over () as place "
            f"from {named_csv(vernaculars)}) group by id"
        )
    query = f"""create table {prefix}_names as
        with lineages as (
            select ancestry, {above} from (
                select distinct ancestry, try_cast(unnest(string_split(ancestry, '/')) as integer) as above
                from (select distinct ancestry from {prefix}_taxa
                    where length(ancestry) between 1 and {_LONGEST_ANCESTRY})
            ) join (select taxon_id, rank, name from {prefix}_taxa
                where rank in {_RANKS} and length(name) <= {MAX_NAME}) on taxon_id = above
            group by ancestry)
        select t.taxon_id::bigint as name_key, t.name, v.vernacular, t.rank, {own}
        from {prefix}_taxa t left join lineages l using (ancestry) left join ({names}) v on v.id = t.taxon_id
        where length(t.name) between 1 and {MAX_NAME}"""
    try:
        connection.execute(query)
    except duckdb.Error as error:
        tables = "taxa" if vernaculars is None else f"taxa and {vernaculars}"
        raise DatasetError(f"{tables} cannot be read: {str(error).splitlines()[0][:400]}") from None


_PROBLEMS = ("no-observation", "no-name", "unknown-taxon")
_PROBLEM = """case when b.observation_uuid is null then 'no-observation' when b.taxon_id is null then 'no-name'
    when t.name_key is null then 'unknown-taxon' end"""


def _rejected_sql(prefix: str, files: dict[str, Path]) -> str:
    photos = sql_text(files["photos"].name)
    return f"""
        select 'image' as modality, {photos} as file, p.line as row, p.photo_id::varchar as path,
            null::varchar as name, {_PROBLEM} as reason,
            case when b.observation_uuid is null then 'observations has no row ' || p.observation_uuid
                when b.taxon_id is null then 'its observation has no taxon'
                else 'taxa has no row ' || b.taxon_id end as detail
        from {prefix}_photos p left join {prefix}_observations b on b.observation_uuid = p.observation_uuid
            left join (select name_key from {prefix}_names) t on t.name_key = b.taxon_id
        where t.name_key is null union all from {prefix}_unread"""


def _unread_sql(prefix: str, files: dict[str, Path]) -> str:
    """Return the query for the rows that do not fit the types of their table."""
    return " union all ".join(
        f"""select distinct on (line) {modality} as modality, {sql_text(file.name)} as file, line::bigint as row,
        null::varchar as path, null::varchar as name, 'not-as-described' as reason, error_message as detail
        from {prefix}_{table}_bad"""
        for table, file in files.items()
        for modality in ["'image'" if table == "photos" else "'unknown'"]
    )


def _cast(rows: pa.RecordBatch | None, schema: pa.Schema) -> pa.RecordBatch:
    if rows is None:
        return pa.RecordBatch.from_pylist([], schema=schema)
    return pa.RecordBatch.from_arrays(
        [rows.column(field.name).cast(field.type) for field in schema], schema=schema
    )
