"""Answers of web APIs in JSON, as servers give them and as they are kept in files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from biovita.errors import DatasetError
from biovita.jsonfile import parse_any_text, read_bytes

__all__ = ["Answer", "mapped", "parse_answer", "read_answer"]

Answer = dict[str, Any]


def read_answer(file: Path) -> Answer:
    """Return the JSON object in a file.

    Raises
    ------
    DatasetError
        Where the file cannot be read, is too large, or is no JSON object in UTF-8.
    """
    return parse_answer(read_bytes(file, DatasetError), str(file))


def parse_answer(content: bytes, where: str) -> Answer:
    """Return the JSON object that bytes hold; its texts may hold half a character, as only JSON can write it.

    Raises
    ------
    DatasetError
        Where there is none, or it is larger than is accepted; ``where`` says in the message whose it is.
    """
    found = parse_any_text(content, where, DatasetError, finite=False)
    if not isinstance(found, dict):
        raise DatasetError(f"{where} is not a JSON object but a {type(found).__name__}")
    return found


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with each text in it, names of fields too, as ``change`` gives it."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [mapped(each, change) for each in value]
    if isinstance(value, dict):
        return {change(name): mapped(each, change) for name, each in value.items()}
    return value
