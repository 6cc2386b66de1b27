"""The options of ``biovita identify`` as they are given, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 - an option is called date
from pathlib import Path
from typing import Any, Literal, TypedDict

from biovita.errors import BiovitaError, unknown_name
from biovita.identification.asked import THRESHOLD, Answering, AskedFor, Perceiving
from biovita.identification.calibration import read_calibration
from biovita.identification.range_model import week_of
from biovita.media.hearing import Hearing
from biovita.taxonomy import Rank

__all__ = [
    "IdentifyOptions",
    "Outputs",
    "answering_of",
    "asked_of",
    "channels_of",
    "outputs_of",
    "perceiving_of",
    "refuse_unknown",
]


class IdentifyOptions(TypedDict, total=False):
    """What `biovita.identify` takes beside what it is about.

    Parameters
    ----------
    taxa, strict
        A list of taxa, of which alone answers are wanted; ``strict`` refuses one with names that mean nothing.
    within
        Groups that answers lie in, of any rank: ``["Aves", "Anura"]``.
    place, date, week, range_only
        Latitude and longitude, and when (``2024-05-17``, or a week from 1 to 48): taxa that BirdNET's range model does
        not expect there are left out, and with ``range_only`` those that it does not know.
    names, language
        A table of common names, and which language of it.
    threshold
        The score that an answer reaches, 0.25 if not given.
    rank
        At which all answers are given; if not given, it is the deepest that is sure enough.
    calibration
        A file that ``biovita identify calibrate`` wrote: scores get probabilities.
    overlap
        Share of a window that the next one repeats, 0.5 if not given.
    channel
        From 1; ``mean`` of all, which is the default, or ``all``: each by itself.
    band, expand
        Lowest and highest frequency in hertz that are heard (None is no limit), and how many times slower.
    views
        Of each photograph, from 1 to 7; 3 if not given.
    boxes
        A file of MegaDetector or SpeciesNet: what they found is looked at, in place of whole photographs.
    timezone
        Of recorders and cameras that state none.
    formats, split
        Of files to write, names in `biovita.archive.annotation_formats.WRITERS`; with ``split`` one for each
        recording.
    report
        Write a page with timelines, spectrograms, players and photographs.
    histories
        Write on which days each taxon was heard at which sites, and how many hours were recorded there.
    segments, per_taxon
        Folder to cut the best events out to, and how many of each taxon, 20 if not given.
    drop_speech
        Keep every piece in which a person is heard out of segments and the page.
    """

    taxa: str | Path | None
    strict: bool
    within: Sequence[str]
    place: tuple[float, float] | None
    date: str | None
    week: int | None
    range_only: bool
    names: str | Path | None
    language: str | None
    threshold: float
    rank: str | None
    calibration: str | Path | None
    overlap: float | None
    channel: int | Literal["mean", "all"]
    band: tuple[float | None, float | None] | None
    expand: float | None
    views: int | None
    boxes: str | Path | None
    timezone: str | None
    formats: Sequence[str]
    split: bool
    report: bool
    histories: bool
    segments: str | Path | None
    per_taxon: int
    drop_speech: bool


def refuse_unknown(options: Mapping[str, Any]) -> None:
    """Refuse options that there are not.

    Raises
    ------
    BiovitaError
        With the nearest one that there is.
    """
    for name in options:
        if name not in IdentifyOptions.__annotations__:
            raise BiovitaError(unknown_name("option of identify", name, IdentifyOptions.__annotations__))


def asked_of(options: IdentifyOptions) -> AskedFor:
    """Return for which candidates.

    Raises
    ------
    BiovitaError
        Where options do not go together, or the date is none.
    """
    return AskedFor(
        taxa=_path(options.get("taxa")),
        strict=options.get("strict", False),
        within=tuple(options.get("within", ())),
        place=options.get("place"),
        week=_week(options.get("date"), options.get("week")),
        range_only=options.get("range_only", False),
        names=_path(options.get("names")),
        language=options.get("language"),
    )


def answering_of(options: IdentifyOptions) -> Answering:
    """Return how scores become answers.

    Raises
    ------
    BiovitaError
        Where the rank is none, or the calibration cannot be read.
    """
    rank, calibration = options.get("rank"), options.get("calibration")
    if rank is not None and rank not in set(Rank):
        raise BiovitaError(unknown_name("rank", rank, Rank))
    return Answering(
        options.get("threshold", THRESHOLD),
        None if rank is None else Rank(rank),
        None if calibration is None else read_calibration(calibration),
    )


def perceiving_of(options: IdentifyOptions, stated: Perceiving | None) -> Perceiving:
    """Return how media become vectors: as an archive states, which no option may change, or as the options say.

    Parameters
    ----------
    stated
        What the archive that is there was made with; None where there is none.

    Raises
    ------
    BiovitaError
        Where an option is not as the archive states.
    """
    base = stated or Perceiving()
    low, high = options.get("band") or (base.hearing.low_hz, base.hearing.high_hz)
    overlap, expand, views = options.get("overlap"), options.get("expand"), options.get("views")
    hearing = Hearing(low_hz=low, high_hz=high, expand=base.hearing.expand if expand is None else expand)
    asked = Perceiving(
        base.overlap if overlap is None else overlap, hearing, base.views if views is None else views
    )
    if stated is not None and asked != stated:
        was, now = stated.as_json(), asked.as_json()
        changed = "; ".join(f"{name} was {was[name]}, now {now[name]}" for name in was if was[name] != now[name])
        raise BiovitaError(
            f"the run that is there was made in another way: {changed}. Leave the option out, give another --out, or "
            "--overwrite to begin anew"
        )
    return asked


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is written beside the tables of a run; see `IdentifyOptions`."""

    formats: tuple[str, ...] = ()
    split: bool = False
    report: bool = False
    histories: bool = False
    segments: Path | None = None
    per_taxon: int = 20
    drop_speech: bool = False

    def __bool__(self) -> bool:
        return bool(self.formats or self.report or self.histories or self.segments)


