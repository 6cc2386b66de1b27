"""Darwin Core checklists as backbones: GBIF's, the Catalogue of Life's, iNaturalist's taxonomy archive."""

from __future__ import annotations

import csv
import io
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from biovita.csv_records import split_header
from biovita.csv_table import BrokenRow, open_csv
from biovita.errors import DatasetError
from biovita.foreign_tables import DAMAGED, CountedBytes, Held, Meter, open_member, open_zip, row_limit
from biovita.hashing import sha256_of
from biovita.limits import limit, over
from biovita.table_kinds import WORKBOOK
from biovita.taxonomy.backbone import LINEAGE, Backbone
from biovita.taxonomy.parse import parse_name

__all__ = ["read_checklist"]

_FILES = ("taxon.tsv", "taxon.txt", "taxa.csv", "taxa.txt", "taxa.tsv", "taxon.csv")
_TERMS = (
    *("taxonID", "id", "acceptedNameUsageID", "parentNameUsageID", "taxonomicStatus", "taxonRank"),
    *("scientificName", "scientificNameAuthorship", "canonicalName", *LINEAGE),
)
_REPEATED = ("taxonRank", "taxonomicStatus", *LINEAGE)  # few values, held once
_NAMING = ("scientificName", "scientificNameAuthorship", "canonicalName")
_PLAIN_NAME = r"^[A-Z][a-z-]+( × ?| )?([a-z-]+)?( [a-z-]+)?$"
_HELD = 16  # times the size of the file may be held of it, where that is more than the memory that may be used
_BLOCK = 32 * 2**20  # bytes of the file that are held as they stand


def read_checklist(path: Path) -> Backbone:
    """Return the backbone that a Darwin Core checklist holds.

    Columns are found by their terms, with or without a prefix such as ``dwc:``. A tab in the first line means tab
    separated without quotes, otherwise it is CSV, of commas, semicolons or bars; or it is a workbook. Names lose their
    authorship. A row whose
    ``acceptedNameUsageID`` is another row is a synonym; a lineage that has no columns is climbed by
    ``parentNameUsageID``. Misapplied names are left out and counted.

    Raises
    ------
    DatasetError
        Where there is no taxon file, a needed column is missing, or ids repeat.
    """
    with _taxon_file(path) as (file, where, size):
        header, delimiter = _header(file, where)
    terms = {term.rsplit(":", 1)[-1].rsplit("/", 1)[-1]: term for term in header}
    missing = [term for term in ("scientificName", "taxonRank") if term not in terms]
    if not {"taxonID", "id"} & set(terms):
        missing.append("taxonID")
    if missing:
        raise DatasetError(f"{where}: lacks the column(s) {', '.join(missing)}; it has {', '.join(header)[:300]}")
    if "canonicalName" in terms:
        terms.pop("scientificNameAuthorship", None)
    left_out = {"misapplied": 0, "no name": 0}
    wanted = {term: terms[term] for term in _TERMS if term in terms}
    for name in wanted.values():
        if header.count(name) > 1:
            raise DatasetError(f"{where}, line 1: the column {name!r} occurs {header.count(name)} times")
    with _taxon_file(path) as (file, where, size):
        held, blocks, rows_read = Held(where, least=_HELD * size), [], 0
        for block in _blocks(file, where, header, delimiter, wanted):
            rows_read += block.num_rows
            if rows_read > limit("rows"):
                raise DatasetError(f"{where}: has too many rows: {over('rows')}")
            blocks.append(_kept(block, left_out))
            held.add(blocks[-1].nbytes)
    if not any(block.num_rows for block in blocks):
        raise DatasetError(f"{where} holds no taxa")
    table = pa.concat_tables(blocks).unify_dictionaries().combine_chunks()
    del blocks
    ids = table["id" if "id" in table.column_names else "taxonID"].combine_chunks()
    rows = _RowOfId(ids, where)
    columns = {
        "id": ids,
        "name": table["name"].combine_chunks(),
        "rank": _lower(table["taxonRank"]),
        "accepted": pa.array(_accepted(table, rows)),
        **_lineage(table, rows),
    }
    return Backbone.of(path.name, columns, sha256=sha256_of(path) if path.is_file() else "", left_out=left_out)


