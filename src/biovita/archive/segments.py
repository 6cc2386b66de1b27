"""Segments: the best events of each taxon, cut out of recordings and photographs into files of their own."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path, PurePath
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive_tables import LEFT_OUT
from biovita.archive.best_events import best_events, spoken_over
from biovita.csv_safe import write_rows
from biovita.errors import MediaError
from biovita.filenames import FileNames, own_place
from biovita.files import make_directory, replacing, write_whole
from biovita.media.boxes import boxed
from biovita.media.inputs import Box
from biovita.media.packed_files import MediaPath
from biovita.modality import Modality

__all__ = ["SEGMENT_COLUMNS", "Locate", "SegmentsReport", "place_on_disk", "write_segments"]

Locate: TypeAlias = Callable[[str, "str | None"], MediaPath]
"""Where the file at ``path`` of the archive's tables is, in the dataset at the directory or in none."""

SEGMENT_COLUMNS = (
    *("file", "source", "start_s", "end_s", "event_start_s", "event_end_s", "box", "begin", "scientific_name"),
    *("common_name", "rank", "score", "probability", "site", "by", "revision", "license", "attribution"),
)
_MOST_S = 60.0  # of an event that is longer, this much around its best window is cut
_JPEG_QUALITY = 92


@dataclass(frozen=True)
class SegmentsReport:
    """What was cut out.

    Attributes
    ----------
    taxa
        How many taxa have a segment.
    written
        How many segments there are.
    spoken_over
        How many events were not considered, because a person is heard in what would be cut.
    left_out
        The events that could not be cut, and why, as `biovita.archive.archive_tables.LEFT_OUT` has it.
    """

    table: Path
    taxa: int
    written: int
    spoken_over: int
    left_out: pa.Table


def place_on_disk(path: str, dataset: str | None) -> Path:
    """Return where a file of an archive is whose media are not packed."""
    return Path(path) if dataset is None else Path(dataset, path)


def write_segments(
    annotations: pa.Table,
    recordings: pa.Table,
    photographs: pa.Table,
    out: Path,
    *,
    per_taxon: int = 20,
    length_s: float | None = None,
    margin_s: float = 0.5,
    speech: Mapping[str, np.ndarray] | None = None,
    locate: Locate = place_on_disk,
) -> SegmentsReport:
    """Cut out the best events of each taxon, spread over recordings and days as `best_events` says.

    A segment lies at ``TAXON/score_file_begin-end.flac``, with the rate and all channels of its recording; it is a
    WAV file where FLAC cannot hold them. Of a photograph it is the box, or all of it, as a JPEG without metadata.
    ``segments.csv`` lists them. The same events give the same names again. Other files in ``out`` stay.

    Parameters
    ----------
    annotations, recordings, photographs
        As `biovita.archive.archive_tables` has them.
    length_s
        Length of each segment in seconds: it lies around a shorter event, and begins with the best window of a longer
        one. None takes the whole event, up to 60 s of it.
    margin_s
        Sound before and after the event that is cut with it, where ``length_s`` is None.
    speech
        Where a person is heard, as `speech_spans` returns it: no segment overlaps it. None cuts them, too.
    locate
        Where a file is, for media that are packed.

    Raises
    ------
    DatasetError
        Where a place in ``out`` is not ours to write.
    """
    if length_s is not None and not length_s > 0:
        raise ValueError(f"length_s is {length_s}; it has to be more than 0 s")
    start, end = _cuts(annotations, recordings, length_s, margin_s)
    spoken = spoken_over(speech or {}, annotations["media_id"], start, end)
    spans = annotations.append_column("cut_start_s", pa.array(start)).append_column("cut_end_s", pa.array(end))
    kept = best_events(spans.filter(pa.array(~spoken)), per_taxon)
    make_directory(out)
    knife = _Knife(out, locate)
    rows = [
        row for event, source in _with_source(kept, recordings, photographs) if (row := knife.cut(event, source))
    ]
    stream = io.StringIO()
    write_rows(stream, SEGMENT_COLUMNS, rows)
    write_whole(own_place(out, "segments.csv"), stream.getvalue())
    return SegmentsReport(
        table=out / "segments.csv",
        taxa=len({row["scientific_name"] for row in rows}),
        written=len(rows),
        spoken_over=int(spoken.sum()),
        left_out=pa.Table.from_pylist(knife.left_out, LEFT_OUT),
    )


