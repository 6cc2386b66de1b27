"""Names without media: which classes the towers' classifiers bring, and which are held out."""

from __future__ import annotations

import numpy as np

from biovita.dataset import Modality
from biovita.taxonomy import Taxon
from biovita.towers import Tower
from biovita.train.vocabulary import kept_classes, named_classes

AUDIO, IMAGE, TEXT = Modality.AUDIO, Modality.IMAGE, Modality.TEXT


def test_birdnet_names_6522_classes_and_efficientnet_its_animals(
    starter_towers: dict[Modality, Tower],
) -> None:
    sounds, pictures = (named_classes(starter_towers[modality]) for modality in (AUDIO, IMAGE))
    assert sounds is not None
    assert pictures is not None
    assert sounds.weights.shape == (6522, 1024)
    assert pictures.weights.shape == (398, 1280)
    assert len(sounds.texts) == len(sounds.names) == 6522
    assert pictures.names[0][0] == "tench"
    magpie = [names[0] for names in sounds.names].index("Pica pica")
    assert sounds.texts[magpie] == (
        "Eurasian Magpie",
        "Pica pica",
        "Pica pica with common name Eurasian Magpie",
    )
    assert named_classes(starter_towers[TEXT]) is None


def test_an_unseen_species_is_held_out_of_the_classes_too(starter_towers: dict[Modality, Tower]) -> None:
    unseen = [
        Taxon("1", "Turdus merula", "Eurasian Blackbird", genus="Turdus"),
        Taxon("2", "Junco hyemalis", "Dark-eyed Junco", genus="Junco"),
        Taxon("3", "Pseudacris crucifer", genus="Pseudacris"),
    ]
    sounds, pictures = (named_classes(starter_towers[modality]) for modality in (AUDIO, IMAGE))
    assert sounds is not None
    assert pictures is not None
    kept = {names[0] for names in np.array(sounds.names, object)[kept_classes(sounds, unseen)]}
    gone = {names[0] for names in sounds.names} - kept
    assert gone == {"Turdus merula", "Junco hyemalis", "Pseudacris crucifer"}
    kept_pictures = {names for place in kept_classes(pictures, unseen) for names in pictures.names[place]}
    gone_pictures = {name for names in pictures.names for name in names} - kept_pictures
    assert "junco" in gone_pictures
    assert kept_classes(sounds, []) == list(range(6522))
