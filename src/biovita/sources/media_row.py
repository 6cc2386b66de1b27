"""The tables of a folder of media, ``audio.csv`` and ``images.csv``: each row, checked, and where its file lies."""

from __future__ import annotations

import hashlib
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from biovita.csv_table import BrokenRow, CsvRow, CsvTable, held_rows, open_csv
from biovita.errors import MediaError
from biovita.filenames import is_name
from biovita.modality import Modality
from biovita.named_files import NamedFiles, is_absolute
from biovita.odd_values import EXCEL_ERRORS, day_of, degrees, is_missing, number_within
from biovita.redact import redacted
from biovita.sources.lineage import LINEAGE_FIELDS, NamedRow
from biovita.sources.source import MAX_NAME, RejectedRow, broken
from biovita.taxonomy import taxon_id_of
from biovita.taxonomy.clean import clean_name

__all__ = ["FIELDS", "NAMES", "TABLES", "MediaRow", "media_rows", "media_rows_of", "open_media_table"]

TABLES: Mapping[Modality, str] = {Modality.AUDIO: "audio.csv", Modality.IMAGE: "images.csv"}
NAMES = "names"
"""What stands in place of a table's name for what the names of folders and files say."""
_REQUIRED = ("file", "scientific_name")
_TEXTS = ("source", "source_id", "url", "license", "attribution", "recorded_at")
_PLACE = ("latitude", "longitude")
_SPAN = ("begin_s", "end_s")
_ELSEWHERE = ("start_s", "duration_s")  # of a longer recording: nothing hangs on them
_LONGEST_PATH = 4096  # characters; systems accept no more
FIELDS = (*_REQUIRED, *LINEAGE_FIELDS, *_TEXTS, *_PLACE, *_SPAN, *_ELSEWHERE)
_ISO_8601 = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class MediaRow:
    """A row that can be read and whose file would lie within the folder.

    Attributes
    ----------
    table, line
        Where the row is.
    file
        The path within the folder, as POSIX writes it; ``path`` is where that is on this machine.
    given_file
        The file as the table names it, where it is found under another name.
    name, given_name
        The name as `clean_name` writes it, and as the table gives it.
    lineage
        The common name and the ranks that it gives, by the names of `LINEAGE_FIELDS`.
    recorded_at
        In ISO 8601, from the year alone to fractions of a second; what cannot be read as that is ``odd_date``.
    begin_s, end_s
        What is used of the file, in seconds; None is its start or end, and a photograph has no span.
    odd
        Field and text of other values that are left empty because they cannot be read.
    """

    modality: Modality
    table: str
    line: int
    file: str
    path: Path
    name: str
    given_name: str
    lineage: Mapping[str, str]
    source: str | None
    source_id: str | None
    url: str | None
    license: str | None
    attribution: str | None
    recorded_at: str | None
    odd_date: str | None
    latitude: float | None
    longitude: float | None
    begin_s: float | None
    end_s: float | None
    odd: tuple[tuple[str, str], ...] = ()
    given_file: str | None = None

    @property
    def taxon_id(self) -> str:
        """The id of its taxon, by its name."""
        return taxon_id_of(self.name)

    @property
    def where(self) -> str:
        """Table and line, for messages; the file where it is named by no table."""
        return self.file if self.table == NAMES else f"{self.table} line {self.line}"

    @property
    def named(self) -> NamedRow:
        """Its name and lineage."""
        return NamedRow(self.where, self.name, self.lineage, self.given_name)

    @property
    def group_id(self) -> str:
        """Items with the same source and source id are one group; without a source id, the spans of a file are."""
        group = f"{self.source or ''}:{self.source_id}" if self.source_id else f"file:{self.file}"
        return redacted(group)

    def columns(self) -> dict[str, Any]:
        """Return the columns of a media table that the row alone decides.

        The id is a hash of modality, file and span: the same row has the same one in every import.
        """
        edges = ("" if edge is None else repr(edge) for edge in (self.begin_s, self.end_s))
        key = "\0".join([self.modality.value, self.file, *edges])
        return {
            "id": hashlib.sha256(key.encode()).hexdigest()[:20],
            "taxon_id": self.taxon_id,
            **{name: redacted(getattr(self, name) or "") or None for name in _TEXTS},
            "latitude": self.latitude,
            "longitude": self.longitude,
            "group_id": self.group_id,
            "split": None,
        }

    def rejected(self, reason: str, detail: str) -> RejectedRow:
        """Return the row as one that is not used."""
        return RejectedRow(self.modality.value, self.table, self.line, reason, detail, self.given_name, self.file)


