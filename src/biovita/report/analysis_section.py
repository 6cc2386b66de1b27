"""The analysis of a run, arranged for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from biovita.benchmark.analysis import Analysis, Confusion, GroupAccuracy
from biovita.benchmark.scores import KS
from biovita.benchmark.trait_scores import TraitAgreement, TraitScore
from biovita.modality import DIRECTIONS
from biovita.report.charts import BarChart, RadarChart, bar_chart, radar_chart

__all__ = [
    "ClassCharts",
    "ClassRow",
    "FamilyRow",
    "GroupTable",
    "TraitRow",
    "class_charts",
    "class_rows",
    "family_rows",
    "group_tables",
    "trait_rows",
]

_AXES = 6  # classes of a radar, "All" among them
_FEWEST_AXES = 4  # of a radar: three are a triangle, in which "All" lies between the other two
_FAMILIES = 12
_FEWEST = 5  # queries that a family needs to be listed


@dataclass(frozen=True)
class ClassRow:
    """A class, its queries over all directions, and its accuracy by direction and k."""

    name: str
    queries: int
    cells: Mapping[tuple[str, int], GroupAccuracy]


@dataclass(frozen=True)
class ClassCharts:
    """Accuracy by class, a chart a direction: radars, or bars where two classes have queries.

    Attributes
    ----------
    nothing
        The directions in which no query finds its species among the first ten: there is nothing to draw.
    """

    radars: tuple[RadarChart, ...]
    bars: tuple[BarChart, ...]
    nothing: tuple[str, ...]


@dataclass(frozen=True)
class FamilyRow:
    """A family, the mean over the directions, and what it is most often taken for."""

    name: str
    queries: int
    mean: float
    chance: float
    taken_for: Confusion | None


@dataclass(frozen=True)
class GroupTable:
    """Accuracy by group and direction; each row is the name of a group and a cell a direction."""

    title: str
    directions: tuple[str, ...]
    rows: tuple[tuple[str, tuple[GroupAccuracy | None, ...]], ...]


@dataclass(frozen=True)
class TraitRow:
    """A label: how often errors share it, against chance, and how well embeddings tell it.

    Attributes
    ----------
    share, chance
        None where no errors were judged.
    told
        The area under the ROC curve, by modality and method, such as ``audio probe``.
    """

    group: str
    label: str
    errors: int
    share: float | None
    chance: float | None
    told: Mapping[str, float]


def class_rows(analysis: Analysis, part: str) -> tuple[ClassRow, ...]:
    """Return the classes at species level, the one with most queries first."""
    cells: dict[str, dict[tuple[str, int], GroupAccuracy]] = {}
    for row in analysis.by_class:
        if (row.part, row.level) == (part, "species"):
            cells.setdefault(row.group, {})[row.direction, row.k] = row
    rows = [
        ClassRow(name, sum(row.queries for (_, k), row in mine.items() if k == KS[0]), mine)
        for name, mine in cells.items()
    ]
    return tuple(sorted(rows, key=lambda row: -row.queries))


def class_charts(analysis: Analysis, part: str, *, spoken: Callable[[str], str]) -> ClassCharts:
    """Return accuracy by class at species level, Top-1, 5 and 10, by direction: radars, as the paper plots it."""
    classes = {row.name: row for row in class_rows(analysis, part)}
    axes = sorted(classes, key=lambda name: (-classes[name].queries, name))[:_AXES]
    if len(axes) < 3:
        return ClassCharts((), (), ())
    radars: list[RadarChart] = []
    bars: list[BarChart] = []
    nothing: list[str] = []
    for direction in DIRECTIONS:
        found = {k: [classes[name].cells.get((direction, k)) for name in axes] for k in KS}
        series = {k: [None if row is None else row.accuracy for row in rows] for k, rows in found.items()}
        if not any(row is not None for rows in found.values() for row in rows):
            continue
        if not any(share for shares in series.values() for share in shares):
            nothing.append(spoken(direction))
        elif len(axes) < _FEWEST_AXES:
            bars.append(bar_chart(spoken(direction), axes, series))
        else:
            radars.append(radar_chart(spoken(direction), axes, series, len(radars)))
    return ClassCharts(tuple(radars), tuple(bars), tuple(nothing))


def family_rows(analysis: Analysis, part: str) -> tuple[FamilyRow, ...]:
    """Return the families that are found least, over all directions, with what they are most often taken for."""
    found: dict[str, list[GroupAccuracy]] = {}
    for row in analysis.by_family:
        if (row.part, row.k) == (part, 1):
            found.setdefault(row.group, []).append(row)
    confused: dict[str, Confusion] = {}
    for pair in analysis.confusions:
        if (pair.part, pair.level) == (part, "family"):
            best = confused.get(pair.taxon)
            if best is None or pair.count > best.count:
                confused[pair.taxon] = pair
    rows = [
        FamilyRow(
            name=family,
            queries=queries,
            mean=float(np.mean([row.accuracy for row in mine])),
            chance=float(np.mean([row.chance for row in mine])),
            taken_for=confused.get(family),
        )
        for family, mine in found.items()
        if (queries := sum(row.queries for row in mine)) >= _FEWEST
    ]
    return tuple(sorted(rows, key=lambda row: (row.mean, row.name))[:_FAMILIES])


def group_tables(analysis: Analysis, part: str) -> tuple[GroupTable, ...]:
    """Return tables of Top-1 at species level by samples of the correct taxon, recording length and quality."""
    tables = []
    for source, by, title in (
        (analysis.by_samples, "samples", "Samples of the correct species"),
        (analysis.by_recording, "length", "Length of the recording"),
        (analysis.by_recording, "quality", "Contrast of the recording"),
    ):
        rows = [row for row in source if (row.by, row.part, row.level, row.k) == (by, part, "species", 1)]
        directions = tuple(d for d in DIRECTIONS if any(row.direction == d for row in rows))
        bins = sorted({row.group for row in rows})
        if len(bins) > 1:
            cells = {(row.group, row.direction): row for row in rows}
            tables.append(
                GroupTable(
                    title,
                    directions,
                    tuple(
                        (label.split(": ", 1)[1], tuple(cells.get((label, d)) for d in directions))
                        for label in bins
                    ),
                )
            )
    return tuple(tables)


def trait_rows(analysis: Analysis, predictions: Sequence[TraitScore], part: str) -> tuple[TraitRow, ...]:
    """Return a row a label of which errors were judged or predictions made, in the order of the vocabulary."""
    from biovita.trait_labels import LABELS

    agreement: dict[tuple[str, str], list[TraitAgreement]] = {}
    for row in analysis.traits:
        if row.part == part and row.share is not None:
            agreement.setdefault((row.group, row.label), []).append(row)
    told: dict[tuple[str, str], dict[str, float]] = {}
    for score in predictions:
        if score.part == part or (part not in {"seen", "unseen"}):
            told.setdefault((score.group, score.label), {})[f"{score.modality} {score.method}"] = score.auc
    order = {label: place for place, label in enumerate(LABELS)}
    keys = sorted({*agreement, *told}, key=lambda key: order[key[1]])
    return tuple(_trait_row(key, agreement.get(key, ()), told.get(key, {})) for key in keys)


def _trait_row(key: tuple[str, str], rows: Sequence[TraitAgreement], told: Mapping[str, float]) -> TraitRow:
    """Return the mean over the directions, each error counting alike."""
    group, label = key
    total = sum(row.errors for row in rows)
    share = sum((row.share or 0.0) * row.errors for row in rows) / total if total else None
    chance = sum((row.chance or 0.0) * row.errors for row in rows) / total if total else None
    return TraitRow(group, label, total, share, chance, told)
