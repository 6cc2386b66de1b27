"""What ``dataset.toml`` says, read and checked: whoever uses a field finds the type that it has to have."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from biovita.errors import DatasetError
from biovita.jsonfile import read_text

__all__ = ["read_info"]

_INTEGERS = range(-(1 << 63), 1 << 63)  # what TOML allows
_DEEPEST = 32
_NO_KEYS = re.compile(  # texts of one line and of several, and comments
    r'"""(?s:[^"\\]++|\\.|"(?!""))*+"{3,5}|\'\'\'(?s:.*?)\'{3,5}|"(?:[^"\\\n]++|\\.)*+"|\'[^\'\n]*\'|#[^\n]*'
)
_WORDS = re.compile(r"[^\s=\[\]{},]+")
_TOO_DEEP = "its values are nested too deep"
_KINDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
    bool: "true or false",
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_counts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_whole, value.values()))


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


_COUNTS = _is_counts, "a table of whole numbers"
_TEXT = _is_text, "a text"
_WHOLE = _is_whole, "a whole number"
_TABLE = _is_table, "a table"
_FIELDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "name": _TEXT,
    "version": (lambda value: _is_text(value) or _is_number(value), "a text"),
    "packed": _TEXT,
    "counts": _COUNTS,
    "made": _TABLE,
    "made.by": _TEXT,
    "made.biovita": _TEXT,
    "made.plan": _TEXT,
    "made.left_out": _COUNTS,
    "made.not_listed": _COUNTS,
    "made.missing": (_is_texts, "a list of texts"),
    "made.refilled": _WHOLE,
    "made.empty": _COUNTS,
    "split": _TABLE,
    "split.seed": _WHOLE,
    "split.unseen_species": _WHOLE,
    "split.held_out": (_is_number, "a number"),
    "split.by": _TEXT,
    "split.unseen_list": _TEXT,
    "split.not_in_dataset": (_is_texts, "a list of texts"),
    "split.audio": _COUNTS,
    "split.images": _COUNTS,
    "traits": _TABLE,
}
_TOGETHER = {"made.plan": ("made.by", "made.biovita"), "split": ("split.seed", "split.unseen_species")}


def read_info(file: Path) -> dict[str, Any]:
    """Return what ``dataset.toml`` says; name and version are there in any case, and may be empty.

    Raises
    ------
    DatasetError
        Where it is not TOML in UTF-8, or a field is not of the type that it has to be.
    """
    try:
        text = read_text(file, DatasetError)
        if _is_deep(text):
            raise DatasetError(f"{file} cannot be read: {_TOO_DEEP}")
        info = tomllib.loads(text)
    except DatasetError:
        raise
    except RecursionError:
        raise DatasetError(f"{file} cannot be read: {_TOO_DEEP}") from None
    except ValueError as error:  # no UTF-8, no TOML, a number of thousands of digits
        raise DatasetError(f"{file} cannot be read: {error}") from None
    if _is_text(made := info.get("made")):
        info["made"] = {"by": made}
    _check_values(file, info, ())
    for name, (holds, accepted) in _FIELDS.items():
        value = _field(info, name)
        if value is not None and not holds(value):
            raise DatasetError(f"{file}: {name} is {_said(value)}. It has to be {accepted}")
    for name, others in _TOGETHER.items():
        lacking = [other for other in others if _field(info, other) is None]
        if _field(info, name) is not None and lacking:
            raise DatasetError(f"{file}: {name} is given without {' and '.join(lacking)}")
    return {"name": file.resolve().parent.name, "version": "", **info}


def _is_deep(text: str) -> bool:
    """Say whether a key has too many parts: with tens of thousands of them, the parser takes minutes."""
    bare = ".".join(part.strip(" \t") for part in _NO_KEYS.sub("_", text).split("."))
    return any(word.count(".") > _DEEPEST for word in _WORDS.findall(bare))


def _field(info: Mapping[str, Any], name: str) -> Any:
    for part in name.split("."):
        info = info.get(part) if isinstance(info, dict) else None  # type: ignore[assignment]
    return info


def _check_values(file: Path, value: Any, where: tuple[str, ...]) -> None:
    """Raise a DatasetError for a value that cannot be written as JSON: a date, a number of too many digits."""
    said = ".".join(where)
    if len(where) > _DEEPEST:
        raise DatasetError(f"{file} cannot be read: {_TOO_DEEP}")
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_values(file, inner, (*where, name))
    elif isinstance(value, list):
        for inner in value:
            _check_values(file, inner, (*where, "[]"))
    elif isinstance(value, int) and value not in _INTEGERS:
        raise DatasetError(f"{file}: {said} is a number of more than 64 bits")
    elif isinstance(value, datetime | date | time) and where[0] in _FIELDS:
        raise DatasetError(f"{file}: {said} is a date or a time; write it as a text, in quotes")


def _said(value: Any) -> str:
    kind = _KINDS.get(type(value), "something else")
    text = repr(value)
    return text if len(text) <= 40 else kind