def open_media_table(file: Path, columns: Mapping[str, str] | None = None) -> CsvTable:
    """Read the header of a table of media; ``columns`` are by the names of `FIELDS`, as `open_csv` takes them."""
    return open_csv(file, FIELDS, _REQUIRED, columns=columns or {})


def media_rows(modality: Modality, table: CsvTable) -> Iterator[MediaRow | RejectedRow]:
    """Yield the rows of a table of media, and those that cannot be used; their files are not looked into.

    A file that is not there under the name given is looked for as `biovita.named_files` tells. A row is rejected as
    ``bad-row``, ``not-utf8``, ``missing-file``, ``missing-name``, ``bad-name``, ``several-names``, ``bad-number``,
    ``path-outside``, ``missing`` or ``unreadable``.

    Raises
    ------
    DatasetError
        Where the rows take more memory than may be used, or are more than the limit ``rows``.
    """
    decimal_comma = table.dialect.delimiter == ";"
    return media_rows_of(
        modality, table.path.parent, table.path.name, held_rows(table), decimal_comma=decimal_comma
    )


def media_rows_of(
    modality: Modality,
    root: Path,
    name: str,
    rows: Iterable[CsvRow | BrokenRow | RejectedRow],
    *,
    decimal_comma: bool = False,
) -> Iterator[MediaRow | RejectedRow]:
    """Yield rows as `media_rows` does, of a table of this name whose files are below a folder."""
    files = NamedFiles(root.resolve())
    for row in rows:
        if isinstance(row, RejectedRow):
            yield row
            continue
        if isinstance(row, BrokenRow):
            reason = row.reason if row.reason == "not-utf8" else "bad-row"
            yield broken(BrokenRow(row.line, reason, row.detail), name, modality.value)
            continue
        try:
            yield _parsed(files, modality, name, row, decimal_comma=decimal_comma)
        except MediaError as error:
            given, file = row.values.get("scientific_name"), row.values.get("file")
            yield RejectedRow(modality.value, name, row.line, error.reason, str(error), given, file)


def _parsed(files: NamedFiles, modality: Modality, table: str, row: CsvRow, *, decimal_comma: bool) -> MediaRow:
    """Return what a row says; a MediaError, whose message does not repeat where, says why it cannot be used."""
    file, name = row.values.get("file"), row.values.get("scientific_name")
    if not file or is_missing(file):
        raise MediaError("missing-file", "the file is not given")
    if not name or is_missing(name):
        raise MediaError("missing-name", "the scientific_name is not given")
    if "\x00" in name or len(name) > MAX_NAME:
        raise MediaError(
            "bad-name", f"the scientific_name has {len(name):,} characters (at most {MAX_NAME}) or a NUL"
        )
    cleaned = clean_name(name)
    if cleaned.several:
        raise MediaError(
            "several-names",
            f"the scientific_name {name!r} names {len(cleaned.several)} species. Give each its own row",
        )
    if not is_name(cleaned.name):
        raise MediaError("bad-name", f"the scientific_name {name!r} cannot be a name")
    is_audio = modality == Modality.AUDIO
    begin, end = (_seconds(field, row, decimal_comma=decimal_comma) for field in _SPAN)
    if is_audio and end is not None and (begin or 0.0) >= end:
        raise MediaError("bad-number", f"end_s is {end:g}. It has to be above begin_s, which is {begin or 0.0:g}")
    odd: list[tuple[str, str]] = []
    texts = {field: _text(field, row, odd) for field in (*LINEAGE_FIELDS, *_TEXTS)}
    latitude, longitude = _place(row, odd)
    for field in _ELSEWHERE:
        given = _given(field, row)
        if given is not None and number_within(given, 0.0, math.inf) is None:
            odd.append((field, given))
    root = files.root
    path = _within(root, files, file)
    given = texts["recorded_at"]
    date = given if given is None or _ISO_8601.fullmatch(given) else day_of(given)
    return MediaRow(
        modality,
        table,
        row.line,
        path.relative_to(root).as_posix(),
        path,
        cleaned.name,
        name,
        {field: value for field in LINEAGE_FIELDS if (value := texts[field])},
        source=texts["source"],
        source_id=texts["source_id"],
        url=texts["url"],
        license=texts["license"],
        attribution=texts["attribution"],
        recorded_at=date,
        odd_date=given if date is None else None,
        latitude=latitude,
        longitude=longitude,
        begin_s=begin if is_audio else None,
        end_s=end if is_audio else None,
        odd=tuple(odd),
        given_file=None if path == root / file else file,
    )


