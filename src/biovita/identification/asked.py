"""What a run of ``biovita identify`` is asked: how it listens and looks, for which candidates, and how it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biovita.errors import BiovitaError
from biovita.identification.calibration import Calibration
from biovita.media.hearing import AS_IT_IS, Hearing
from biovita.taxonomy import Rank
from biovita.towers.views import MOST_VIEWS

__all__ = ["THRESHOLD", "Answering", "AskedFor", "Perceiving"]

THRESHOLD = 0.25  # as BirdNET-Analyzer's least confidence


@dataclass(frozen=True, slots=True)
class Perceiving:
    """How media become vectors; a run keeps to it.

    Attributes
    ----------
    overlap
        Share of a window that the next one repeats.
    hearing
        Which band of recordings is heard, and how fast; the channel is one of each recording.
    views
        Of each photograph.
    """

    overlap: float = 0.5
    hearing: Hearing = AS_IT_IS
    views: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.overlap <= 0.97:
            raise BiovitaError(
                f"the overlap is {self.overlap:g}. It has to be a share of the window, from 0 to 0.97"
            )
        if not 1 <= self.views <= MOST_VIEWS:
            raise BiovitaError(f"{self.views} views are asked for. It has to be 1 to {MOST_VIEWS}")

    def as_json(self) -> dict[str, Any]:
        """Return what is kept of it."""
        return {
            "overlap": self.overlap,
            "low_hz": self.hearing.low_hz,
            "high_hz": self.hearing.high_hz,
            "expand": self.hearing.expand,
            "views": self.views,
        }

    @classmethod
    def from_json(cls, stated: Mapping[str, Any]) -> Perceiving:
        """Return what an archive states.

        Raises
        ------
        BiovitaError
            Where a value is not accepted.
        """
        try:
            hearing = Hearing(low_hz=stated["low_hz"], high_hz=stated["high_hz"], expand=stated["expand"])
            return cls(stated["overlap"], hearing, stated["views"])
        except (KeyError, TypeError) as error:
            raise BiovitaError(f"the archive does not say how its media were heard and seen: {error}") from error


@dataclass(frozen=True, slots=True)
class AskedFor:
    """For which candidates; all that the model and the gallery can name, where nothing is said.

    Attributes
    ----------
    taxa
        A list of taxa; ``strict`` refuses one with names that mean nothing.
    within
        Groups, of any rank.
    place
        Latitude and longitude, for the range model; ``week`` from 1 to 48, or None for the whole year. ``range_only``
        leaves out what that does not know.
    names, language
        A table of common names, and which language of it.
    """

    taxa: Path | None = None
    strict: bool = False
    within: tuple[str, ...] = ()
    place: tuple[float, float] | None = None
    week: int | None = None
    range_only: bool = False
    names: Path | None = None
    language: str | None = None

    def __post_init__(self) -> None:
        if self.week is not None and self.place is None:
            raise BiovitaError("a date or week is of use with a place only. Give --place LAT,LON, too")
        if self.strict and self.taxa is None:
            raise BiovitaError("--strict is about the names of a list. Give --taxa FILE, or leave --strict out")
        if (self.names is None) != (self.language is None):
            raise BiovitaError("common names need a table and a language. Give --names FILE and --language CODE")


@dataclass(frozen=True, slots=True)
class Answering:
    """How stored scores become answers; it may change without another look at the media.

    Attributes
    ----------
    threshold
        The score that an event reaches.
    rank
        At which all answers are given; None is the deepest that is sure enough.
    calibration
        From scores to probabilities.
    """

    threshold: float = THRESHOLD
    rank: Rank | None = None
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise BiovitaError(f"the threshold is {self.threshold:g}. It has to be more than 0 and at most 1")