def outputs_of(options: IdentifyOptions) -> Outputs:
    """Return what is written.

    Raises
    ------
    BiovitaError
        Where a format is not known, or no segment of a taxon is wanted.
    """
    from biovita.archive.annotation_formats.annotation_writers import WRITERS

    formats = tuple(dict.fromkeys(options.get("formats", ())))
    for name in formats:
        if name not in WRITERS:
            raise BiovitaError(unknown_name("format", name, WRITERS))
    most = options.get("per_taxon", 20)
    if most < 1:
        raise BiovitaError(f"{most} segments of each taxon are asked for. It has to be at least 1")
    return Outputs(
        formats,
        options.get("split", False),
        options.get("report", False),
        options.get("histories", False),
        _path(options.get("segments")),
        most,
        options.get("drop_speech", False),
    )


def channels_of(options: IdentifyOptions) -> tuple[int, ...] | None:
    """Return which channels are listened to: None is the mean, ``()`` is each of them.

    Raises
    ------
    BiovitaError
        Where it is no channel.
    """
    channel = options.get("channel", "mean")
    if channel == "mean":
        return None
    if channel == "all":
        return ()
    if not isinstance(channel, int) or channel < 1:
        raise BiovitaError(f"the channel is {channel!r}. Give a number from 1 on, mean or all")
    return (channel,)


def _week(day: str | None, week: int | None) -> int | None:
    """Return the week of the range model, from a date or as it is given."""
    if day is None:
        return week
    if week is not None:
        raise BiovitaError("give a date or a week, not both")
    try:
        return week_of(Date.fromisoformat(day))
    except ValueError:
        raise BiovitaError(f"the date {day} is none. Write it as 2024-05-17") from None


def _path(place: str | Path | None) -> Path | None:
    return None if place is None else Path(place)
