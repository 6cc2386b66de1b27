"""The best events and photographs of a taxon as a page shows them: to see, to hear, and with the reason."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.errors import DatasetError, MediaError
from biovita.modality import Modality
from biovita.report.identification_content import IdentificationContent
from biovita.report.spectrogram_axes import AxisMark, drawn
from biovita.report.thumbnails import SoundView, sound_view, thumbnail

__all__ = ["EventCard", "EventViews", "ExemplarCard", "PhotographCard", "SoundPiece", "moment"]

MEDIA_BYTES = 16 << 20  # of pictures and sounds that a page holds
_PIECE_S = 8.0  # of an event that can be heard
_AROUND_S = 1.0  # before and after it
_RATE = 32_000  # of the sound in the page
_SIZE = (560, 190)  # of a spectrogram, in pixels
_PHOTOGRAPH = 420  # pixels, the longer side at most
_ULTRASOUND_HZ = 20_000  # from here on people hear nothing
_SLOWED = 10.0  # time expansion that bat workers are used to
_REASONS = {
    "class": "a class of the encoder’s own classifier",
    "name": "its name, in the space that sounds, photographs and names share",
    "exemplar": "labelled examples that are near",
}


@dataclass(frozen=True)
class SoundPiece:
    """A piece of a recording around an event.

    Attributes
    ----------
    audio, picture
        Data URIs: MP3, and PNG.
    seconds, khz
        Marks of the picture's axes; the one of frequencies ends at ``top_khz``.
    event, best
        Left edge and width, in percent of the picture: of the event, and of the window with the largest score.
    length_s
        Of the piece within the file.
    slowed
        By how much it is played slower than it was recorded.
    """

    audio: str
    picture: str
    top_khz: float
    seconds: tuple[AxisMark, ...]
    khz: tuple[AxisMark, ...]
    event: tuple[float, float]
    best: tuple[float, float]
    length_s: float
    slowed: float


@dataclass(frozen=True)
class ExemplarCard:
    """A labelled recording or photograph beside an answer.

    Attributes
    ----------
    number
        Among those of the page, from 1.
    again
        Whether it is shown further up already, and not here.
    fault
        Why there is nothing to see or hear.
    """

    number: int
    id: str
    license: str | None
    attribution: str | None
    sound: SoundView | None = None
    photograph: str | None = None
    fault: str | None = None
    again: bool = False


@dataclass(frozen=True)
class EventCard:
    """An event with its reason.

    Attributes
    ----------
    row
        The annotation.
    file
        Name of the recording's file.
    span
        Where the event is in it, in words.
    margin
        By how much its score is above that of the runner-up.
    reason
        What decided, in words; None where it is not known.
    """

    row: Mapping[str, Any]
    file: str
    span: str | None
    moment: str | None
    margin: float | None
    reason: str | None
    license: str | None
    attribution: str | None
    nearest: tuple[ExemplarCard, ...]
    sound: SoundPiece | None = None
    fault: str | None = None


@dataclass(frozen=True)
class PhotographCard:
    """A photograph with the box that was named, in percent from the left, from the top, wide and high."""

    row: Mapping[str, Any]
    file: str
    moment: str | None
    margin: float | None
    reason: str | None
    license: str | None
    attribution: str | None
    nearest: tuple[ExemplarCard, ...]
    photograph: str | None = None
    box: tuple[float, float, float, float] | None = None
    box_of: str | None = None
    fault: str | None = None


@dataclass
class EventViews:
    """Makes the cards of a page, until its media take 16 MB; after that the cards say so.

    Attributes
    ----------
    unseen
        How many pictures and sounds were left out because the page would grow too large.
    """

    content: IdentificationContent
    room: int = MEDIA_BYTES
    unseen: int = 0
    _exemplars: dict[str, ExemplarCard] = field(default_factory=dict)

    def event(self, row: Mapping[str, Any]) -> EventCard:
        """Return the card of an event; ``row`` is its annotation."""
        source = _found(self.content.recordings, row["media_id"])
        seen: dict[str, Any] = {"fault": _FULL}
        if self._has_room():
            seen = self._heard(row, source)
            self._take(seen.get("sound"))
        return EventCard(**self._said(row, source), **seen, span=_span(row["start_s"], row["end_s"]))

    def photograph(self, row: Mapping[str, Any]) -> PhotographCard:
        """Return the card of a photograph; ``row`` is its annotation."""
        source = _found(self.content.photographs, row["media_id"])
        box = row["box"]
        seen: dict[str, Any] = {"fault": _FULL}
        if self._has_room():
            try:
                seen = {"photograph": _photograph(self._place(source))}
                self._take(seen["photograph"])
            except (MediaError, DatasetError) as error:
                seen = {"fault": _why(error)}
        return PhotographCard(
            **self._said(row, source),
            **seen,
            box=None if box is None else tuple(round(100 * edge, 2) for edge in box),
            box_of=None if source is None else source["box_of"],
        )

    def _said(self, row: Mapping[str, Any], source: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return what the cards of both kinds say."""
        score, second = row["score"], row["runner_up_score"]
        return {
            "row": row,
            "file": PurePath(source["path"] if source else row["path"] or row["media_id"] or "?").name,
            "moment": moment(row["begin_local"], row["utc_offset_min"]),
            "margin": None if score is None or second is None else score - second,
            "reason": _REASONS.get(row["evidence"] or ""),
            "license": source["license"] if source else None,
            "attribution": source["attribution"] if source else None,
            "nearest": tuple(
                self._exemplar(name) for name in (row["nearest_audio"], row["nearest_image"]) if name is not None
            ),
        }

    def _heard(self, row: Mapping[str, Any], source: Mapping[str, Any] | None) -> dict[str, Any]:
        try:
            return {"sound": _piece(self.content, row, source, self._place(source))}
        except (MediaError, DatasetError) as error:
            return {"fault": _why(error)}

    def _exemplar(self, name: str) -> ExemplarCard:
        if name in self._exemplars:
            return replace(self._exemplars[name], sound=None, photograph=None, again=True)
        self._exemplars[name] = self._shown_exemplar(len(self._exemplars) + 1, name)
        return self._exemplars[name]

    def _shown_exemplar(self, number: int, name: str) -> ExemplarCard:
        source = _found(self.content.exemplars, name)
        if source is None:
            return ExemplarCard(number, name, None, None, fault="its file is not known here")
        known = (number, name, source["license"], source["attribution"])
        if not self._has_room():
            return ExemplarCard(*known, fault=_FULL)
        try:
            place = self._place(source)
            if source["modality"] == Modality.IMAGE.value:
                photograph = thumbnail(place)
                self._take(photograph)
                return ExemplarCard(*known, photograph=photograph)
            sound = sound_view(place, source["start_s"], source["end_s"])
            self._take(sound)
            return ExemplarCard(*known, sound=sound)
        except (MediaError, DatasetError) as error:
            return ExemplarCard(*known, fault=_why(error))

    def _place(self, source: Mapping[str, Any] | None) -> Any:
        if source is None:
            raise MediaError("unknown-file", "no file of this archive has that id")
        return self.content.locate(source["path"], source["dataset"])

    def _has_room(self) -> bool:
        self.unseen += self.room <= 0
        return self.room > 0

    def _take(self, shown: SoundPiece | SoundView | str | None) -> None:
        if shown is not None:
            self.room -= len(shown) if isinstance(shown, str) else len(shown.audio) + len(shown.picture)


