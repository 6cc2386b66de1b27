"""Time and place of recordings and photographs, as the files say themselves, where no table does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta, timezone
from pathlib import Path

from biovita.errors import MediaError
from biovita.media.said import Said, begin_of, said_of_picture, said_of_sound
from biovita.modality import Modality
from biovita.sources.inspect import map_threads
from biovita.sources.media_row import MediaRow

__all__ = ["FromFiles", "from_files", "recorded_at"]


@dataclass(frozen=True, slots=True)
class FromFiles:
    """Rows with what their files say, and how many of them that changed."""

    rows: tuple[MediaRow, ...]
    times: int
    places: int

    def notes(self) -> tuple[str, ...]:
        """Return what is to be said of it."""
        said = []
        if self.times:
            said.append(
                f"recorded_at of {self.times:,} rows is what their files say: headers of recorders, EXIF, file names"
            )
        if self.places:
            said.append(f"latitude and longitude of {self.places:,} rows are what their files say")
        return tuple(said)


def from_files(rows: Sequence[MediaRow], *, workers: int | None = None, progress: bool = True) -> FromFiles:
    """Return rows with the time and the place that their files state, where the rows have none.

    What a row has stays, also where it cannot be read. Of a span the time is that of its begin. Files that cannot be
    read say nothing.
    """
    asked = list(dict.fromkeys((row.modality, row.path) for row in rows if _lacks_time(row) or _lacks_place(row)))
    found = map_threads(_said, asked, label="Reading headers", workers=workers, progress=progress)
    said = dict(zip(asked, found, strict=True))
    filled, times, places = [], 0, 0
    for row in rows:
        stated = said.get((row.modality, row.path))
        if stated is None:
            filled.append(row)
            continue
        time = recorded_at(stated, row.begin_s or 0.0) if _lacks_time(row) else None
        if time is not None:
            row, times = replace(row, recorded_at=time), times + 1
        if _lacks_place(row) and stated.latitude is not None:
            row, places = replace(row, latitude=stated.latitude, longitude=stated.longitude), places + 1
        filled.append(row)
    return FromFiles(tuple(filled), times, places)


def recorded_at(said: Said, offset_s: float = 0.0) -> str | None:
    """Return the time at a place within a recording in ISO 8601, to the second; with its zone where that is stated."""
    begin = begin_of(said, offset_s)
    if begin is None:
        return None
    local, minutes = begin
    zone = None if minutes is None else timezone(timedelta(minutes=minutes))
    return local.replace(tzinfo=zone).isoformat(timespec="seconds")


def _said(file: tuple[Modality, Path]) -> Said | None:
    modality, path = file
    try:
        return said_of_sound(path) if modality == Modality.AUDIO else said_of_picture(path)
    except MediaError:
        return None


def _lacks_time(row: MediaRow) -> bool:
    return row.recorded_at is None and row.odd_date is None


def _lacks_place(row: MediaRow) -> bool:
    is_odd = any(name in {"latitude", "longitude"} for name, _ in row.odd)
    return row.latitude is None and row.longitude is None and not is_odd
