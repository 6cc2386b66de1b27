"""What can be named, what speaks for it, and how much."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from biovita.archive.archive_tables import Kind
from biovita.taxonomy import Taxon

__all__ = ["Candidate", "Evidence", "Scored"]


class Evidence(IntEnum):
    """What decided about a candidate in a window or photograph: the kind that says most of it."""

    CLASS = 1  # a class of an encoder's own classifier
    NAME = 2  # its name in the space that sound, photographs and names share
    EXEMPLAR = 3  # a labelled recording or photograph that is near


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be an answer.

    Attributes
    ----------
    taxon
        Of a kind that is no taxon, its name stands as the scientific name, and there is no lineage.
    """

    taxon: Taxon
    kind: Kind = Kind.TAXON


@dataclass(frozen=True, eq=False)
class Scored:
    """What the evidence says of windows or photographs.

    Attributes
    ----------
    logits
        ``(rows, candidates)``, float32: log-odds that the candidate is there; its score is their sigmoid. Candidates
        do not exclude each other.
    decided
        ``(rows, candidates)``, uint8: the number of the `Evidence` that says most of it.
    """

    logits: np.ndarray
    decided: np.ndarray
