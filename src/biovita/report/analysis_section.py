"""The analysis of a run, arranged for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from biovita.benchmark.scores import KS
from biovita.modality import DIRECTIONS
from biovita.report.charts import radar_chart

__all__ = ["family_rows", "group_tables", "radars", "trait_rows"]

_AXES = 6  # classes of a radar, "All" among them
_FAMILIES = 12
_FEWEST = 5  # queries that a family needs to be listed
Row = Mapping[str, Any]


def radars(numbers: Row, part: str, *, spoken: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return a radar a direction: accuracy by class at species level, Top-1, 5 and 10, as the paper plots it."""
    rows = [row for row in numbers["by_class"] if (row["part"], row["level"]) == (part, "species")]
    sizes: dict[str, int] = {}
    for row in rows:
        if row["k"] == KS[0]:
            sizes[row["class"]] = sizes.get(row["class"], 0) + row["queries"]
    axes = sorted(sizes, key=lambda name: (-sizes[name], name))[:_AXES]
    if len(axes) < 3:
        return []
    charts: list[dict[str, Any]] = []
    for direction in DIRECTIONS:
        found = {(row["class"], row["k"]): row["accuracy"] for row in rows if row["direction"] == direction}
        if found:
            series = {k: [found.get((name, k)) for name in axes] for k in KS}
            charts.append(radar_chart(spoken(direction), axes, series, len(charts)))
    return charts


def family_rows(numbers: Row, part: str) -> list[dict[str, Any]]:
    """Return the families that are found least, over all directions, with what they are most often taken for."""
    found: dict[str, dict[str, Row]] = {}
    for entry in numbers["by_family"]:
        if (entry["part"], entry["k"]) == (part, 1):
            found.setdefault(entry["family"], {})[entry["direction"]] = entry
    confused: dict[str, Row] = {}
    for entry in numbers["confusions"]:
        if (entry["part"], entry["level"]) == (part, "family"):
            best = confused.get(entry["taxon"])
            if best is None or entry["count"] > best["count"]:
                confused[entry["taxon"]] = entry
    rows = []
    for family, cells in found.items():
        queries = sum(row["queries"] for row in cells.values())
        if queries >= _FEWEST:
            mean, chance = (float(np.mean([r[name] for r in cells.values()])) for name in ("accuracy", "chance"))
            rows.append(
                {
                    "name": family,
                    "queries": queries,
                    "mean": mean,
                    "chance": chance,
                    "cells": cells,
                    "taken_for": confused.get(family),
                }
            )
    return sorted(rows, key=lambda row: (row["mean"], row["name"]))[:_FAMILIES]


def group_tables(numbers: Row, part: str) -> list[dict[str, Any]]:
    """Return tables of Top-1 at species level by samples of the correct taxon, recording length and quality."""
    tables = []
    for source, name, title in (
        ("by_samples", "samples", "Samples of the correct species"),
        ("by_recording", "length", "Length of the recording"),
        ("by_recording", "quality", "Contrast of the recording"),
    ):
        rows = [
            row
            for row in numbers[source]
            if name in row and (row["part"], row["level"], row["k"]) == (part, "species", 1)
        ]
        directions = [d for d in DIRECTIONS if any(row["direction"] == d for row in rows)]
        bins = sorted({row[name] for row in rows})
        if len(bins) > 1:
            cells = {(row[name], row["direction"]): row for row in rows}
            tables.append(
                {
                    "title": title,
                    "directions": directions,
                    "rows": [
                        {"name": label.split(": ", 1)[1], "cells": [cells.get((label, d)) for d in directions]}
                        for label in bins
                    ],
                }
            )
    return tables


def trait_rows(numbers: Row, part: str) -> list[dict[str, Any]]:
    """Return a row a label: how often errors share it, against chance, and how well embeddings tell it."""
    agreement: dict[tuple[str, str], list[Row]] = {}
    for row in numbers["traits"]:
        if row["part"] == part and "share" in row:
            agreement.setdefault((row["group"], row["label"]), []).append(row)
    told: dict[tuple[str, str], dict[str, float]] = {}
    for row in numbers["trait_prediction"]:
        if row["part"] == part or (part not in {"seen", "unseen"}):
            cells = told.setdefault((row["group"], row["label"]), {})
            cells[f"{row['modality']} {row['method']}"] = row["auc"]
    keys = list(dict.fromkeys([*agreement, *told]))
    return [
        {
            "group": group,
            "label": label,
            "errors": sum(row["errors"] for row in agreement.get((group, label), ())),
            "share": _weighted(agreement.get((group, label), ()), "share"),
            "chance": _weighted(agreement.get((group, label), ()), "chance"),
            "told": told.get((group, label), {}),
        }
        for group, label in keys
    ]


def _weighted(rows: Sequence[Row], name: str) -> float | None:
    """Return the mean over errors."""
    total = sum(row["errors"] for row in rows)
    return sum(row[name] * row["errors"] for row in rows) / total if total else None
