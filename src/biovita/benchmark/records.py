"""Rows of results as JSON and CSV hold them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from biovita.benchmark.analysis import GroupAccuracy

__all__ = ["record", "records"]


def record(row: Any) -> dict[str, Any]:
    """Return a row by the names of its fields; a field that is None is left out.

    The group of a `GroupAccuracy` is under the name of what it is grouped by, such as ``family``.
    """
    found = {name: value for name, value in asdict(row).items() if value is not None}
    if isinstance(row, GroupAccuracy):
        found[found.pop("by")] = found.pop("group")
    return found


def records(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Return `record` of each row."""
    return [record(row) for row in rows]