@contextmanager
def _taxon_file(path: Path) -> Iterator[tuple[IO[bytes], str, int]]:
    """Give the taxon file of a checklist, open for reading, what to call it in an error, and the size on disk."""
    if path.is_dir():
        inside = [file for file in sorted(path.iterdir()) if file.name.lower() in _FILES]
        if not inside:
            raise DatasetError(f"{path} has no taxon file. It has to have one of {', '.join(_FILES)}")
        path = inside[0]
    if not path.is_file():
        raise DatasetError(f"{path} is neither a file nor a folder")
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            yield file, str(path), path.stat().st_size
        return
    with open_zip(path) as archive:
        if WORKBOOK in archive.namelist():
            yield _as_text(path), str(path), path.stat().st_size
            return
        members = [name for name in archive.namelist() if name.rsplit("/", 1)[-1].lower() in _FILES]
        if not members:
            raise DatasetError(f"{path} has no taxon file. It has to have one of {', '.join(_FILES)}")
        where = f"{path}/{members[0]}"
        try:
            with open_member(archive, members[0], str(path)) as member:
                size = path.stat().st_size
                yield cast(IO[bytes], CountedBytes(member, Meter(where, size))), where, size
        except DAMAGED as error:
            raise DatasetError(f"{where} is damaged: {error}") from None


