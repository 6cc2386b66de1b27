"""Spherical k-means: the centroids that an index of many vectors is divided by.

Each vector goes to the centroid that it is most like, and each centroid becomes the direction of the sum of its vectors
(Dhillon and Modha 2001, Concept decompositions for large sparse text data using clustering, Machine Learning 42).
"""

from __future__ import annotations

import numpy as np

__all__ = ["PER_PARTITION", "partition_count", "spherical_means"]

PER_PARTITION = 40  # vectors that are drawn for each; FAISS warns below 39
_ROUNDS = 12
_ROWS_A_PARTITION = 4096
_FEWEST, _MOST = 16, 1024
_AT_ONCE = 16_384


def partition_count(rows: int) -> int:
    """Return into how many partitions so many rows are divided: one for 4,096, from 16 to 1,024."""
    return min(_MOST, max(_FEWEST, rows // _ROWS_A_PARTITION))


def spherical_means(vectors: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Return ``count`` directions that stand for vectors, ``(count, dim)``, float32, each of length 1.

    A partition that gets no vector begins again at the vector that is least like its centroid.

    Parameters
    ----------
    vectors
        ``(rows, dim)``, of length 1, with ``count`` rows or more.
    """
    assert len(vectors) >= count, "as many vectors as partitions"
    generator = np.random.default_rng(seed)
    means = vectors[generator.choice(len(vectors), count, replace=False)].astype(np.float32)
    before = np.full(len(vectors), -1)
    for _ in range(_ROUNDS):
        nearest, likeness = _nearest(vectors, means)
        if (nearest == before).all():
            break
        before = nearest
        sums = np.zeros_like(means)
        np.add.at(sums, nearest, vectors)
        lengths = np.linalg.norm(sums, axis=1)
        empty = np.flatnonzero(lengths == 0)
        if len(empty):
            sums[empty] = vectors[np.argsort(likeness, kind="stable")[: len(empty)]]
            lengths = np.linalg.norm(sums, axis=1)
        means = sums / lengths[:, None]
    return means


def _nearest(vectors: np.ndarray, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return of each vector the mean that it is most like, and how like."""
    nearest, likeness = np.empty(len(vectors), np.int64), np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), _AT_ONCE):
        found = vectors[start : start + _AT_ONCE] @ means.T
        nearest[start : start + _AT_ONCE] = found.argmax(axis=1)
        likeness[start : start + _AT_ONCE] = found.max(axis=1)
    return nearest, likeness
