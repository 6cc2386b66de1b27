"""The vocabulary of traits, 34 labels in eight groups, read from ``trait_labels.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from biovita.errors import DatasetError, unknown_name

__all__ = ["LABELS", "Label", "TraitGroup", "group_of", "groups", "label", "source_order"]


@dataclass(frozen=True, slots=True)
class Label:
    """One thing that is true, false or unknown of a taxon.

    Attributes
    ----------
    id
        Unique over all groups; what ``traits.parquet`` holds.
    group
        The id of its group.
    definition
        What being true means.
    """

    id: str
    group: str
    definition: str


@dataclass(frozen=True, slots=True)
class TraitGroup:
    """Labels that answer one question about an animal."""

    id: str
    name: str
    definition: str
    labels: tuple[Label, ...]


@cache
def _described() -> dict[str, Any]:
    return tomllib.loads((files("biovita") / "trait_labels.toml").read_text(encoding="utf-8"))


@cache
def groups() -> tuple[TraitGroup, ...]:
    """Return the groups of the vocabulary with their labels, in its order."""
    return tuple(
        TraitGroup(
            id=group["id"],
            name=group["name"],
            definition=group["definition"],
            labels=tuple(Label(entry["id"], group["id"], entry["definition"]) for entry in group["label"]),
        )
        for group in _described()["group"]
    )


@cache
def source_order() -> tuple[str, ...]:
    """Return the ids of the published trait tables in the order in which they decide where they disagree."""
    return tuple(_described()["order"])


LABELS: tuple[str, ...] = tuple(entry.id for group in groups() for entry in group.labels)
_BY_ID: dict[str, Label] = {entry.id: entry for group in groups() for entry in group.labels}


def label(label_id: str) -> Label:
    """Return the label with this id.

    Raises
    ------
    DatasetError
        Where the vocabulary has none.

    Examples
    --------
    >>> label("arboreal").group
    'lifestyle'
    """
    if label_id not in _BY_ID:
        raise DatasetError(unknown_name("trait label", label_id, LABELS))
    return _BY_ID[label_id]


def group_of(label_id: str) -> str:
    """Return the id of the group that a label belongs to."""
    return label(label_id).group
