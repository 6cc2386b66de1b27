"""What was fetched, what was refused and why: a SQLite file that survives being killed at any moment.

A download goes ``started`` (its part file grows) -> ``ready`` (verified; sha256, size and what it holds are written
down, then the part is renamed to its place) or ``rejected``. The row is written before the rename: after a kill between
the two, `Ledger.settle` renames. So no file is lost or fetched twice, and a file in its place is whole.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from biovita.errors import DatasetError
from biovita.filenames import is_path
from biovita.redact import redacted

__all__ = ["CLIP", "STATES", "Entry", "Ledger", "key_of", "own_path", "stated_address"]

STATES = frozenset({"started", "ready", "spare", "rejected", "failed"})
CLIP = re.compile(r"([0-9a-f]{20})(-\d{1,6})?")  # the name of a fetched file, or of a clip cut from it
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FOLDERS = ("media/audio", "media/image", ".collect/originals")
_EXTENSION = re.compile(r"[a-z0-9]{1,8}")
_PHASH = re.compile(r"[0-9a-f]{16}")
_LARGEST = 1e9  # seconds, hertz, pixels
_HASH = re.compile(r"[0-9a-f]{64}")

_SCHEMA = """
create table if not exists items (
    key text primary key, url text not null, state text not null, total integer, validator text,
    path text, sha256 text, bytes integer, info text, reason text, detail text)
"""
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One item.

    Attributes
    ----------
    url
        As `stated_address` gives it.
    state
        ``started``, ``ready``, ``spare`` (its file was deleted, for it is not needed), ``rejected`` (for good) or
        ``failed`` (tried again in the next run).
    total, validator
        Size that the server states, and its ETag or date, to go on with a part.
    path
        Relative to the dataset; of an item that was at hand already, absolute.
    info
        What verifying found: duration, sample rate, windows, fingerprint; width, height, perceptual hash.
    """

    key: str
    url: str
    state: str
    total: int | None = None
    validator: str | None = None
    path: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    info: Mapping[str, Any] | None = None
    reason: str | None = None
    detail: str | None = None


_FIELDS = ("key", "url", "state", "total", "validator", "path", "sha256", "bytes", "info", "reason", "detail")


def key_of(record: Mapping[str, Any]) -> str:
    """Return the key of a record in the ledger, and the id of its item in the dataset."""
    text = "\x1f".join([record["modality"], record["source"], record["source_id"]])
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def own_path(entry: Entry) -> bool:
    """Say whether a build puts the file of this entry where the entry says: under its own key, and nowhere else."""
    path = entry.path or ""
    extension = path.rpartition(".")[2]
    return _EXTENSION.fullmatch(extension) is not None and path in {
        f"{folder}/{entry.key[:2]}/{entry.key}.{extension}" for folder in _FOLDERS
    }


def stated_address(url: str) -> str:
    """Return an address as it is written down: without a secret in it, and with a hash that tells it from others.

    An address without a secret, or one that was written down already, comes back as it is.
    """
    shown = redacted(url)
    return shown if shown == url else f"{shown}#sha256-{hashlib.sha256(url.encode()).hexdigest()[:16]}"


