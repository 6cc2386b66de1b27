"""What a model knows of taxa beside the words of a text: lineage, traits, and where names and media of others lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from biovita.directions import unit
from biovita.model.landmarks import Landmarks
from biovita.one_line import OneLine
from biovita.taxonomy import Rank, Taxon
from biovita.taxonomy.known_taxa import KnownTaxa, known_taxa
from biovita.taxonomy.overlap import senses
from biovita.taxonomy.parse import fold
from biovita.taxonomy.taxon_features import Feature, feature_count, taxon_features

__all__ = ["Answers", "Knowledge", "Pull", "in_words", "known_of"]

_ABOVE = ("kingdom", "phylum", "class_", "order", "family", "genus")
_GROUPS = (Rank.GENUS, Rank.FAMILY, Rank.ORDER)
Answers: TypeAlias = Callable[[slice], np.ndarray]

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
    answers
        A recording: to the names of the classes that its tower's own classifier answers with, as their softmax weighs
        them. Classes that are no landmarks, such as those of unseen species, are not among them.
    """

    classes: float = 0.0
    items: float = 0.0
    names: float = 0.0
    sharpness: float = 40.0
    answers: float = 0.0


def in_words(features: Sequence[Feature], pull: Pull) -> tuple[str, ...]:
    """Return what a model knows of taxa beside the words of a text, a sentence each.

    Examples
    --------
    >>> in_words(("lineage",), Pull(items=0.5))
    ('Of a name: its words and its lineage.', 'A new name is drawn to media of relatives by 0.5.')
    """
    said = []
    if features:
        said.append(f"Of a name: its words and its {' and '.join(features)}.")
    near = {"classes of relatives": pull.classes, "media of relatives": pull.items}
    if drawn := [f"{what} by {weight:g}" for what, weight in near.items() if weight]:
        said.append(f"A new name is drawn to {' and to '.join(drawn)}.")
    if pull.names:
        said.append(f"A recording or photograph is drawn to names near it by {pull.names:g}.")
    if pull.answers:
        said.append(f"A recording is drawn to what the classifier of its tower answers by {pull.answers:g}.")
    return tuple(said)


