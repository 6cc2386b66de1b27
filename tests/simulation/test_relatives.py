"""Whether encoders that know nothing of the simulator hear and see who is related."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from biovita.media.inputs import Sound
from biovita.modality import Modality
from biovita.simulation import Fauna, SpeciesTruth
from biovita.simulation.calls import SAMPLE_RATE, recording
from biovita.simulation.pictures import picture
from biovita.simulation.seeds import stream

_ITEMS = 1  # recordings, and photographs, of a species


def _sample(fauna: Fauna) -> list[SpeciesTruth]:
    """Return pairs of species of one genus, pairs of such genera of one family, pairs of such families of one order."""
    tree: dict = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for truth in fauna.species:
        tree[truth.place.order][truth.place.family][truth.place.genus].append(truth)
    chosen: list[SpeciesTruth] = []
    for families in tree.values():
        full = []
        for genera in families.values():
            pairs = [members[:2] for members in genera.values() if len(members) > 1]
            if len(pairs) > 1:
                full.append(pairs[0] + pairs[1])
        if len(full) > 1:
            chosen += full[0] + full[1]
    return chosen[:48]


def _by_relation(species: list[SpeciesTruth], vectors: np.ndarray) -> list[float]:
    """Return the mean cosine of species of one genus, of one family, of one order, and of different orders."""
    centred = vectors - vectors.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    one, other = np.triu_indices(len(species), 1)
    similarity = (centred[one] * centred[other]).sum(axis=1)
    places = np.array([[t.place.genus, t.place.family, t.place.order] for t in species])
    same = places[one] == places[other]
    nearest = np.where(same.any(axis=1), same.argmax(axis=1), 3)
    return [float(similarity[nearest == rank].mean()) for rank in range(4)]


@pytest.mark.slow
def test_closer_relatives_sound_and_look_more_alike(starter_towers):
    species = _sample(Fauna.grow(2000, 0))
    assert len(species) == 48
    audio, image = starter_towers[Modality.AUDIO], starter_towers[Modality.IMAGE]
    sounds, pictures = [], []
    for truth in species:
        for number in range(_ITEMS):
            sound = recording(truth.voice, truth.ecology, 5.0, 0, stream(0, "recording", truth.index, number))
            sounds.append(audio.load(Sound(sound, SAMPLE_RATE)))
            pictures.append(
                image.load(picture(truth.looks, truth.ecology, stream(0, "photograph", truth.index, number)))
            )
    for tower, items in ((audio, sounds), (image, pictures)):
        vectors = np.concatenate([tower.encode(items[start : start + 16]) for start in range(0, len(items), 16)])
        genus, family, order, others = _by_relation(species, vectors.reshape(48, _ITEMS, -1).mean(axis=1))
        assert genus > family + 0.05 > order + 0.10, (tower.card.name, genus, family, order)
        assert family > others
