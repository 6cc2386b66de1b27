"""What a query is made of, and the one vector that it asks each modality with.

A query may mix sounds, photographs, words, and rows that the answer should be like or unlike. Each part is divided by
the spread of its own products with the backgrounds of the archive, so that a part whose products lie close together
counts as much as one whose products lie far apart. The sum is linear in what is searched, so one vector asks for it.
Examples and counter-examples move it as Rocchio has it, with the weights of Salton and Buckley (1990, Improving
retrieval performance by relevance feedback, Journal of the American Society for Information Science 41).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from biovita.errors import BiovitaError
from biovita.modality import Modality
from biovita.retrieval.background import Background, pooled_spread

__all__ = ["LIKE", "UNLIKE", "QueryPart", "moved_by", "query_for"]

LIKE, UNLIKE = 0.75, 0.25
"""Of the examples together, and of the counter-examples, beside 1 of what is asked."""


@dataclass(frozen=True, eq=False)
class QueryPart:
    """A part of a query.

    Attributes
    ----------
    name
        What it is, in words, for errors.
    vector
        ``(dim,)``, float32, of length 1.
    weight
        Less than 0 of what the answer should be unlike.
    """

    name: str
    modality: Modality
    vector: np.ndarray
    weight: float = 1.0


def moved_by(
    asked: Sequence[QueryPart], like: Sequence[QueryPart], unlike: Sequence[QueryPart]
) -> tuple[QueryPart, ...]:
    """Return the parts of a query with examples and counter-examples; each kind has its weight, shared by its parts.

    Raises
    ------
    BiovitaError
        Where nothing is asked and there is no example, or the weights of what is asked add up to nothing.
    """
    if not asked and not like:
        raise BiovitaError(
            "nothing is asked. Give a sound, a photograph, words, a taxon, or ids that it should be like"
        )
    total = sum(abs(part.weight) for part in asked)
    if asked and not total:
        raise BiovitaError("all weights are 0. Give one of them another weight")
    parts = [replace(part, weight=part.weight / total) for part in asked]
    parts += [replace(part, weight=(LIKE if asked else 1.0) / len(like)) for part in like]
    parts += [replace(part, weight=-UNLIKE / len(unlike)) for part in unlike]
    return tuple(parts)


def query_for(parts: Iterable[QueryPart], backgrounds: Sequence[Background], dim: int) -> np.ndarray | None:
    """Return what asks a modality, ``(dim,)``, float32; None where no part lies in its space.

    Parameters
    ----------
    backgrounds
        Of all modalities.
    dim
        Of the vectors that answer.
    """
    found = np.zeros(dim, np.float32)
    there = False
    for part in parts:
        if len(part.vector) == dim:
            found += part.weight / pooled_spread(part.vector, backgrounds) * part.vector
            there = True
    return found if there and found.any() else None
