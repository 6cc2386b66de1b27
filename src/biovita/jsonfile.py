"""JSON of others, read so that a hostile file is a plain error: bounded in size, depth and values, and finite."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NoReturn

from biovita.errors import BiovitaError
from biovita.limits import limit, memory_mib, over

__all__ = ["has_halves", "parse_any_text", "parse_json", "read_bytes", "read_json", "read_text"]

_DEPTH = 64
# Bytes that Python takes for an object, a list, and what follows a comma, beside the text of it.
_WEIGHTS = {"{": 200, "[": 64, ",": 60}
_HALF, _HALF_IN_BYTES = re.compile(r"\\u[dD][89a-fA-F]"), re.compile(rb"\\u[dD][89a-fA-F]")


def read_text(file: Path, error: type[BiovitaError]) -> str:
    """Return what a text file in UTF-8 holds.

    Raises
    ------
    BiovitaError
        Of the class ``error``, where it is missing, no regular file, larger than the limit ``answer`` or not UTF-8.
    """
    return _decoded(read_bytes(file, error), str(file), error)


def read_bytes(file: Path, error: type[BiovitaError]) -> bytes:
    """Return what a file holds.

    Raises
    ------
    BiovitaError
        Of the class ``error``, where it is missing, no regular file, or larger than the limit ``answer``.
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
        raise error(f"{file} is too large: {over('answer')}")
    return content


def _decoded(content: bytes, where: str, error: type[BiovitaError]) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise error(f"{where} is not text in UTF-8: {problem.reason} at byte {problem.start}") from problem


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


def parse_json(text: str | bytes, where: str, error: type[BiovitaError], *, finite: bool = True) -> Any:
    """Return what a JSON text holds; ``where`` names it in an error. ``finite`` is as in `read_json`.

    Raises
    ------
    BiovitaError
        Of the class ``error``, where it is no JSON, is nested deeper than 64 levels, has more values than the memory
        holds, NaN, infinity, a number of thousands of digits, or half of a surrogate pair.
    """
    content = parse_any_text(text, where, error, finite=finite)
    if has_halves(text):
        try:
            json.dumps(content, ensure_ascii=False).encode()
        except UnicodeEncodeError as problem:
            raise error(
                f"{where} is not JSON that biovita reads: half of a surrogate pair is in a string"
            ) from problem
    return content


def parse_any_text(text: str | bytes, where: str, error: type[BiovitaError], *, finite: bool = True) -> Any:
    """Return what `parse_json` does, where strings may hold half of a surrogate pair, which nothing can write.

    Raises
    ------
    BiovitaError
        As `parse_json`.
    """
    if len(text) > limit("answer"):
        raise error(f"{where} is too large: {over('answer')}")
    weight = 2 * len(text) + sum(_counted(text, mark) * each for mark, each in _WEIGHTS.items())
    if weight > memory_mib() << 20:
        raise error(
            f"{where} may take {weight >> 20:,} MiB of memory, and {memory_mib():,} are accepted (--memory MIB sets "
            "another limit)"
        )
    try:
        content = json.loads(
            text if isinstance(text, str) else _decoded(text, where, error),
            parse_constant=_refuse if finite else None,
        )
    except json.JSONDecodeError as problem:
        raise error(f"{where}, line {problem.lineno}: is not JSON: {problem.msg}") from problem
    except RecursionError as problem:
        raise error(
            f"{where} is not JSON that biovita reads: it is nested deeper than {_DEPTH} levels"
        ) from problem
    except BiovitaError:
        raise
    except ValueError as problem:
        raise error(f"{where} is not JSON that biovita reads: {problem}") from problem
    if _is_deep(content):
        raise error(f"{where} is not JSON that biovita reads: it is nested deeper than {_DEPTH} levels")
    return content


def has_halves(text: str | bytes) -> bool:
    """Say whether strings of a JSON text may hold half of a surrogate pair."""
    return bool(_HALF.search(text) if isinstance(text, str) else _HALF_IN_BYTES.search(text))


def _counted(text: str | bytes, mark: str) -> int:
    return text.count(mark) if isinstance(text, str) else text.count(mark.encode())


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


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