class Ledger:
    """The ledger of a dataset; one process at a time.

    A ledger may come from elsewhere with its dataset. So each entry is checked when it is read: its key is a name, its
    path leads nowhere else.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(file, isolation_level=None)
        try:
            self._require_plain()
            self._database.executescript("pragma journal_mode = wal; pragma synchronous = normal;" + _SCHEMA)
            (found,) = self._database.execute("pragma user_version").fetchone()
            if found not in {0, _FORMAT}:
                raise DatasetError(f"{file}: was written by a newer biovita (format {found})")
            self._database.execute(f"pragma user_version = {_FORMAT}")
        except sqlite3.DatabaseError as error:
            raise DatasetError(f"{file}: is not a ledger: {error}") from None

    def _require_plain(self) -> None:
        """Raise a DatasetError for views, triggers and columns of others: they would run whenever a row is read."""
        self._database.execute("pragma trusted_schema = off")
        for name, text in self._database.execute("select name, sql from sqlite_master limit 3"):
            if (name, text and _words(text)) not in _OBJECTS:
                raise self._strange(str(name), "it is a table, view or trigger that no build makes")

    def get(self, key: str) -> Entry | None:
        """Return an item, or None where nothing is known of it."""
        rows = self._all(f"select {', '.join(_FIELDS)} from items where key = ?", (key,))  # noqa: S608 - our own names
        return self._entry(rows[0]) if rows else None

    def entries(self, state: str) -> Iterable[Entry]:
        """Yield the items in a state, by key."""
        query = f"select {', '.join(_FIELDS)} from items where state = ? order by key"  # noqa: S608 - our own names
        for row in self._all(query, (state,)):
            yield self._entry(row)

    def put(self, entry: Entry) -> None:
        """Write an item down, at once; no secret of its address is written."""
        detail = None if entry.detail is None else redacted(entry.detail)
        entry = replace(entry, url=stated_address(entry.url), detail=detail)
        values = [getattr(entry, field) for field in _FIELDS]
        values[_FIELDS.index("info")] = None if entry.info is None else json.dumps(entry.info, sort_keys=True)
        marks = ", ".join("?" * len(_FIELDS))
        self._database.execute(f"insert or replace into items values ({marks})", values)  # noqa: S608 - question marks

    def drop(self, key: str) -> None:
        """Forget an item."""
        self._database.execute("delete from items where key = ?", (key,))

    def require_own(self) -> None:
        """Raise a DatasetError for an entry that no build has written: each file lies under its key, or was at hand."""
        for (state,) in self._all("select distinct state from items", ()):
            if state not in STATES:
                raise self._strange("", f"state is {state!r}")
        for state in sorted(STATES):
            for entry in self.entries(state):
                if CLIP.fullmatch(entry.key) is None or "-" in entry.key:
                    raise self._strange(entry.key, "its key is not one that a build writes")
                if entry.path is not None and not Path(entry.path).is_absolute() and not own_path(entry):
                    raise self._strange(entry.key, f"path is {entry.path!r}")
                if entry.sha256 is not None and _HASH.fullmatch(entry.sha256) is None:
                    raise self._strange(entry.key, f"sha256 is {entry.sha256!r}")
                found = (entry.path, entry.sha256, entry.bytes, entry.info)
                if None in found and (state in {"ready", "spare"} or entry.sha256 is not None):
                    raise self._strange(entry.key, "path, sha256, bytes or info is missing")
                if entry.info is not None and not _is_info(entry.info):
                    raise self._strange(entry.key, "info does not have the fields that a build writes")

    def settle(self, dataset: Path, parts: Path) -> None:
        """Rename what a kill left between its row and its place, and forget what is in neither."""
        for entry in self.entries("ready"):
            assert entry.path is not None
            place = dataset / entry.path
            if place.is_file() and (Path(entry.path).is_absolute() or not place.is_symlink()):
                continue
            part = parts / entry.key
            if Path(entry.path).is_absolute():  # was at hand, and is there no more
                self.drop(entry.key)
            elif part.is_file() and part.stat().st_size == entry.bytes:
                place.parent.mkdir(parents=True, exist_ok=True)
                part.replace(place)
            else:
                self.drop(entry.key)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _all(self, query: str, values: tuple[str, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(query, values).fetchall()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise DatasetError(f"{self.file}: is damaged: {error}") from None

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        values = dict(zip(_FIELDS, row, strict=True))
        for field in _FIELDS:
            value, accepted = values[field], int if field in {"total", "bytes"} else str
            if not isinstance(value, accepted) and (value is not None or field in {"key", "url", "state"}):
                raise self._strange(values["key"], f"{field} is {value!r:.60}")
        if _KEY.fullmatch(values["key"]) is None:
            raise self._strange(values["key"], "its key is not one that a build writes")
        path = values["path"]
        if path is not None and not Path(path).is_absolute() and not _is_within(path):
            raise self._strange(values["key"], f"path is {path!r}")
        try:
            values["info"] = None if values["info"] is None else json.loads(values["info"])
        except (ValueError, RecursionError):
            raise self._strange(values["key"], "info is not JSON") from None
        return Entry(**values)

    def _strange(self, key: Any, said: str) -> DatasetError:
        return DatasetError(
            f"{self.file}: the entry {key!r:.60} was not written by a build: {said}. Someone has changed the file. "
            "Remove it, and a build fetches again what it needs"
        )


def _words(text: str) -> str:
    return " ".join(text.lower().replace("if not exists ", "").split())


_OBJECTS = {("items", _words(_SCHEMA)), ("sqlite_autoindex_items_1", None)}


def _is_within(path: str) -> bool:
    return is_path(path) and ".." not in PurePosixPath(path.replace("\\", "/")).parts


def _is_info(info: Any) -> bool:
    """Say whether an entry's info has the types that `biovita.collect.file_check.verify` gives."""
    if not isinstance(info, dict):
        return False
    if "phash" in info:
        return _PHASH.fullmatch(str(info["phash"])) is not None and all(
            _is_number(info.get(side)) for side in ("width", "height")
        )
    windows = info.get("windows")
    return (
        _is_fingerprint(info.get("fingerprint", ""))
        and _is_number(info.get("duration_s"))
        and _is_number(info.get("sample_rate"))
        and isinstance(windows, list)
        and all(isinstance(each, list) and len(each) == 2 and all(map(_is_number, each)) for each in windows)
        and isinstance(info.get("warnings", []), list)
        and all(isinstance(each, str) for each in info.get("warnings", []))
    )


def _is_fingerprint(text: Any) -> bool:
    try:
        return isinstance(text, str) and len(base64.b64decode(text, validate=True)) % 2 == 0
    except ValueError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
