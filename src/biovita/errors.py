"""Errors that a user can mend. Each message says what was wrong, where, and what is accepted."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "BiovitaError",
    "DatasetError",
    "MediaError",
    "MissingExtraError",
    "ModelError",
    "StoppedError",
    "UnknownTaxonError",
    "unknown_name",
]


class BiovitaError(ValueError):
    """Base of the errors that a user can mend; the command line prints them without a traceback.

    Attributes
    ----------
    exit_code
        What the command line then ends with.
    """

    exit_code = 1


class DatasetError(BiovitaError):
    """A dataset, or what one was to be made from, is not as it has to be."""


class UnknownTaxonError(DatasetError, KeyError):
    """A table names a taxon that its dataset lacks."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show it quoted


class MediaError(BiovitaError):
    """A recording or photograph cannot be used.

    Attributes
    ----------
    reason
        A short, stable code (``truncated``, ``not-audio``, ...), the one that ``rejected.parquet`` holds.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[MediaError], tuple[str, str]]:
        """Pickle with both arguments, so that worker processes can hand the error on."""
        return (MediaError, (self.reason, str(self)))


class ModelError(BiovitaError):
    """A model, tower or checkpoint cannot be found or does not fit."""


class MissingExtraError(BiovitaError):
    """An optional part is not installed."""

    def __init__(self, extra: str, needed_for: str) -> None:
        super().__init__(f"{needed_for} needs the optional part {extra!r}: pip install 'biovita[{extra}]'")
        self.extra = extra


class StoppedError(BiovitaError):
    """A signal ended long work early, after what it had done was kept; the message says how to go on."""

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal


_MANY = 30  # names: more would hide the nearest


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that is not among ``known``: the nearest match, and all of them unless many."""
    known = sorted(known)
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = f" Known: {', '.join(known)}" if len(known) <= _MANY or not near else ""
    return f"unknown {kind} {name!r}.{hint}{listed}"
