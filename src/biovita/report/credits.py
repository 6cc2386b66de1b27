"""Who made what a page shows, and on what terms."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

__all__ = ["Credit", "unstated"]


@dataclass(frozen=True, order=True)
class Credit:
    """Who made something that a page shows, and on what terms; empty where that is not stated."""

    what: str
    attribution: str
    license: str


def unstated(works: Collection[Credit]) -> str:
    """Return in a sentence how many works state no licence or maker; empty where all state both.

    Examples
    --------
    >>> unstated([Credit("Pica pica, photograph", "A. Person", ""), Credit("Vulpes vulpes, photograph", "", "")])
    'Of the works on this page, 2 of 2 state no licence and 1 of 2 no maker.'
    """
    without = {
        "licence": sum(not each.license for each in works),
        "maker": sum(not each.attribution for each in works),
    }
    counted = [f"{count:,} of {len(works):,}" for count in without.values() if count]
    words = [word for word, count in without.items() if count]
    if not words:
        return ""
    first, *rest = zip(counted, words, strict=True)
    said = f"{first[0]} state no {first[1]}" + "".join(f" and {count} no {word}" for count, word in rest)
    return f"Of the works on this page, {said}."
