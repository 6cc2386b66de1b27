"""What a model knows of taxa beside the words of a text: lineage, traits, and where names and media of others lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from biovita.directions import unit
from biovita.model.landmarks import Landmarks
from biovita.taxonomy import Taxon
from biovita.taxonomy.known_taxa import KnownTaxa, known_taxa
from biovita.taxonomy.overlap import senses
from biovita.taxonomy.parse import fold
from biovita.taxonomy.taxon_features import Feature, feature_count, taxon_features

__all__ = ["Knowledge", "Pull", "known_of"]

_ABOVE = ("kingdom", "phylum", "class_", "order", "family", "genus")
_AT_ONCE = 1024  # recordings or photographs that are compared with all names


@dataclass(frozen=True, slots=True)
class Pull:
    """How far vectors of length 1 are drawn to landmarks; 0 leaves them where they are.

    Attributes
    ----------
    classes, items
        The name of a taxon that is no landmark: to the directions of its relatives' classes, and to the media of its
        relatives that were trained on.
    names
        A recording or photograph: to the names that it is near.
    sharpness
        What its similarities with the names are multiplied by, before the softmax that weighs them.
    """

    classes: float = 0.0
    items: float = 0.0
    names: float = 0.0
    sharpness: float = 40.0


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What a model knows of taxa.

    Attributes
    ----------
    features
        What enters its text projection beside the text's vector.
    pull, landmarks
        How far vectors are drawn, and to what.
    books
        Where a text's taxon is looked up first, before the taxa that the model was trained on and the package's table.
    """

    features: tuple[Feature, ...]
    pull: Pull
    landmarks: Landmarks
    books: tuple[KnownTaxa, ...] = ()

    @property
    def count(self) -> int:
        """How many numbers `inputs` gives for a text."""
        return feature_count(self.features)

    def with_book(self, book: KnownTaxa) -> Knowledge:
        """Return the same knowledge with one more book, which is looked into first."""
        return replace(self, books=(book, *self.books))

    def inputs(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is known of the taxa that texts name, ``(len(texts), count)``, float32; NaN is unknown."""
        return taxon_features([self._find(text) for text in texts], self.features)

    def names_drawn(self, vectors: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of texts, ``(len(texts), dim)``, of length 1, drawn to relatives of their taxa.

        What relatives are is `biovita.taxonomy.relatives.Relatives.near`'s. The name of a landmark, which lies where
        training put it, stays there, and so does a text that names no taxon.
        """
        if not (self.pull.classes or self.pull.items):
            return vectors
        drawn = vectors.copy()
        for row, text in enumerate(texts):
            known = self._find(text)
            if known is None:
                continue
            taxon = known[0]
            synonyms = [name for book in self._books for name in book.other_names(taxon)]
            names = [sense.scientific_name for sense in senses(taxon, synonyms)]
            if any(fold(name) in self.landmarks.met for name in names):
                continue
            for weight, kin in (
                (self.pull.classes, self.landmarks.classes),
                (self.pull.items, self.landmarks.items),
            ):
                mean = kin.near(taxon, names) if weight else None
                if mean is not None:
                    drawn[row] += weight * mean
        return unit(drawn, "texts")

    def media_drawn(self, vectors: np.ndarray) -> np.ndarray:
        """Return the vectors of media, ``(N, dim)``, of length 1, drawn to the names that they are near.

        The softmax of the similarities with the names of all landmarks, times the sharpness, weighs the names; the
        vector is drawn to the direction of their mean.
        """
        if not self.pull.names:
            return vectors
        names = self.landmarks.names.astype(np.float32)
        drawn = np.empty_like(vectors)
        for start in range(0, len(vectors), _AT_ONCE):
            some = vectors[start : start + _AT_ONCE]
            weights = np.exp(self.pull.sharpness * (some @ names.T - 1))
            drawn[start : start + _AT_ONCE] = some + self.pull.names * unit(weights @ names, "means of names")
        return unit(drawn)

    @property
    def _books(self) -> tuple[KnownTaxa, ...]:
        return (*self.books, self.landmarks.book)

    def _find(self, text: str) -> tuple[Taxon, Mapping[str, bool]] | None:
        return known_of(text, self._books)


def known_of(text: str, books: Sequence[KnownTaxa]) -> tuple[Taxon, Mapping[str, bool]] | None:
    """Return the taxon that a text names and its known labels; None where it names none.

    The first book that has it counts. What that does not know, a rank of the lineage or a label, comes from the
    package's table.
    """
    packaged = known_taxa()
    for book in books:
        taxon = book.find(text)
        if taxon is not None:
            labels = book.traits.get(taxon.id, {})
            same = packaged.find(taxon.scientific_name)
            if same is None or same.rank != taxon.rank:
                return taxon, labels
            return _filled(taxon, same), {**packaged.traits.get(same.id, {}), **labels}
    taxon = packaged.find(text)
    return None if taxon is None else (taxon, packaged.traits.get(taxon.id, {}))


def _filled(taxon: Taxon, other: Taxon) -> Taxon:
    missing: dict[str, Any] = {name: getattr(other, name) for name in _ABOVE if getattr(taxon, name) is None}
    return replace(taxon, **missing) if missing else taxon