_FULL = "the page would grow too large"


def moment(begin_local: Any, utc_offset_min: int | None) -> str | None:
    """Return a time as a page writes it, with its distance from UTC where that is known.

    Examples
    --------
    >>> from datetime import datetime
    >>> moment(datetime.fromisoformat("2026-05-01T04:30:12.5"), -300)
    '2026-05-01 04:30:12 UTC−05:00'
    """
    if begin_local is None:
        return None
    text = begin_local.strftime("%Y-%m-%d %H:%M:%S")
    if utc_offset_min is None:
        return text
    hours, minutes = divmod(abs(utc_offset_min), 60)
    return f"{text} UTC{'−' if utc_offset_min < 0 else '+'}{hours:02}:{minutes:02}"


def _span(start_s: float | None, end_s: float | None) -> str | None:
    """Return a span in words, with milliseconds where it is short."""
    if start_s is None:
        return None
    if end_s is None:
        return f"{start_s:.1f} s to the end"
    digits = 1 if end_s - start_s >= 1 else 3
    return f"{start_s:.{digits}f} to {end_s:.{digits}f} s"


def _piece(
    content: IdentificationContent, row: Mapping[str, Any], source: Mapping[str, Any] | None, place: Any
) -> SoundPiece:
    """Return the piece of a recording that is shown of an event.

    Raises
    ------
    MediaError
        Where it cannot be read.
    """
    from biovita.media import read_clip, resample

    assert source is not None
    slowed = content.expand if content.expand > 1 else _SLOWED if (row["low_hz"] or 0) >= _ULTRASOUND_HZ else 1.0
    start, end = row["start_s"] or 0.0, row["end_s"] or source["duration_s"]
    begin, stop, best = _edges(row, source, content.window_s, slowed)
    samples, rate = read_clip(place, begin, stop)
    spectrogram = drawn(samples, rate, start_s=begin, slowed=slowed, size=_SIZE)

    def percent(left: float, right: float) -> tuple[float, float]:
        left, right = (float(np.clip((edge - begin) / (stop - begin), 0, 1)) for edge in (left, right))
        return round(100 * left, 2), round(100 * (right - left), 2)

    return SoundPiece(
        audio=_mp3(resample(samples, rate / slowed, _RATE)),
        picture=_uri("image/png", spectrogram.picture),
        top_khz=spectrogram.top_khz,
        seconds=spectrogram.seconds,
        khz=spectrogram.khz,
        event=percent(start, end),
        best=percent(best, min(best + content.window_s, end)),
        length_s=stop - begin,
        slowed=slowed,
    )


