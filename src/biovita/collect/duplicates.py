"""Files that stand for the same photograph or recording as another one of the species."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from biovita.collect.fingerprint import Fingerprints, decoded
from biovita.collect.ledger import Entry
from biovita.collect.phash import NEAR

__all__ = ["Duplicates"]


class Duplicates:
    """The files of one species in one modality that count.

    Parameters
    ----------
    ambiguous
        Hashes of files that stand under more than one species: they count for none.
    """

    def __init__(self, ambiguous: set[bytes]) -> None:
        self._ambiguous = ambiguous
        self._by_bytes: dict[str, str] = {}
        self._names: list[str] = []
        self._hashes = np.empty(8, np.uint64)
        self._prints = Fingerprints()

    def check(self, record: Mapping[str, Any], entry: Entry) -> tuple[str, str] | None:
        """Return why a file does not count: reason and detail; None where it does."""
        assert entry.sha256 is not None
        assert entry.info is not None
        if bytes.fromhex(entry.sha256) in self._ambiguous:
            return "ambiguous", "a file of another species has the same bytes"
        if (same := self._by_bytes.get(entry.sha256)) is not None:
            return "duplicate", f"the same bytes as {same}"
        if record["modality"] == "image":
            differing = np.bitwise_count(self._hashes[: len(self._names)] ^ _looks(entry))
            near = np.flatnonzero(differing <= NEAR)
            return ("near-duplicate", f"looks like {self._names[near[0]]}") if len(near) else None
        found = self._prints.find(_sound(entry))
        return None if found is None else ("near-duplicate", f"sounds the same as {self._names[found]}")

    def add(self, record: Mapping[str, Any], entry: Entry) -> None:
        """Remember a file that counts."""
        assert entry.sha256 is not None
        number, name = len(self._names), f"{record['source']} {record['source_id']}"
        self._by_bytes[entry.sha256] = name
        self._names.append(name)
        if record["modality"] == "audio":
            self._prints.add(_sound(entry))
            return
        if number == len(self._hashes):
            self._hashes = np.concatenate([self._hashes, np.empty_like(self._hashes)])
        self._hashes[number] = _looks(entry)


def _looks(entry: Entry) -> np.uint64:
    assert entry.info is not None
    return np.uint64(int(entry.info["phash"], 16))


def _sound(entry: Entry) -> np.ndarray:
    assert entry.info is not None
    return decoded(entry.info.get("fingerprint", ""))
