"""The tree, names, phenotype and traits of a fauna."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from biovita.errors import DatasetError
from biovita.simulation import Fauna
from biovita.simulation.archetypes import CLASSES
from biovita.simulation.axes import Axis
from biovita.simulation.lexicon import COLOUR_WORDS, HABITAT_WORDS, PART_WORDS
from biovita.simulation.looks import PALETTE, PARTS
from biovita.simulation.voices import VOICES
from biovita.taxonomy import Rank
from biovita.traits import LABELS, groups


@pytest.fixture(scope="module")
def fauna() -> Fauna:
    return Fauna.grow(1500, seed=3)


@pytest.mark.slow
def test_a_smaller_fauna_is_the_beginning_of_a_larger_one(fauna):
    small = Fauna.grow(60, seed=3)
    for one, other in zip(small.species, fauna.species, strict=False):
        assert one.taxon == other.taxon
        assert (one.looks, one.voice, one.ecology, one.place) == (
            other.looks,
            other.voice,
            other.ecology,
            other.place,
        )


def test_another_seed_is_another_fauna(fauna):
    names = {truth.taxon.scientific_name for truth in fauna.species[:60]}
    others = {truth.taxon.scientific_name for truth in Fauna.grow(60, seed=4).species}
    assert len(names & others) < 6


@pytest.mark.parametrize(("species", "seed"), [(0, 0), (5, -1)])
def test_numbers_out_of_range(species, seed):
    with pytest.raises(DatasetError):
        Fauna.grow(species, seed)


def test_sizes_are_uneven(fauna):
    genera = Counter(truth.taxon.genus for truth in fauna.species)
    families = Counter(truth.place.family for truth in fauna.species)
    orders = Counter(truth.place.order for truth in fauna.species)
    assert len(fauna.species) > len(genera) > len(families) > len(orders) > len(CLASSES)
    alone = sum(size == 1 for size in genera.values()) / len(genera)
    assert 0.3 < alone < 0.8  # Yule's model at a chance of 0.3 for a new genus: 0.59
    assert max(genera.values()) > 8 * np.mean(list(genera.values()))
    shares = Counter(truth.taxon.class_ for truth in fauna.species)
    assert all(shares[kind.name] / len(fauna.species) == pytest.approx(kind.share, abs=0.05) for kind in CLASSES)


def test_the_smallest_fauna_has_all_classes():
    assert {truth.taxon.class_ for truth in Fauna.grow(4).species} == {kind.name for kind in CLASSES}


def test_some_middle_ranks_are_missing_and_groups_nest(fauna):
    taxa = fauna.taxonomy.taxa
    assert 0 < sum(taxon.order is None for taxon in taxa) < 0.3 * len(taxa)
    assert 0 < sum(taxon.family is None for taxon in taxa) < 0.3 * len(taxa)
    assert all(taxon.class_ and taxon.genus for taxon in taxa)
    for rank, above in ((Rank.GENUS, Rank.FAMILY), (Rank.FAMILY, Rank.ORDER), (Rank.ORDER, Rank.CLASS)):
        parents: dict[str, set[str]] = {}
        for taxon in taxa:
            if (name := taxon.name_at(rank)) and (parent := taxon.name_at(above)):
                parents.setdefault(name, set()).add(parent)
        assert all(len(names) == 1 for names in parents.values())


def test_names_are_unique_and_can_be_said(fauna):
    taxa = fauna.taxonomy.taxa
    assert len({taxon.scientific_name for taxon in taxa}) == len(taxa)
    assert len({taxon.common_name for taxon in taxa}) == len(taxa)
    for taxon in taxa:
        genus, epithet = taxon.scientific_name.split()
        assert genus == taxon.genus
        assert re.fullmatch(r"[A-Z][a-z]{3,}", genus)
        assert re.fullmatch(r"[a-z]{4,}", epithet)
        for word in (genus.lower(), epithet):
            assert not re.search(r"[bcdfgjklmnpqrstvwxz]{5}|[aeiou]{5}|(.)\1\1", word), word
            vowels = sum(letter in "aeiouy" for letter in word)
            assert 0.25 < vowels / len(word) < 0.75, word


def test_no_name_is_a_real_one(fauna, shared_data):
    import duckdb

    real = shared_data / "taxonomy" / "inaturalist-taxa.parquet"
    simulated = {
        name
        for taxon in fauna.taxonomy.taxa
        for name in (taxon.scientific_name, taxon.genus, taxon.family, taxon.order)
        if name
    }
    query = "select scientificName from read_parquet(?) where list_contains(?, scientificName)"
    assert duckdb.execute(query, [str(real), sorted(simulated)]).fetchall() == []


def test_common_names_say_what_one_sees_and_hears(fauna):
    parts = {english: part for part, (english, _) in PART_WORDS.items()}
    colours = {word: name for name, word in COLOUR_WORDS.items()}
    habitats = {english: name for name, (english, _) in HABITAT_WORDS.items()}
    for truth in fauna.species:
        *adjectives, compound, noun = truth.taxon.common_name.split()
        voice, animal = noun.split("-")
        assert VOICES[truth.voice.kind].word == voice
        assert truth.place.archetype.noun == animal
        colour, part = compound.split("-")
        assert (colours[colour], parts[part]) == (truth.looks.accent, truth.looks.accent_part)
        for word in adjectives:
            if word in habitats:
                assert habitats[word] == truth.ecology.habitats[0]
            if word in {"Giant", "Great"}:
                assert truth.latent.axes[Axis.SIZE] > 0
            if word in {"Pygmy", "Lesser"}:
                assert truth.latent.axes[Axis.SIZE] < 0


def test_accents_stand_out(fauna):
    for truth in fauna.species:
        looks = truth.looks
        assert looks.accent_part in PARTS[looks.plan]
        assert np.linalg.norm(np.subtract(PALETTE[looks.body].rgb, PALETTE[looks.accent].rgb)) > 80


def test_traits_follow_from_ecology(fauna):
    labels = {group.id: [label.id for label in group.labels] for group in groups()}
    for truth in fauna.species:
        ecology, traits = truth.ecology, truth.traits
        assert tuple(traits) == LABELS
        own = {group: {label for label in names if traits[label]} for group, names in labels.items()}
        assert all(own.values()), "every group has a label that is true"
        assert own["diet"] == {ecology.diet}
        assert own["habitat"] == set(ecology.habitats)
        assert own["activity"] == set(ecology.activities)
        assert own["climate"] == set(ecology.climates)
        assert own["lifestyle"] == {ecology.lifestyle}
        assert len(own["social"]) == len(own["migration"]) == 1
        assert ("nocturnal" in own["activity"]) <= (truth.latent.axes[Axis.NIGHT] > 0)
        assert ("group-living" in own["social"]) == (truth.latent.axes[Axis.SOCIAL] > 0.25)


def test_all_labels_occur(fauna):
    true = Counter(label for truth in fauna.species for label, value in truth.traits.items() if value)
    assert set(true) == set(LABELS)
    assert min(true.values()) >= 5


def test_axes_show_in_voice_and_looks(fauna):
    def values(axis):
        return np.array([truth.latent.axes[axis] for truth in fauna.species])

    base = np.array([VOICES[truth.voice.kind].hz for truth in fauna.species])
    octaves = np.log2([truth.voice.hz for truth in fauna.species] / base)
    assert np.corrcoef(values(Axis.SIZE), octaves)[0, 1] < -0.9
    length = np.log2([truth.looks.length_cm / truth.place.archetype.cm for truth in fauna.species])
    start = np.array([truth.place.archetype.axes.get(Axis.SIZE, 0.0) for truth in fauna.species])
    assert np.corrcoef(values(Axis.SIZE) - start, length)[0, 1] > 0.9
    warmth = np.array([PALETTE[truth.looks.body].warmth for truth in fauna.species])
    assert np.corrcoef(values(Axis.WARMTH), warmth)[0, 1] > 0.6


def test_relatives_resemble_each_other(fauna):
    axes = np.stack([truth.latent.axes for truth in fauna.species])
    places = [truth.place for truth in fauna.species]
    one, other = np.triu_indices(len(places), 1)
    away = ((axes[one] - axes[other]) ** 2).mean(axis=1)
    same = {
        name: np.array([getattr(place, name) for place in places])[one]
        == np.array([getattr(place, name) for place in places])[other]
        for name in ("genus", "family", "order", "class_index")
    }
    means = [
        away[same["genus"]].mean(),
        away[same["family"] & ~same["genus"]].mean(),
        away[same["order"] & ~same["family"]].mean(),
        away[~same["order"]].mean(),
    ]
    assert means == sorted(means)
    assert means[0] < 0.6 * means[1]
