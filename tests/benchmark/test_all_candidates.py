"""All taxa as candidates of every query, and what is taken from the scores of those that count as seen."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from biovita.benchmark import benchmark_from_split, score_benchmark
from biovita.benchmark.bench_manifest import read_manifest
from biovita.benchmark.compare import compare, ranks_table
from biovita.benchmark.generalised import generalised_rows, harmonic_mean
from biovita.benchmark.layout import write_benchmark
from biovita.benchmark.reader import read_benchmark
from biovita.benchmark.scores import Scores, TaskScore
from biovita.benchmark.task import LEVELS, Benchmark, Task
from biovita.benchmark.verify import verify_benchmark
from biovita.dataset import split_dataset
from biovita.errors import BiovitaError, DatasetError
from biovita.modality import DIRECTIONS, Modality, modalities_of
from biovita.taxonomy import Rank
from support.bench_cases import class_vectors, write_small


def with_training(benchmark, dataset, noise: float = 1.2):
    """Vectors of a made-up model to which names of training taxa mean something, too."""
    return class_vectors(benchmark, dataset, noise)


def names_of(dataset, level, modality) -> set[str]:
    """Return the taxa that have to be candidates: all names, or those with held-out items of the modality."""
    if modality == Modality.TEXT:
        found = {taxon.name_at(level) for taxon in dataset.taxonomy.values()}
    else:
        rows = [row for row in dataset.media(modality).to_pylist() if row["split"] in {"seen", "unseen"}]
        found = {dataset.taxonomy[row["taxon_id"]].name_at(level) for row in rows}
    return found - {None}


@pytest.mark.parametrize("groups", ["word", "members"])
def test_every_query_has_all_taxa_in_the_same_order(small, groups):
    benchmark = benchmark_from_split(small, candidates="all", groups=groups)
    assert benchmark.made["candidates"] == "all"
    orders = {}
    for task in benchmark.tasks:
        assert set(task.taxa) == names_of(small, task.level, modalities_of(task.direction)[1]), task.name
        assert (task.candidates == task.candidates[0]).all()
        order = [task.taxa[t] for t in task.candidates[0]]
        assert orders.setdefault((task.direction, task.level), order) == order, "the same in both parts"
        assert order != sorted(order)
    assert len(benchmark.tasks) == 36


def test_only_queries_are_of_the_part(small):
    benchmark = benchmark_from_split(small, candidates="all")
    drawn = benchmark_from_split(small)
    for task in benchmark.tasks:
        asked, answered = modalities_of(task.direction)
        other = drawn.task(task.part, task.direction, task.level)
        mine, theirs = (np.array(b.ids(asked), object)[t.queries] for b, t in ((benchmark, task), (drawn, other)))
        assert set(theirs) <= set(mine), "a query may find its genus in the other part alone"
        parts = set(np.array(benchmark.items[answered]["part"].to_pylist(), object)[task.samples])
        if answered != Modality.TEXT or task.level == Rank.SPECIES:
            assert parts >= {"seen", "unseen"}
        assert {benchmark.items[asked]["part"].to_pylist()[row] for row in task.queries} == {task.part}


def brute_force(task, vectors, benchmark, penalised) -> list[int]:
    asked, answered = modalities_of(task.direction)
    table = {m: dict(zip(v.ids, v.vectors.astype(float), strict=True)) for m, v in vectors.items()}
    asking, answers = benchmark.ids(asked), benchmark.ids(answered)
    ranks = []
    for query, listed, column in zip(task.queries, task.candidates, task.correct, strict=True):
        scores = []
        for taxon in listed:
            own = task.samples[task.offsets[taxon] : task.offsets[taxon + 1]]
            best = max(table[answered][answers[row]] @ table[asked][asking[query]] for row in own)
            scores.append(best - penalised.get(task.taxa[taxon], 0.0))
        order = sorted(range(len(scores)), key=lambda place: -scores[place])
        ranks.append(1 + order.index(column))
    return ranks


@pytest.mark.parametrize("penalty", [0.0, 0.15, 2.0])
def test_a_penalty_is_taken_from_taxa_without_an_unseen_species(small, penalty):
    benchmark = benchmark_from_split(small, candidates="all")
    vectors = class_vectors(benchmark, small, noise=1.5)
    unseen = {small.taxonomy[r["taxon_id"]] for t in (small.audio, small.images) for r in t.to_pylist() if
              r["split"] == "unseen"}  # fmt: skip
    for score in score_benchmark(benchmark, vectors, seen_penalty=penalty).tasks:
        task = score.task
        new = {taxon.name_at(task.level) for taxon in unseen}
        seen = {name: penalty for name in task.taxa if name not in new}
        assert score.ranks.tolist() == brute_force(task, vectors, benchmark, seen), task.name
        if penalty == 2.0 and (task.part, task.level) == ("unseen", Rank.SPECIES):
            assert {task.taxa[t] for t in score.retrieved} <= new, "no seen taxon comes first"


def test_a_penalty_changes_nothing_where_candidates_are_of_one_part(small):
    benchmark = benchmark_from_split(small, candidates=5)
    vectors = class_vectors(benchmark, small, noise=1.5)
    plain, penalised = (score_benchmark(benchmark, vectors, seen_penalty=p).rows() for p in (0.0, 0.3))
    assert plain == penalised


@pytest.mark.parametrize("penalty", [-0.1, 2.1, float("nan")])
def test_a_penalty_outside_the_similarities_is_refused(small, penalty):
    benchmark = benchmark_from_split(small)
    with pytest.raises(BiovitaError, match=r"seen_penalty is .*from 0 to 2"):
        score_benchmark(benchmark, {}, seen_penalty=penalty)


@pytest.mark.parametrize("groups", ["word", "members"])
def test_written_and_read_again_it_scores_the_same(small, tmp_path, groups):
    benchmark = benchmark_from_split(small, candidates="all", groups=groups)
    path = write_benchmark(benchmark, tmp_path / "bench", layout="published")
    again = read_benchmark(path)
    vectors = class_vectors(benchmark, small, noise=1.5)
    ranks = [
        {s.task.name: s.ranks.tolist() for s in score_benchmark(each, vectors, seen_penalty=0.2).tasks}
        for each in (benchmark, again)
    ]
    assert ranks[0] == ranks[1]
    assert again.unseen == benchmark.unseen
    (unseen,) = [s for s in score_benchmark(read_benchmark(path / "unseen"), vectors, seen_penalty=0.2).tasks if
                 s.task.name == "unseen/A2T/species"]  # fmt: skip
    assert unseen.ranks.tolist() == ranks[0]["unseen/A2T/species"], "a part alone"
    assert not [p for p in verify_benchmark(path).problems if p.code != "missing"]
    twice = write_benchmark(again, tmp_path / "twice", layout="published")
    for file in ("unseen/audio_index.csv", "seen/species/test_audio_to_image.csv"):
        assert (path / file).read_bytes() == (twice / file).read_bytes()
    manifest = read_manifest(path)
    assert manifest["made"]["candidates"] == "all"
    assert (
        manifest["parts"]["seen"]["items"]["image"] == sum(1 for _ in (path / "seen/image_index.csv").open()) - 1
    )


def edit(file, change):
    with file.open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    for row in found:
        change(row)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(found[0]))
        writer.writeheader()
        writer.writerows(found)


def without_hashes(path):
    manifest = read_manifest(path) | {"sha256": {}}
    (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_other_candidates_in_one_part_are_found(small, tmp_path):
    path = write_benchmark(benchmark_from_split(small, candidates="all"), tmp_path / "bench", layout="published")
    lost = "Genus1 species2"

    def cut(row):
        taxa, ids = json.loads(row["candidates_taxa"]), json.loads(row["candidates_target_ids"])
        at = taxa.index(lost)
        if row["correct_taxon"] != lost:
            del taxa[at], ids[at]
        row["candidates_taxa"], row["candidates_target_ids"] = json.dumps(taxa), json.dumps(ids)

    part = "unseen" if lost not in benchmark_from_split(small).task("unseen", "A2T", Rank.SPECIES).taxa else "seen"
    edit(path / part / "species/test_audio_to_text.csv", cut)
    without_hashes(path)
    (problem,) = [p for p in verify_benchmark(path).problems if p.code != "missing"]
    assert problem.code == "other-candidates"
    assert lost in problem.detail


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"made": {"candidates": "some"}}, r"made\.candidates has to be a whole number from 1 on, or all"),
        ({"made": {"groups": "some"}}, r"made\.groups has to be word or members"),
        ({"unseen": ["Pica pica"]}, "unseen has to be lists of names by level"),
        ({"unseen": {"order": ["Passeriformes"]}}, "unseen has to be lists of names by level"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(small, tmp_path, changes, message):
    path = write_benchmark(benchmark_from_split(small), tmp_path / "bench")
    manifest = read_manifest(path)
    manifest |= {name: manifest[name] | v if name == "made" else v for name, v in changes.items()}
    (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        read_benchmark(path)


def test_runs_with_all_and_with_drawn_candidates_are_not_compared(small):
    tables = []
    for candidates in (100, "all"):
        benchmark = benchmark_from_split(small, candidates=candidates)
        tables.append(ranks_table(benchmark, score_benchmark(benchmark, class_vectors(benchmark, small, 1.0))))
    with pytest.raises(BiovitaError, match="queries or candidates differ"):
        compare(*tables)


def test_what_cannot_be_is_refused(small):
    with pytest.raises(DatasetError, match="Leave draw out"):
        benchmark_from_split(small, candidates="all", draw="hard")
    with pytest.raises(DatasetError, match="from 2 on, or all"):
        benchmark_from_split(small, candidates="every")


def test_species_in_training_alone_are_candidates_and_never_asked(tmp_path):
    dataset = write_small(
        tmp_path / "d", taxa=8, per_species=1
    )  # one item: none can be held out of a seen species
    split_dataset(dataset, unseen=3, seed=0)
    benchmark = benchmark_from_split(dataset, candidates="all", text="common")
    task = benchmark.task("unseen", "A2T", Rank.SPECIES)
    assert len(task.taxa) == 8, "species 5 has no common name, and goes by its own"
    assert len(benchmark.task("unseen", "A2I", Rank.SPECIES).taxa) == 3
    assert not [t for t in benchmark.tasks if t.part == "seen"]
    assert benchmark.made["shorter_texts"] == {"name": 1}


def plain_harmonic(score_of, direction, level, k):
    """Return seen, unseen and their harmonic mean, from ranks alone."""
    shares = []
    for part in ("seen", "unseen"):
        ranks = score_of[part, direction, level].ranks
        shares.append(sum(0 < rank <= k for rank in ranks) / len(ranks))
    return [*shares, 0.0 if 0 in shares else len(shares) / sum(1 / share for share in shares)]


def test_rows_of_both_parts_have_their_harmonic_mean(small):
    benchmark = benchmark_from_split(small, candidates="all")
    scores = score_benchmark(benchmark, class_vectors(benchmark, small, noise=2.5))
    score_of = {(s.task.part, s.task.direction, s.task.level.value): s for s in scores.tasks}
    rows = generalised_rows(benchmark, scores, "mine", seed=3)
    assert rows == generalised_rows(benchmark, scores, "mine", seed=3)
    assert (
        {row.leak for row in generalised_rows(benchmark, scores, leak=True)}
        == {True}
        != {row.leak for row in rows}
    )
    assert len(rows) == 3 * 3 * (len(DIRECTIONS) + 1)
    for row in rows:
        assert 0 <= row.low <= row.harmonic <= row.high <= 1
        if row.direction != "mean":
            expected = plain_harmonic(score_of, row.direction, row.level, row.k)
            assert [row.seen, row.unseen, row.harmonic] == pytest.approx(expected)
            assert row.chance == pytest.approx(min(1, row.k / row.taxa))
            assert row.taxa == score_of["unseen", row.direction, row.level].task.candidates.shape[1]
    for level in LEVELS:
        mine = [row for row in rows if (row.level, row.k) == (level.value, 1)]
        *lines, mean = mine
        seen, unseen = (np.mean([getattr(row, name) for row in lines]) for name in ("seen", "unseen"))
        assert (mean.direction, mean.taxa) == ("mean", None)
        assert [mean.seen, mean.unseen] == pytest.approx([seen, unseen])
        assert mean.harmonic == pytest.approx(harmonic_mean(seen, unseen))
        assert mean.unseen_queries == sum(row.unseen_queries for row in lines)


def test_the_interval_is_that_of_plain_resampling():
    rng = np.random.default_rng(0)
    seen, unseen = rng.random(60) < 0.7, rng.random(40) < 0.3
    plain = [harmonic_mean(rng.choice(seen, 60).mean(), rng.choice(unseen, 40).mean()) for _ in range(20_000)]
    tasks = [one_task(part, hits) for part, hits in (("seen", seen), ("unseen", unseen))]
    benchmark = Benchmark({}, tuple(score.task for score in tasks), made={"candidates": "all"})
    row, *_ = generalised_rows(benchmark, Scores(tuple(tasks)))
    assert row.k == 1
    assert (row.low, row.high) == pytest.approx(np.quantile(plain, [0.025, 0.975]), abs=0.012)


def one_task(part: str, hits: np.ndarray) -> TaskScore:
    """Return the score of a task of 20 candidates, whose queries are hits or at place 11."""
    count = len(hits)
    candidates = np.broadcast_to(np.arange(20, dtype=np.int32), (count, 20))
    taxa, nothing = tuple(map(str, range(20))), np.zeros(count, np.int32)
    task = Task(part, "A2I", Rank.SPECIES, nothing, taxa, nothing, np.arange(21), candidates, nothing)
    return TaskScore(task, np.where(hits, 1, 11), nothing, 0)


def test_a_part_that_is_always_wrong_makes_the_mean_zero_and_drawn_candidates_have_none(small):
    tasks = tuple(one_task(part, np.full(9, part == "seen")) for part in ("seen", "unseen"))
    for made, expected in (({"candidates": "all"}, [0.0, 0.0, 0.0]), ({"candidates": 100}, None)):
        benchmark = Benchmark({}, tuple(score.task for score in tasks), made=made)
        rows = generalised_rows(benchmark, Scores(tasks))
        assert ([rows[0].harmonic, rows[0].low, rows[0].high] if rows else None) == expected
    assert generalised_rows(Benchmark({}, (), made={"candidates": "all"}), Scores(tasks[:1])) == ()
