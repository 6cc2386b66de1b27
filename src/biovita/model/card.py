"""What is known of a model before it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from biovita.errors import ModelError
from biovita.modality import Modality
from biovita.taxonomy.taxon_features import Feature
from biovita.towers.encoder import EncoderCard

__all__ = ["ModelCard", "numbers_in_words"]


@dataclass(frozen=True, eq=False, repr=False)
class ModelCard:
    """A model: which one it is, what it can encode, and where its parts are.

    Attributes
    ----------
    name
        Fit for a directory's name.
    about
        One line for a listing.
    format
        Name of the `Format` that describes, loads and writes it.
    place
        Path of its directory or file, ``hf-hub:owner/repository@revision``, or the name it is known by; empty where it
        is in memory alone.
    revision
        Its identity: of the hub, or ``sha256:`` and the hashes of its files of weights, 16 digits each. Of projections,
        theirs and that of their towers, with ``+`` between them.
    encoders
        Its towers.
    dim
        Length of the vectors in the space that its modalities share; None where they share none.
    base
        The model whose towers it uses, where it has only projections of its own.
    record
        What made it, where its directory says so.
    features
        What of the taxa that texts name enters its vectors of texts beside the words.
    knows
        What it knows of taxa beside the words of a text, a sentence each.
    """

    name: str
    about: str
    format: str
    place: str
    revision: str
    encoders: Mapping[Modality, EncoderCard]
    dim: int | None = None
    base: ModelCard | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    features: tuple[Feature, ...] = ()
    knows: tuple[str, ...] = ()

    def __repr__(self) -> str:
        over = "" if self.base is None else f", projections of {self.base.name}"
        place = self.place if self.place not in {"", self.name} else ""
        return f"<ModelCard {self.name!r}: {numbers_in_words(self.widths)}{over}{place and f', {place}'}>"

    @property
    def widths(self) -> dict[Modality, int]:
        """By modality, the length of the model's vectors."""
        shared = None if self.base is None else self.dim
        return {modality: shared or encoder.dim for modality, encoder in self.encoders.items()}

    @property
    def towers(self) -> ModelCard:
        """The model that the vectors of the towers are kept under, which is the base or the model itself."""
        return self if self.base is None else self.base.towers

    def encoder(self, modality: Modality) -> EncoderCard:
        """Return the card of the tower of a modality.

        Raises
        ------
        ModelError
            Where the model has none.
        """
        if modality not in self.encoders:
            raise ModelError(f"the model {self.name!r} has no {modality} tower. It has {', '.join(self.encoders)}")
        return self.encoders[modality]


def numbers_in_words(widths: Mapping[Modality, int]) -> str:
    """Return in words how long the vectors of each modality are.

    Examples
    --------
    >>> numbers_in_words({Modality.AUDIO: 256, Modality.TEXT: 256})
    'audio and text in 256 numbers'
    >>> numbers_in_words({Modality.AUDIO: 1024, Modality.TEXT: 384})
    'audio in 1,024 and text in 384 numbers'
    """
    if not widths:
        return "nothing"
    apart = len(set(widths.values())) > 1
    each = [f"{modality} in {width:,}" if apart else str(modality) for modality, width in widths.items()]
    listed = " and ".join(filter(None, (", ".join(each[:-1]), each[-1])))
    return f"{listed} numbers" if apart else f"{listed} in {next(iter(widths.values())):,} numbers"
