"""JSON that a stranger wrote: read within limits, or refused with where it is and why."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from biovita.errors import DatasetError
from biovita.limits import limit, memory_mib, over

__all__ = ["Answer", "mapped", "parse_answer", "read_answer"]

Answer = dict[str, Any]
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # may be half of a character, which nothing can write
# Bytes that Python takes for an object, a list, and what follows a comma, with the text of it.
_WEIGHTS = {b"{": 200, b"[": 64, b",": 60}


def read_answer(file: Path) -> Answer:
    """Return the JSON object in a file.

    Raises
    ------
    DatasetError
        Where the file cannot be read, is too large, or is no JSON object in UTF-8.
    """
    try:
        if not file.is_file():
            raise DatasetError(f"{file}: is not a file")
        with file.open("rb") as stream:
            content = stream.read(limit("answer") + 1)
    except OSError as error:
        raise DatasetError(f"{file}: cannot be read: {error.strerror}") from None
    return parse_answer(content, str(file))


def parse_answer(content: bytes, where: str) -> Answer:
    """Return the JSON object that bytes hold; half a character, as only JSON can write it, becomes U+FFFD.

    Raises
    ------
    DatasetError
        Where there is none, or it is larger than is accepted; ``where`` says in the message whose it is.
    """
    if len(content) > limit("answer"):
        raise DatasetError(f"{where}: is too large: {over('answer')}")
    weight = 2 * len(content) + sum(content.count(mark) * each for mark, each in _WEIGHTS.items())
    if weight > memory_mib() << 20:
        raise DatasetError(
            f"{where}: may take {weight >> 20:,} MiB of memory, and {memory_mib():,} are accepted "
            "(--memory MIB sets another limit)"
        )
    try:
        found = json.loads(content.decode("utf-8-sig"))
        if _HALF.search(content):
            found = mapped(found, _whole_characters)
    except json.JSONDecodeError as error:
        raise DatasetError(f"{where}, line {error.lineno}: is not JSON: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise DatasetError(f"{where}: is not UTF-8: {error.reason}") from None
    except RecursionError:
        raise DatasetError(f"{where}: holds lists or objects within each other, too deep to be read") from None
    except ValueError:
        raise DatasetError(f"{where}: holds a number with too many digits") from None
    if not isinstance(found, dict):
        raise DatasetError(f"{where}: expected a JSON object, found {type(found).__name__}")
    return found


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with each text in it, names of fields too, as ``change`` gives it.

    Raises
    ------
    RecursionError
        Where the value holds others too deep.
    """
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [mapped(each, change) for each in value]
    if isinstance(value, dict):
        return {change(name): mapped(each, change) for name, each in value.items()}
    return value


def _whole_characters(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
