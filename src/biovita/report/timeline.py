"""When and where: events by day and hour, by hour and taxon, by site, and along files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import PurePath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.report.spectrogram_axes import AxisMark, round_steps
from biovita.report.taxa_found import FoundTaxon, is_audio

__all__ = [
    "Bar",
    "FileStrip",
    "HeatCell",
    "HeatRow",
    "HeatTable",
    "StripRow",
    "by_day",
    "by_hour",
    "by_site",
    "strips",
]

_HOUR_US = 3_600_000_000
_DAYS = 62  # rows of the grid of days; of more, several days are in a row
_TAXA, _SITES = 25, 12  # rows and columns that a table shows
_FILES, _STRIP_TAXA = 12, 10  # files that are drawn, and taxa in each
_BINS = 240  # along a file: bars are no closer


@dataclass(frozen=True)
class HeatCell:
    """A number of events and photographs, its share of the largest, and whether anything was recorded there."""

    count: int
    share: float
    recorded: bool


@dataclass(frozen=True)
class HeatRow:
    """A row of a `HeatTable`."""

    label: str
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True)
class HeatTable:
    """Numbers of events.

    Attributes
    ----------
    hours
        Hours that were recorded, for each column; empty where they are not known.
    rest
        How many rows or columns are not shown.
    step
        Days in a row.
    """

    columns: tuple[str, ...]
    rows: tuple[HeatRow, ...]
    hours: tuple[float, ...] = ()
    rest: int = 0
    step: int = 1


@dataclass(frozen=True)
class Bar:
    """A part of a recording in which a taxon is heard, in percent from the left."""

    left: float
    width: float


@dataclass(frozen=True)
class StripRow:
    """A taxon along a recording."""

    name: str
    events: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class FileStrip:
    """What is heard along a recording; ``rest`` taxa are not drawn."""

    file: str
    duration_s: float
    unit: str
    marks: tuple[AxisMark, ...]
    rows: tuple[StripRow, ...]
    rest: int


def by_day(found: pa.Table, recordings: pa.Table) -> HeatTable | None:
    """Return events and photographs by day and hour of the day; None where no file states its time.

    An event counts in the hour in which it begins. A row is a day, or several where there are more than 62; days on
    which nothing was recorded have no row.
    """
    recorded, _ = _recorded_hours(recordings)
    begins = _begin_hours(found)
    hours = np.concatenate([recorded, begins])
    if not len(hours):
        return None
    days = np.unique(hours // 24)
    step = 1 if len(days) <= _DAYS else -(-int(days[-1] - days[0] + 1) // _DAYS)
    firsts = np.unique(days - (days - days[0]) % step)
    counts, effort = np.zeros((len(firsts), 24), int), np.zeros((len(firsts), 24), bool)
    np.add.at(counts, (np.searchsorted(firsts, begins // 24, "right") - 1, begins % 24), 1)
    effort[np.searchsorted(firsts, recorded // 24, "right") - 1, recorded % 24] = True
    labels = [(date(1970, 1, 1) + timedelta(days=int(day))).isoformat() for day in firsts]
    return HeatTable(_HOURS, tuple(_heat(labels, counts, effort)), step=step)


def by_hour(found: pa.Table, recordings: pa.Table, taxa: Sequence[FoundTaxon]) -> HeatTable | None:
    """Return events and photographs by taxon and hour of the day; None where none has a time.

    The shading of a row is relative to its own largest number.
    """
    timed = found.filter(found["begin_local"].is_valid())
    if not timed.num_rows:
        return None
    recorded, lengths = _recorded_hours(recordings)
    hours = np.bincount(recorded % 24, weights=lengths, minlength=24)
    timely = _with_any(taxa, timed)
    counts = _counts(timed, timely[:_TAXA], _begin_hours(timed) % 24, 24)
    rows = _heat(_labels(timely[:_TAXA]), counts, np.broadcast_to(hours > 0, counts.shape), by_row=True)
    return HeatTable(_HOURS, tuple(rows), tuple(hours.tolist()), rest=max(0, len(timely) - _TAXA))


def by_site(
    found: pa.Table, recordings: pa.Table, deployments: pa.Table, taxa: Sequence[FoundTaxon]
) -> HeatTable | None:
    """Return events and photographs by taxon and site; None where no site is known."""
    place = pc.index_in(recordings["deployment_id"], value_set=deployments["id"].combine_chunks())
    at = pc.fill_null(deployments["site"].take(place), "")
    lasting = _lengths(recordings) / 3600
    sites = sorted({*at.to_pylist(), *pc.unique(found["site"]).drop_null().to_pylist()} - {""})
    if not sites or not taxa:
        return None
    shown, settled = sites[:_SITES], _with_any(taxa, found.filter(found["site"].is_valid()))[:_TAXA]
    column = pc.fill_null(pc.index_in(found["site"], value_set=pa.array(shown)), -1).to_numpy()
    counts = _counts(found, settled, column, len(shown))
    names = at.to_pylist()
    hours = [
        float(sum(length for length, name in zip(lasting, names, strict=True) if name == site)) for site in shown
    ]
    effort = np.broadcast_to(np.array(hours) > 0, counts.shape)
    rows = _heat(_labels(settled), counts, effort)
    return HeatTable(tuple(shown), tuple(rows), tuple(hours), rest=len(sites) - len(shown))


def strips(found: pa.Table, recordings: pa.Table, taxa: Sequence[FoundTaxon]) -> tuple[FileStrip, ...]:
    """Return what is heard along recordings: of at most 12, those that state no time first, then the most events."""
    heard = found.filter(pc.and_(is_audio(found), found["start_s"].is_valid()))
    counted = pc.value_counts(heard["media_id"])
    order = dict(zip(*(part.to_pylist() for part in counted.flatten()), strict=True))
    untimed = recordings.filter(recordings["begin_local"].is_null())
    shown = recordings if recordings.num_rows <= _FILES else untimed
    rows = shown.filter(pc.is_in(shown["id"], value_set=pa.array(list(order), pa.string()))).select(
        ["id", "path", "duration_s"]
    )
    best = sorted(rows.to_pylist(), key=lambda row: (-order[row["id"]], row["path"]))[:_FILES]
    common = {taxon.key: taxon.common_name or taxon.key for taxon in taxa}
    return tuple(
        _strip(row["path"], row["duration_s"], heard.filter(pc.equal(heard["media_id"], row["id"])), common)
        for row in best
    )


_HOURS = tuple(f"{hour:02}" for hour in range(24))


def _strip(path: str, duration_s: float, heard: pa.Table, common: dict[str, str]) -> FileStrip:
    unit, factor = ("s", 1) if duration_s <= 180 else ("min", 60) if duration_s <= 10_800 else ("h", 3600)
    steps = round_steps(0, duration_s / factor, 10)
    counted = pc.value_counts(heard["key"]).to_pylist()
    names = [each["values"] for each in sorted(counted, key=lambda each: (-each["counts"], each["values"]))]
    rows = []
    for name in names[:_STRIP_TAXA]:
        mine = heard.filter(pc.equal(heard["key"], name))
        bars = _bars(
            mine["start_s"].to_numpy(), pc.coalesce(mine["end_s"], mine["start_s"]).to_numpy(), duration_s
        )
        rows.append(StripRow(common[name], mine.num_rows, bars))
    return FileStrip(
        file=PurePath(path).name,
        duration_s=duration_s,
        unit=unit,
        marks=tuple(AxisMark(step * factor / duration_s, f"{step:g}") for step in steps),
        rows=tuple(rows),
        rest=max(0, len(names) - _STRIP_TAXA),
    )


def _bars(start_s: np.ndarray, end_s: np.ndarray, duration_s: float) -> tuple[Bar, ...]:
    """Return the parts of a recording that spans cover, to the 240th part of it."""
    first = np.clip((_BINS * start_s / duration_s).astype(int), 0, _BINS - 1)
    last = np.clip(np.ceil(_BINS * end_s / duration_s).astype(int), first + 1, _BINS)
    changes = np.zeros(_BINS + 1, int)
    np.add.at(changes, first, 1)
    np.add.at(changes, last, -1)
    covered = np.concatenate([[False], np.cumsum(changes)[:-1] > 0, [False]])
    edges = np.flatnonzero(covered[1:] != covered[:-1])
    return tuple(
        Bar(round(100 * left / _BINS, 2), round(100 * (right - left) / _BINS, 2))
        for left, right in edges.reshape(-1, 2)
    )


def _with_any(taxa: Sequence[FoundTaxon], found: pa.Table) -> list[FoundTaxon]:
    keys = set(pc.unique(found["key"]).to_pylist())
    return [taxon for taxon in taxa if taxon.key in keys]


def _labels(taxa: Sequence[FoundTaxon]) -> list[str]:
    return [taxon.common_name or taxon.key for taxon in taxa]


def _counts(found: pa.Table, taxa: Sequence[FoundTaxon], column: np.ndarray, columns: int) -> np.ndarray:
    """Return ``(taxa, columns)``, the number of rows of each taxon in each column; -1 is in none."""
    keys = pa.array([taxon.key for taxon in taxa], pa.string())
    row = pc.fill_null(pc.index_in(found["key"], value_set=keys), -1).to_numpy()
    counts = np.zeros((len(taxa), columns), int)
    inside = (row >= 0) & (column >= 0)
    np.add.at(counts, (row[inside], column[inside]), 1)
    return counts


def _heat(labels: Sequence[str], counts: np.ndarray, effort: np.ndarray, *, by_row: bool = False) -> list[HeatRow]:
    top = np.maximum(1, counts.max(axis=1, keepdims=True) if by_row else counts.max(initial=1))
    shares = counts / top
    return [
        HeatRow(
            label,
            tuple(
                HeatCell(int(count), round(float(share), 3), bool(recorded))
                for count, share, recorded in zip(*line, strict=True)
            ),
        )
        for label, *line in zip(labels, counts, shares, effort, strict=True)
    ]


def _begin_hours(found: pa.Table) -> np.ndarray:
    """Return the hour since 1970 in which each annotation that has a time begins, by its own clock."""
    return pc.cast(found["begin_local"].drop_null(), pa.int64()).to_numpy() // _HOUR_US


def _recorded_hours(recordings: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return the hours since 1970 in which recordings last, once for each, and how much of each in hours."""
    timed = recordings.filter(recordings["begin_local"].is_valid())
    first = pc.fill_null(timed["start_s"], 0.0).to_numpy() * 1e6
    begin = pc.cast(timed["begin_local"], pa.int64()).to_numpy() + first
    end = begin + _lengths(timed) * 1e6
    counts = np.maximum(1, np.ceil(end / _HOUR_US) - begin // _HOUR_US).astype(int)
    hour = np.repeat(begin // _HOUR_US, counts).astype(np.int64)
    hour += np.arange(len(hour)) - np.repeat(np.cumsum(counts) - counts, counts)
    lasting = np.minimum(np.repeat(end, counts), (hour + 1) * _HOUR_US) - np.maximum(
        np.repeat(begin, counts), hour * _HOUR_US
    )
    return hour, lasting / _HOUR_US


def _lengths(recordings: pa.Table) -> np.ndarray:
    """Return how long each recording was listened to, in seconds."""
    end = pc.coalesce(recordings["end_s"], recordings["duration_s"]).to_numpy()
    return end - pc.fill_null(recordings["start_s"], 0.0).to_numpy()
