from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from biovita.benchmark import benchmark_from_split, score_benchmark
from biovita.benchmark.trait_scores import label_scores, trait_agreement
from biovita.dataset import Dataset, write_table
from biovita.dataset.schema import TRAITS
from biovita.modality import Modality
from biovita.taxonomy import Rank
from biovita.traits.known_labels import Traits
from biovita.traits.label_probes import linear_probe, species_means
from support.bench_cases import class_vectors


def with_traits(dataset) -> Dataset:
    """Family n is nocturnal where n is odd; forest goes by the species' number, at random to its place."""
    rows = []
    for taxon in dataset.taxonomy.values():
        if taxon.rank != Rank.SPECIES:
            continue
        number = int(taxon.id[1:])
        values = {"nocturnal": (number // 6) % 2 == 1, "forest": number * 7 % 5 < 2}
        rows += [{"taxon_id": taxon.id, "label": k, "value": v, "source": "test"} for k, v in values.items()]
    rows.append({"taxon_id": "t0", "label": "forest", "value": False, "source": "another"})
    write_table(pa.Table.from_pylist(rows, schema=TRAITS), dataset.path / "traits.parquet")
    return Dataset.open(dataset.path)


def test_disputed_labels_are_unknown(small):
    traits = Traits.of(with_traits(small))
    assert traits.labels == ("nocturnal", "forest")
    assert "forest" not in traits.values["Genus0 species0"]
    assert traits.column(["Genus0 species0", "Genus0 species1", "?"], "nocturnal").tolist()[:2] == [0, 0]


def test_agreement_by_hand(small):
    traits = Traits.of(with_traits(small))
    benchmark = benchmark_from_split(small)
    scores = score_benchmark(benchmark, class_vectors(benchmark, small, noise=1.5))
    rows = {(r.part, r.direction, r.label): r for r in trait_agreement(scores, traits)}
    checked = 0
    for score in scores.tasks:
        task = score.task
        if task.level != Rank.SPECIES:
            continue
        for label in traits.labels:
            same, chance, queries = [], [], 0
            for query, rank in enumerate(score.ranks):
                own = task.taxa[task.correct_taxa[query]]
                if not traits.values[own].get(label):
                    continue
                queries += 1
                if rank == 1:
                    continue
                got = traits.values[task.taxa[score.retrieved[query]]].get(label)
                others = [task.taxa[t] for t in task.candidates[query] if task.taxa[t] != own]
                known = [traits.values[o][label] for o in others if label in traits.values[o]]
                if got is not None and known:
                    same.append(got)
                    chance.append(np.mean(known))
            row = rows[task.part, task.direction, label]
            assert (row.queries, row.errors) == (queries, len(same))
            if same:
                checked += 1
                assert row.share == pytest.approx(np.mean(same))
                assert row.chance == pytest.approx(np.mean(chance))
    assert checked > 10


def test_prediction_finds_what_the_vectors_hold_and_nothing_else(small):
    dataset = with_traits(small)
    traits = Traits.of(dataset)
    rng = np.random.default_rng(0)
    families = {f"Family{n}": rng.normal(size=16) for n in range(4)}
    night = rng.normal(size=16)
    table = dataset.audio.to_pylist()
    names, rows = [], []
    for item in table:
        taxon = dataset.taxonomy[item["taxon_id"]]
        if taxon.rank == Rank.SPECIES and taxon.family:
            names.append(taxon.scientific_name)
            lit = traits.values[taxon.scientific_name]["nocturnal"]
            rows.append(families[taxon.family] + (3 * night if lit else 0) + rng.normal(size=16))
    unseen = frozenset(
        dataset.taxonomy[item["taxon_id"]].scientific_name for item in table if item["split"] == "unseen"
    )
    prompts = {"nocturnal": night, "forest": rng.normal(size=16)}
    means = {Modality.AUDIO: species_means(names, np.array(rows))}
    scores = label_scores(means, unseen, traits, prompts)
    found = {(s.method, s.part, s.label): s.auc for s in scores}
    assert found["probe", "unseen", "nocturnal"] > 0.95
    assert found["probe", "seen", "nocturnal"] > 0.95
    assert found["zero-shot", "unseen", "nocturnal"] > 0.9
    assert found["probe", "seen", "forest"] < 0.9
    assert all(0 <= s.average_precision <= 1 for s in scores)


def test_means_in_parts_are_those_of_the_whole(monkeypatch):
    rng = np.random.default_rng(0)
    names, items = rng.choice(list("abc"), 50), rng.normal(size=(80, 4)).astype(np.float32)
    rows = rng.choice(80, 50)
    monkeypatch.setattr("biovita.traits.label_probes._AT_ONCE", 7)
    species, means = species_means(names, items, rows)
    for name, mean in zip(species, means, strict=True):
        plain = items[rows[names == name]].astype(float).mean(axis=0)
        assert mean == pytest.approx(plain / np.linalg.norm(plain))


def test_measures_are_those_of_their_definitions():
    """Pair by pair, and one by one from the top: what the measures were computed by before scikit-learn's."""
    rng = np.random.default_rng(0)
    for number, values in ((7, rng.normal(size=7)), (60, rng.normal(size=60)), (60, rng.integers(0, 4, 60) / 4)):
        truth = np.r_[[True] * 3, [False] * 3, rng.integers(0, 2, number - 6) == 1]
        names = [f"species {n:02d}" for n in range(number)]
        traits = Traits({name: {"nocturnal": bool(true)} for name, true in zip(names, truth, strict=True)})
        means = {Modality.AUDIO: (names, np.c_[values, np.zeros(number)])}
        (found,) = label_scores(means, frozenset(names), traits, {"nocturnal": np.array([1.0, 0.0])})
        pairs = [(one > other) + 0.5 * (one == other) for one in values[truth] for other in values[~truth]]
        assert found.auc == pytest.approx(np.mean(pairs), rel=1e-9)
        precision = [truth[values >= one].mean() for one in values[truth]]
        assert found.average_precision == pytest.approx(np.mean(precision), rel=1e-9)
        assert (found.chance, found.species) == (truth.mean(), number)


def test_the_probe_is_at_the_minimum_of_what_it_states():
    """The mean of the losses, classes weighted alike, and the slope's squared length over n."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(0)
    features = rng.normal(size=(120, 6)) * 0.3 + 2
    truth = (features[:, 0] + 0.3 * rng.normal(size=120) > 2.2).astype(float)
    scaled = (features - features.mean(axis=0)) / features.std()
    weight = np.where(truth == 1, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))

    def loss(parameters):
        decision = scaled @ parameters[:-1] + parameters[-1]
        losses = np.logaddexp(0, -(2 * truth - 1) * decision)
        return (weight * losses).mean() + (parameters[:-1] ** 2).sum() / len(truth)

    best = minimize(loss, np.zeros(7), options={"gtol": 1e-8}).x
    decide = linear_probe(features, truth)
    assert decide(features) == pytest.approx(scaled @ best[:-1] + best[-1], abs=1e-4)
    assert decide(features[:3] + 1) != pytest.approx(decide(features[:3]), abs=0.1)
