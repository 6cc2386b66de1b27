from __future__ import annotations

import pytest

from biovita.errors import DatasetError
from biovita.traits import LABELS, group_of, groups, label

# As the vocabulary was specified, written out here and not read from the file under test.
EXPECTED = {
    "diet": "carnivore piscivore insectivore herbivore frugivore granivore nectarivore omnivore",
    "activity": "diurnal nocturnal crepuscular",
    "locomotion": "flying walking climbing leaping swimming",
    "lifestyle": "aerial arboreal terrestrial aquatic",
    "habitat": "forest shrubland grassland wetland marine human-modified",
    "climate": "tropical temperate polar",
    "social": "solitary group-living",
    "migration": "sedentary partial-migrant migratory",
}


def test_the_vocabulary_is_the_specified_one():
    assert {group.id: " ".join(entry.id for entry in group.labels) for group in groups()} == EXPECTED
    assert [group.id for group in groups()] == list(EXPECTED)
    assert len(LABELS) == len(set(LABELS)) == 34


def test_every_label_and_group_is_defined():
    for group in groups():
        assert group.definition.endswith(".")
        assert all(entry.definition.endswith(".") for entry in group.labels)


def test_group_of_a_label():
    assert group_of("human-modified") == "habitat"
    assert label("polar").group == "climate"


def test_an_unknown_label_names_the_nearest():
    with pytest.raises(DatasetError, match="Did you mean 'group-living'"):
        label("group_living")
