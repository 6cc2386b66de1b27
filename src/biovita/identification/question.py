"""What scores are answers to: all that changes what a score means, so that a calibration can say what it is of."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

from biovita.identification.evidence import Candidate
from biovita.modality import Modality

__all__ = ["Question", "candidates_hash"]

_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Question:
    """What scores are answers to.

    Attributes
    ----------
    model, revision
        Name of the model, and which state of it.
    modality
        Of what was asked about.
    gallery
        Version of the gallery: of its classes, names and exemplars.
    candidates
        Of the candidates, as `candidates_hash` makes it.
    preprocessing
        What was done to items before they were encoded, a band-pass or a time expansion among it.
    window_s, hop_s
        Length of a window and how far the next one begins, in seconds; None of photographs.
    """

    model: str
    revision: str
    modality: Modality
    gallery: str
    candidates: str
    preprocessing: str
    window_s: float | None = None
    hop_s: float | None = None

    def difference(self, other: Question) -> str | None:
        """Return in which way this is another question than ``other``: the first thing that differs; None for none."""
        for field in fields(self):
            own, its = getattr(self, field.name), getattr(other, field.name)
            if own != its:
                return f"its {field.name} is {str(own)[:_SHOWN]}, and that of the question is {str(its)[:_SHOWN]}"
        return None


def candidates_hash(candidates: Sequence[Candidate]) -> str:
    """Return the first 16 digits of a SHA-256 of which candidates there are, whatever their order."""
    lines = sorted(f"{each.kind.value}\t{each.taxon.id}" for each in candidates)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
