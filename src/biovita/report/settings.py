"""Settings as a page lists them: a row each, with the names of what holds it before its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["setting_rows"]


def setting_rows(settings: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the name and the value of each setting in words, in their order.

    Names within others are joined with dots, numbers are as they are typed, and a list of plain values is one row.

    Examples
    --------
    >>> setting_rows({"seed": 0, "optimizer": {"lr": 1e-4, "betas": [0.9, 0.98]}, "text": None})
    (('seed', '0'), ('optimizer.lr', '0.0001'), ('optimizer.betas', '0.9, 0.98'), ('text', 'not set'))
    """
    return tuple(_rows(settings, ""))


def _rows(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _rows(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(each, Mapping | list | tuple) for each in value):
        for place, inner in enumerate(value, 1):
            yield from _rows(inner, f"{name}.{place}")
    elif name:
        yield name, _in_words(value)


def _in_words(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, list | tuple | set | frozenset | Mapping):
        return ", ".join(map(_in_words, value)) or "none"
    return str(value)
