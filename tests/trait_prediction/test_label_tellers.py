from __future__ import annotations

import numpy as np
import pytest

from biovita.identification.exemplars import EXEMPLARS
from biovita.modality import Modality
from biovita.trait_labels import LABELS
from biovita.trait_prediction.from_candidates import CandidateShares
from biovita.trait_prediction.label_tellers import Teller, bit_of
from biovita.trait_prediction.labelled_species import LabelledSpecies
from biovita.trait_prediction.prediction_rows import Way
from biovita.trait_prediction.tried_ways import Tried, tried_on
from support.trait_cases import animal

NIGHT, DAY = LABELS.index("nocturnal"), LABELS.index("diurnal")
SPECIES = 24


@pytest.fixture(scope="module")
def species() -> LabelledSpecies:
    """Half of the species are nocturnal, which their first number says beside noise; two are polar."""
    labels = np.full((SPECIES, len(LABELS)), np.nan)
    labels[:, NIGHT] = np.arange(SPECIES) % 2
    labels[:, LABELS.index("polar")] = np.arange(SPECIES) < 2
    made = np.random.default_rng(0).normal(size=(SPECIES, 8)).astype(np.float32)
    made[:, 0] = 4 * (labels[:, NIGHT] - 0.5)
    taxa = tuple(animal(f"Genus species{number}", "Aves") for number in range(SPECIES))
    rows = EXEMPLARS.empty_table()
    return LabelledSpecies(Modality.AUDIO, taxa, labels, np.arange(SPECIES), rows, made, made, made)


def shares_of(species: LabelledSpecies, values: np.ndarray) -> CandidateShares:
    known = np.zeros(species.labels.shape)
    known[:, NIGHT] = 1
    having = np.zeros(species.labels.shape)
    having[:, NIGHT] = values
    return CandidateShares(having, known)


def test_ways_that_know_something_answer_together(species: LabelledSpecies) -> None:
    directions = {"nocturnal": np.eye(8)[0]}
    said = np.clip(0.5 + 0.3 * (species.labels[:, NIGHT] - 0.5), 0, 1)
    teller = Teller(directions, species).with_trial(shares_of(species, said))
    assert {(way, label) for way, label in teller.tried} == {(way, "nocturnal") for way in Way}
    assert all(each.auc > 0.9 for each in teller.tried.values())
    assert teller.together_auc["nocturnal"] > 0.9
    asked = np.array([[3.0] + [0] * 7, [-3.0] + [0] * 7], np.float32)
    values = teller.values(asked, asked, shares_of(species, said).summed(np.arange(SPECIES) % 2, 2))
    found = teller.together(values)
    assert found.ways[0, NIGHT] == bit_of(Way.CANDIDATES) | bit_of(Way.PROBE)
    each = [
        teller.tried[way, "nocturnal"].probability(values[way][:, NIGHT]) for way in (Way.CANDIDATES, Way.PROBE)
    ]
    weights = [2 * teller.tried[way, "nocturnal"].auc - 1 for way in (Way.CANDIDATES, Way.PROBE)]
    odds = np.exp(np.average([np.log(p / (1 - p)) for p in each], axis=0, weights=weights))
    assert found.scores[:, NIGHT] == pytest.approx(odds / (1 + odds), rel=1e-6)
    assert (found.probabilities[:, NIGHT] == found.scores[:, NIGHT]).all()


def test_a_way_that_knows_nothing_does_not_join_in(species: LabelledSpecies) -> None:
    noise = np.random.default_rng(1).random(SPECIES)
    teller = Teller({}, species).with_trial(shares_of(species, noise))
    assert not teller.tried[Way.CANDIDATES, "nocturnal"].is_better_than_chance
    values = teller.values(species.means, None, shares_of(species, noise))
    assert set(teller.together(values).ways[:, NIGHT]) == {bit_of(Way.PROBE)}


def test_one_way_answers_alone_where_none_is_known_to_be_any_good(species: LabelledSpecies) -> None:
    """Of polar, too few species are known to fit a probe or to try anything."""
    teller = Teller({"polar": np.eye(8)[1]}, species, ways=(Way.TEXTS, Way.PROBE))
    column = LABELS.index("polar")
    values = teller.values(species.means, species.shared_means, shares_of(species, np.zeros(SPECIES)))
    assert np.isnan(values[Way.PROBE][:, column]).all()
    found = teller.with_trial(shares_of(species, np.zeros(SPECIES))).together(values)
    assert set(found.ways[:, column]) == {bit_of(Way.TEXTS)}
    assert found.scores[:, column] == pytest.approx(species.shared_means[:, 1])
    assert np.isnan(found.probabilities[:, column]).all()
    assert np.isnan(found.scores[:, DAY]).all()
    assert (found.ways[:, DAY] == 0).all()


def test_better_than_chance_depends_on_how_many_species_were_asked() -> None:
    few, many = (Tried(0.7, species, 0.5, 1.0, 0.0) for species in (6, 100))
    assert not few.is_better_than_chance
    assert many.is_better_than_chance


def test_what_answers_alone_is_on_the_scale_of_the_others_where_it_was_tried(species: LabelledSpecies) -> None:
    """Texts that point the wrong way say the share of all species; those that point the right way say more."""
    nothing = shares_of(species, np.full(SPECIES, np.nan))
    for sign in (1, -1):
        teller = Teller({"nocturnal": sign * np.eye(8)[0]}, species, ways=(Way.TEXTS,)).with_trial(nothing)
        values = teller.values(species.means, species.shared_means, nothing)
        found = teller.together(values)
        night = species.labels[:, NIGHT] == 1
        assert set(found.ways[:, NIGHT]) == {bit_of(Way.TEXTS)}
        assert (found.scores[:, NIGHT] == found.probabilities[:, NIGHT]).all()
        if sign > 0:
            assert found.scores[night, NIGHT].min() > found.scores[~night, NIGHT].max()
        else:
            assert set(found.scores[:, NIGHT]) == {0.5}


def test_values_are_tried_on_the_species_of_which_both_are_known() -> None:
    values = np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9, np.nan, 0.5])
    found = tried_on(values, np.array([0, 0, 0, 1, 1, 1, 1, np.nan]))
    assert found is not None
    assert (found.auc, found.species, found.share) == (1.0, 6, 0.5)
    assert found.probability(np.array([0.5])) == pytest.approx(0.5)
    assert found.probability(np.array([-1e9, 1e9])) == pytest.approx([0, 1])
    assert tried_on(values[:5], np.array([0, 0, 0, 1, 1])) is None
