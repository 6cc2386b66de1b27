"""One row of a table of media: read, checked, and where its file lies."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from biovita.errors import MediaError
from biovita.filenames import is_name
from biovita.modality import Modality
from biovita.redact import redacted
from biovita.sources.lineage import LINEAGE_FIELDS, NamedRow
from biovita.sources.source import MAX_NAME
from biovita.sources.values import is_plain
from biovita.taxonomy import taxon_id_of

__all__ = ["FIELDS", "REQUIRED", "MediaRow", "is_iso_8601", "parse_record"]

REQUIRED = ("file", "scientific_name")
_TEXTS = ("source", "source_id", "url", "license", "attribution", "recorded_at")
_RANGES = {  # least and greatest value
    "latitude": (-90.0, 90.0),
    "longitude": (-180.0, 180.0),
    "begin_s": (0.0, math.inf),
    "end_s": (0.0, math.inf),
    "start_s": (0.0, math.inf),
    "duration_s": (0.0, math.inf),
}
_LONGEST_PATH = 4096  # characters; systems accept no more
_R_MISSING = "NA"  # how R writes a number that is not known
FIELDS = (*REQUIRED, *LINEAGE_FIELDS, *_TEXTS, *_RANGES)
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
    """

    modality: Modality
    table: str
    line: int
    file: str
    path: Path
    name: str
    values: Mapping[str, str | None]
    numbers: Mapping[str, float]

    @property
    def taxon_id(self) -> str:
        """The id of its taxon, by its name."""
        return taxon_id_of(self.name)

    @property
    def span(self) -> tuple[float | None, float | None]:
        """What is used of the file, in seconds; None is its start or end, and a photograph has no span."""
        if self.modality == Modality.IMAGE:
            return None, None
        return self.numbers.get("begin_s"), self.numbers.get("end_s")

    @property
    def where(self) -> str:
        """Table and line, for messages."""
        return f"{self.table} line {self.line}"

    @property
    def named(self) -> NamedRow:
        """Its name and lineage."""
        lineage = {name: value for name in LINEAGE_FIELDS if (value := self.values.get(name))}
        return NamedRow(self.where, self.name, lineage)

    def columns(self) -> dict[str, Any]:
        """Return the columns of a media table that the row alone decides.

        The id is a hash of modality, file and span: the same row has the same one in every import. Items with the
        same source and source id are one group; without a source id, the spans of a file are.
        """
        edges = ("" if edge is None else repr(edge) for edge in self.span)
        key = "\0".join([self.modality.value, self.file, *edges])
        source_id = self.values.get("source_id")
        group = f"{self.values.get('source') or ''}:{source_id}" if source_id else f"file:{self.file}"
        return {
            "id": hashlib.sha256(key.encode()).hexdigest()[:20],
            "taxon_id": self.taxon_id,
            **{name: redacted(self.values.get(name) or "") or None for name in _TEXTS},
            "latitude": self.numbers.get("latitude"),
            "longitude": self.numbers.get("longitude"),
            "group_id": redacted(group),
            "split": None,
        }


def is_iso_8601(text: str) -> bool:
    """Say whether a text is a date of ISO 8601, from the year alone to fractions of a second."""
    return _ISO_8601.fullmatch(text) is not None


def parse_record(
    root: Path, modality: Modality, table: str, line: int, values: Mapping[str, str | None]
) -> MediaRow:
    """Return the record of a row.

    Parameters
    ----------
    root
        The folder, with links followed.
    values
        By the names of `FIELDS`; None where a cell is empty.

    Raises
    ------
    MediaError
        ``missing-file``, ``missing-name``, ``bad-name``, ``bad-number``, ``path-outside`` or ``unreadable``; the
        message does not repeat where.
    """
    file, name = values.get("file"), values.get("scientific_name")
    if not file:
        raise MediaError("missing-file", "the file is not given")
    if not name:
        raise MediaError("missing-name", "the scientific_name is not given")
    if "\x00" in name or len(name) > MAX_NAME:
        raise MediaError(
            "bad-name", f"the scientific_name has {len(name):,} characters, or the character NUL among them"
        )
    if not is_name(name):
        raise MediaError("bad-name", f"the scientific_name {name!r} cannot be a name")
    numbers = {key: _number(key, text) for key in _RANGES if (text := values.get(key)) not in {None, _R_MISSING}}
    begin, end = numbers.get("begin_s", 0.0), numbers.get("end_s", math.inf)
    if modality == Modality.AUDIO and begin >= end:
        raise MediaError("bad-number", f"end_s is {end:g}; accepted is a number above begin_s, which is {begin:g}")
    path = _within(root, file)
    within = path.relative_to(root).as_posix()
    return MediaRow(modality, table, line, within, path, " ".join(name.split()), values, numbers)


def _number(name: str, text: str) -> float:
    low, high = _RANGES[name]
    try:
        value = float(text) if is_plain(text) else None
    except ValueError:
        value = None
    if value is None:
        raise MediaError("bad-number", f"{name} is {text[:100]!r}, which is not a number")
    if not math.isfinite(value) or not low <= value <= high:
        limits = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of at least {low:g}"
        raise MediaError("bad-number", f"{name} is {text}; accepted is a number {limits}")
    return value


def _within(root: Path, file: str) -> Path:
    """Return where a file of the folder lies; a link may lead to it only from within the folder."""
    if len(file) > _LONGEST_PATH:
        raise MediaError("path-outside", f"file has {len(file):,} characters, and no path has so many")
    given = PurePosixPath(file)
    if given.is_absolute() or ".." in given.parts or "\x00" in file:
        raise MediaError("path-outside", f"file is {file!r}; accepted is a path within the folder, without '..'")
    path = root / given
    try:
        inside = path.resolve().is_relative_to(root)
    except (OSError, RuntimeError, ValueError):  # a loop of links, or no text that the system takes for a name
        raise MediaError("unreadable", f"file is {file!r}, which is a loop of links or no path") from None
    if not inside:
        raise MediaError("path-outside", f"file is {file!r}, a link that leads out of the folder")
    return path
