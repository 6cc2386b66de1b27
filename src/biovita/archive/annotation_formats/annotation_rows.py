"""Rows of others' files as annotations: what each says, of which recording it is, and what is rejected."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from biovita.archive.annotation_formats.label_taxa import LabelTaxa, label_taxa
from biovita.archive.archive_tables import ANNOTATIONS, By, Kind, Presence
from biovita.csv_records import BrokenRow
from biovita.foreign_tables import Held
from biovita.hashing import sha256_of
from biovita.modality import Modality
from biovita.taxonomy.parse import NameKind, parse_name
from biovita.taxonomy.taxon import Taxon, taxon_id_of
from biovita.values import media_kind, number

__all__ = ["AnnotationRow", "AnnotationsRead", "Reading", "as_annotations", "recording_stem", "span_of"]

_ROW_BYTES = 1500  # about what a row takes until all are read
_STEM = re.compile(
    r"(\.Table\.\d+)?(\.BirdNET)?\.?(selections?(\.table)?|results(\.kaleidoscope)?|labels|annotations|kaleidoscope|aoef)?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class AnnotationRow:
    """What one row says; only what the row itself states.

    Attributes
    ----------
    line
        In the file, from 1; of JSON the number of the item.
    path
        Of the recording, as it is written; None where the file does not say it.
    scientific_name
        What the file itself says to be one.
    """

    line: int
    label: str
    scientific_name: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    low_hz: float | None = None
    high_hz: float | None = None
    path: str | None = None
    channel: int | None = None
    score: float | None = None
    id: str | None = None
    by: str | None = None
    by_kind: By | None = None
    presence: Presence = Presence.PRESENT
    made_at: datetime | None = None
    note: str | None = None


@dataclass(frozen=True, eq=False)
class AnnotationsRead:
    """What a file holds: rows in are annotations and rejected rows.

    Attributes
    ----------
    annotations
        As `ANNOTATIONS`.
    rejected
        What is no annotation, with its line, a reason code and a detail.
    """

    annotations: pa.Table
    rejected: tuple[BrokenRow, ...] = ()


@dataclass(frozen=True, eq=False)
class Reading:
    """How a file of annotations is read.

    Attributes
    ----------
    label_column
        The column (AOEF: the key of the tag) that holds the labels; None looks for one of those that people use.
    taxa
        Gives the taxon of a label.
    media
        As `RECORDINGS`, which the annotations are of; None where there is no archive.
    """

    label_column: str | None = None
    taxa: LabelTaxa = field(default_factory=label_taxa)
    media: pa.Table | None = None


def span_of(
    line: int, start: str | None, end: str | None, length: str | None = None
) -> tuple[float, float] | BrokenRow:
    """Return begin and end in seconds, or why a row has none."""
    begin = number(start)
    until = number(end)
    if until is None and begin is not None and (lasting := number(length)) is not None:
        until = begin + lasting
    if begin is None or until is None:
        return BrokenRow(
            line, "no-time", f"its begin is {start!r} and its end {end or length!r}, which are no numbers"
        )
    if begin < 0 or until < begin:
        return BrokenRow(line, "no-span", f"it begins at {begin} s and ends at {until} s")
    return begin, until


def recording_stem(file: Path) -> str:
    """Return the name of the recording that a file of annotations is called after, without its ending.

    Examples
    --------
    >>> [recording_stem(Path(f"x.{end}")) for end in ("Table.1.selections.txt", "BirdNET.results.csv", "txt")]
    ['x', 'x', 'x']
    """
    return _STEM.sub("", file.stem) or file.stem


def as_annotations(rows: Iterable[AnnotationRow | BrokenRow], file: Path, reading: Reading) -> AnnotationsRead:
    """Return rows as annotations.

    A row that names no recording is of the one that the file is called after: of ``reading.media``, or beside the file.
    An empty label is an annotation without a taxon; a scientific name that no table has is a species all the same.
    Where there is an archive, begin and place come from it.

    Raises
    ------
    DatasetError
        Where the rows take more memory than may be used.
    """
    held, kept, rejected = Held(str(file)), [], []
    for row in rows:
        held.add(_ROW_BYTES)
        if isinstance(row, BrokenRow):
            rejected.append(row)
        else:
            kept.append(row)
    mark = sha256_of(file)[:16] if kept else ""
    named = _Recordings(reading.media, file)
    names = {(row.label, row.scientific_name) for row in kept}
    taxa = {each: _taxon(*each, reading.taxa) for each in names}
    columns: dict[str, list[Any]] = {name: [] for name in ANNOTATIONS.names}
    for row in kept:
        taxon = taxa[row.label, row.scientific_name]
        of = named.of(row.path)
        values = {
            **of,
            **_moment(of, row.start_s),
            **{name: getattr(row, name) for name in _TAKEN},
            "id": row.id or f"{mark}-{row.line}",
            "modality": Modality.AUDIO.value,
            "taxon_id": taxon and taxon.id,
            "scientific_name": taxon and taxon.scientific_name,
            "common_name": taxon and taxon.common_name,
            "rank": taxon and taxon.rank.value,
            "kind": (Kind.TAXON if taxon or not row.label else Kind.CLASS).value,
        }
        for name, column in columns.items():
            column.append(values.get(name))
    return AnnotationsRead(pa.table(columns, schema=ANNOTATIONS), tuple(rejected))


def _taxon(label: str, scientific_name: str | None, taxa: LabelTaxa) -> Taxon | None:
    """Return the taxon of a label; a scientific name that no table has is one all the same."""
    found = taxa(label) if label else None
    if scientific_name is None or found is not None:
        return found
    if (found := taxa(scientific_name)) is not None:
        return found
    parsed = parse_name(scientific_name)
    if parsed.kind != NameKind.SCIENTIFIC or parsed.canonical is None or parsed.epithet is None:
        return None
    return Taxon(taxon_id_of(parsed.canonical), parsed.canonical, genus=parsed.genus)


_TAKEN = (
    *("label", "start_s", "end_s", "low_hz", "high_hz", "channel", "score", "by", "by_kind"),
    *("presence", "made_at", "note"),
)


def _moment(of: Mapping[str, Any], start: float | None) -> dict[str, Any]:
    begin = of.get("begin_local")
    if begin is None or start is None:
        return {}
    return {"begin_local": begin + timedelta(seconds=start)}


class _Recordings:
    """The recordings that annotations may be of: by path, by the end of the path, and by the name alone."""

    def __init__(self, media: pa.Table | None, file: Path) -> None:
        self._file = file
        names = ("id", "path", "begin_local", "utc_offset_min", "latitude", "longitude")
        self._rows = [] if media is None else media.select(names).to_pylist()
        self._by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._by_stem: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in self._rows:
            path = PurePosixPath(_slashes(row["path"]))
            self._by_name[path.name].append(row)
            self._by_stem[path.stem].append(row)
        self._known: dict[str | None, dict[str, Any]] = {}

    def of(self, path: str | None) -> dict[str, Any]:
        """Return what is known of the recording with this path, or of the one that the file is called after."""
        if path not in self._known:
            self._known[path] = self._found(path)
        return self._known[path]

    def _found(self, path: str | None) -> dict[str, Any]:
        if path is None:
            stem = recording_stem(self._file)
            found = _only(self._by_stem[stem])
            beside = self._beside(stem) if found is None else None
            return {"path": beside} if found is None else _of(found)
        parts = _slashes(path).split("/")
        found = _only(_longest(self._by_name[parts[-1]], parts))
        if found is None and "." not in parts[-1]:
            found = _only(self._by_stem[parts[-1]])
        return {"path": path} if found is None else _of(found)

    def _beside(self, stem: str) -> str | None:
        beside = [
            place
            for place in sorted(self._file.absolute().parent.glob("*"))
            if place.stem == stem and media_kind(None, None, place.name) == Modality.AUDIO
        ]
        return str(beside[0]) if len(beside) == 1 else None


def _of(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "media_id": row["id"]}


def _only(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    return rows[0] if len({row["path"] for row in rows}) == 1 else None


def _longest(rows: Sequence[dict[str, Any]], parts: Sequence[str]) -> list[dict[str, Any]]:
    """Return those whose paths agree with these parts for longest, counted from the end."""
    agree = [_agreeing(_slashes(row["path"]).split("/"), parts) for row in rows]
    return [row for row, length in zip(rows, agree, strict=True) if length == max(agree)]


def _agreeing(first: Sequence[str], second: Sequence[str]) -> int:
    pairs: Iterator[tuple[str, str]] = zip(reversed(first), reversed(second), strict=False)
    length = 0
    for one, other in pairs:
        if one != other:
            break
        length += 1
    return length


def _slashes(path: str) -> str:
    return path.replace("\\", "/")