def _as_text(path: Path) -> IO[bytes]:
    """Return the table of a workbook as CSV."""
    columns = open_csv(path, (), wanted=("scientificName", "taxonRank")).ignored
    made = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as it is read
    text = io.TextIOWrapper(cast(BinaryIO, made), encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in open_csv(path, columns, columns):
        if isinstance(row, BrokenRow):
            raise DatasetError(f"{path}, row {row.line}: {row.detail}")
        writer.writerow([row.values[column] for column in columns])
    text.detach()
    made.seek(0)
    return made


def _header(file: IO[bytes], where: str) -> tuple[list[str], str]:
    most = row_limit()
    head = file.read(most + 1).split(b"\n", 1)[0]
    try:
        line = head.decode("utf-8-sig").rstrip("\r") if len(head) <= most else None
    except UnicodeDecodeError as error:
        raise DatasetError(f"{where}, line 1: is not UTF-8: {error.reason}") from None
    delimiter, header = split_header(line, where, "\t" if line is not None and "\t" in line else ",;|", _TERMS)
    return header, delimiter


def _blocks(
    file: IO[bytes], where: str, header: list[str], delimiter: str, terms: dict[str, str]
) -> Iterator[pa.Table]:
    """Give the wanted columns, by their terms, a block of the file at a time."""
    tab = delimiter == "\t"
    words = pa.dictionary(pa.int32(), pa.string())
    try:
        reader = pacsv.open_csv(
            file,
            pacsv.ReadOptions(column_names=header, skip_rows=1, block_size=_BLOCK),
            pacsv.ParseOptions(delimiter=delimiter, quote_char=False if tab else '"', newlines_in_values=not tab),
            pacsv.ConvertOptions(
                include_columns=list(terms.values()),
                column_types={name: words if term in _REPEATED else pa.string() for term, name in terms.items()},
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                null_values=[""],
            ),
        )
        for batch in reader:
            yield pa.Table.from_batches([batch]).rename_columns(list(terms))
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{where} cannot be read: {error}") from error


def _kept(block: pa.Table, left_out: dict[str, int]) -> pa.Table:
    """Return a block with plain names in place of the columns that they are made of, without what is left out."""
    if "taxonomicStatus" in block.column_names:
        status = pc.utf8_lower(pc.fill_null(block["taxonomicStatus"].cast(pa.string()), ""))
        misapplied = pc.match_substring(status, "misapplied")
        left_out["misapplied"] += int(pc.sum(misapplied).as_py() or 0)
        block = block.drop_columns("taxonomicStatus").append_column(
            "synonym", pc.match_substring(status, "synonym")
        )
        block = block.filter(pc.invert(misapplied))
    nameless = pc.is_null(block["scientificName"])
    left_out["no name"] += int(pc.sum(nameless).as_py() or 0)
    block = block.filter(pc.invert(nameless)).combine_chunks()
    names = _names(block)
    return block.drop_columns([column for column in _NAMING if column in block.column_names]).append_column(
        "name", names
    )


class _RowOfId:
    """Which row an id stands in: sorted numbers, which take a tenth of the room of a hash table of strings."""

    def __init__(self, ids: pa.Array, where: str) -> None:
        numbers = _numbers(ids)
        self._order = np.argsort(numbers, kind="stable").astype(np.int32)
        self._sorted = numbers[self._order]
        if (self._sorted[1:] == self._sorted[:-1]).any():
            raise DatasetError(f"{where}: a taxonID occurs in more than one row. Each may occur once")

    def __len__(self) -> int:
        return len(self._order)

    def of(self, ids: pa.Array) -> np.ndarray:
        """Return the rows of ids; -1 where there is none, or it stands nowhere."""
        rows = np.full(len(ids), -1, dtype=np.int32)
        given = np.flatnonzero(pc.is_valid(ids).to_numpy(zero_copy_only=False))
        numbers = _numbers(ids.drop_null())
        places = np.minimum(np.searchsorted(self._sorted, numbers), len(self) - 1)
        found = self._sorted[places] == numbers
        rows[given[found]] = self._order[places[found]]
        return rows


def _numbers(ids: pa.Array) -> np.ndarray:
    """Return a 64-bit number for each id, the same for the same id: its hash."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        connection.register("given", pa.table({"id": ids}))
        return connection.sql("SELECT hash(id) AS number FROM given").to_arrow_table()["number"].to_numpy()


def _lower(column: pa.ChunkedArray) -> pa.Array:
    """Return a dictionary column in lower case, changing its few words only."""
    array = column.combine_chunks()
    plain = pc.utf8_lower(array.dictionary)
    words = plain.dictionary_encode()  # two spellings may become one
    return pa.DictionaryArray.from_arrays(words.indices.take(array.indices), words.dictionary)


def _names(table: pa.Table) -> pa.Array:
    """Return the names without authorship, by the surest way that the columns allow."""
    full = table["scientificName"].combine_chunks()
    if "canonicalName" in table.column_names:
        names = pc.coalesce(table["canonicalName"].combine_chunks(), full)
    elif "scientificNameAuthorship" in table.column_names:
        names = _without_authorship(full, table["scientificNameAuthorship"].combine_chunks())
    else:
        names = full
    odd = pc.invert(pc.match_substring_regex(names, _PLAIN_NAME))
    parsed = [parse_name(name) for name in names.filter(odd).to_pylist()]
    written = [
        name.canonical if name.canonical and name.authorship and not name.qualifier else name.verbatim
        for name in parsed
    ]
    return pc.replace_with_mask(names, odd, pa.array(written, pa.string())) if written else names


def _without_authorship(full: pa.Array, authorship: pa.Array) -> pa.Array:
    """Return names without the authorship at their end, which a second column states."""
    import duckdb

    pairs = pa.table({"full": full, "author": authorship})
    with duckdb.connect() as connection:
        connection.register("pairs", pairs)
        connection.execute("SET threads = 2")
        stripped = connection.sql(
            "SELECT CASE WHEN author IS NOT NULL AND suffix(\"full\", ' ' || author) "
            'THEN left("full", length("full") - length(author) - 1) ELSE "full" END AS name FROM pairs'
        ).to_arrow_table()
    return stripped["name"].cast(pa.string()).combine_chunks()


def _accepted(table: pa.Table, rows: _RowOfId) -> np.ndarray:
    """Return the row of each name's accepted name, through chains of synonyms; -1 where there is none."""
    own = np.arange(len(rows), dtype=np.int32)
    if "acceptedNameUsageID" not in table.column_names:
        return own
    stated = table["acceptedNameUsageID"].combine_chunks()
    absent = pc.is_null(stated).to_numpy(zero_copy_only=False)
    accepted = np.where(absent, own, rows.of(stated))
    if "synonym" in table.column_names:  # a synonym that names no accepted taxon is no taxon of its own
        orphan = absent & table["synonym"].to_numpy()
        accepted[orphan] = -1
    for _ in range(5):
        accepted = np.where(accepted >= 0, accepted[np.maximum(accepted, 0)], -1)
    settled = (accepted >= 0) & (accepted[np.maximum(accepted, 0)] == accepted)
    return np.where(settled, accepted, -1).astype(np.int32)


def _lineage(table: pa.Table, rows: _RowOfId) -> dict[str, pa.Array]:
    """Return the lineage's columns as they stand, or climbed from parent to parent."""
    present = [rank for rank in LINEAGE if rank in table.column_names]
    if present or "parentNameUsageID" not in table.column_names:
        return {rank: table[rank].combine_chunks() for rank in present}
    parent = np.append(rows.of(table["parentNameUsageID"].combine_chunks()), np.int32(-1))
    ranks = _lower(table["taxonRank"])
    code = np.append(pc.fill_null(ranks.indices, -1).to_numpy(), -1)
    words = ranks.dictionary.to_pylist()
    above = {rank: np.full(len(rows), -1, dtype=np.int32) for rank in LINEAGE}
    climbing, at = np.arange(len(rows)), np.arange(len(rows), dtype=np.int32)
    for _ in range(60):  # deeper than any classification; a circle of parents ends here too
        for rank in LINEAGE:
            if rank in words:
                here = (code[at] == words.index(rank)) & (above[rank][climbing] < 0)
                above[rank][climbing[here]] = at[here]
        at = parent[at]
        climbing, at = climbing[at >= 0], at[at >= 0]
        if not len(climbing):
            break
    names = table["name"].combine_chunks()
    return {rank: _words(names, found) for rank, found in above.items()}


def _words(names: pa.Array, rows: np.ndarray) -> pa.DictionaryArray:
    """Return the names at ``rows`` (-1: none) as a dictionary column."""
    unique, inverse = np.unique(rows, return_inverse=True)
    missing = int(len(unique) > 0 and unique[0] < 0)
    codes = pa.array(inverse.astype(np.int32) - missing, mask=rows < 0)
    return pa.DictionaryArray.from_arrays(codes, names.take(pa.array(unique[missing:])))
