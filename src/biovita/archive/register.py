"""Files become rows of an archive: what they are, and what they say of when, where and with what they were made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from biovita.archive.archive_tables import DEPLOYMENTS, LEFT_OUT, PHOTOGRAPHS, RECORDINGS
from biovita.archive.find_media import MediaFile
from biovita.compute.cores import cpu_count
from biovita.errors import DatasetError, MediaError
from biovita.hashing import sha256_of
from biovita.media.audible import too_short
from biovita.media.decode import open_sound
from biovita.media.image import picture_size
from biovita.media.inputs import Box
from biovita.media.mixing import mix_of
from biovita.media.said import Said, said_of_picture, said_of_sound
from biovita.modality import Modality

__all__ = ["Registered", "Registration", "id_of", "register"]

_AT_ONCE = 256  # files between two looks at what is done


@dataclass(frozen=True, slots=True)
class Registration:
    """How files are entered.

    Attributes
    ----------
    timezone
        Of clocks that state none: an IANA name or an offset. None: their times have no zone.
    channels
        Which channels of a recording are listened to: None is the mean of all, ``()`` is each of them by itself.
    boxes
        By the path of a photograph, its boxes and what found each. One without boxes is looked at as a whole.
    """

    timezone: str | None = None
    channels: tuple[int, ...] | None = None
    boxes: Mapping[Path, Sequence[tuple[Box, str]]] | None = None


@dataclass(frozen=True)
class Registered:
    """Tables as `biovita.archive.archive_tables` has them."""

    deployments: pa.Table
    recordings: pa.Table
    photographs: pa.Table
    left_out: pa.Table


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file, once it was looked into."""

    file: MediaFile
    row: dict[str, Any]
    said: Said


def id_of(
    sha256: str, *, span: tuple[float, float] | None = None, channel: int | None = None, box: int = 0
) -> str:
    """Return the id of a recording or photograph: of its content, and of what part of it is meant.

    Examples
    --------
    >>> id_of("a" * 64, channel=2)
    'aaaaaaaaaaaaaaaaaaaa#2'
    """
    part = "" if span is None else f"@{span[0]:.3f}-{span[1]:.3f}"
    part += f"#{channel}" if channel else ""
    return sha256[:20] + part + (f"+{box}" if box else "")


