"""What was fetched, what was refused and why: a SQLite file that survives being killed at any moment.

A download goes ``started`` (its part file grows) -> ``ready`` (verified; sha256, size and what it holds are written
down, then the part is renamed to its place) or ``rejected``. The row is written before the rename: after a kill between
the two, `Ledger.settle` renames. So no file is lost or fetched twice, and a file in its place is whole.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from biovita.errors import DatasetError
from biovita.redact import redacted

__all__ = ["Entry", "Ledger", "key_of", "stated_address"]

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
        ``started``, ``ready``, ``rejected`` (for good) or ``failed`` (tried again in the next run).
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


def stated_address(url: str) -> str:
    """Return an address as it is written down: without a secret in it, and with a hash that tells it from others.

    An address without a secret, or one that was written down already, comes back as it is.
    """
    shown = redacted(url)
    return shown if shown == url else f"{shown}#sha256-{hashlib.sha256(url.encode()).hexdigest()[:16]}"


class Ledger:
    """The ledger of a dataset; one process at a time."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(file, isolation_level=None)
        try:
            self._database.executescript("pragma journal_mode = wal; pragma synchronous = normal;" + _SCHEMA)
            (found,) = self._database.execute("pragma user_version").fetchone()
            if found not in {0, _FORMAT}:
                raise DatasetError(f"{file}: was written by a newer biovita (format {found})")
            self._database.execute(f"pragma user_version = {_FORMAT}")
        except sqlite3.DatabaseError as error:
            raise DatasetError(f"{file}: is not a ledger: {error}") from None

    def get(self, key: str) -> Entry | None:
        """Return an item, or None where nothing is known of it."""
        row = self._database.execute(f"select {', '.join(_FIELDS)} from items where key = ?", (key,)).fetchone()  # noqa: S608 - our own names
        return None if row is None else _entry(row)

    def entries(self, state: str) -> Iterable[Entry]:
        """Yield the items in a state, by key."""
        query = f"select {', '.join(_FIELDS)} from items where state = ? order by key"  # noqa: S608 - our own names
        for row in self._database.execute(query, (state,)).fetchall():
            yield _entry(row)

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

    def settle(self, dataset: Path, parts: Path) -> None:
        """Rename what a kill left between its row and its place, and forget what is in neither."""
        for entry in self.entries("ready"):
            assert entry.path is not None
            place = dataset / entry.path
            if place.is_file():
                continue
            part = parts / entry.key
            if part.is_file() and part.stat().st_size == entry.bytes:
                place.parent.mkdir(parents=True, exist_ok=True)
                part.replace(place)
            else:
                self.drop(entry.key)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _entry(row: tuple[Any, ...]) -> Entry:
    values = dict(zip(_FIELDS, row, strict=True))
    values["info"] = None if values["info"] is None else json.loads(values["info"])
    return Entry(**values)
