"""Hashes of the texts of a column, by which millions of rows are found and compared without holding their texts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

__all__ = ["NO_TEXT", "text_hashes"]

NO_TEXT = np.uint64(0)
_WORD = 8  # bytes that are taken in together
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, as in xxHash and splitmix64


def text_hashes(texts: pa.Array) -> np.ndarray:
    """Return a hash of 64 bits a text, ``(len(texts),)``, uint64; `NO_TEXT` where there is none.

    Eight bytes at a time are mixed into it by multiplying and shifting, as MurmurHash3 does at its end. Two texts have
    one hash by chance once in 2^64.
    """
    if not len(texts):
        return np.empty(0, np.uint64)
    starts, lengths, data = _bytes(texts)
    hashes = _mixed(lengths.astype(np.uint64) + np.uint64(1))
    words = np.ndarray((len(data) - _WORD + 1,), "<u8", data, strides=(1,))  # one begins at every byte
    shortest, longest = int(lengths.min()), int(lengths.max())
    for begin in range(0, shortest - _WORD + 1, _WORD):  # whole words that all texts have
        hashes = _mixed((hashes ^ words[starts + begin]) * _FACTOR)
    rows = np.arange(len(texts))
    for begin in range(shortest // _WORD * _WORD, longest, _WORD):
        rows = rows[lengths[rows] > begin]
        left = np.minimum(lengths[rows] - begin, _WORD).astype(np.uint64)
        word = words[starts[rows] + begin] & (~np.uint64(0) >> (np.uint64(8) * (np.uint64(_WORD) - left)))
        hashes[rows] = _mixed((hashes[rows] ^ word) * _FACTOR)
    hashes = np.maximum(hashes, np.uint64(1))
    if texts.null_count:
        hashes[texts.is_null().to_numpy(zero_copy_only=False)] = NO_TEXT
    return hashes


def _bytes(texts: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where each text begins in an array of bytes, how long it is, and the array, with zeros behind it."""
    _, offsets, data = texts.buffers()
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    edges = np.frombuffer(offsets, kind)[texts.offset :][: len(texts) + 1].astype(np.int64)
    held = np.zeros(edges[-1] - edges[0] + _WORD, np.uint8)
    if data is not None:
        held[:-_WORD] = np.frombuffer(data, np.uint8)[edges[0] : edges[-1]]
    return edges[:-1] - edges[0], np.diff(edges), held


def _mixed(hashes: np.ndarray) -> np.ndarray:
    """Mix numbers of 64 bits, in place: each bit of them gets to depend on all that were above it."""
    hashes ^= hashes >> np.uint64(32)
    hashes *= np.uint64(0xD6E8FEB86659FD93)
    hashes ^= hashes >> np.uint64(32)
    return hashes