def _cuts(
    annotations: pa.Table, recordings: pa.Table, length_s: float | None, margin_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the segment of each annotation begins and ends, in seconds; NaN in photographs."""
    place = pc.index_in(annotations["media_id"], value_set=recordings["id"].combine_chunks())
    span = recordings.select(["start_s", "end_s", "duration_s"]).take(place)
    low = pc.fill_null(span["start_s"], 0.0).to_numpy()
    high = pc.fill_null(pc.coalesce(span["end_s"], span["duration_s"]), np.inf).to_numpy()
    is_sound = pc.equal(annotations["modality"], Modality.AUDIO.value).to_numpy()
    begin = np.where(is_sound, pc.coalesce(annotations["start_s"], pa.scalar(0.0)).to_numpy(), np.nan)
    end = np.where(is_sound, pc.fill_null(annotations["end_s"], np.inf).to_numpy(), np.nan)
    begin, end = np.maximum(begin, low), np.minimum(end, high)
    best = np.clip(
        pc.coalesce(annotations["best_start_s"], annotations["start_s"], pa.scalar(0.0)).to_numpy(), begin, end
    )
    longest = _MOST_S if length_s is None else length_s
    is_long = end - begin > longest
    first = np.where(is_long, np.minimum(best, end - longest), begin)
    last = np.where(is_long, first + longest, end)
    if length_s is None:
        return np.maximum(first - margin_s, low), np.minimum(last + margin_s, high)
    first = np.clip((first + last - length_s) / 2, low, np.maximum(low, high - length_s))
    return first, np.minimum(first + length_s, high)


def _with_source(
    events: pa.Table, recordings: pa.Table, photographs: pa.Table
) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Yield each event with its row among the recordings or photographs; None where it has none."""
    named = ["id", "path", "dataset", "license", "attribution"]
    sources = pa.concat_tables([recordings.select(named), photographs.select(named)])
    places = pc.index_in(events["media_id"], value_set=sources["id"].combine_chunks())
    found = sources.take(places).to_pylist()
    for event, source in zip(events.to_pylist(), found, strict=True):
        yield event, source if source["id"] is not None else None


@dataclass
class _Knife:
    """Cuts segments into a directory; what cannot be cut is in ``left_out``."""

    out: Path
    locate: Locate
    left_out: list[dict[str, Any]] = field(default_factory=list)
    _folders: FileNames = field(default_factory=FileNames)
    _files: dict[str, FileNames] = field(default_factory=dict)

    def cut(self, event: Mapping[str, Any], source: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Return the row of a segment in ``segments.csv``; None where there is none."""
        try:
            if source is None:
                raise MediaError(
                    "unknown-recording",
                    f"the event {event['id']} is in no recording or photograph of this archive",
                )
            place = self.locate(source["path"], source["dataset"])
            if event["modality"] == Modality.AUDIO.value:
                content, suffix = _sound(place, event["cut_start_s"], event["cut_end_s"])
            else:
                content, suffix = _picture(place, event["box"]), ".jpg"
        except MediaError as error:
            self._leave_out(event, error)
            return None
        folder = self._folders.of(event["scientific_name"] or event["label"])
        name = self._files.setdefault(folder, FileNames()).new(*_names(event, source["path"]), suffix=suffix)
        target = own_place(self.out, folder, name)
        make_directory(target.parent)
        with replacing(target) as scratch:
            scratch.write_bytes(content)
        return _row(event, source, f"{folder}/{name}")

    def _leave_out(self, event: Mapping[str, Any], error: MediaError) -> None:
        self.left_out.append(
            {
                "path": event["path"] or event["media_id"] or "",
                "start_s": event["start_s"],
                "end_s": event["end_s"],
                "reason": error.reason,
                "detail": str(error),
            }
        )


def _sound(place: MediaPath, start_s: float, end_s: float) -> tuple[bytes, str]:
    """Return a span as the bytes of a file, and its ending. 24 bits hold all that float32 does, below full scale."""
    import soundfile

    from biovita.media import flac_takes, read_clip

    samples, rate = read_clip(place, start_s, end_s if np.isfinite(end_s) else None, mono=False)
    kind = "FLAC" if flac_takes(samples, rate) else "WAV"
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format=kind, subtype="PCM_24")
    return stream.getvalue(), f".{kind.lower()}"


def _picture(place: MediaPath, box: Box | None) -> bytes:
    from biovita.media import read_image

    image = read_image(place)
    if box is not None:
        image = boxed(image, box)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_JPEG_QUALITY)
    return stream.getvalue()


def _names(event: Mapping[str, Any], path: str) -> tuple[str, str]:
    """Return the name of a segment, and one that no other event has."""
    score = event["probability"] if event["probability"] is not None else event["score"]
    parts = ["unscored" if score is None else f"{score:.3f}", PurePath(path).stem]
    if event["modality"] == Modality.AUDIO.value:
        parts.append(f"{event['cut_start_s']:.2f}-{event['cut_end_s']:.2f}")
    elif event["box"] is not None:
        parts.append("box-" + "-".join(f"{1000 * edge:.0f}" for edge in event["box"]))
    return "_".join(parts), "_".join([*parts, event["id"]])


def _row(event: Mapping[str, Any], source: Mapping[str, Any], file: str) -> dict[str, Any]:
    is_sound = event["modality"] == Modality.AUDIO.value
    cut = (round(event["cut_start_s"], 3), round(event["cut_end_s"], 3)) if is_sound else (None, None)
    return {
        **{column: event.get(column) for column in SEGMENT_COLUMNS},
        "file": file,
        "source": place_on_disk(source["path"], source["dataset"]).as_posix(),
        "start_s": cut[0],
        "end_s": cut[1],
        **{name: _short(event[name]) for name in ("score", "probability")},
        "event_start_s": event["start_s"],
        "event_end_s": event["end_s"],
        "box": None if event["box"] is None else " ".join(f"{edge:.4f}" for edge in event["box"]),
        "begin": _moment(event, (cut[0] or 0.0) - (event["start_s"] or 0.0)),
        "scientific_name": event["scientific_name"] or event["label"],
        "license": source["license"],
        "attribution": source["attribution"],
    }


def _short(value: float | None) -> float | None:
    """Return a number of 32 bits without the digits that it cannot tell."""
    return None if value is None else float(f"{value:.6g}")


def _moment(event: Mapping[str, Any], later_s: float) -> str | None:
    """Return the time at which a segment begins, with its zone where that is known."""
    begin: datetime | None = event["begin_local"]
    if begin is None:
        return None
    if event["utc_offset_min"] is not None:
        begin = begin.replace(tzinfo=timezone(timedelta(minutes=event["utc_offset_min"])))
    return (begin + timedelta(seconds=later_s)).isoformat(timespec="milliseconds")