@dataclass(frozen=True, eq=False, repr=False)
class Knowledge(OneLine):
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

    @property
    def asks_classifier(self) -> bool:
        """Whether recordings are drawn to what the audio tower's own classifier answers."""
        return bool(self.pull.answers and len(self.landmarks.numbers))

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
        drawn, shifts = vectors.copy(), dict[Taxon, np.ndarray | None]()
        for row, text in enumerate(texts):
            known = self._find(text)
            if known is None:
                continue
            taxon = known[0]
            if taxon not in shifts:
                shifts[taxon] = self._shift(taxon)
            shift = shifts[taxon]
            if shift is not None:
                drawn[row] += shift
        return unit(drawn, "texts")

    def _shift(self, taxon: Taxon) -> np.ndarray | None:
        """Return what is added to the names of a taxon, ``(dim,)``; None where that is nothing."""
        names = self._names_of(taxon)
        if any(fold(name) in self.landmarks.met for name in names):
            return None
        weighed = ((self.pull.classes, self.landmarks.classes), (self.pull.items, self.landmarks.items))
        means = [(weight, kin.near(taxon, names)) for weight, kin in weighed if weight]
        shifts = [weight * mean for weight, mean in means if mean is not None]
        return np.sum(shifts, axis=0) if shifts else None

    def _names_of(self, taxon: Taxon) -> set[str]:
        """Return all scientific names of a taxon that are known: its own, those of the books, and the package's."""
        names = {taxon.scientific_name}
        for book in self._books:
            same = _at(book, taxon.scientific_name, taxon.rank)
            if same is not None:
                names |= {same.scientific_name, *book.other_names(same)}
        for sense in senses(taxon, sorted(names)):
            packaged = _at(known_taxa(), sense.scientific_name, sense.rank)
            others = () if packaged is None else (packaged.scientific_name, *known_taxa().other_names(packaged))
            names |= {sense.scientific_name, *others}
        return names

    def media_drawn(self, vectors: np.ndarray, answers: Answers | None = None) -> np.ndarray:
        """Return the vectors of media, ``(N, dim)``, of length 1, drawn to the names that they are near.

        The softmax of the similarities with the names of all landmarks, times the sharpness, weighs the names; the
        vector is drawn to the direction of their mean.

        Parameters
        ----------
        answers
            From a slice of the media to what the tower's own classifier says of them: the logits of the classes that
            are landmarks, ``(rows, classes)``. None where there is no classifier.
        """
        names, of_classes = self.landmarks.directions, self.landmarks.directions[self.landmarks.trained :]
        near = bool(self.pull.names and len(names))
        answered = answers is not None and bool(self.pull.answers and len(of_classes))
        if not near and not answered:
            return vectors
        drawn = vectors.copy()
        for start in range(0, len(vectors), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            if near:
                drawn[rows] += self.pull.names * _weighed(self.pull.sharpness * (vectors[rows] @ names.T), names)
            if answered:
                assert answers is not None
                drawn[rows] += self.pull.answers * _weighed(answers(rows), of_classes)
        return unit(drawn)

    @property
    def _books(self) -> tuple[KnownTaxa, ...]:
        return (*self.books, self.landmarks.book)

    def _find(self, text: str) -> tuple[Taxon, Mapping[str, bool]] | None:
        return known_of(text, self._books)


def _weighed(logits: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Return the direction of the mean of names, ``(rows, dim)``, weighed by the softmax of ``(rows, names)``."""
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return unit(weights @ names, "means of names")


def known_of(text: str, books: Sequence[KnownTaxa]) -> tuple[Taxon, Mapping[str, bool]] | None:
    """Return the taxon that a text names and its known labels; None where it names none.

    The first book that has it counts; the package's table is the last. What that does not know comes from those after
    it: a label from the taxon there, a rank of the lineage from the taxon there, or else from its genus, family or
    order.
    """
    asked = (*books, known_taxa())
    for place, book in enumerate(asked):
        taxon = book.find(text)
        if taxon is not None:
            return _completed(taxon, book, asked[place:])
    return None


def _completed(taxon: Taxon, book: KnownTaxa, books: Sequence[KnownTaxa]) -> tuple[Taxon, Mapping[str, bool]]:
    """Return a taxon of a book and its labels with what that book and those after it know."""
    labels = dict(book.traits.get(taxon.id, {}))
    same = [(other, found) for other in books[1:] if (found := _at(other, taxon.scientific_name, taxon.rank))]
    for other, found in same:
        labels = {**other.traits.get(found.id, {}), **labels}
        taxon = _filled(taxon, found)
    if taxon.rank == Rank.SPECIES and taxon.genus is None:
        taxon = replace(taxon, genus=taxon.scientific_name.split()[0])
    for rank in _GROUPS:
        if not any(getattr(taxon, name) is None for name in _ABOVE):
            break
        for other in books:
            group = _at(other, taxon.name_at(rank) or "", rank)
            if group is not None and _agree(taxon, group):
                taxon = _filled(taxon, group)
    return taxon, labels


def _at(book: KnownTaxa, name: str, rank: Rank) -> Taxon | None:
    """Return the taxon of a name and rank in a book."""
    found = book.find(name)
    return None if found is None or found.rank != rank else found


def _filled(taxon: Taxon, other: Taxon) -> Taxon:
    """Return a taxon with the ranks above it that it does not state, as another states them."""
    missing: dict[str, Any] = {name: getattr(other, name) for name in _ABOVE if getattr(taxon, name) is None}
    return replace(taxon, **missing) if any(missing.values()) else taxon


def _agree(taxon: Taxon, other: Taxon) -> bool:
    """Return whether no rank that both state differs: a name of a group may be used twice."""
    pairs = ((getattr(taxon, name), getattr(other, name)) for name in _ABOVE)
    return all(mine is None or theirs is None or fold(mine) == fold(theirs) for mine, theirs in pairs)
