"""What an item is made of, and the pairs of modalities that are compared."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["DIRECTIONS", "MEDIA", "PAIRS", "Modality", "modalities_of", "term_of"]


class Modality(StrEnum):
    """What an item is made of."""

    AUDIO = "audio"
    IMAGE = "image"
    TEXT = "text"

    @property
    def letter(self) -> str:
        """The letter that names it in a direction such as ``A2T``."""
        return self.value[0].upper()

    @property
    def plural(self) -> str:
        """What its items are called: ``recordings``, ``photographs`` or ``texts``."""
        return _PLURALS[self]


_PLURALS = {Modality.AUDIO: "recordings", Modality.IMAGE: "photographs", Modality.TEXT: "texts"}

MEDIA: tuple[Modality, ...] = (Modality.AUDIO, Modality.IMAGE)
"""Those whose items are files."""

PAIRS: tuple[tuple[Modality, Modality], ...] = (
    (Modality.AUDIO, Modality.TEXT),
    (Modality.AUDIO, Modality.IMAGE),
    (Modality.IMAGE, Modality.TEXT),
)
"""Those that are aligned in training and asked in the benchmark, in the order of the published terms."""

_BY_LETTER = {modality.letter: modality for modality in Modality}

DIRECTIONS: tuple[str, ...] = tuple(
    f"{asked.letter}2{answered.letter}"
    for first, second in PAIRS
    for asked, answered in ((first, second), (second, first))
)
"""Of the benchmark: each pair both ways."""


def modalities_of(direction: str) -> tuple[Modality, Modality]:
    """Return what queries and candidates of a direction are made of.

    Examples
    --------
    >>> modalities_of("A2I")
    (<Modality.AUDIO: 'audio'>, <Modality.IMAGE: 'image'>)
    """
    return _BY_LETTER[direction[0]], _BY_LETTER[direction[2]]


def term_of(first: Modality, second: Modality) -> str:
    """Return what the loss between two modalities is called, as published.

    Examples
    --------
    >>> term_of(Modality.AUDIO, Modality.TEXT)
    'atc'
    """
    return f"{first.letter}{second.letter}c".lower()
