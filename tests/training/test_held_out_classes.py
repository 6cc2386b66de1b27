"""Which classes of the encoders' classifiers go with species that are held out: by taxonomy, over all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from biovita.modality import Modality
from biovita.taxonomy import RANKS, Rank, Taxon
from biovita.taxonomy.known_taxa import known_taxa
from biovita.training.projections.names_without_media import NamedClasses, classes_of_unseen, kept_classes

PICTURES, SOUNDS = "efficientnet-lite2", "birdnet-2.4"
NUMBER = {PICTURES: 398, SOUNDS: 6522}
DOGS = set(range(151, 269)) | {273}  # a dingo is a dog to some


def _classes(encoder: str) -> NamedClasses:
    known = known_taxa()
    taxa = tuple(
        tuple(known.taxonomy[each] for each in known.classes[encoder].get(number, ()))
        for number in range(NUMBER[encoder])
    )
    names = tuple((f"class {number}",) for number in range(len(taxa)))
    return NamedClasses(Modality.IMAGE, names, names, np.zeros((len(taxa), 1), np.float32), taxa)


@pytest.fixture(scope="module")
def pictures() -> NamedClasses:
    return _classes(PICTURES)


@pytest.fixture(scope="module")
def sounds() -> NamedClasses:
    return _classes(SOUNDS)


def _gone(classes: NamedClasses, *unseen: Taxon, **synonyms: Iterable[str]) -> set[int]:
    return set(range(len(classes.names))) - set(kept_classes(classes, unseen, synonyms))


def _lineage(taxon: Taxon) -> set[tuple[Rank, str]]:
    return {(rank, name) for rank in RANKS if (name := taxon.name_at(rank))}


def _species_in(group: Taxon) -> Taxon:
    """Return a species that nobody has heard of in a group."""
    if group.rank == Rank.SPECIES:
        return replace(group, id="1", common_name=None)
    above = {("class_" if rank == Rank.CLASS else rank.value): group.name_at(rank) for rank in RANKS[:-1]}
    return Taxon("1", "Novus incognitus", None, Rank.SPECIES, **above)


@pytest.mark.slow
def test_each_picture_class_goes_with_every_taxon_that_it_may_show_and_others_stay(pictures: NamedClasses) -> None:
    assert pictures.taxa is not None
    shown = {taxon: _lineage(taxon) for taxa in pictures.taxa for taxon in taxa}
    checked = set()
    for taxon in shown:
        unseen = _species_in(taxon)
        own, above = (Rank.SPECIES, unseen.scientific_name), _lineage(unseen)
        related = {
            each for each, ranks in shown.items() if own in ranks or (each.rank, each.scientific_name) in above
        }
        expected = {number for number, taxa in enumerate(pictures.taxa) if related & set(taxa)}
        assert _gone(pictures, unseen) == expected, taxon.scientific_name
        checked |= {number for number, taxa in enumerate(pictures.taxa) if taxon in taxa and number in expected}
    assert checked == set(range(398))


@pytest.mark.parametrize(
    ("unseen", "gone"),
    [
        (Taxon("1", "Ardea alba"), {132}),
        (Taxon("1", "Casmerodius albus", genus="Casmerodius"), {132}),
        (Taxon("1", "Egretta alba", "Great White Egret", genus="Egretta"), {132}),
        (Taxon("1", "Felis catus"), set(range(281, 286))),
        (Taxon("1", "Felis silvestris catus"), set(range(281, 286))),
        (Taxon("1", "Canis lupus familiaris"), DOGS),
        (Taxon("1", "Canis familiaris"), DOGS),
        (Taxon("1", "Anas platyrhynchos"), {97}),
        (Taxon("1", "Mergus serrator"), {97, 98}),
        (Taxon("1", "Tinca tinca"), {0}),
        (Taxon("1", "Gallus gallus", "Red Junglefowl"), {7, 8}),
        (Taxon("1", "Archilochus colubris"), {94}),
        (Taxon("1", "Archilochus incognitus", family="Trochilidae"), {94}),
        (Taxon("1", "Junco", rank=Rank.GENUS), {13}),
        (Taxon("1", "Ursus", rank=Rank.GENUS, genus=None), {294, 295, 296}),
        (Taxon("1", "Ursus ignotus"), set()),
        (Taxon("1", "Genus1 species1", "Red Robin"), set()),
    ],
    ids=lambda value: value.scientific_name if isinstance(value, Taxon) else "",
)
def test_picture_classes_that_go_with_one_species(pictures: NamedClasses, unseen: Taxon, gone: set[int]) -> None:
    assert _gone(pictures, unseen) == gone


def test_a_synonym_that_only_the_dataset_knows_takes_the_class_with_it(pictures: NamedClasses) -> None:
    unseen = Taxon("t1", "Novus albus", genus="Novus")
    assert _gone(pictures, unseen) == set()
    assert _gone(pictures, unseen, t1=["Casmerodius albus (Linnaeus, 1758)"]) == {132}
    assert _gone(pictures, unseen, t2=["Casmerodius albus"]) == set()


def test_sound_classes_go_by_name_synonym_and_genus(sounds: NamedClasses) -> None:
    known = known_taxa()
    number = {known.taxonomy[taxon].scientific_name: n for n, (taxon,) in known.classes[SOUNDS].items()}
    assert _gone(sounds, Taxon("1", "Turdus merula")) == {number["Turdus merula"]}
    assert _gone(sounds, Taxon("1", "Astur gentilis", genus="Astur")) == {number["Accipiter gentilis"]}
    assert _gone(sounds, Taxon("1", "Aquarana catesbeiana")) == {number["Lithobates catesbeianus"]}
    juncos = {n for name, n in number.items() if name.startswith("Junco ")}
    assert len(juncos) > 1
    assert _gone(sounds, Taxon("1", "Junco", rank=Rank.GENUS)) == juncos
    assert len(_gone(sounds)) == 0


def test_what_the_makers_of_an_encoder_had_a_class_for(pictures: NamedClasses, sounds: NamedClasses) -> None:
    egret, robin, nobody = (
        Taxon(str(n), name) for n, name in enumerate(("Egretta alba", "Turdus merula", "Turdus ignotus"))
    )
    assert classes_of_unseen(pictures, [egret, robin, nobody]) == (egret,)
    assert classes_of_unseen(sounds, [nobody, robin, egret]) == (robin, egret)
    unknown = replace(sounds, names=(("Turdus merula",),), taxa=None)
    assert classes_of_unseen(unknown, [egret, robin]) == (robin,)
