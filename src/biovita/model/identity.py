"""Which weights these are: the hash of their files, computed once and kept beside them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from biovita.errors import ModelError
from biovita.files import replacing
from biovita.hashing import sha256_of
from biovita.jsonfile import read_json

__all__ = ["KEPT", "hash_of", "revision_of"]

KEPT = ".biovita-hashes.json"
_SETTLED_NS = 2_000_000_000  # a file that changed since may change again and have the same time


def revision_of(weights: Iterable[Path]) -> str:
    """Return the identity of files of weights: ``sha256:`` and the first 16 digits of each one's hash."""
    return "sha256:" + ",".join(hash_of(file)[:16] for file in weights)


def hash_of(file: Path) -> str:
    """Return the SHA-256 of a file's bytes, read from `KEPT` beside it where the file is as it was then.

    That file may come from somebody else. What it says counts only for a file with the size, the time of its last
    change, the time of its inode's and the number of it that are noted: unpacking or copying changes the last two. On
    Windows the third is the time when the file was made, so that one which was written to in place and then given its
    old time again is not noticed there.
    """
    state = _state_of(file)
    kept = _kept(file.parent).get(file.name)
    if isinstance(kept, dict) and {key: kept.get(key) for key in state} == state and _is_hash(kept.get("sha256")):
        return str(kept["sha256"])
    found = _hashed(file, *state.values())
    if _state_of(file) == state and time.time_ns() - max(state["mtime_ns"], state["ctime_ns"]) > _SETTLED_NS:
        _keep(file, {**state, "sha256": found})
    return found


@lru_cache(maxsize=256)
def _hashed(file: Path, *_state: int) -> str:
    return sha256_of(file)


def _state_of(file: Path) -> dict[str, int]:
    try:
        found = file.stat()
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}") from error
    return {
        "size": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "ctime_ns": found.st_ctime_ns,
        "inode": found.st_ino,
    }


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _kept(directory: Path) -> dict[str, Any]:
    file = directory / KEPT
    if file.is_symlink() or not file.is_file():
        return {}
    try:
        content = read_json(file, ModelError)
    except ModelError:
        return {}
    return content if isinstance(content, dict) else {}


def _keep(file: Path, entry: Mapping[str, Any]) -> None:
    """Note a hash, unless the directory cannot be written to."""
    place = file.parent / KEPT
    if place.is_symlink() or (place.exists() and not place.is_file()):
        return
    known = {name: value for name, value in _kept(file.parent).items() if (file.parent / name).is_file()}
    text = json.dumps({**known, file.name: entry}, indent=1) + "\n"
    with suppress(OSError), replacing(place, shared=True) as scratch:
        scratch.write_text(text, encoding="utf-8", newline="")
