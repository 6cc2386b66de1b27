"""What a model knows of the taxa that texts name, beside the words: lineage, traits, and where relatives lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from biovita.taxonomy import Taxon
from biovita.taxonomy.known_taxa import KnownTaxa, known_taxa
from biovita.taxonomy.overlap import senses
from biovita.taxonomy.relatives import Relatives
from biovita.taxonomy.taxon_features import Feature, feature_count, taxon_features

__all__ = ["Knowledge", "Pull", "known_of"]

_ABOVE = ("kingdom", "phylum", "class_", "order", "family", "genus")


@dataclass(frozen=True, eq=False)
class Pull:
    """Relatives that names are drawn to.

    Attributes
    ----------
    weight
        How far a name, of length 1, is drawn.
    """

    weight: float
    relatives: Relatives


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What a model knows of taxa.

    Attributes
    ----------
    features
        What enters its text projection beside the text's vector.
    pulls
        By what they are of (``classes``, ``items``), the relatives that names are drawn to.
    books
        Where a text's taxon is looked up before the package's own table.
    """

    features: tuple[Feature, ...] = ()
    pulls: Mapping[str, Pull] = field(default_factory=dict)
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
        return taxon_features([known_of(text, self.books) for text in texts], self.features)

    def drawn(self, vectors: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of texts, ``(len(texts), dim)``, of length 1, drawn to their taxa's relatives.

        The result is not normalised. A text that names no taxon stays where it is.
        """
        if not self.pulls:
            return vectors
        drawn = vectors.copy()
        for row, text in enumerate(texts):
            known = known_of(text, self.books)
            if known is None:
                continue
            taxon = known[0]
            names = [sense.scientific_name for sense in senses(taxon, _synonyms(taxon, self.books))]
            for pull in self.pulls.values():
                mean = pull.relatives.near(taxon, names)
                if mean is not None:
                    drawn[row] += pull.weight * mean
        return drawn


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


def _synonyms(taxon: Taxon, books: Sequence[KnownTaxa]) -> list[str]:
    return [name for book in books for name in book.other_names(taxon)]
