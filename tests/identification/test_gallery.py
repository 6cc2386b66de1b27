"""Galleries: names meet in one taxon, and classes speak for all that they may show."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from biovita.archive.archive_tables import Kind
from biovita.compute.device import Device
from biovita.identification.evidence import Candidate
from biovita.identification.exemplars import EXEMPLARS, Labelled
from biovita.identification.gallery import gallery_of, known_as, nameable
from biovita.identification.scorer import Scorer
from biovita.modality import MEDIA, Modality
from biovita.model import describe
from biovita.model.card import ModelCard
from biovita.taxonomy import Rank, Taxon
from biovita.taxonomy.known_taxa import known_taxa
from biovita.towers.efficientnet import CARD
from biovita.towers.encoder import Classes, EncoderDefaults


class Pictures(EncoderDefaults):
    """A stand-in for EfficientNet, whose vectors are the logits of its classes."""

    card = CARD
    batch_size = 1
    tolerance = 0.0
    device = Device("cpu", "a test")

    def classes(self) -> Classes:
        weights = np.eye(1000, CARD.dim, dtype=np.float32)
        names = tuple((str(number),) for number in range(1000))
        return Classes(names, weights, np.zeros(1000, np.float32), 398, scientific=False)


def card() -> ModelCard:
    """Return a model that has these classes, and no names."""
    encoders = {modality: describe("starter").encoder(modality) for modality in MEDIA}
    return ModelCard("a", "", "", "", "r", encoders)


def sure_of(number: int) -> np.ndarray:
    vector = np.zeros((1, CARD.dim), np.float32)
    vector[0, number] = 20.0
    return vector


def test_a_synonym_and_a_common_name_find_the_known_taxon() -> None:
    synonym, taxon_id = next(iter(known_taxa().taxonomy.synonyms.items()))
    assert known_as(Taxon("x", synonym)) == known_taxa().taxonomy[taxon_id]
    tit = known_taxa().find("Parus major")
    assert known_as(Taxon("x", "Parus novus", "Great Tit", class_="Aves")) == tit
    assert known_as(Taxon("x", "Parus novus", "Great Tit")) is None  # no class is stated
    assert known_as(Taxon("x", "Parus novus", "Great Tit", class_="Insecta")) is None
    assert known_as(Taxon("x", "Parus", rank=Rank.GENUS)).rank == Rank.GENUS
    assert known_as(Taxon("x", "Parus")) is None  # a species of that name is not the genus


def test_what_is_labelled_meets_what_is_known() -> None:
    synonym, taxon_id = next(iter(known_taxa().taxonomy.synonyms.items()))
    labels = (Candidate(Taxon("x", synonym)), Candidate(Taxon("class:song", "song"), Kind.CLASS))
    rows = pa.table({name: ["i0", "i1"] if name == "id" else pa.nulls(2) for name in EXEMPLARS.names})
    rows = rows.set_column(2, "path", pa.array(["a", "b"])).cast(EXEMPLARS)
    items = Labelled(Modality.AUDIO, labels, np.array([0, 1]), rows, np.ones((2, 1024), np.float32))
    found = nameable([], [items])
    assert [each.taxon.id for each in found] == [taxon_id, "class:song"]
    gallery = gallery_of(card(), {}, [items], found)
    assert gallery.exemplars[Modality.AUDIO].candidates.tolist() == [0, 1]


def test_a_class_of_pictures_says_less_of_each_the_more_taxa_it_may_show() -> None:
    classes = known_taxa().classes["efficientnet-lite2"]
    alone = next(number for number, ids in classes.items() if len(ids) == 1 and _is_species(ids[0]))
    wide = next(number for number, ids in classes.items() if len(ids) > 2 and all(map(_is_species, ids)))
    candidates = [Candidate(known_taxa().taxonomy[classes[number][0]]) for number in (alone, wide)]
    candidates.append(Candidate(Taxon("z", "Zzyzx nova")))
    tower = Pictures()
    gallery = gallery_of(card(), {Modality.IMAGE: tower}, candidates=candidates)
    assert gallery.links["efficientnet-lite2"].shown.max() == len(classes[wide])
    scorer = Scorer.of(card(), gallery, tower)
    first, second = (scorer.score(sure_of(number)).logits[0] for number in (alone, wide))
    assert first.argmax() == 0
    assert second.argmax() == 1
    assert first[0] > second[1] > first[1]
    assert first[2] == second[2] == scorer.prior  # nothing speaks for it
    assert any("nothing speaks for Zzyzx nova" in note for note in gallery.notes)


def _is_species(taxon_id: str) -> bool:
    return known_taxa().taxonomy[taxon_id].rank == Rank.SPECIES


def test_a_class_of_a_family_speaks_for_its_species() -> None:
    classes, taxonomy = known_taxa().classes["efficientnet-lite2"], known_taxa().taxonomy
    number, family = next(
        (number, taxonomy[ids[0]])
        for number, ids in classes.items()
        if len(ids) == 1 and taxonomy[ids[0]].rank == Rank.FAMILY
    )
    species = Taxon("n", "Novum animal", class_=family.class_, order=family.order, family=family.scientific_name)
    other = Taxon("o", "Alius animal", class_=family.class_, order=family.order, family="Nullidae")
    tower = Pictures()
    gallery = gallery_of(card(), {Modality.IMAGE: tower}, candidates=[Candidate(species), Candidate(other)])
    found = Scorer.of(card(), gallery, tower).score(sure_of(number)).logits[0]
    assert found[0] > found[1]


@pytest.mark.parametrize("kind", [Kind.CLASS, Kind.BACKGROUND])
def test_what_is_no_taxon_is_never_taken_for_one(kind: Kind) -> None:
    robin = known_taxa().find("Turdus migratorius")
    candidates = [Candidate(Taxon("class:turdus", "Turdus migratorius"), kind), Candidate(robin)]
    gallery = gallery_of(card(), {Modality.IMAGE: Pictures()}, candidates=candidates)
    assert set(gallery.links["efficientnet-lite2"].candidates.tolist()) == {1}