def register(
    files: Sequence[MediaFile],
    how: Registration,
    before: pa.Table | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Registered:
    """Return the rows of files, in their order; two of one content are one, and the second is left out.

    Of sound only the header is read; that its samples are there shows when it is listened to.

    Parameters
    ----------
    before
        Path, size, time of change and hash of files that were entered before: those that are as they were are not
        hashed again.
    advance
        Called with how many files were looked into since it was last called.
    """
    known = _known(before)
    rows: dict[Modality, list[dict[str, Any]]] = {Modality.AUDIO: [], Modality.IMAGE: []}
    left_out: list[dict[str, Any]] = []
    sites: dict[str, _Site] = defaultdict(_Site)
    seen: dict[str, str] = {}
    for entry in _looked_into(files, how, known, advance):
        if not isinstance(entry, _Entry):
            left_out.append(entry)
            continue
        for row in _parts(entry, how):
            if row["id"] in seen:
                same = f"{entry.file.path}: it has the content of {seen[row['id']]}"
                left_out.append(_left_out(entry.file.path, "duplicate", same))
                continue
            seen[row["id"]] = row["path"]
            row["deployment_id"] = site = _site_of(entry)
            sites[site].add(entry.said, site)
            rows[entry.file.modality].append(row)
    return Registered(
        pa.Table.from_pylist([site.row() for site in sites.values()], schema=DEPLOYMENTS),
        pa.Table.from_pylist(rows[Modality.AUDIO], schema=RECORDINGS),
        pa.Table.from_pylist(rows[Modality.IMAGE], schema=PHOTOGRAPHS),
        pa.Table.from_pylist(left_out, schema=LEFT_OUT),
    )


def _known(before: pa.Table | None) -> dict[tuple[str, int, int], str]:
    if before is None:
        return {}
    columns = (before[name].to_pylist() for name in ("path", "file_size", "file_mtime_ns", "sha256"))
    return {(path, size, time): sha for path, size, time, sha in zip(*columns, strict=True)}


def _looked_into(
    files: Sequence[MediaFile],
    how: Registration,
    known: Mapping[tuple[str, int, int], str],
    advance: Callable[[int], None],
) -> Iterator[_Entry | dict[str, Any]]:
    def look(file: MediaFile) -> _Entry | dict[str, Any]:
        try:
            return _entry(file, how, known)
        except MediaError as error:
            return _left_out(file.path, error.reason, str(error))
        except OSError as error:
            return _left_out(file.path, "unreadable", f"{file.path}: {error.strerror or error}")
        except DatasetError as error:
            return _left_out(file.path, "unreadable", str(error))

    with ThreadPoolExecutor(cpu_count(), thread_name_prefix="look") as pool:
        for start in range(0, len(files), _AT_ONCE):
            some = files[start : start + _AT_ONCE]
            yield from pool.map(look, some)
            advance(len(some))


def _left_out(path: Path, reason: str, detail: str) -> dict[str, Any]:
    return {"path": str(path), "reason": reason, "detail": detail}


def _entry(file: MediaFile, how: Registration, known: Mapping[tuple[str, int, int], str]) -> _Entry:
    status = file.path.stat()
    state = (str(file.path), status.st_size, status.st_mtime_ns)
    row: dict[str, Any] = dict(zip(("path", "file_size", "file_mtime_ns"), state, strict=True))
    if file.modality == Modality.AUDIO:
        with open_sound(file.path) as reader:
            row["duration_s"] = reader.frames / reader.sample_rate
            row["sample_rate"], row["channels"] = reader.sample_rate, reader.channels
            note = mix_of(reader).note if how.channels is None else None
            warnings = (*reader.warnings, note) if note else reader.warnings
        if not row["duration_s"]:
            raise MediaError(
                "no-samples",
                f"{file.path}: it holds no samples, and has {status.st_size:,} bytes. A recorder that lost power "
                "leaves such a file",
            )
        if short := too_short(row["duration_s"]):
            raise MediaError("too-short", f"{file.path}: {short}")
        said = said_of_sound(file.path, timezone=how.timezone)
    else:
        row["width"], row["height"] = picture_size(file.path)
        said, warnings = said_of_picture(file.path, timezone=how.timezone), ()
    row["sha256"] = known.get(state) or sha256_of(file.path)
    row |= {name: getattr(said, name) for name in ("begin_local", "utc_offset_min", "latitude", "longitude")}
    row |= {name: getattr(said, name) for name in ("license", "attribution")}
    row["notes"] = [*warnings, *said.notes]
    row["group_id"] = said.source_id
    if file.modality == Modality.AUDIO:
        row["gain"] = said.gain
    return _Entry(file, row, said)


def _parts(entry: _Entry, how: Registration) -> Iterator[dict[str, Any]]:
    """Yield a row for each channel that is listened to, or each box that is looked at."""
    row = entry.row
    if entry.file.modality == Modality.IMAGE:
        boxes = (how.boxes or {}).get(entry.file.path, ())
        if not boxes:
            yield {**row, "id": id_of(row["sha256"])}
        for number, (box, found) in enumerate(boxes, 1):
            yield {**row, "id": id_of(row["sha256"], box=number), "box": list(box), "box_of": found}
        return
    channels: Iterable[int | None] = (
        (None,) if how.channels is None else how.channels or range(1, row["channels"] + 1)
    )
    for channel in channels:
        yield {**row, "id": id_of(row["sha256"], channel=channel), "channel": channel}


def _site_of(entry: _Entry) -> str:
    """Return the site that a file states, or else the folder that it lies in, from the one that was named."""
    if entry.said.site:
        return entry.said.site
    folder = entry.file.path.parent
    below = folder.relative_to(entry.file.root).as_posix() if folder.is_relative_to(entry.file.root) else "."
    return entry.file.root.name or str(entry.file.root) if below == "." else below


@dataclass
class _Site:
    """A deployment, from what its files say."""

    id: str = ""
    said: Said | None = None
    moved: bool = False

    def add(self, said: Said, site: str) -> None:
        self.id = site
        if self.said is None:
            self.said = said
            return
        before = self.said
        if before.latitude is None:
            before = replace(before, latitude=said.latitude, longitude=said.longitude)
        elif said.latitude is not None and (said.latitude, said.longitude) != (before.latitude, before.longitude):
            self.moved = True
        self.said = replace(before, recorder=before.recorder or said.recorder)

    def row(self) -> dict[str, Any]:
        """Return its row; where its files state several places it has none, and each recording keeps its own."""
        assert self.said is not None
        place = {} if self.moved else {"latitude": self.said.latitude, "longitude": self.said.longitude}
        return {"id": self.id, "site": self.id, "recorder": self.said.recorder, **place}
