"""What a model knows of taxa: where a text's taxon is looked up, and what names and media are drawn to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from biovita.model.knowledge import Knowledge, Pull, in_words, known_of
from biovita.model.landmarks import Landmarks
from biovita.taxonomy import Rank, Taxon, Taxonomy, prompts
from biovita.taxonomy.known_taxa import KnownTaxa, known_taxa
from biovita.taxonomy.taxon_features import taxon_features
from biovita.trait_labels import LABELS

DIM = 5


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def directions(count: int, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((count, DIM))).astype(np.float32)


def marks(trained: Sequence[Taxon], classes: Sequence[Taxon] = ()) -> Landmarks:
    taxa = (*trained, *classes)
    places = directions(2 * len(taxa), 1).astype(np.float16)
    return Landmarks(taxa, len(trained), {}, places[: len(taxa)], places[len(taxa) :])


def species(name: str, taxon_id: str = "", **more: Any) -> Taxon:
    return Taxon(taxon_id or name.lower().replace(" ", "_"), name, genus=name.partition(" ")[0], **more)


def book(*taxa: Taxon, traits: Mapping[str, Mapping[str, bool]] | None = None, **synonyms: str) -> KnownTaxa:
    others = {name.replace("_", " "): taxon_id for name, taxon_id in synonyms.items()}
    return KnownTaxa(Taxonomy.of(taxa, others), traits or {})


ONE, TWO = species("Nova prima", family="Novidae"), species("Nova secunda", family="Novidae")
THIRD, FAR = species("Altera tertia", family="Novidae"), species("Zeta ultima", family="Zetidae")
LANDMARKS = marks([ONE, THIRD], [TWO])
NEW = species("Nova quarta", common_name="fourth nova", class_="Novae", order="Novales", family="Novidae")


def test_a_new_name_is_drawn_to_its_relatives_classes_and_media_by_their_weights() -> None:
    knowledge = Knowledge((), Pull(classes=0.5, items=0.25), LANDMARKS, (book(NEW, FAR),))
    texts = [*prompts(NEW).values(), "nova QUARTA", FAR.scientific_name, "a loud song"]
    rows = directions(8)
    found = knowledge.names_drawn(rows, texts)
    prima, secunda = LANDMARKS.media[0].astype(np.float64), LANDMARKS.media[2].astype(np.float64)
    want = unit(rows[:6] + 0.25 * unit(prima) + 0.5 * unit(secunda))
    np.testing.assert_allclose(found[:6], want, atol=1e-6)
    np.testing.assert_allclose(found[6:], rows[6:], atol=1e-6)
    assert found.dtype == np.float32


def test_without_a_weight_a_pull_does_nothing() -> None:
    rows = directions(1)
    for pull, place in ((Pull(classes=0.5), 2), (Pull(items=0.5), 0)):
        found = Knowledge((), pull, LANDMARKS, (book(NEW),)).names_drawn(rows, ["Nova quarta"])
        np.testing.assert_allclose(found, unit(rows + 0.5 * unit(LANDMARKS.media[[place]])), atol=1e-3)
    none = Knowledge((), Pull(), LANDMARKS, (book(NEW),))
    assert none.names_drawn(rows, ["Nova quarta"]) is rows
    assert none.media_drawn(rows) is rows


def test_the_name_of_a_landmark_stays_where_it_is() -> None:
    knowledge = Knowledge((), Pull(classes=1, items=1), LANDMARKS, (book(ONE, TWO, Nova_vetus="nova_prima"),))
    texts, rows = ["Nova prima", "NOVA  secunda", "Nova vetus"], directions(3)
    np.testing.assert_allclose(knowledge.names_drawn(rows, texts), rows, atol=1e-6)


def test_a_group_is_drawn_to_its_members() -> None:
    knowledge = Knowledge((), Pull(items=1), LANDMARKS)
    rows = directions(2)
    found = knowledge.names_drawn(rows, ["Novidae", "nova"])
    both = unit(LANDMARKS.media[:2].astype(np.float64).sum(axis=0))
    np.testing.assert_allclose(
        found, unit(rows + np.stack([both, unit(LANDMARKS.media[0].astype(float))])), atol=1e-6
    )


def with_synonym() -> tuple[Taxon, str]:
    """Return a packaged species and a synonym of it in another genus."""
    known = known_taxa()
    return next(
        (taxon, name)
        for taxon in known.taxonomy.taxa
        for name in sorted(known.other_names(taxon))
        if taxon.rank == Rank.SPECIES and len(name.split()) == 2 and name.split()[0] != taxon.genus
    )


def test_a_taxon_that_was_trained_on_under_a_synonym_is_no_relative_of_itself() -> None:
    taxon, synonym = with_synonym()
    trained = marks([species(synonym, family=taxon.family)])
    knowledge, rows = Knowledge((), Pull(items=1), trained), directions(1)
    np.testing.assert_allclose(knowledge.names_drawn(rows, [taxon.scientific_name]), rows, atol=1e-6)
    other = species("Nova quarta", family=taxon.family)
    moved = knowledge.with_book(book(other)).names_drawn(rows, ["Nova quarta"])
    assert np.abs(moved - rows).max() > 0.05, "it is a relative of others"


def test_a_synonym_of_a_book_leaves_the_taxon_out_of_its_relatives() -> None:
    asked, rows = species("Nova quinta", family="Novidae"), directions(1)
    plain = Knowledge((), Pull(items=1), LANDMARKS, (book(asked),))
    assert np.abs(plain.names_drawn(rows, ["Nova quinta"]) - rows).max() > 0.05
    named = plain.with_book(book(asked, Nova_prima="nova_quinta"))
    np.testing.assert_allclose(named.names_drawn(rows, ["Nova quinta"]), rows, atol=1e-6)


def test_an_id_means_a_taxon_within_its_own_book_only() -> None:
    taxon, _ = with_synonym()
    asked, stranger = species("Nova quinta", taxon.id, family="Novidae"), species("Zeta ultima", taxon.id)
    first, second = book(asked), book(stranger, Nova_prima=taxon.id)
    rows = directions(1)
    alone = Knowledge((), Pull(items=1), LANDMARKS, (first,)).names_drawn(rows, ["Nova quinta"])
    beside = Knowledge((), Pull(items=1), LANDMARKS, (first, second)).names_drawn(rows, ["Nova quinta"])
    np.testing.assert_array_equal(beside, alone)
    known = sorted(known_taxa().other_names(taxon))
    met = marks([species(name, family="Novidae") for name in known])
    drawn = Knowledge((), Pull(items=1), met, (first,)).names_drawn(rows, ["Nova quinta"])
    assert np.abs(drawn - rows).max() > 0.05, "the package's taxon of that id is another one"


def drawn_plainly(vector: np.ndarray, names: np.ndarray, pull: Pull) -> np.ndarray:
    """Restate how one recording is drawn, in double precision."""
    near = [pull.sharpness * float(name @ vector) for name in names.astype(np.float64)]
    weights = [np.exp(value - max(near)) for value in near]
    mean = sum(weight * name for weight, name in zip(weights, names.astype(np.float64), strict=True))
    return unit(vector + pull.names * mean / np.linalg.norm(mean))


@pytest.mark.parametrize("pull", [Pull(names=1), Pull(names=0.3, sharpness=5), Pull(names=2, sharpness=1000)])
def test_media_are_drawn_to_the_weighted_mean_of_the_names(pull: Pull) -> None:
    landmarks = marks([species(f"Nova n{number}") for number in range(30)], [species("Zeta ultima")])
    rows = directions(1030)
    found = Knowledge((), pull, landmarks).media_drawn(rows)
    assert found.dtype == np.float32
    for place in (0, 1, 1023, 1024, 1029):
        want = drawn_plainly(rows[place].astype(np.float64), landmarks.names, pull)
        np.testing.assert_allclose(found[place], want, atol=1e-5 * max(1, pull.sharpness / 40))


def test_a_recording_that_lies_far_from_all_names_is_drawn_to_the_nearest() -> None:
    names = np.array([[1, 0], [0.8, 0.6]], np.float16)
    landmarks = Landmarks((ONE, TWO), 2, {}, names, np.zeros((2, 2), np.float16))
    found = Knowledge((), Pull(names=1, sharpness=1000), landmarks).media_drawn(
        np.array([[-0.6, -0.8]], np.float32)
    )
    np.testing.assert_allclose(found, unit(np.array([[-0.6 + 1, -0.8]])), atol=1e-3)


def test_recordings_are_drawn_to_what_their_classifier_answers_among_the_classes_alone() -> None:
    landmarks, rows = marks([ONE, THIRD], [TWO, FAR]), directions(1030)
    logits = 3 * np.random.default_rng(2).standard_normal((1030, 2)).astype(np.float32)
    pull = Pull(names=0.5, answers=0.8)
    found = Knowledge((), pull, landmarks).media_drawn(rows, lambda some: logits[some])
    for place in (0, 1023, 1024, 1029):
        weights = np.exp(logits[place].astype(np.float64))
        answer = unit(weights @ landmarks.names[2:].astype(np.float64))
        near = [40 * float(name @ rows[place]) for name in landmarks.names.astype(np.float64)]
        mean = unit(np.exp(np.array(near) - max(near)) @ landmarks.names.astype(np.float64))
        np.testing.assert_allclose(found[place], unit(rows[place] + 0.5 * mean + 0.8 * answer), atol=1e-5)
    alone = Knowledge((), Pull(answers=0.8), landmarks)
    assert alone.media_drawn(rows) is rows, "photographs have no such classifier"


def test_without_names_media_stay() -> None:
    rows = directions(3)
    none = Landmarks((), 0, {}, np.zeros((0, DIM), np.float16), np.zeros((0, DIM), np.float16))
    assert Knowledge((), Pull(names=1), none).media_drawn(rows) is rows


def test_the_first_book_counts_and_what_it_lacks_comes_from_those_after_it() -> None:
    magpie = known_taxa().find("Pica pica")
    assert magpie is not None
    packaged = known_taxa().traits[magpie.id]
    label, value = next(iter(packaged.items()))
    mine = Taxon("t7", "Pica pica", "Bandit", class_="Birds")
    second = book(Taxon("t7", "Pica pica", family="Seconds"))
    found = known_of("bandit", (book(mine, traits={"t7": {label: not value}}), second))
    assert found is not None
    taxon, labels = found
    assert (taxon.class_, taxon.family, taxon.order, taxon.genus) == ("Birds", "Seconds", magpie.order, "Pica")
    assert labels == {**packaged, label: not value}


def test_a_lineage_is_filled_from_groups_that_agree() -> None:
    asked = Taxon("x", "Nova quarta", class_="Aves", family="Corvidae")
    found = known_of("Nova quarta", (book(asked),))
    assert found is not None
    assert (found[0].order, found[0].genus) == ("Passeriformes", "Nova")
    beetle = Taxon("x", "Nova quarta", class_="Insecta", family="Corvidae")
    other = known_of("Nova quarta", (book(beetle),))
    assert other is not None
    assert other[0].order is None, "a family of that name is in another class"


def test_texts_that_name_nothing_known_have_no_features() -> None:
    knowledge = Knowledge(
        ("lineage", "traits"), Pull(), LANDMARKS, (book(NEW, traits={NEW.id: {LABELS[1]: True}}),)
    )
    found = knowledge.inputs(["", "a loud song", "Nova quarta", "Nova"])
    assert found.shape == (4, knowledge.count)
    assert np.isnan(found[:2]).all()
    np.testing.assert_array_equal(found[2], taxon_features([(NEW, {LABELS[1]: True})], knowledge.features)[0])
    np.testing.assert_array_equal(found[3, 192:256], found[2, 192:256])
    assert np.isnan(found[3, 256:]).all()


def test_what_a_model_knows_is_said_in_plain_words() -> None:
    assert in_words((), Pull()) == ()
    assert in_words(("lineage", "traits"), Pull(0.6, 0.5, 1, answers=2)) == (
        "Of a name: its words and its lineage and traits.",
        "A new name is drawn to classes of relatives by 0.6 and to media of relatives by 0.5.",
        "A recording or photograph is drawn to names near it by 1.",
        "A recording is drawn to what the classifier of its tower answers by 2.",
    )
