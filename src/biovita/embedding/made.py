"""What made a table of vectors."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields

from biovita.errors import DatasetError
from biovita.jsonfile import parse_json
from biovita.towers.encoder import EncoderCard, Windowing
from biovita.version import __version__

__all__ = ["MOST_NUMBERS", "NUMBERS", "Made", "parse_made"]

MOST_NUMBERS = 65_536  # of a vector
NUMBERS = ("float32", "float16")


@dataclass(frozen=True, slots=True)
class Made:
    """What made a table. Vectors of another tower, revision, dimension or preprocessing do not mix with it.

    Attributes
    ----------
    numbers
        What the vectors are kept as: ``float32`` or ``float16``. They are read as float32 from both.
    window_s, hop_s
        Where each window of a recording has a row: its length, and how far the next one begins, in seconds.
    """

    tower: str
    revision: str
    dim: int
    preprocessing: str
    numbers: str = "float32"
    window_s: float | None = None
    hop_s: float | None = None
    biovita: str = __version__

    @classmethod
    def by(cls, card: EncoderCard, windows: Windowing | None = None) -> Made:
        """Return the record of an encoder as this biovita has it; ``windows`` where each one has a row."""
        size, hop = (None, None) if windows is None else (windows.size_s, windows.hop_s)
        return cls(card.name, card.revision, card.dim, card.preprocessing, window_s=size, hop_s=hop)

    def difference(self, other: Made) -> str | None:
        """Return in words how ``other`` differs in what matters, or None."""
        names = [field.name for field in fields(self) if field.name not in {"biovita", "numbers"}]
        parts = [
            f"{name} {getattr(self, name)!r}, now {getattr(other, name)!r}"
            for name in names
            if getattr(self, name) != getattr(other, name)
        ]
        return "; ".join(parts) or None

    def as_json(self) -> str:
        """Return what a table keeps of it."""
        return json.dumps(asdict(self))


def parse_made(text: bytes, numbers: str) -> Made:
    """Return the record that a table holds.

    Parameters
    ----------
    numbers
        What the vectors are, which older tables do not state.

    Raises
    ------
    ValueError
        Where it is no such record.
    """
    stated = parse_json(text, "what made it", DatasetError)
    if not isinstance(stated, dict):
        raise DatasetError("the record of what made it cannot be read")
    try:
        made = Made(**{"numbers": numbers, **stated})
    except TypeError as error:
        raise DatasetError(str(error)) from None
    texts = (made.tower, made.revision, made.preprocessing, made.biovita)
    if not all(isinstance(each, str) for each in texts) or made.numbers not in NUMBERS:
        raise DatasetError("the record of what made it cannot be read")
    if type(made.dim) is not int or not 1 <= made.dim <= MOST_NUMBERS:
        raise DatasetError(f"dim is {made.dim!r}. It has to be a whole number from 1 to {MOST_NUMBERS:,}")
    for seconds in (made.window_s, made.hop_s):
        if seconds is not None and not (type(seconds) in {int, float} and math.isfinite(seconds) and seconds > 0):
            raise DatasetError("window_s and hop_s have to be seconds, more than 0")
    return made
