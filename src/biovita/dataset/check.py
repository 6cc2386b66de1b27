"""Whether a dataset holds together: its tables, the files they name, and its split."""

from __future__ import annotations

import hashlib
import math
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from biovita.dataset.dataset import Dataset
from biovita.dataset.media_paths import leads_back
from biovita.dataset.omitted import count_omitted
from biovita.dataset.schema import LARGE_TABLES, TABLES, Split
from biovita.dataset.table_columns import loose, table_batches
from biovita.errors import DatasetError, MediaError
from biovita.filenames import is_name, is_path
from biovita.files import open_regular
from biovita.media.packed_files import MediaPath, PackedFile
from biovita.media.sniff import HEAD_BYTES, FileKind, kind_of
from biovita.modality import Modality
from biovita.taxonomy import Rank
from biovita.trait_labels import LABELS

__all__ = ["DatasetProblem", "check"]

_AT_ONCE = 8192  # rows
_NO_KIND = FileKind("unknown", "not read")
_MEDIA: Mapping[str, Modality] = {"audio": Modality.AUDIO, "images": Modality.IMAGE}


@dataclass(frozen=True, slots=True)
class _TableRows:
    """The rows of a table, of which some are held at a time."""

    table: pa.Table

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self.table.to_batches(max_chunksize=_AT_ONCE):
            yield from batch.to_pylist()


@dataclass(frozen=True, slots=True)
class DatasetProblem:
    """Something that is wrong in a dataset.

    Attributes
    ----------
    code
        Short and stable: ``schema``, ``counts``, ``missing-value``, ``duplicate-id``, ``unknown-taxon``,
        ``bad-value``, ``span``, ``coordinates``, ``missing-file``, ``changed-file``, ``leaking-group``,
        ``leaking-file``, ``leaking-species``, ``packed`` (the packed media that ``dataset.toml`` names cannot be read),
        ``unsafe-name`` (an id that could lead out of a folder, or cannot be a name), ``unsafe-path`` (a path that has
        ``..`` elsewhere than at its start, or cannot be a path), ``not-media`` (with ``hashes``: a file that begins as
        something else than a recording or a photograph).
    table, item
        Where: a table, and the id of an item or taxon; empty where it concerns more than one.
    """

    code: str
    table: str
    item: str
    message: str

    def __str__(self) -> str:
        place = f"{self.table}.parquet" if self.table in {*TABLES, *LARGE_TABLES} else self.table
        return f"{place}{f' {self.item}' if self.item else ''}: {self.message} [{self.code}]"


def check(dataset: Dataset, *, hashes: bool = False) -> list[DatasetProblem]:
    """Return what is wrong with a dataset, table by table; nothing where it is as it has to be.

    Parameters
    ----------
    hashes
        Compare the bytes of each file with its SHA-256, too.
    """
    tables: dict[str, pa.Table] = {}
    problems: list[DatasetProblem] = []
    for name in TABLES:
        try:
            tables[name] = _loose_table(dataset, name)
        except DatasetError as error:
            problems.append(DatasetProblem("schema", name, "", str(error)))
            tables[name] = TABLES[name].empty_table()
            continue
        problems.extend(_absent_values(name, tables[name]))
    broken = {problem.table for problem in problems if problem.code == "schema"}
    problems.extend(_counts(dataset, tables, broken))
    problems.extend(_omitted(dataset))
    rows = {name: _TableRows(table) for name, table in tables.items() if name != "rejected"}
    known = {row["taxon_id"] for row in rows["taxa"]}
    problems.extend(_taxa(rows["taxa"]))
    problems.extend(_unsafe(rows))
    problems.extend(_traits(rows["traits"], known))
    problems.extend(_ids(rows))
    for name in _MEDIA:
        for row in rows[name]:
            problems.extend(_media_row(name, row, known))
    problems.extend(_files(dataset, rows, hashes=hashes))
    problems.extend(_leaks(rows))
    return problems


