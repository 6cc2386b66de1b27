"""What ``biovita identify`` does, as a function with the same arguments."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from biovita.errors import BiovitaError, DatasetError, StoppedError
from biovita.modality import Modality

if TYPE_CHECKING:
    import pandas
    import polars

    from biovita.archive.archive import Archive
    from biovita.archive.take_in import Extent
    from biovita.identification.answers import Answers
    from biovita.identification.asked import Answering, Asked, Perceiving
    from biovita.identification.scoring import Scoring

__all__ = ["Identification", "extent", "identify"]

RECORD = "run.json"


@dataclass(frozen=True, eq=False)
class Identification:
    """What recordings and photographs hold.

    Attributes
    ----------
    path
        Directory of the run, which is a small archive; None where it was not kept.
    events
        Spans of recordings with what is heard in them, as `biovita.archive.archive_tables.ANNOTATIONS` has them.
    photographs
        What photographs show, in the same columns.
    windows
        The scores of windows of recordings and of photographs, as `WINDOWS` has them; their candidates are numbers of
        rows of ``candidates``.
    candidates
        What could have been answered.
    left_out
        What was named and has no scores, and why.
    recordings, media
        The tables of recordings and of photographs.
    notes
        Sentences that a reader of the answers has to know.
    record
        What ``run.json`` states.
    stopped
        Whether Ctrl-C ended it early; what it holds is of the media that were done.
    """

    path: Path | None
    events: pa.Table
    photographs: pa.Table
    windows: pa.Table
    candidates: pa.Table
    left_out: pa.Table
    recordings: pa.Table
    media: pa.Table
    notes: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    written: tuple[Path, ...] = ()
    stopped: bool = False

    @property
    def annotations(self) -> pa.Table:
        """Events, then what photographs show."""
        return pa.concat_tables([self.events, self.photographs])

    def to_pandas(self) -> pandas.DataFrame:
        """Return the annotations as a data frame of pandas, which has to be installed."""
        return self.annotations.to_pandas()

    def to_polars(self) -> polars.DataFrame:
        """Return the annotations as a data frame of polars, which has to be installed."""
        import polars

        frame = polars.from_arrow(self.annotations)
        assert isinstance(frame, polars.DataFrame)
        return frame


def extent(paths: Sequence[str | Path]) -> Extent:
    """Return how much is named: files and hours, as their headers state them. Nothing is decoded.

    Raises
    ------
    DatasetError
        Where a path does not exist.
    """
    from biovita.archive.find_media import find_media
    from biovita.archive.take_in import extent_of

    return extent_of(find_media(paths))


def identify(
    paths: Sequence[str | Path] = (),
    *,
    run: str | Path | None = None,
    out: str | Path | None = None,
    model: str = "auto",
    gallery: Sequence[str | Path] = (),
    taxa: str | Path | None = None,
    strict: bool = False,
    within: Sequence[str] = (),
    place: tuple[float, float] | None = None,
    date: str | None = None,
    week: int | None = None,
    range_only: bool = False,
    names: str | Path | None = None,
    language: str | None = None,
    threshold: float = 0.25,
    rank: str | None = None,
    calibration: str | Path | None = None,
    overlap: float | None = None,
    channel: int | Literal["mean", "all"] = "mean",
    band: tuple[float | None, float | None] | None = None,
    expand: float | None = None,
    views: int | None = None,
    boxes: str | Path | None = None,
    timezone: str | None = None,
    formats: Sequence[str] = (),
    split: bool = False,
    segments: str | Path | None = None,
    per_taxon: int = 20,
    drop_speech: bool = False,
    device: str = "auto",
    workers: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Identification:
    """Return what is heard in recordings and seen in photographs, and write it where ``out`` says.

    Vectors and scores are kept in ``out``: the same call goes on where it was stopped, new files are added, and
    ``run`` answers other questions from what is there.

    Parameters
    ----------
    paths
        Files, folders, patterns, text files that list paths, and datasets; or one archive, whose vectors are scored
        anew and no network runs.
    run
        A run, in place of paths: its scores are answered from, no model is opened.
    out
        Directory to write, an archive. None: nothing is kept; for a ``run`` and an archive it is theirs.
    model
        ``auto``, the best on this machine; or as `describe` takes it.
    gallery
        Datasets, or folders that have a folder for each class, whose items are compared with.
    taxa
        A list of taxa, of which alone answers are wanted. ``strict`` refuses one with names that mean nothing.
    within
        Groups that answers lie in, of any rank.
    place, date, week, range_only
        Latitude and longitude, and when: taxa that BirdNET's range model does not expect there are left out, and with
        ``range_only`` those that it does not know. ``date`` is as 2024-05-17, ``week`` from 1 to 48.
    names, language
        A table of common names, and which language of it.
    threshold
        The score that an answer reaches.
    rank
        At which all answers are given. None is the deepest that is sure enough.
    calibration
        A file that `calibrate_run` wrote: scores get probabilities.
    overlap
        Share of a window that the next one repeats; None is 0.5.
    channel
        From 1; ``mean`` of all, or ``all`` of them, each by itself.
    band, expand
        Lowest and highest frequency in hertz that are heard, and how many times slower.
    views
        Of each photograph, from 1 to 7; None is 3.
    boxes
        A file of MegaDetector or SpeciesNet: what they found is looked at, in place of whole photographs.
    timezone
        Of recorders and cameras that state none.
    formats
        Of files to write: names in `biovita.archive.annotation_formats.WRITERS`.
    split
        Write a file for each recording where the format has such files.
    segments, per_taxon
        Folder to cut the best events out to, and how many of each taxon.
    drop_speech
        Keep every piece in which a person is heard out of segments and the page.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    workers
        Threads that decode; None is one a core.
    overwrite
        Begin anew where ``out`` has a run, and replace files.
    progress
        Show bars on standard error where that is a terminal.

    Raises
    ------
    BiovitaError
        Where a path, a list, a gallery, the model or the question cannot be used.
    """
    from biovita.identification.asked import Answering, Asked, week_asked
    from biovita.identification.calibration import read_calibration
    from biovita.taxonomy import Rank

    asked = Asked(
        taxa=None if taxa is None else Path(taxa),
        strict=strict,
        within=tuple(within),
        place=place,
        week=week_asked(date, week),
        range_only=range_only,
        names=None if names is None else Path(names),
        language=language,
    )
    answering = Answering(
        threshold,
        None if rank is None else Rank(rank),
        None if calibration is None else read_calibration(calibration),
    )
    outputs = Outputs(tuple(formats), split, None if segments is None else Path(segments), per_taxon, drop_speech)
    with _place(paths, run, out, outputs) as where:
        if run is None:
            low, high = band or (None, None)
            given = {"overlap": overlap, "low_hz": low, "high_hz": high, "expand": expand, "views": views}
            how = Registration(timezone, _CHANNELS.get(channel, (channel,)), None if boxes is None else read_boxes(boxes))
