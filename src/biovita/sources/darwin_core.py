"""Darwin Core archives and GBIF's simple downloads: one record for each sound or photograph that a row names."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from biovita.csv_records import BrokenRow
from biovita.foreign_tables import Meter
from biovita.sources.darwin_core_archive import ArchiveRow, DarwinCoreArchive, open_archive
from biovita.sources.darwin_core_meta import DataFile, short_term
from biovita.sources.licenses import normalise_license
from biovita.sources.source import UNTOLD, Item, RejectedRow, StreamedSource, broken
from biovita.values import coordinates, iso_date, media_kind, says_a_kind, text, web_address

__all__ = ["DarwinCore"]

_MEDIA_TYPES = {"multimedia", "image"}  # GBIF's Simple Multimedia, Audubon Core, and GBIF's older Image
_LINEAGE = ("kingdom", "phylum", "class", "order", "family", "genus")
_MEDIUM = frozenset(  # the terms that are read of a medium
    (
        "accessURI",
        "identifier",
        "type",
        "format",
        "license",
        "UsageTerms",
        "rights",
        "rightsHolder",
        "Owner",
        "creator",
    )
)
# A medium repeats what its row of the core says; records of real archives take less room than the archive itself.
MAX_MADE = 20
_MADE_FROM = 256 << 20  # characters; what is less does no harm
Terms = Mapping[str, str]


class DarwinCore(StreamedSource):
    """A Darwin Core archive (ZIP or directory), a zipped simple download, or a bare table.

    Media come from the multimedia extensions, and from ``associatedMedia`` of the core.

    Parameters
    ----------
    path
        Of the archive.
    name
        What the ``source`` column says, for instance ``Animal Sound Archive``.
    """

    kind: Literal["darwin_core"] = "darwin_core"
    path: Path
    name: str = "Darwin Core"

    @property
    def label(self) -> str:
        """What the ``source`` column of its records says."""
        return self.name

    def items(self) -> Iterator[Item]:
        """Yield a record for each medium, in the order of the core, then what belongs to no row of the core."""
        with (
            open_archive(self.path) as archive,
            tempfile.TemporaryDirectory() as scratch,
            closing(sqlite3.connect(Path(scratch) / "media.sqlite")) as store,
        ):
            media = [file for file in archive.meta.extensions if file.row_kind in _MEDIA_TYPES]
            core = archive.meta.core
            archive.refuse_repeats([core])
            archive.refuse_repeats(media)
            made = _Made(archive.meter)
            yield from _store_media(archive, media, store, made)
            for row in archive.rows(core):
                if isinstance(row, BrokenRow):
                    yield broken(row, core.locations[0])
                else:
                    yield from _of_row(row, core, store, made)
            yield from _orphans(store)
            yield from archive.tables


class _Made:
    """Counts the characters that are made of an archive, beside what is read of it."""

    def __init__(self, meter: Meter) -> None:
        self._meter, self._size = meter, 0

    def has_room(self, size: int) -> bool:
        """Count characters; return whether all so far are in proportion to what was read."""
        self._size += size
        return self._size <= _MADE_FROM or self._size <= MAX_MADE * self._meter.read


_TOO_MUCH = f"the records of the archive are more than {MAX_MADE} times as long as the archive"


def _store_media(
    archive: DarwinCoreArchive, extensions: Sequence[DataFile], store: sqlite3.Connection, made: _Made
) -> Iterator[RejectedRow]:
    """Keep the rows of the multimedia extensions by their core id, outside memory."""
    store.executescript(
        "pragma journal_mode=off; pragma synchronous=off;"
        "create table media (core_id text, file text, line integer, terms text);"
        "create table used (id text primary key) without rowid"
    )
    for extension in extensions:
        for row in archive.rows(extension):
            if isinstance(row, BrokenRow):
                yield broken(row, extension.locations[0])
                continue
            terms = json.dumps({term: value for term, value in _short(row.data).items() if term in _MEDIUM})
            if made.has_room(len(terms)):
                store.execute(
                    "insert into media values (?, ?, ?, ?)", (row.id, extension.locations[0], row.line, terms)
                )
            else:
                yield RejectedRow("unknown", extension.locations[0], row.line, "too-much", _TOO_MUCH)
    store.execute("create index media_core on media (core_id)")


def _orphans(store: sqlite3.Connection) -> Iterator[RejectedRow]:
    query = (
        "select file, line, core_id from media where core_id is null or core_id not in (select id from used) "
        "order by file, line"
    )
    for file, line, core_id in store.execute(query):
        yield RejectedRow("image", file, line, "orphan", f"the core has no row with the id {core_id!r}")


def _short(data: Mapping[str, str]) -> dict[str, str]:
    """Return values by the last part of their terms; of two terms with the same, the first that is not empty."""
    short: dict[str, str] = {}
    for term, value in data.items():
        if not short.get(key := short_term(term)):
            short[key] = value
    return short


def _of_row(
    row: ArchiveRow, core: DataFile, store: sqlite3.Connection, made: _Made
) -> Iterator[Mapping[str, Any] | RejectedRow]:
    terms = {key[:1].lower() + key[1:]: value for key, value in _short(row.data).items()}
    # Simple downloads before 2018 wrote the terms in lower case.
    terms = {**terms, **{name: terms[low] for low, name in _LOWER.items() if low in terms and name not in terms}}
    row_id = row.id or terms.get("gbifID") or terms.get("occurrenceID") or f"row {row.line}"
    file, name = core.locations[0], text(terms.get("scientificName"))
    stored = _stored(row, store)
    if stored is None:
        detail = f"an earlier row has the id {row_id!r}, and the media that belong to it"
        yield RejectedRow("unknown", file, row.line, "repeated-id", detail, name, row_id)
        return
    media = chain(stored, _associated(terms, file, row.line))
    first = next(media, None)
    if first is None:
        stated = terms.get("mediaType")
        detail = f"states {stated} and gives no address" if stated else "names no sound or photograph"
        yield RejectedRow("unknown", file, row.line, "no-media", detail, name, row_id)
        return
    if name is None:
        yield RejectedRow("unknown", file, row.line, "no-name", "scientificName is empty", None, row_id)
        return
    shared = _shared(terms, name, row_id)
    size = sum(len(value) for value in shared.values() if isinstance(value, str))
    for number, (where, line, medium) in enumerate(chain((first,), media), start=1):
        if not made.has_room(size + sum(map(len, medium.values()))):
            left = f"; {1 + sum(1 for _ in media):,} media of this row are left out"
            yield RejectedRow("unknown", file, row.line, "too-much", _TOO_MUCH + left, name, row_id)
            return
        place = {"file": where, "row": line, "source_id": f"{row_id}/{number}"}
        yield _record(shared, terms, medium, place)


Medium = tuple[str, int, Terms]


def _stored(row: ArchiveRow, store: sqlite3.Connection) -> Iterator[Medium] | None:
    """Return the media of a row of the core, read one by one; None where an earlier row with its id had them."""
    if row.id is None:
        return iter(())
    found = store.execute("select file, line, terms from media where core_id = ? order by rowid", (row.id,))
    first = found.fetchone()
    if first is None:
        return iter(())
    if not store.execute("insert or ignore into used values (?)", (row.id,)).rowcount:
        return None
    return ((file, line, json.loads(kept)) for file, line, kept in chain((first,), found))


def _associated(terms: Terms, file: str, line: int) -> Iterator[Medium]:
    addresses = (terms.get("associatedMedia") or "").replace(";http", "|http").replace(", http", "|http")
    return ((file, line, {"identifier": part.strip()}) for part in addresses.split("|") if part.strip())


_LOWER = {
    name.lower(): name
    for name in (
        *("gbifID", "occurrenceID", "scientificName", "taxonRank", "countryCode", "recordedBy", "rightsHolder"),
        *("decimalLatitude", "decimalLongitude", "eventDate", "vernacularName", "associatedMedia", "mediaType"),
    )
}


def _shared(terms: Terms, name: str, row_id: str) -> dict[str, Any]:
    latitude, longitude = coordinates(terms.get("decimalLatitude"), terms.get("decimalLongitude"))
    date = iso_date(terms.get("eventDate"), terms.get("eventTime")) or _parts_of_date(terms)
    return {
        "name": name,
        "vernacular": text(terms.get("vernacularName")),
        "rank": (text(terms.get("taxonRank")) or "").lower() or None,
        **{rank: text(terms.get(rank)) for rank in _LINEAGE},
        "group": row_id,
        "observer": text(terms.get("recordedBy")),
        "recorded_at": date,
        "latitude": latitude,
        "longitude": longitude,
        "country": text(terms.get("countryCode")) or text(terms.get("country")),
        "quality": text(terms.get("identificationVerificationStatus")),
    }


def _parts_of_date(terms: Terms) -> str | None:
    year, month, day = (text(terms.get(part)) for part in ("year", "month", "day"))
    if not year:
        return None
    return iso_date("-".join([year, *(part.zfill(2) for part in (month, day) if part)]))


def _record(
    shared: Mapping[str, Any], terms: Terms, medium: Terms, place: Mapping[str, Any]
) -> Mapping[str, Any] | RejectedRow:
    file, line = place["file"], place["row"]
    given = medium.get("accessURI") or medium.get("identifier") or ""
    address = web_address(given)
    if address is None:
        detail = f"{given[:200]!r} is not an http or https address" if given else "gives no address"
        return RejectedRow("unknown", file, line, "no-address", detail, shared["name"], given or None)
    stated = medium.get("type"), medium.get("format"), address
    modality = media_kind(*stated)
    if modality is None and says_a_kind(*stated):
        detail = f"type {stated[0]!r}, format {stated[1]!r}: neither a sound nor a photograph"
        return RejectedRow("unknown", file, line, "no-sound-or-photograph", detail, shared["name"], address)
    license_ = _first(medium, "license", "UsageTerms", "rights") or _first(
        terms, "license", "rights", "accessRights"
    )
    return {
        **shared,
        "modality": UNTOLD if modality is None else modality.value,
        **place,
        "url": address,
        "license": normalise_license(license_),
        "license_given": license_,
        "attribution": _first(medium, "rightsHolder", "Owner", "creator")
        or _first(terms, "rightsHolder", "recordedBy", "institutionCode"),
        "observer": shared["observer"] or text(medium.get("creator")),
    }


def _first(terms: Terms, *names: str) -> str | None:
    return next((found for name in names if (found := text(terms.get(name)))), None)
