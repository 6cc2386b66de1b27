"""JSON of others, read so that a hostile file is a plain error: bounded in size, depth and values, and finite."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NoReturn

from biovita.errors import BiovitaError
from biovita.limits import limit, memory_mib, over

__all__ = ["parse_json", "read_json", "read_text"]

_DEPTH = 64
_BYTES_A_VALUE = 72  # the least that a value takes as a Python object in a list
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_text(file: Path, error: type[BiovitaError]) -> str:
    """Return what a text file in UTF-8 holds.

    Raises
    ------
    BiovitaError
        Of the class ``error``, where it is missing, no regular file, larger than the limit ``answer`` or not UTF-8.
    """
    if not file.exists():
        raise error(f"{file} does not exist")
    if not file.is_file():
        raise error(f"{file} is not a regular file")
    try:
        with file.open("rb") as stream:
            content = stream.read(limit("answer") + 1)
    except OSError as problem:
        raise error(f"{file} cannot be read: {problem.strerror}") from problem
    if len(content) > limit("answer"):
        raise error(f"{file} is larger than what is read of such a file: {over('answer')}")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise error(f"{file} is not text in UTF-8: {problem.reason} at byte {problem.start}") from problem


def read_json(file: Path, error: type[BiovitaError], *, finite: bool = True) -> Any:
    """Return what a JSON file holds.

    Parameters
    ----------
    finite
        False accepts NaN and infinity, as Python writes them.

    Raises
    ------
    BiovitaError
        Of the class ``error``, as `read_text` and `parse_json`.
    """
    return parse_json(read_text(file, error), str(file), error, finite=finite)


def parse_json(text: str, where: str, error: type[BiovitaError], *, finite: bool = True) -> Any:
    """Return what a JSON text holds; ``where`` names it in an error. ``finite`` is as in `read_json`.

    Raises
    ------
    BiovitaError
        Of the class ``error``, where it is no JSON, is nested deeper than 64 levels, has more values than the memory
        holds, NaN, infinity, a number of thousands of digits, or half of a surrogate pair.
    """
    values = sum(text.count(letter) for letter in ",[{")
    if values * _BYTES_A_VALUE > memory_mib() << 20:
        raise error(f"{where}: {values:,} values are more than --memory {memory_mib()} (MiB) holds")
    try:
        content = json.loads(text, parse_constant=_refuse if finite else None)
    except RecursionError as problem:
        raise error(f"{where} is no JSON that is accepted: it is nested deeper than {_DEPTH} levels") from problem
    except ValueError as problem:
        raise error(f"{where} is no JSON that is accepted: {problem}") from problem
    if _is_deep(content):
        raise error(f"{where} is no JSON that is accepted: it is nested deeper than {_DEPTH} levels")
    if _SURROGATE.search(text):
        try:
            json.dumps(content, ensure_ascii=False).encode()
        except UnicodeEncodeError as problem:
            raise error(f"{where} is no JSON that is accepted: half of a surrogate pair in a string") from problem
    return content


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _is_deep(content: Any) -> bool:
    level = [content]
    for _ in range(_DEPTH):
        level = [child for each in level for child in _children(each)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    """Return the lists and objects directly in a value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in inner if isinstance(each, (dict, list))]
