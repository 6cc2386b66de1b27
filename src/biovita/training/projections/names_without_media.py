"""Names without media: what the towers' own classifiers know of species that the dataset has no recording of.

A classifier answers ``w . x + b`` for each class, so ``w`` is the direction in the tower's space that its class lies
in. Paired with the name of the class it is a training pair that needs no recording: BirdNET's output layer has 6,522,
EfficientNet's first 398 classes are the animals of ImageNet.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from biovita.modality import Modality
from biovita.taxonomy import Taxon
from biovita.taxonomy.known_taxa import known_taxa
from biovita.taxonomy.overlap import overlaps, senses
from biovita.taxonomy.parse import fold
from biovita.towers.encoder import Encoder

__all__ = ["NamedClasses", "classes_of_unseen", "kept_classes", "named_classes"]

_NONE: Mapping[str, Iterable[str]] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class NamedClasses:
    """Rows of a tower's classifier, each with the texts that name its class.

    Attributes
    ----------
    names
        By class, its names: scientific and common for BirdNET, WordNet's lemmas for EfficientNet.
    texts
        By class, what the text tower is given.
    weights
        ``(classes, tower dim)``, float32.
    taxa
        By class, the taxa that it is of or may show; None for a classifier that the packaged table does not know.
    """

    modality: Modality
    names: tuple[tuple[str, ...], ...]
    texts: tuple[tuple[str, ...], ...]
    weights: np.ndarray
    taxa: tuple[tuple[Taxon, ...], ...] | None = None


def named_classes(tower: Encoder) -> NamedClasses | None:
    """Return the kinds of animals that a tower's own classifier can name; None where it has no classifier."""
    found = tower.classes()
    if found is None:
        return None
    names = found.names[: found.animals]
    texts: tuple[tuple[str, ...], ...] = (
        tuple((com, sci, f"{sci} with common name {com}") for sci, com in names)
        if found.scientific
        else tuple((lemmas[0], ", ".join(lemmas)) for lemmas in names)
    )
    known = known_taxa()
    classes = known.classes.get(tower.card.name)
    taxa = None
    if classes is not None:
        taxa = tuple(
            tuple(known.taxonomy[taxon_id] for taxon_id in classes.get(number, ())) for number in range(len(names))
        )
    return NamedClasses(tower.card.modality, names, texts, found.weights[: found.animals], taxa)


def kept_classes(
    classes: NamedClasses, unseen: Iterable[Taxon], synonyms: Mapping[str, Iterable[str]] = _NONE
) -> list[int]:
    """Return the classes that have nothing of an unseen taxon, so that a species held out is held out here too.

    A class goes where one of the taxa that it is of or may show is an unseen one, contains it or lies within it, under
    whatever name: *drake* goes with every duck. Of a classifier whose taxa are not known, a class goes where one of its
    names is the scientific name, the genus or the common name of an unseen taxon, or the end of that common name. It
    errs to holding out too much.

    Parameters
    ----------
    synonyms
        By taxon id, further names of the unseen taxa; those in the packaged table need not be there.
    """
    gone = frozenset[int]().union(*_taken(classes, list(unseen), synonyms))
    return [place for place in range(len(classes.names)) if place not in gone]


def classes_of_unseen(
    classes: NamedClasses, unseen: Iterable[Taxon], synonyms: Mapping[str, Iterable[str]] = _NONE
) -> tuple[Taxon, ...]:
    """Return the unseen taxa that the encoder's makers had a class for, as `kept_classes` tells."""
    taxa = list(unseen)
    return tuple(taxon for taxon, taken in zip(taxa, _taken(classes, taxa, synonyms), strict=True) if taken)


def _taken(
    classes: NamedClasses, unseen: Sequence[Taxon], synonyms: Mapping[str, Iterable[str]]
) -> list[frozenset[int]]:
    """Return the classes that go with each unseen taxon."""
    if classes.taxa is not None:
        return overlaps(classes.taxa, [senses(taxon, synonyms.get(taxon.id, ())) for taxon in unseen])
    bearing: dict[str, set[int]] = defaultdict(set)
    for place, names in enumerate(classes.names):
        for name in names:
            bearing[" ".join(_words(name))].add(place)
    hidden = [_names(taxon, synonyms.get(taxon.id, ())) for taxon in unseen]
    return [frozenset[int]().union(*(bearing.get(name, ()) for name in names)) for names in hidden]


def _names(taxon: Taxon, synonyms: Iterable[str]) -> set[str]:
    words = _words(taxon.common_name or "")
    return {
        " ".join(_words(taxon.scientific_name)),
        (taxon.genus or taxon.scientific_name.split()[0]).lower(),
        *(" ".join(words[start:]) for start in range(len(words))),
        *(" ".join(_words(fold(name))) for name in synonyms),
    }


def _words(name: str) -> list[str]:
    return re.findall(r"\w+", name.lower())
