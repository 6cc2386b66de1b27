"""What is known of a taxon beside its name, as numbers: its lineage, and its trait labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np

from biovita.taxonomy.parse import fold
from biovita.taxonomy.taxon import Rank, Taxon
from biovita.trait_labels import LABELS

__all__ = ["FEATURES", "Feature", "feature_blocks", "feature_count", "taxon_features"]

Feature: TypeAlias = Literal["lineage", "traits"]
FEATURES: tuple[Feature, ...] = get_args(Feature)

_GROUPS = (Rank.CLASS, Rank.ORDER, Rank.FAMILY, Rank.GENUS)
_BITS = 64  # of the hash that stands for a group


def feature_blocks(features: Iterable[Feature]) -> tuple[int, ...]:
    """Return how many numbers belong together, in their order: those of each rank, and those of the labels."""
    chosen = set(features)
    return (_BITS,) * len(_GROUPS) * ("lineage" in chosen) + (len(LABELS),) * ("traits" in chosen)


def feature_count(features: Iterable[Feature]) -> int:
    """Return how many numbers `taxon_features` gives for a taxon."""
    return sum(feature_blocks(features))


def taxon_features(
    taxa: Sequence[tuple[Taxon, Mapping[str, bool]] | None], features: Iterable[Feature]
) -> np.ndarray:
    """Return what is known of taxa as numbers, ``(len(taxa), feature_count(features))``, float32; NaN is unknown.

    A group (class, order, family, genus) is the 64 bits of a hash of its name as plus and minus 1: two groups are
    nearly at right angles, two taxa are as near as the ranks that they share, and a group that training did not meet
    has numbers as well. A label is 1 where it is true and -1 where it is false.

    Parameters
    ----------
    taxa
        Each with its known labels; None is a text that names no taxon.
    """
    chosen = set(features)
    found = np.full((len(taxa), feature_count(chosen)), np.nan, np.float32)
    place = {label: number for number, label in enumerate(LABELS, start=-len(LABELS))}
    for row, known in enumerate(taxa):
        if known is None:
            continue
        taxon, labels = known
        if "lineage" in chosen:
            for number, rank in enumerate(_GROUPS):
                if name := taxon.name_at(rank):
                    found[row, number * _BITS : (number + 1) * _BITS] = _group(rank, name)
        if "traits" in chosen:
            for label, value in labels.items():
                if label in place:
                    found[row, place[label]] = 1 if value else -1
    return found


def _group(rank: Rank, name: str) -> np.ndarray:
    digest = hashlib.blake2b(f"{rank.value} {fold(name)}".encode(), digest_size=_BITS // 8).digest()
    return 2 * np.unpackbits(np.frombuffer(digest, np.uint8)).astype(np.float32) - 1
