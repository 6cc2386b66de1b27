from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from biovita.archive.archive_tables import Kind
from biovita.errors import BiovitaError, DatasetError, ModelError
from biovita.identification.evidence import Candidate
from biovita.identification.probe import Probe, read_probe
from biovita.modality import Modality
from biovita.taxonomy import Taxon
from biovita.towers.encoder import EncoderCard

DIM = 32
ENCODER = EncoderCard("stub", Modality.AUDIO, DIM, "here", "r1", "CC0-1.0", preprocessing="mono")
SONG = Candidate(Taxon("song", "song"), Kind.CLASS)
NOTHING = Candidate(Taxon("background", "background"), Kind.BACKGROUND)
TIT = Candidate(Taxon("parus_major", "Parus major", "Great Tit", genus="Parus"))
WREN = Candidate(Taxon("troglodytes_troglodytes", "Troglodytes troglodytes"))
KNOWN = (NOTHING, SONG, TIT, WREN)


def examples(
    counts: tuple[int, ...], *, apart: float = 3.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors of classes around centres that are apart, two of a recording, and far from unit variance."""
    draws = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(len(counts), DIM)) * apart / np.sqrt(DIM)
    labels = np.repeat(np.arange(len(counts)), counts)
    vectors = (centres[labels] + draws.normal(size=(len(labels), DIM)) / np.sqrt(DIM)) * np.linspace(
        1, 50, DIM
    ) + 7
    return vectors.astype(np.float32), labels, np.arange(len(labels)) // 2


def fitted(counts: tuple[int, ...] = (20, 20, 20, 20), **settings: float) -> Probe:
    return Probe.fit(*examples(counts, **settings), candidates=KNOWN, encoder=ENCODER)


def test_it_names_what_it_was_not_trained_on_as_often_as_it_says() -> None:
    probe = fitted((80, 80, 80, 80), apart=0.5)
    vectors, labels, _ = examples((200, 200, 200, 200), apart=0.5, seed=1)
    named = [probe.candidates[place] for place in probe.logits(vectors).argmax(axis=1)]
    share = np.mean([name == KNOWN[label] for name, label in zip(named, labels, strict=True)])
    assert 0.6 < share < 0.95
    assert probe.training.accuracy == pytest.approx(share, abs=0.06)
    assert probe.training.examples == (80, 80, 80, 80)


def test_taxa_come_first_and_the_background_last() -> None:
    probe = fitted()
    assert probe.candidates == (TIT, WREN, SONG, NOTHING)
    classes = probe.classes()
    assert classes.animals == 2
    assert classes.names[:3] == (
        ("Parus major", "Great Tit"),
        ("Troglodytes troglodytes", "Troglodytes troglodytes"),
        ("song", "song"),
    )
    vectors, _, _ = examples((2, 2, 2, 2), seed=5)
    np.testing.assert_array_equal(vectors @ classes.weights.T + classes.bias, probe.logits(vectors))


@pytest.mark.parametrize("counts", [(30, 30, 30, 30), (5, 5, 4, 6)])  # more examples than numbers, and fewer
def test_it_is_the_solution_of_scikit_learn(counts: tuple[int, ...]) -> None:
    """The oracle fits the same problem in a pipeline of its own, on all the numbers."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.utils.class_weight import compute_sample_weight

    vectors, labels, groups = examples(counts)
    probe = Probe.fit(vectors, labels, groups, candidates=KNOWN, encoder=ENCODER)
    weights = compute_sample_weight("balanced", labels)
    asked, _, _ = examples((3, 3, 3, 3), seed=2)
    for place, candidate in enumerate(probe.candidates):
        solver = LogisticRegression(C=probe.training.regularisation, tol=1e-8, max_iter=5000)
        oracle = make_pipeline(StandardScaler(), solver)
        oracle.fit(vectors, labels == KNOWN.index(candidate), logisticregression__sample_weight=weights)
        np.testing.assert_allclose(probe.logits(asked)[:, place], oracle.decision_function(asked), atol=0.02)


def test_a_class_with_many_examples_is_not_favoured() -> None:
    """Classes that look the same get the same score, however many examples each has."""
    draws = np.random.default_rng(0)
    vectors = draws.normal(size=(400, DIM)).astype(np.float32)
    labels = np.repeat([2, 3], [360, 40])
    probe = Probe.fit(vectors, labels, np.arange(400), candidates=KNOWN, encoder=ENCODER)
    scores = probe.logits(draws.normal(size=(2000, DIM)).astype(np.float32))
    assert scores.mean(axis=0) == pytest.approx([0, 0], abs=0.35)


def test_two_examples_of_a_class_are_enough() -> None:
    probe = Probe.fit(*examples((2, 2, 2, 2), apart=8.0), candidates=KNOWN, encoder=ENCODER)
    vectors, labels, _ = examples((10, 10, 10, 10), apart=8.0, seed=3)
    named = [probe.candidates[place] for place in probe.logits(vectors).argmax(axis=1)]
    assert np.mean([name == KNOWN[label] for name, label in zip(named, labels, strict=True)]) > 0.9


def test_examples_of_one_recording_are_left_out_together() -> None:
    """Within a recording all is alike, and recordings of a class have nothing in common: nothing can be learned."""
    draws = np.random.default_rng(4)
    groups = np.repeat(np.arange(24), 10)
    vectors = (draws.normal(size=(24, DIM))[groups] + 0.01 * draws.normal(size=(240, DIM))).astype(np.float32)
    labels = np.where(groups % 2 == 0, 2, 3)
    found = Probe.fit(vectors, labels, groups, candidates=KNOWN, encoder=ENCODER)
    assert found.training.accuracy is not None
    assert found.training.accuracy < 0.75
    assert found.training.groups == 24


def test_without_another_recording_nothing_is_chosen_and_nothing_claimed() -> None:
    vectors, labels, _ = examples((3, 3, 3, 3))
    found = Probe.fit(vectors, labels, np.zeros(12), candidates=KNOWN, encoder=ENCODER)
    assert (found.training.accuracy, found.training.log_loss) == (None, ())


def test_what_cannot_be_learned_from_is_refused() -> None:
    vectors, labels, groups = examples((3, 3, 3, 1))
    with pytest.raises(BiovitaError, match="2 examples, and these have one: Troglodytes troglodytes"):
        Probe.fit(vectors, labels, groups, candidates=KNOWN, encoder=ENCODER)
    with pytest.raises(BiovitaError, match="needs two classes"):
        Probe.fit(vectors[:3], labels[:3], groups[:3], candidates=KNOWN, encoder=ENCODER)
    with pytest.raises(BiovitaError, match="not finite"):
        Probe.fit(vectors * np.nan, labels, groups, candidates=KNOWN, encoder=ENCODER)
    with pytest.raises(BiovitaError, match="as many of each"):
        Probe.fit(vectors, labels[1:], groups, candidates=KNOWN, encoder=ENCODER)


def test_a_saved_one_is_the_same(tmp_path: Path) -> None:
    probe = fitted((4, 4, 4, 4))
    again = read_probe(probe.save(tmp_path / "probe"))
    assert (again.candidates, again.training, again.version) == (probe.candidates, probe.training, probe.version)
    np.testing.assert_array_equal(again.weights, probe.weights)
    with pytest.raises(DatasetError, match="already exists"):
        probe.save(tmp_path / "probe")
    assert read_probe(fitted((5, 5, 5, 5)).save(tmp_path / "probe", overwrite=True)).version != probe.version


def test_it_says_whose_vectors_it_takes() -> None:
    probe = fitted((4, 4, 4, 4))
    assert probe.fits(ENCODER) is None
    assert "its revision was r1, and here is r2" in (probe.fits(replace(ENCODER, revision="r2")) or "")
    assert "its name" in (probe.fits(replace(ENCODER, name="other")) or "")


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    place = fitted((4, 4, 4, 4)).save(tmp_path / "probe")
    config, tensors = place / "probe.json", place / "probe.safetensors"
    content = json.loads(config.read_text())

    def refused(message: str, **change: object) -> None:
        config.write_text(json.dumps(content | change))
        with pytest.raises(ModelError, match=message):
            read_probe(place)

    refused("is no probe", format="pickle")
    refused("2 classes, weights of", candidates=content["candidates"][:2])
    refused("kind: Input should be", candidates=[{**content["candidates"][0], "kind": "spell"}])
    refused("revision: Field required", training={"encoder": "x"})
    save_file({"weights": np.full((4, DIM), np.nan, np.float32), "bias": np.zeros(4, np.float32)}, tensors)
    refused("finite numbers in float32")
    save_file({"bias": np.zeros(4, np.float32)}, tensors)
    refused("A probe has weights and bias")
    tensors.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{broken}")
    refused("cannot be read as safetensors")
    tensors.unlink()
    refused("is missing")