def _edges(
    row: Mapping[str, Any], source: Mapping[str, Any], window_s: float, slowed: float
) -> tuple[float, float, float]:
    """Return where the piece of an event begins and ends, and where its best window begins, in seconds."""
    low, high = source["start_s"] or 0.0, source["end_s"] or source["duration_s"]
    start, end = row["start_s"] or 0.0, row["end_s"] or high
    best = start if row["best_start_s"] is None else row["best_start_s"]
    most, around = _PIECE_S / slowed, _AROUND_S / slowed
    begin, stop = max(low, start - around), min(high, end + around)
    if stop - begin > most:
        middle = best + min(window_s, end - start) / 2
        begin = min(max(begin, middle - most / 2), stop - most)
        stop = begin + most
    return begin, stop, best


def _mp3(samples: np.ndarray) -> str:
    import soundfile

    peak = float(np.abs(samples).max(initial=0.0))
    stream = io.BytesIO()
    soundfile.write(
        stream,
        samples * (0.9 / peak) if peak else samples,
        _RATE,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=0.8,
    )
    return _uri("audio/mpeg", stream.getvalue())


def _photograph(place: Any) -> str:
    from PIL import Image

    from biovita.media import read_image

    image = read_image(place)
    image.thumbnail((_PHOTOGRAPH, _PHOTOGRAPH), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=80, optimize=True)
    return _uri("image/jpeg", stream.getvalue())


def _found(table: pa.Table, name: str | None) -> dict[str, Any] | None:
    """Return the row of an id; None where there is none."""
    place = pc.index(table["id"], pa.scalar(name, pa.string())).as_py() if name is not None else -1
    return table.slice(place, 1).to_pylist()[0] if place >= 0 else None


def _why(error: MediaError | DatasetError) -> str:
    return error.reason if isinstance(error, MediaError) else "missing, or not the file that the tables describe"


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
