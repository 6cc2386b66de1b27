"""What a user sees who prints one of our values: one line, however much it holds."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import fields
from enum import Enum
from pathlib import PurePath
from typing import Any

__all__ = ["OneLine"]

_LONGEST = 60  # characters of one field
_LONGEST_OBJECT = 150  # of a field that is no name, number or collection


class OneLine:
    """A dataclass, made with ``repr=False``, that prints as one line.

    Names, numbers and paths stand as they are, and so do short collections of them. Of others there is the number of
    entries, such as ``<108>``. What is empty or None is left out.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(repr=False)
    ... class Report(OneLine):
    ...     name: str
    ...     rows: list[int]
    ...     failed: tuple[str, ...] = ()
    >>> Report("birds", list(range(108)))
    Report(name='birds', rows=<108>)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        values = [(field.name, getattr(self, field.name)) for field in fields(self) if field.repr]  # type: ignore[arg-type]
        shown = [f"{name}={_brief(value)}" for name, value in values if not _is_empty(value)]
        return f"{type(self).__name__}({', '.join(shown)})"


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, Sized) and len(value) == 0)


def _brief(value: Any) -> str:
    """Return a value in a few words."""
    if isinstance(value, PurePath | str):
        text = repr(str(value))
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]}...{text[0]}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Enum | bool | int):
        return str(value)
    if isinstance(value, dict | list | tuple | set | frozenset) and _is_plain(value):
        text = repr(value)
        if len(text) <= _LONGEST:
            return text
    if isinstance(value, Sized):
        return f"<{len(value):,}>"
    text, name = repr(value), getattr(value, "name", None)
    if len(text) <= _LONGEST_OBJECT and text.isprintable():
        return text
    return f"<{type(value).__name__} {name!r}>" if isinstance(name, str) else f"<{type(value).__name__}>"


def _is_plain(value: dict[Any, Any] | list[Any] | tuple[Any, ...] | set[Any] | frozenset[Any]) -> bool:
    held = [*value, *value.values()] if isinstance(value, dict) else value
    return all(type(entry) in {str, int, float, bool} for entry in held)