def _loose_table(dataset: Dataset, name: str) -> pa.Table:
    """Return a table with empty values also where none may be."""
    schema = loose(TABLES[name])
    return pa.Table.from_batches(list(table_batches(dataset.path / f"{name}.parquet", schema)), schema)


def _absent_values(name: str, table: pa.Table) -> Iterator[DatasetProblem]:
    for field in TABLES[name]:
        count = table.column(field.name).null_count
        if count and not field.nullable:
            yield DatasetProblem(
                "missing-value", name, "", f"{field.name} is empty in {count} rows; it is needed in each"
            )


def _counts(dataset: Dataset, tables: Mapping[str, pa.Table], broken: set[str]) -> Iterator[DatasetProblem]:
    stated = dataset.info.get("counts")
    for name, table in tables.items():
        if not isinstance(stated, dict) or name not in stated:
            yield DatasetProblem("counts", "dataset.toml", "", f"does not state how many rows {name} has")
        elif name not in broken and stated[name] != table.num_rows:
            yield DatasetProblem(
                "counts",
                "dataset.toml",
                "",
                f"states {stated[name]} rows of {name}, and {name}.parquet has {table.num_rows}",
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


def _taxa(rows: Iterable[Mapping[str, Any]]) -> Iterator[DatasetProblem]:
    seen = set()
    for row in rows:
        taxon_id = row["taxon_id"]
        if taxon_id in seen:
            yield DatasetProblem("duplicate-id", "taxa", taxon_id, "this id occurs more than once")
        seen.add(taxon_id)
        if row["rank"] not in set(Rank):
            yield DatasetProblem(
                "bad-value", "taxa", taxon_id, f"rank is {row['rank']!r}. It has to be one of {', '.join(Rank)}"
            )


def _unsafe(rows: Mapping[str, _TableRows]) -> Iterator[DatasetProblem]:
    """Find ids that could lead elsewhere, or cannot be names, where others make files of them, and such paths."""
    for name in ("taxa", *_MEDIA):
        for row in rows[name]:
            item = row["taxon_id" if name == "taxa" else "id"]
            if item is not None and not is_name(item):
                yield DatasetProblem("unsafe-name", name, repr(item)[1:-1], "this id cannot be the name of a file")
            species = row.get("scientific_name")
            if species is not None and not is_name(species):
                yield DatasetProblem(
                    "unsafe-name",
                    name,
                    repr(item)[1:-1],
                    f"scientific_name {species!r} cannot be the name of a file",
                )
            path = row.get("path")
            if path is None:
                continue
            if not is_path(path):
                yield DatasetProblem(
                    "unsafe-path", name, repr(item)[1:-1], f"{path!r} cannot be the path of a file"
                )
            elif leads_back(path):
                yield DatasetProblem("unsafe-path", name, repr(item)[1:-1], f"{path!r} has '..' within it")


def _traits(rows: Iterable[Mapping[str, Any]], known: set[str]) -> Iterator[DatasetProblem]:
    seen = set()
    for row in rows:
        if row["taxon_id"] not in known:
            yield DatasetProblem("unknown-taxon", "traits", str(row["taxon_id"]), "taxa.parquet has no such taxon")
        if row["label"] not in LABELS:
            yield DatasetProblem(
                "bad-value", "traits", str(row["taxon_id"]), f"no trait has the label {row['label']!r}"
            )
        key = row["taxon_id"], row["label"], row["source"]  # sources may disagree, one does not with itself
        if key in seen:
            twice = f"the label {row['label']} occurs twice from {row['source']}"
            yield DatasetProblem("duplicate-id", "traits", str(row["taxon_id"]), twice)
        seen.add(key)


def _ids(rows: Mapping[str, _TableRows]) -> Iterator[DatasetProblem]:
    seen: dict[str, str] = {}
    for name in _MEDIA:
        for row in rows[name]:
            if row["id"] in seen:
                where = f"{seen[row['id']]}.parquet"
                yield DatasetProblem(
                    "duplicate-id", name, str(row["id"]), f"this id is also that of another item, in {where}"
                )
            seen.setdefault(row["id"], name)


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


def _files(dataset: Dataset, rows: Mapping[str, _TableRows], *, hashes: bool) -> Iterator[DatasetProblem]:
    """Look at each file once, however many spans of it are used."""
    try:
        _ = dataset.packed
    except DatasetError as error:
        yield DatasetProblem("packed", "dataset.toml", "", str(error))
        return
    users: dict[MediaPath, list[tuple[str, str, str]]] = defaultdict(list)
    for name in _MEDIA:
        for row in rows[name]:
            if row["path"] is not None:
                users[dataset.locate(row["path"])].append((name, str(row["id"]), row["sha256"]))
    with ThreadPoolExecutor(4) as pool:
        try:
            found = zip(users.items(), pool.map(_read if hashes else _look, users), strict=True)
            for (path, items), seen in found:
                for name, item, sha256 in items:
                    if seen.state is not None:
                        yield DatasetProblem("missing-file", name, item, f"{path}: {seen.state}")
                    elif hashes and seen.sha256 != sha256:
                        yield DatasetProblem("changed-file", name, item, f"{path}: its bytes have changed")
                    elif hashes and seen.kind.family not in {_MEDIA[name].value, "unknown"}:
                        yield DatasetProblem("not-media", name, item, f"{path}: is {seen.kind.description}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of a file; ``state`` is why it cannot be used."""

    state: str | None
    sha256: str = ""
    kind: FileKind = _NO_KIND


def _look(path: MediaPath) -> _Seen:
    """Look whether a file is there, without opening it: a device or a pipe would have no end."""
    if isinstance(path, PackedFile):
        return _Seen(None)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return _Seen("there is no such file")
    except OSError as error:
        return _Seen(str(error.strerror))
    except ValueError as error:
        return _Seen(str(error))
    return _Seen(None if stat.S_ISREG(mode) else "is not a regular file")


def _read(path: MediaPath) -> _Seen:
    """Read a file that is there, for its hash and its kind."""
    seen = _look(path)
    if seen.state is not None:
        return seen
    try:
        if isinstance(path, PackedFile):
            content = path.read_bytes()
            return _Seen(None, hashlib.sha256(content).hexdigest(), kind_of(content[:HEAD_BYTES]))
        with open_regular(path) as file:
            kind = kind_of(file.read(HEAD_BYTES))
            file.seek(0)
            return _Seen(None, hashlib.file_digest(file, "sha256").hexdigest(), kind)
    except OSError as error:
        return _Seen(str(error.strerror))
    except MediaError as error:
        return _Seen(error.reason)
    except DatasetError as error:  # another file lies there meanwhile
        return _Seen(str(error))


def _leaks(rows: Mapping[str, _TableRows]) -> Iterator[DatasetProblem]:
    """Find what lies on two sides of the split: one recording, one file's bytes, or one held-out species."""
    groups: dict[str, set[str]] = defaultdict(set)
    contents: dict[str, set[str]] = defaultdict(set)
    species: dict[str, set[str]] = defaultdict(set)
    for name in _MEDIA:
        for row in rows[name]:
            if row["split"] is None:
                continue
            groups[row["group_id"]].add(row["split"])
            contents[row["sha256"]].add(row["split"])
            species[row["taxon_id"]].add(row["split"])
    for group, splits in groups.items():
        if len(splits) > 1:
            yield DatasetProblem(
                "leaking-group", "split", str(group), f"items of this group are in {_and(splits)}"
            )
    for content, splits in contents.items():
        if len(splits) > 1:
            yield DatasetProblem(
                "leaking-file", "split", str(content), f"files with these bytes are in {_and(splits)}"
            )
    for taxon_id, splits in species.items():
        if Split.UNSEEN in splits and len(splits) > 1:
            yield DatasetProblem(
                "leaking-species", "split", str(taxon_id), f"is held out, and is in {_and(splits)}"
            )


def _and(splits: Iterable[str]) -> str:
    return " and ".join(sorted(splits))
