"""Hours of the day, as people write them: ``20-5``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from biovita.errors import BiovitaError

__all__ = ["Hours", "hours_of"]


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of the day by a clock, from the begin of the first to the begin of the last, which may be on the next day.

    Examples
    --------
    >>> [hour for hour in range(24) if hour in Hours(22, 4)]
    [0, 1, 2, 3, 22, 23]
    """

    first: int
    last: int

    def __contains__(self, hour: int) -> bool:
        if self.first < self.last:
            return self.first <= hour < self.last
        return hour >= self.first or hour < self.last


def hours_of(text: str) -> Hours:
    """Return the hours that a text states, as ``20-5``: from 20:00 to 5:00.

    Raises
    ------
    BiovitaError
        Where it states none.
    """
    parts = re.fullmatch(r"\s*(\d{1,2})\s*-\s*(\d{1,2})\s*", text, re.ASCII)
    first, last = (-1, -1) if parts is None else (int(parts[1]), int(parts[2]))
    if not (0 <= first <= 23 and 0 <= last <= 24 and first != last % 24):
        raise BiovitaError(
            f"the hours are {text!r}. Write them as 20-5, from 0 to 24, the first and the last apart"
        )
    return Hours(first, last % 24)
