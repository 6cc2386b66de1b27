"""Names without media: what the towers' own classifiers know of species that the dataset has no recording of.

A classifier answers ``w . x + b`` for each class, so ``w`` is the direction in the tower's space that its class lies
in. Paired with the name of the class it is a training pair that needs no recording: BirdNET's output layer has 6,522,
EfficientNet's first 398 classes are the animals of ImageNet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from biovita.modality import Modality
from biovita.taxonomy import Taxon
from biovita.taxonomy.parse import fold
from biovita.towers.encoder import Encoder

__all__ = ["NamedClasses", "kept_classes", "named_classes"]


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
    """

    modality: Modality
    names: tuple[tuple[str, ...], ...]
    texts: tuple[tuple[str, ...], ...]
    weights: np.ndarray


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
    return NamedClasses(tower.card.modality, names, texts, found.weights[: found.animals])


def kept_classes(classes: NamedClasses, unseen: Iterable[Taxon], synonyms: Iterable[str] = ()) -> list[int]:
    """Return the classes that do not name an unseen taxon, so that a species held out is held out here too.

    A class goes where one of its names is the scientific name, the genus or the common name of an unseen taxon, or
    the end of that common name (the class *junco* goes with the Dark-eyed Junco). It errs to holding out too much.

    Parameters
    ----------
    synonyms
        Further names of the unseen taxa, by which a classifier may know them; a class with one of them goes as well.
    """
    hidden = {" ".join(_words(fold(name))) for name in synonyms}
    for taxon in unseen:
        words = _words(taxon.common_name or "")
        hidden.add(" ".join(_words(taxon.scientific_name)))
        hidden.update(" ".join(words[start:]) for start in range(len(words)))
        hidden.add((taxon.genus or taxon.scientific_name.split()[0]).lower())
    return [
        place
        for place, names in enumerate(classes.names)
        if not any(" ".join(_words(name)) in hidden for name in names)
    ]


def _words(name: str) -> list[str]:
    return re.findall(r"\w+", name.lower())
