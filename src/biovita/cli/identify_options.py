"""The options of ``biovita identify``: what they are called, what help says of them, and how they are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from biovita.errors import BiovitaError
from biovita.values import number

__all__ = [
    "AtRank",
    "Band",
    "Boxes",
    "Calibrated",
    "Channel",
    "Date",
    "DropSpeech",
    "Expand",
    "Formats",
    "Histories",
    "Language",
    "Names",
    "Overlap",
    "PerTaxon",
    "Place",
    "RangeOnly",
    "Report",
    "Segments",
    "Split",
    "Strict",
    "Taxa",
    "Threshold",
    "Timezone",
    "Views",
    "Week",
    "Within",
]

_RANKS = Literal["species", "genus", "family", "order", "class", "phylum", "kingdom"]


def _place(type_: Any, tokens: Sequence[Any]) -> tuple[float, float]:  # noqa: ARG001 - cyclopts hands it over
    text = tokens[0].value
    found = [number(part) for part in text.split(",")]
    if len(found) != 2 or found[0] is None or found[1] is None:
        raise BiovitaError(f"{text!r}. Write it as LAT,LON, such as 47.5,8.7")
    return found[0], found[1]


def _band(type_: Any, tokens: Sequence[Any]) -> tuple[float | None, float | None]:  # noqa: ARG001
    text = tokens[0].value
    parts = text.split("-")
    found = [number(part) for part in parts]
    if len(parts) != 2 or any(part.strip() and each is None for part, each in zip(parts, found, strict=True)):
        raise BiovitaError(f"{text!r}. Write it as LOW-HIGH in hertz, such as 1000-10000, 2000- or -8000")
    return found[0], found[1]


def _channel(type_: Any, tokens: Sequence[Any]) -> int | Literal["mean", "all"]:  # noqa: ARG001
    text: str = tokens[0].value
    if text == "mean":
        return "mean"
    if text == "all":
        return "all"
    if not (text.isascii() and text.isdigit()):
        raise BiovitaError(f"{text!r}. Give a number from 1 on, mean or all")
    return int(text)


Taxa = Annotated[
    Path | None,
    Parameter(help="A list of taxa, of which alone answers are wanted: a name a line, or any table."),
]
Strict = Annotated[
    bool, Parameter(help="Stop where the list has names that mean no taxon. Default: they are told.")
]
Within = Annotated[
    list[str] | None,
    Parameter(help="A group that answers lie in, of any rank; more than once, or with commas: Aves,Anura."),
]
Place = Annotated[
    tuple[float, float] | None,
    Parameter(
        converter=_place,
        n_tokens=1,
        help="LAT,LON: leave out taxa that BirdNET's range model does not expect there.",
    ),
]
Date = Annotated[str | None, Parameter(help="Date for the range model, as 2024-05-17.")]
Week = Annotated[
    int | None,
    Parameter(help="Week for the range model, from 1 to 48. Default, without a date: any time of the year."),
]
RangeOnly = Annotated[bool, Parameter(help="Leave out taxa that the range model does not know, too.")]
Names = Annotated[Path | None, Parameter(help="A table of common names.")]
Language = Annotated[str | None, Parameter(help="Which language of that table.")]
Threshold = Annotated[float, Parameter(help="The score that an answer reaches.")]
AtRank = Annotated[
    _RANKS | None,
    Parameter(name="--rank", help="Give all answers at this rank. Default: the deepest rank that is sure enough."),
]
Calibrated = Annotated[
    Path | None, Parameter(help="A file of `biovita identify calibrate`: scores get probabilities.")
]
Overlap = Annotated[float | None, Parameter(help="Share of a window that the next one repeats. Default: 0.5.")]
Channel = Annotated[
    int | Literal["mean", "all"],
    Parameter(converter=_channel, n_tokens=1, help="A channel from 1 on, mean of all, or all: each by itself."),
]
Band = Annotated[
    tuple[float | None, float | None] | None,
    Parameter(converter=_band, n_tokens=1, help="LOW-HIGH: frequencies in hertz that are heard."),
]
Expand = Annotated[float | None, Parameter(help="Hear recordings so many times slower: 10 for bats.")]
Views = Annotated[int | None, Parameter(help="Views of each photograph, from 1 to 7. Default: 3.")]
Boxes = Annotated[Path | None, Parameter(help="JSON of MegaDetector or SpeciesNet: look at what they found.")]
Timezone = Annotated[
    str | None, Parameter(help="Of recorders and cameras that state none: Europe/Zurich or +02:00.")
]
Formats = Annotated[
    list[str] | None,
    Parameter(
        name="--format",
        help="Write a file of this format: csv, parquet, json, raven, audacity, kaleidoscope, aoef, camtrap-dp, "
        "darwin-core; more than once, or with commas.",
    ),
]
Report = Annotated[
    bool, Parameter(help="Write report.html: timelines, spectrograms with players, photographs, and why.")
]
Histories = Annotated[
    bool, Parameter(help="Write detection histories for occupancy models: taxa by site and day, with the hours.")
]
Split = Annotated[bool, Parameter(help="Write a file for each recording.")]
Segments = Annotated[Path | None, Parameter(help="Folder to cut the best events of each taxon out to.")]
PerTaxon = Annotated[int, Parameter(help="How many segments of each taxon.")]
DropSpeech = Annotated[
    bool, Parameter(help="Keep pieces in which a person is heard out of segments and the page.")
]
