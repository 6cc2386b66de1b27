"""What a search finds, in order: the best of each group, all modalities in one list."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeAlias

import pyarrow as pa

from biovita.modality import Modality
from biovita.retrieval.nearest_rows import NearestRows
from biovita.sql import sql_text

__all__ = ["GROUPS", "Grouping", "Hit", "Ranked", "content_of", "merged", "ranked"]

Grouping: TypeAlias = Literal["recording", "site", "taxon", "none"]
GROUPS: tuple[Grouping, ...] = ("recording", "site", "taxon", "none")
_CONTENT = 20  # characters of a medium's id that are of its content; what follows says which part of it
_FEWEST = 64  # rows that are looked for at once

Nearest: TypeAlias = Callable[[int, str | None], NearestRows]  # how many, and a condition beside the search's own


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was found.

    Attributes
    ----------
    score
        How far it lies above the mean of its modality's background, in the query's spread.
    similarity
        The cosine between it and the query.
    group
        What it stands for the best of.
    """

    id: str
    media_id: str
    modality: Modality
    start_s: float | None
    end_s: float | None
    score: float
    similarity: float
    group: str


@dataclass(frozen=True)
class Ranked:
    """One modality's answer to a query.

    Attributes
    ----------
    nearest
        Looks for rows.
    mean
        Of the background of the modality.
    spread
        Of the query's products, pooled over all modalities.
    length
        Of the query.
    names
        Of a row's label, by which it is grouped; given only where groups are taxa.
    """

    modality: Modality
    nearest: Nearest
    mean: float
    spread: float
    length: float
    names: Callable[[pa.Table], Sequence[str | None]] | None = None


def content_of(media_id: str) -> str:
    """Return what all parts of one recording or photograph have in common in their ids.

    Examples
    --------
    >>> content_of("aaaaaaaaaaaaaaaaaaaa#2")
    'aaaaaaaaaaaaaaaaaaaa'
    """
    return media_id[:_CONTENT]


def ranked(answer: Ranked, group: Grouping, wanted: int) -> Iterator[Hit]:
    """Yield the hits of one modality, the best first, and of each group its best alone.

    Rows of groups that were found are not looked for again, so it goes on until all groups were found, however many
    rows one of them has.

    Parameters
    ----------
    wanted
        How many will be asked for, as far as that is known.
    """
    seen: set[str] = set()
    at_once, passed = max(_FEWEST, 2 * wanted), 0
    condition: str | None = None
    while True:
        found = answer.nearest(at_once, condition)
        keys = _keys(answer, found.rows, group)
        rows = found.rows.select(["id", "media_id", "start_s", "end_s"]).to_pylist()
        for place, (row, key, product) in enumerate(zip(rows, keys, found.products.tolist(), strict=True)):
            if place < passed or key in seen:
                continue
            seen.add(key)
            yield Hit(
                **row,
                modality=answer.modality,
                score=(product - answer.mean) / answer.spread,
                similarity=product / answer.length,
                group=key,
            )
        if found.complete:
            return
        if group == "none" or answer.modality == Modality.TEXT:
            passed, at_once = len(rows), 4 * at_once
        else:
            condition = _others(condition, found.rows, keys, group)


def merged(streams: Sequence[Iterator[Hit]], first: int, count: int) -> list[Hit]:
    """Return hits of several modalities in one order, each group once, from the ``first`` on."""
    seen: set[str] = set()

    def once() -> Iterator[Hit]:
        for hit in heapq.merge(*streams, key=lambda hit: (-hit.score, hit.id)):
            if hit.group not in seen:
                seen.add(hit.group)
                yield hit

    return list(islice(once(), first, first + count))


def _keys(answer: Ranked, rows: pa.Table, group: Grouping) -> list[str]:
    media = rows["media_id"].to_pylist()
    if group == "none" or answer.modality == Modality.TEXT:
        return list(rows["id"].to_pylist())
    if group == "recording":
        return [content_of(each) for each in media]
    if group == "site":
        stated: Sequence[str | None] = rows["site"].to_pylist()
    else:
        assert answer.names is not None, "labels are looked up"
        stated = answer.names(rows)
    return [
        name if name is not None else f"\0{content_of(each)}" for name, each in zip(stated, media, strict=True)
    ]


def _others(condition: str | None, rows: pa.Table, keys: Sequence[str], group: Grouping) -> str:
    """Return a condition beside which no row of the groups is left that were found."""
    unnamed = [
        media for media, key in zip(rows["media_id"].to_pylist(), keys, strict=True) if key.startswith("\0")
    ]
    media = rows["media_id"].unique().to_pylist() if group == "recording" else sorted(set(unnamed))
    names = sorted({key for key in keys if not key.startswith("\0")}) if group != "recording" else []
    parts = [condition] if condition else []
    if media:
        parts.append(f"media_id NOT IN ({', '.join(map(sql_text, media))})")
    if names and group == "site":
        parts.append(f"(site IS NULL OR site NOT IN ({', '.join(map(sql_text, names))}))")
    if names and group == "taxon":
        parts.append(f"NOT array_has_any(taxa, [{', '.join(map(sql_text, names))}])")
    return " AND ".join(parts)
