"""Whether a dataset holds together: its tables, the files they name, and its split."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset.check_files import file_problems
from biovita.dataset.dataset import Dataset
from biovita.dataset.media_paths import leads_back
from biovita.dataset.odd_rows import MEDIA_VALUES, has_plain_name, has_plain_path, may_be_wrong
from biovita.dataset.omitted import count_omitted
from biovita.dataset.problems import DatasetProblem
from biovita.dataset.repeated_keys import repeated
from biovita.dataset.schema import MEDIA_TABLES, TABLES, Split
from biovita.dataset.table_columns import loose, table_batches
from biovita.errors import DatasetError
from biovita.filenames import is_name, is_path
from biovita.taxonomy import Rank
from biovita.trait_labels import LABELS

__all__ = ["check", "find_problems"]

_AT_ONCE = 8192  # rows
_MEDIA = tuple(MEDIA_TABLES.values())


@dataclass(frozen=True, slots=True)
class _Tables:
    """A dataset's tables with empty values also where none may be; those that cannot be read are empty.

    Attributes
    ----------
    numbers
        How many rows each has.
    broken
        Those that cannot be read.
    """

    dataset: Dataset
    numbers: dict[str, int]
    broken: set[str]

    def batches(self, name: str, columns: Iterable[str]) -> Iterator[pa.RecordBatch]:
        schema = loose(pa.schema([TABLES[name].field(column) for column in columns]))
        return iter(()) if name in self.broken else table_batches(self.dataset.path / f"{name}.parquet", schema)

    def media(self, columns: Iterable[str]) -> Iterator[pa.RecordBatch]:
        """Yield columns of all recordings, and then of all photographs."""
        for name in _MEDIA:
            yield from self.batches(name, columns)

    @property
    def items(self) -> int:
        return sum(self.numbers[name] for name in _MEDIA)


def check(dataset: Dataset, *, hashes: bool = False) -> list[DatasetProblem]:
    """Return what `find_problems` finds; nothing where the dataset is as it has to be."""
    return list(find_problems(dataset, hashes=hashes))


def find_problems(dataset: Dataset, *, hashes: bool = False) -> Iterator[DatasetProblem]:
    """Yield what is wrong with a dataset, question by question; the tables are read some rows at a time.

    Parameters
    ----------
    hashes
        Compare the bytes of each file with its SHA-256, too.
    """
    tables = _Tables(dataset, {}, set())
    for name in TABLES:
        yield from _absent_values(name, tables)
    yield from _counts(dataset, tables)
    yield from _omitted(dataset)
    taxa = [batch.column(0) for batch in tables.batches("taxa", ["taxon_id"])]
    known = pc.unique(pa.chunked_array(taxa, pa.string()))
    yield from _taxa(tables.batches("taxa", ["taxon_id", "rank"]))
    for name in ("taxa", *_MEDIA):
        yield from _unsafe(name, tables)
    yield from _traits(tables, known)
    yield from _ids(tables)
    for name in _MEDIA:
        yield from _media_rows(name, tables, known)
    yield from _files(tables, hashes=hashes)
    yield from _leaks(tables)


def _absent_values(name: str, tables: _Tables) -> Iterator[DatasetProblem]:
    """Read a whole table, and note how many rows it has or that it cannot be read."""
    schema, rows = TABLES[name], 0
    absent = np.zeros(len(schema), np.int64)
    try:
        for batch in tables.batches(name, schema.names):
            rows += batch.num_rows
            absent += [column.null_count for column in batch.columns]
    except DatasetError as error:
        tables.numbers[name] = 0
        tables.broken.add(name)
        yield DatasetProblem("schema", name, "", str(error))
        return
    tables.numbers[name] = rows
    for field, count in zip(schema, absent, strict=True):
        if count and not field.nullable:
            yield DatasetProblem(
                "missing-value", name, "", f"{field.name} is empty in {count} rows; it is needed in each"
            )


def _counts(dataset: Dataset, tables: _Tables) -> Iterator[DatasetProblem]:
    stated = dataset.info.get("counts")
    for name, rows in tables.numbers.items():
        if not isinstance(stated, dict) or name not in stated:
            yield DatasetProblem("counts", "dataset.toml", "", f"does not state how many rows {name} has")
        elif name not in tables.broken and stated[name] != rows:
            yield DatasetProblem(
                "counts",
                "dataset.toml",
                "",
                f"states {stated[name]} rows of {name}, and {name}.parquet has {rows}",
            )


def _omitted(dataset: Dataset) -> Iterator[DatasetProblem]:
    try:
        found = sum(count_omitted(dataset).values())
    except DatasetError as error:
        yield DatasetProblem("schema", "omitted", "", str(error))
        return
    counts = dataset.info.get("counts")
    stated = counts.get("omitted", 0) if isinstance(counts, dict) else 0
    if stated != found:
        yield DatasetProblem(
            "counts", "dataset.toml", "", f"states {stated} rows of omitted, and omitted.parquet has {found}"
        )


def _taxa(batches: Iterable[pa.RecordBatch]) -> Iterator[DatasetProblem]:
    seen = set()
    for taxon_id, rank in (row.values() for batch in batches for row in batch.to_pylist()):
        if taxon_id in seen:
            yield DatasetProblem("duplicate-id", "taxa", taxon_id, "this id occurs more than once")
        seen.add(taxon_id)
        if rank not in set(Rank):
            yield DatasetProblem(
                "bad-value", "taxa", taxon_id, f"rank is {rank!r}. It has to be one of {', '.join(Rank)}"
            )


def _unsafe(name: str, tables: _Tables) -> Iterator[DatasetProblem]:
    """Find ids that could lead elsewhere, or cannot be names, where others make files of them, and such paths."""
    key, other = ("taxon_id", "scientific_name") if name == "taxa" else ("id", "path")
    is_plain = has_plain_name if name == "taxa" else has_plain_path
    for batch in tables.batches(name, [key, other]):
        plain = pc.and_(has_plain_name(batch.column(0)), is_plain(batch.column(1)))
        for row in batch.filter(pc.invert(plain)).to_pylist():
            yield from _unsafe_row(name, row[key], row.get("scientific_name"), row.get("path"))


def _unsafe_row(name: str, item: str | None, species: str | None, path: str | None) -> Iterator[DatasetProblem]:
    shown = repr(item)[1:-1]
    if item is not None and not is_name(item):
        yield DatasetProblem("unsafe-name", name, shown, "this id cannot be the name of a file")
    if species is not None and not is_name(species):
        yield DatasetProblem(
            "unsafe-name", name, shown, f"scientific_name {species!r} cannot be the name of a file"
        )
    if path is None:
        return
    if not is_path(path):
        yield DatasetProblem("unsafe-path", name, shown, f"{path!r} cannot be the path of a file")
    elif leads_back(path):
        yield DatasetProblem("unsafe-path", name, shown, f"{path!r} has '..' within it")


def _traits(tables: _Tables, known: pa.Array) -> Iterator[DatasetProblem]:
    columns = ["taxon_id", "label", "source"]  # sources may disagree, one does not with itself
    again = _later(tables.batches("traits", columns), columns, tables.numbers["traits"])
    twice = (
        (
            row["place"],
            DatasetProblem(
                "duplicate-id",
                "traits",
                row["taxon_id"],
                f"the label {row['label']} occurs twice from {row['source']}",
            ),
        )
        for row in again
    )
    for _, problem in merge(_odd_traits(tables, known), twice, key=itemgetter(0)):
        yield problem


def _odd_traits(tables: _Tables, known: pa.Array) -> Iterator[tuple[int, DatasetProblem]]:
    """Yield traits of unknown taxa and of no label, with the number of their row."""
    labels, start = pa.array(LABELS, pa.string()), 0
    for batch in tables.batches("traits", ["taxon_id", "label"]):
        of_known, labelled = (
            pc.is_in(batch.column(0), value_set=known),
            pc.is_in(batch.column(1), value_set=labels),
        )
        odd = pc.indices_nonzero(pc.invert(pc.and_(of_known, labelled)))
        for at, (taxon_id, label) in zip(
            odd.to_pylist(), map(dict.values, batch.take(odd).to_pylist()), strict=True
        ):
            if not of_known[at].as_py():
                yield (
                    start + at,
                    DatasetProblem("unknown-taxon", "traits", str(taxon_id), "taxa.parquet has no such taxon"),
                )
            if label not in LABELS:
                yield (
                    start + at,
                    DatasetProblem("bad-value", "traits", str(taxon_id), f"no trait has the label {label!r}"),
                )
        start += batch.num_rows


def _ids(tables: _Tables) -> Iterator[DatasetProblem]:
    first, second = _MEDIA
    for row in _later(tables.media(["id"]), ["id"], tables.items):
        name, other = (first if row[each] < tables.numbers[first] else second for each in ("place", "first_place"))
        yield DatasetProblem(
            "duplicate-id", name, row["id"], f"this id is also that of another item, in {other}.parquet"
        )


def _later(batches: Iterable[pa.RecordBatch], keys: list[str], number: int) -> Iterator[dict[str, Any]]:
    """Yield the rows whose keys occurred before, in their order: those of `repeated` but the first of each."""
    found = [
        batch.filter(pc.greater(batch.column("place"), batch.column("first_place")))
        for batch in repeated(batches, keys, number)
    ]
    if found:
        for batch in pa.Table.from_batches(found).sort_by("place").to_batches(max_chunksize=_AT_ONCE):
            yield from batch.to_pylist()


def _media_rows(name: str, tables: _Tables, known: pa.Array) -> Iterator[DatasetProblem]:
    taxa = set(known.to_pylist())
    for batch in tables.batches(name, MEDIA_VALUES[name]):
        for row in batch.filter(may_be_wrong(batch, known)).to_pylist():
            yield from _media_row(name, row, taxa)


def _media_row(name: str, row: Mapping[str, Any], known: set[str]) -> Iterator[DatasetProblem]:
    item = str(row["id"])
    if row["taxon_id"] not in known:
        yield DatasetProblem("unknown-taxon", name, item, f"taxa.parquet has no taxon {row['taxon_id']!r}")
    if row["split"] is not None and row["split"] not in set(Split):
        yield DatasetProblem(
            "bad-value", name, item, f"split is {row['split']!r}. It has to be {', '.join(Split)} or empty"
        )
    for axis, limit in (("latitude", 90), ("longitude", 180)):
        value = row[axis]
        if value is not None and not -limit <= value <= limit:  # NaN is not, either
            yield DatasetProblem(
                "coordinates", name, item, f"{axis} is {value}. It has to be from {-limit} to {limit}, or empty"
            )
    if name == "images":
        for side in ("width", "height"):
            if row[side] is not None and row[side] < 1:
                yield DatasetProblem("bad-value", name, item, f"{side} is {row[side]}. It has to be at least 1")
        return
    rate, start, end, duration = row["sample_rate"], row["start_s"], row["end_s"], row["duration_s"]
    if rate is not None and rate < 1:
        yield DatasetProblem("bad-value", name, item, f"sample_rate is {rate}. It has to be at least 1")
    elif None not in {rate, start, end, duration} and not 0 <= start < end <= duration + 1 / rate < math.inf:
        yield DatasetProblem(
            "span", name, item, f"{start} to {end} s is not a span of a file that lasts {duration} s"
        )


def _files(tables: _Tables, *, hashes: bool) -> Iterator[DatasetProblem]:
    try:
        _ = tables.dataset.packed
    except DatasetError as error:
        yield DatasetProblem("packed", "dataset.toml", "", str(error))
        return
    for modality, name in MEDIA_TABLES.items():
        rows = tables.batches(name, ["id", "path", "sha256"])
        yield from file_problems(tables.dataset, name, modality, rows, hashes=hashes)


def _leaks(tables: _Tables) -> Iterator[DatasetProblem]:
    """Find what lies on two sides of the split: one recording, one file's bytes, or one held-out species."""
    for code, column, said in (
        ("leaking-group", "group_id", "items of this group are in"),
        ("leaking-file", "sha256", "files with these bytes are in"),
        ("leaking-species", "taxon_id", "is held out, and is in"),
    ):
        divided = (batch.filter(batch.column("split").is_valid()) for batch in tables.media([column, "split"]))
        found = repeated(divided, [column], tables.items, value="split")
        rows = (row for batch in found for row in batch.to_pylist())
        for key, each in groupby(rows, itemgetter(column)):
            splits = sorted(row["split"] for row in each)
            if column != "taxon_id" or Split.UNSEEN in splits:
                yield DatasetProblem(code, "split", key, f"{said} {' and '.join(splits)}")
