"""What stands for a trait label in text, and where it points in the space that texts share with media."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from biovita.trait_labels import group_of, label

__all__ = ["label_directions", "label_text"]


def label_text(label_id: str) -> str:
    """Return what stands for a trait label in text: its name and definition.

    Examples
    --------
    >>> label_text("diurnal")
    'diurnal animal: Active by day.'
    """
    return f"{label_id.replace('_', ' ')} animal: {label(label_id).definition}"


def label_directions(
    labels: Sequence[str], vectors: Callable[[Sequence[str]], np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the vector of each label's text less the mean of its group's, so that what all share does not count.

    Parameters
    ----------
    labels
        Those that are asked about. One that is alone in its group keeps its vector as it is.
    vectors
        From texts, as `label_text` gives them, to their vectors, ``(texts, dim)``.
    """
    groups: dict[str, list[str]] = {}
    for each in labels:
        groups.setdefault(group_of(each), []).append(each)
    found: dict[str, np.ndarray] = {}
    for members in groups.values():
        rows = vectors([label_text(each) for each in members]).astype(np.float64)
        if len(members) > 1:
            rows = rows - rows.mean(axis=0)
        found.update(zip(members, rows, strict=True))
    return found
