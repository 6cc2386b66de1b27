"""The candidates of a run, what is known of them, and what they say of species as if these were new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from biovita.archive.archive import Archive
from biovita.archive.archive_tables import Kind
from biovita.identification.evidence import Candidate
from biovita.identification.exemplars import Exemplars
from biovita.identification.gallery import Gallery, gallery_of
from biovita.identification.kept_exemplars import kept_exemplars
from biovita.identification.run_answers import candidates_in
from biovita.identification.scorer import Scorer
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.towers.encoder import Encoder
from biovita.trait_labels import LABELS
from biovita.trait_prediction.from_candidates import CandidateShares, shares_of_items
from biovita.trait_prediction.labelled_species import LabelledSpecies
from biovita.trait_prediction.species_labels import SpeciesLabels, name_key

__all__ = ["SuggestedTaxa", "shares_of_species"]

_MOST_ITEMS = 8  # of a species, on which candidates are tried


@dataclass(frozen=True, eq=False)
class SuggestedTaxa:
    """What a run can suggest.

    Attributes
    ----------
    labels
        ``(candidates, 34)``: 1, 0, and NaN where it is unknown; all of it of what is no taxon.
    exemplars
        What the run compared its media with.
    """

    candidates: tuple[Candidate, ...]
    labels: np.ndarray
    exemplars: Mapping[Modality, Exemplars]

    @classmethod
    def of(cls, archive: Archive, known: SpeciesLabels) -> SuggestedTaxa:
        """Return the candidates of a run, and what is known of them."""
        candidates = candidates_in(archive.table("candidates"))
        return cls(candidates, labels_of_candidates(candidates, known), kept_exemplars(archive.path))

    def scorer(self, model: ModelCard, tower: Encoder) -> Scorer:
        """Return what scores the vectors of a tower as the run did."""
        gallery = gallery_of(model, {tower.card.modality: tower}, (), self.candidates)
        return Scorer.of(model, replace(gallery, exemplars=self.exemplars), tower)


def labels_of_candidates(candidates: Sequence[Candidate], known: SpeciesLabels) -> np.ndarray:
    """Return what is known of candidates, ``(candidates, 34)``: 1, 0, and NaN where it is unknown."""
    found = np.full((len(candidates), len(LABELS)), np.nan)
    taxa = [number for number, each in enumerate(candidates) if each.kind == Kind.TAXON]
    found[taxa] = known.matrix([candidates[number].taxon for number in taxa])
    return found


def shares_of_species(
    scorer: Scorer, species: LabelledSpecies, labels: np.ndarray, *, most: int = _MOST_ITEMS
) -> CandidateShares:
    """Return what candidates say of species from their items, as if identification did not know the species.

    Parameters
    ----------
    labels
        ``(candidates, 34)``: 1, 0, and NaN where it is unknown.
    most
        Items of a species that are looked at, the first ones.
    """
    numbers = _numbers(scorer.gallery)
    own = np.array([numbers.get(name_key(taxon), -1) for taxon in species.taxa], np.int64)
    items = np.flatnonzero(np.arange(len(species.of)) - species.starts[species.of] < most)
    groups = [species.rows["group_id"][row].as_py() for row in items.tolist()]
    found = shares_of_items(scorer, species.tower[items], groups, own[species.of[items]], labels)
    return found.summed(species.of[items], len(species.taxa))


def _numbers(gallery: Gallery) -> dict[str, int]:
    """Return the number of each candidate that is a taxon by what all its names share."""
    return {
        name_key(each.taxon): number for number, each in enumerate(gallery.candidates) if each.kind == Kind.TAXON
    }
