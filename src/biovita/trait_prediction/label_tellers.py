"""The three ways in which labels are told of recordings and photographs of one modality, and how well each does.

- ``texts``: the cosine of a medium with the label's text, less that with the mean text of the label's group.
- ``candidates``: the share of the suggested taxa that has the label; see `biovita.trait_prediction.from_candidates`.
- ``probe``: a logistic regression on the tower's vectors, fitted on the means of species with classes weighted alike.
  Its value is a probability. The vectors are those of the tower, and not of the shared space: there, a probe looks
  better on species that the model was trained on than it is on others.

Each is tried on the species of the datasets as if they were new: texts as they are, probes by five-fold
cross-validation, candidates without the species itself. A logistic curve through what it says of them makes
probabilities of its values: the share of these species that has the label where the way says as much. Candidates and
probe answer together, each where the area under the ROC curve is further above one half there than that of one in 20
would be that knew nothing: by the mean of their log-odds, weighed by twice the area less 1. Where neither is, one way
answers alone, candidates and probe by their own values, which are shares and probabilities already. Texts do not join
in: they know little more than chance (docs/traits-predict.md), and have been tried on species that the model may have
been trained on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from biovita.trait_labels import LABELS
from biovita.trait_prediction.from_candidates import CandidateShares
from biovita.trait_prediction.labelled_species import LabelledSpecies
from biovita.trait_prediction.prediction_rows import Way
from biovita.trait_prediction.tried_ways import Tried, log_odds, sigmoid, tried_on
from biovita.traits.known_labels import enough
from biovita.traits.label_probes import cross_validated, linear_probe

__all__ = ["Teller", "Together", "bit_of", "told_by_probes", "told_by_texts"]

_JOINED = (Way.CANDIDATES, Way.PROBE)
_ALONE = (
    Way.CANDIDATES,
    Way.PROBE,
    Way.TEXTS,
)  # the first that says something, where none is known to be any good


@dataclass(frozen=True, eq=False)
class Teller:
    """What tells the labels of media of one modality; a label that a way cannot tell is NaN in what it returns.

    Attributes
    ----------
    directions
        By label, where its text points; none where texts are in another space.
    species
        What probes are fitted on; None where there is nothing.
    tried
        By way and label, where enough species were there to try it on.
    together_auc
        By label, the area under the ROC curve that the ways get together on the same species.
    """

    directions: Mapping[str, np.ndarray]
    species: LabelledSpecies | None
    ways: Collection[Way] = tuple(Way)
    tried: Mapping[tuple[Way, str], Tried] = field(default_factory=dict)
    together_auc: Mapping[str, float] = field(default_factory=dict)

    def with_trial(self, shares: CandidateShares) -> Teller:
        """Return the same with how well its ways do on its species as if these were new.

        Parameters
        ----------
        shares
            Of the species, ``(species, 34)``, without themselves.
        """
        from sklearn.metrics import roc_auc_score

        if self.species is None:
            return self
        labels, said = self.species.labels, self._of_own(self.species, shares)
        tried: dict[tuple[Way, str], Tried] = {}
        for way, values in said.items():
            for column, label in enumerate(LABELS):
                if (found_out := tried_on(values[:, column], labels[:, column])) is not None:
                    tried[way, label] = found_out
        found = replace(self, tried=tried)
        scores, areas = found.together(said).scores, {}
        for column, label in enumerate(LABELS):
            at = ~np.isnan(scores[:, column]) & ~np.isnan(labels[:, column])
            if enough(labels[at, column]):
                areas[label] = float(roc_auc_score(labels[at, column], scores[at, column]))
        return replace(found, together_auc=areas)

    def _of_own(self, species: LabelledSpecies, shares: CandidateShares) -> dict[Way, np.ndarray]:
        """Return what each way says of the species that it was not told of."""
        probed = np.full(species.labels.shape, np.nan)
        for column in range(len(LABELS)):
            if enough(species.labels[:, column]):
                at = np.flatnonzero(~np.isnan(species.labels[:, column]))
                probed[at, column] = sigmoid(cross_validated(species.means[at], species.labels[at, column]))
        said = {
            Way.TEXTS: told_by_texts(self.directions, species.shared_means, len(species.taxa)),
            Way.CANDIDATES: shares.values,
            Way.PROBE: probed,
        }
        return {way: values for way, values in said.items() if way in self.ways}

    def values(
        self, vectors: np.ndarray, shared: np.ndarray | None, shares: CandidateShares
    ) -> dict[Way, np.ndarray]:
        """Return what each way says, ``(media, 34)`` each.

        Parameters
        ----------
        vectors
            ``(media, dim)``, as the species' vectors are compared.
        shared
            The same in the space that media and texts share; None where there is none.
        shares
            Of the same media.
        """
        said = {
            Way.TEXTS: lambda: told_by_texts(self.directions, shared, len(vectors)),
            Way.CANDIDATES: lambda: shares.values,
            Way.PROBE: lambda: told_by_probes(self.species, vectors),
        }
        return {way: said[way]() for way in Way if way in self.ways}

    def together(self, values: Mapping[Way, np.ndarray]) -> Together:
        """Return what the ways say together of media.

        Where no way is known to do better than chance, one answers alone: candidates, or else a probe, or else texts.
        """
        shape = next(iter(values.values())).shape
        sums, weights, ways = np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64)
        for way in _JOINED:
            said = values.get(way, np.full(shape, np.nan))
            for column, tried in self._better_than_chance(way):
                there = np.flatnonzero(~np.isnan(said[:, column]))
                weight = 2 * tried.auc - 1
                sums[there, column] += weight * log_odds(tried.probability(said[there, column]))
                weights[there, column] += weight
                ways[there, column] |= bit_of(way)
        joined = weights > 0
        probabilities = np.where(joined, sigmoid(sums / np.where(joined, weights, 1)), np.nan)
        scores = probabilities.copy()
        for way in _ALONE:
            if way in values:
                there = (ways == 0) & ~np.isnan(values[way])
                found = self.probabilities(way, values[way])
                own = np.isnan(found) | (way in _JOINED)
                ways[there], probabilities[there] = bit_of(way), found[there]
                scores[there] = np.where(own, values[way], found)[there]
        return Together(scores, probabilities, ways)

    def probabilities(self, way: Way, values: np.ndarray) -> np.ndarray:
        """Return what share of species has a label where a way says as much, ``(media, 34)``.

        It is NaN where the way was not tried, and the share of all species where it does no better than chance.
        """
        found = np.full(values.shape, np.nan)
        for column, label in enumerate(LABELS):
            tried = self.tried.get((way, label))
            if tried is not None:
                said = values[:, column]
                found[:, column] = tried.probability(said) if tried.auc > 0.5 else tried.share
        return np.where(np.isnan(values), np.nan, found)

    def _better_than_chance(self, way: Way) -> Iterator[tuple[int, Tried]]:
        for column, label in enumerate(LABELS):
            tried = self.tried.get((way, label))
            if tried is not None and tried.is_better_than_chance:
                yield column, tried


@dataclass(frozen=True, eq=False)
class Together:
    """What ways say together, ``(media, 34)`` each.

    Attributes
    ----------
    scores
        Probabilities; where candidates or a probe answer alone, their own values, and where texts that were not tried
        do, cosines. NaN where none says anything.
    probabilities
        The same; NaN where the way was not tried.
    ways
        The sum of `bit_of` of the ways that answer.
    """

    scores: np.ndarray
    probabilities: np.ndarray
    ways: np.ndarray


def bit_of(way: Way) -> int:
    """Return the number that stands for a way in a sum of several."""
    return 1 << list(Way).index(way)


def told_by_texts(directions: Mapping[str, np.ndarray], shared: np.ndarray | None, rows: int) -> np.ndarray:
    """Return what texts say of vectors in the shared space, ``(rows, 34)``; nothing where there are none."""
    found = np.full((rows, len(LABELS)), np.nan)
    for column, label in enumerate(LABELS):
        if shared is not None and label in directions:
            found[:, column] = shared @ directions[label]
    return found


def told_by_probes(species: LabelledSpecies | None, vectors: np.ndarray) -> np.ndarray:
    """Return what probes say of vectors, ``(rows, 34)``, from 0 to 1; they are fitted on the means of species."""
    found = np.full((len(vectors), len(LABELS)), np.nan)
    for column in range(len(LABELS)):
        if species is None or not enough(species.labels[:, column]):
            continue
        at = np.flatnonzero(~np.isnan(species.labels[:, column]))
        decide = linear_probe(species.means[at], species.labels[at, column])
        found[:, column] = sigmoid(decide(vectors))
    return found
