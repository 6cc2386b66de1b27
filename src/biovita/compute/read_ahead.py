"""The bytes of packed files, read together and ahead of the workers that decode them."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from biovita.errors import MediaError
from biovita.media.inputs import Clip
from biovita.media.packed_files import PackedFile, contents

__all__ = ["read_ahead"]

Row = TypeVar("Row")
Item = TypeVar("Item")

_GROUP_ITEMS = 32
_GROUP_BYTES = 32 << 20
_DEPTH = 2  # groups that are read while another is handed out


def read_ahead(entries: Iterable[tuple[Row, Item]]) -> Generator[tuple[Row, Item]]:
    """Give rows and items as they come, the packed files in the items with their content.

    One request to object storage takes as long as many together. What cannot be read comes as it was, and says so
    when it is decoded. Items are paths, clips, tuples of these, or anything else.
    """
    waiting: deque[Future[list[tuple[Row, Item]]]] = deque()
    groups = _groups(entries)
    with ThreadPoolExecutor(_DEPTH, thread_name_prefix="read") as pool:
        for group in groups:
            if not waiting and not any(_files(item) for _, item in group):
                yield from group
                continue
            waiting.append(pool.submit(_filled, group))
            if len(waiting) > _DEPTH:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _groups(entries: Iterable[tuple[Row, Item]]) -> Iterator[list[tuple[Row, Item]]]:
    """Yield entries that are read together; one without a packed file ends its group, so that it does not wait."""
    group: list[tuple[Row, Item]] = []
    size = 0
    for entry in entries:
        files = _files(entry[1])
        group.append(entry)
        size += sum(file.size for file in files)
        if not files or len(group) == _GROUP_ITEMS or size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _files(item: Any) -> list[PackedFile]:
    if isinstance(item, PackedFile):
        return [item]
    if isinstance(item, Clip):
        return _files(item.path)
    return [file for part in item for file in _files(part)] if isinstance(item, tuple) else []


def _filled(group: list[tuple[Row, Item]]) -> list[tuple[Row, Item]]:
    try:
        found = contents([file for _, item in group for file in _files(item)])
    except MediaError:
        return group
    return [(row, _with_content(item, found)) for row, item in group]


def _with_content(item: Any, found: dict[PackedFile, bytes]) -> Any:
    if isinstance(item, PackedFile):
        return replace(item, content=found[item])
    if isinstance(item, Clip):
        return replace(item, path=_with_content(item.path, found))
    return tuple(_with_content(part, found) for part in item) if isinstance(item, tuple) else item