def _given(field: str, row: CsvRow) -> str | None:
    """Return the text of a number, None where it stands for no value."""
    text = row.values.get(field)
    return None if text is None or is_missing(text, of_number=True) else text


def _text(field: str, row: CsvRow, odd: list[tuple[str, str]]) -> str | None:
    text = row.values.get(field)
    if text is None or is_missing(text):
        return None
    if text in EXCEL_ERRORS:
        odd.append((field, text))
        return None
    return text


def _place(row: CsvRow, odd: list[tuple[str, str]]) -> tuple[float | None, float | None]:
    """Return latitude and longitude; where one of them cannot be read, both are None."""
    place: list[float | None] = []
    sound = True
    for field in _PLACE:
        text = _given(field, row)
        value = None if text is None else degrees(text, is_latitude=field == "latitude")
        if text is not None and value is None:
            odd.append((field, text))
            sound = False
        place.append(value)
    return (place[0], place[1]) if sound else (None, None)


def _seconds(name: str, row: CsvRow, *, decimal_comma: bool) -> float | None:
    text = _given(name, row)
    if text is None:
        return None
    value = number_within(text, 0.0, sys.float_info.max, decimal_comma=decimal_comma)
    if value is None:
        raise MediaError("bad-number", f"{name} is {text[:100]!r}. It has to be one number of seconds, at least 0")
    return value


def _within(root: Path, files: NamedFiles, file: str) -> Path:
    """Return where a file of the folder lies; a link may lead to it only from within the folder."""
    if len(file) > _LONGEST_PATH:
        raise MediaError(
            "path-outside", f"file has {len(file):,} characters; a path has {_LONGEST_PATH:,} at most"
        )
    given, leads_out = PurePosixPath(file), is_absolute(file)
    if ".." in given.parts or "\x00" in file:
        raise MediaError("path-outside", f"file is {file!r}. It has to be a path within the folder, without '..'")
    if not leads_out and _is_there(root, root / given, file):
        return root / given
    found = files.find(file)
    if found is not None and _is_there(root, found, file):
        return found
    if leads_out:
        raise MediaError(
            "path-outside",
            f"file is {file!r}. It has to be a path within the folder, and no file there is the end of it",
        )
    raise MediaError("missing", f"there is no such file{files.nearest(file)}")


def _is_there(root: Path, path: Path, file: str) -> bool:
    """Say whether something is at a place, which has to be within the folder, links followed."""
    try:
        there, place = True, path.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError):
        there, place = False, path.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, or no text that the system takes for a name
        raise MediaError("unreadable", f"file is {file!r}, which is a loop of links or cannot be a path") from None
    if not place.is_relative_to(root):
        raise MediaError("path-outside", f"file is {file!r}, a link that leads out of the folder")
    return there
