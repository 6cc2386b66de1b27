"""Genera and families that are asked by the texts of their member species, and judged by them."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from biovita.benchmark import benchmark_from_split, score_benchmark
from biovita.benchmark.compare import compare, ranks_table
from biovita.benchmark.layout import write_benchmark
from biovita.benchmark.nearest import nearest
from biovita.benchmark.reader import read_benchmark, read_with_problems
from biovita.benchmark.vector_rows import vector_rows
from biovita.benchmark.verify import verify_benchmark
from biovita.errors import BiovitaError, DatasetError
from biovita.modality import Modality, modalities_of
from biovita.taxonomy import Rank
from support.bench_cases import class_vectors

GROUPS = (Rank.GENUS, Rank.FAMILY)


def members_of(dataset, part: str) -> dict[tuple[Rank, str], set[str]]:
    """Return the species of a part by genus and by family, from the dataset's own tables."""
    found: dict[tuple[Rank, str], set[str]] = {}
    for table in (dataset.audio, dataset.images):
        for row in table.to_pylist():
            taxon = dataset.taxonomy[row["taxon_id"]]
            species = taxon.name_at(Rank.SPECIES)
            if row["split"] == part and species is not None:
                for level in GROUPS:
                    if taxon.name_at(level):
                        found.setdefault((level, taxon.name_at(level)), set()).add(species)
    return found


def brute_force(benchmark, task, vectors, dataset) -> list[int]:
    """Rank by the largest similarity of any text of a member, in double precision, from names and items alone."""
    asked, answered = modalities_of(task.direction)
    tables = {m: dict(zip(v.ids, v.vectors.astype(float), strict=True)) for m, v in vectors.items()}
    items = {m: table.to_pylist() for m, table in benchmark.items.items()}
    species = members_of(dataset, task.part)

    def of(modality, taxon):
        if modality == Modality.TEXT:
            return [tables[modality][name] for name in sorted(species[task.level, taxon])]
        mine = [i for i in items[modality] if i["part"] == task.part and i[task.level.value] == taxon]
        return [tables[modality][item["id"]] for item in mine]

    ranks = []
    for query, listed, column in zip(task.queries, task.candidates, task.correct, strict=True):
        taxa = [task.taxa[t] for t in listed]
        item = items[asked][query]
        asking = of(asked, taxa[column]) if asked == Modality.TEXT else [tables[asked][item["id"]]]
        scores = [max(one @ other for one in asking for other in of(answered, taxon)) for taxon in taxa]
        order = sorted(range(len(taxa)), key=lambda place: -scores[place])
        ranks.append(1 + order.index(column))
    return ranks


@pytest.mark.slow
def test_scores_are_the_largest_over_the_members_texts(small):
    benchmark = benchmark_from_split(small, groups="members", candidates=4)
    vectors = class_vectors(benchmark, small, noise=1.5)
    judged = 0
    for score in score_benchmark(benchmark, vectors).tasks:
        if score.task.level in GROUPS and "T" in score.task.direction:
            assert score.ranks.tolist() == brute_force(benchmark, score.task, vectors, small), score.task.name
            judged += 1
    assert judged == 2 * 2 * 4
    assert benchmark.made["groups"] == "members"


def test_queries_and_candidates_are_those_of_words(small):
    """Only the texts differ: a group is one query, by its own name, and the draw is the same."""
    words, members = (benchmark_from_split(small, groups=groups, candidates=4) for groups in ("word", "members"))
    assert [task.name for task in words.tasks] == [task.name for task in members.tasks]
    several = 0
    for one, other in zip(words.tasks, members.tasks, strict=True):
        assert one.taxa == other.taxa
        assert one.candidates.tolist() == other.candidates.tolist()
        asked, _ = modalities_of(one.direction)
        names = [np.array(b.ids(asked), object)[t.queries].tolist() for b, t in ((words, one), (members, other))]
        assert names[0] == names[1]
        assert one.texts is None
        assert (other.texts is not None) == (asked == Modality.TEXT and other.level != Rank.SPECIES)
        several += other.level == Rank.FAMILY and (other.asking >= 0).sum() > len(other.queries)
    assert several == 4


@pytest.mark.parametrize("text", ["name", "sci_com"])
def test_written_and_read_again_it_scores_the_same(small, tmp_path, text):
    benchmark = benchmark_from_split(small, groups="members", text=text, candidates=4)
    path = write_benchmark(benchmark, tmp_path / "bench", layout="published")
    again = read_benchmark(path)
    vectors = class_vectors(benchmark, small, noise=1.5)
    ranks = [
        {s.task.name: s.ranks.tolist() for s in score_benchmark(each, vectors).tasks}
        for each in (benchmark, again)
    ]
    assert ranks[0] == ranks[1]
    assert again.made["groups"] == "members"
    assert not [p for p in verify_benchmark(path).problems if p.code != "missing"]
    twice = write_benchmark(again, tmp_path / "twice", layout="published")
    assert read_benchmark(twice).task("unseen", "T2A", Rank.FAMILY).texts.shape[1] > 1


def test_foreign_tools_find_the_published_columns_and_the_word(small, tmp_path):
    """By the published rules the query is the group's own name, and a candidate's texts are of it at the level."""
    path = (
        write_benchmark(benchmark_from_split(small, groups="members"), tmp_path / "bench", layout="published")
        / "unseen"
    )
    index = {row["id"]: row for row in rows(path / "text_index.csv")}
    for name in ("text_to_audio", "audio_to_text"):
        for line in rows(path / f"family/test_{name}.csv"):
            if name == "text_to_audio":
                assert index[line["query_payload_id"]]["family"] == line["correct_taxon"]
                keys = json.loads(line["query_payload_ids"])
                assert {index[str(key)]["family"] for key in keys} == {line["correct_taxon"]}
            else:
                taxa, ids = (json.loads(line[c]) for c in ("candidates_taxa", "candidates_target_ids"))
                for taxon, keys in zip(taxa, ids, strict=True):
                    assert {index[str(key)]["family"] for key in keys} == {taxon}
                    assert all(index[str(key)]["level"] == "species" for key in keys)


def rows(file):
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def edit(file, change):
    found = rows(file)
    change(found)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(found[0]))
        writer.writeheader()
        writer.writerows(found)


@pytest.mark.parametrize(
    ("value", "code"), [("[99999]", "id-out-of-range"), ("[]", "bad-candidates"), ("", "bad-candidates")]
)
def test_texts_that_do_not_fit_are_named_with_their_row(small, tmp_path, value, code):
    path = write_benchmark(benchmark_from_split(small, groups="members"), tmp_path / "bench", layout="published")
    file = "unseen/genus/test_text_to_image.csv"
    edit(path / file, lambda found: found[1].update(query_payload_ids=value))
    assert (code, file, 3) in {(p.code, p.file, p.row) for p in read_with_problems(path)[1]}


def test_a_text_of_another_group_is_found(small, tmp_path):
    path = write_benchmark(benchmark_from_split(small, groups="members"), tmp_path / "bench", layout="published")

    def swap(found):
        found[0]["query_payload_ids"], found[1]["query_payload_ids"] = (
            found[1]["query_payload_ids"],
            found[0]["query_payload_ids"],
        )

    edit(path / "seen/genus/test_text_to_image.csv", swap)
    (path / "manifest.json").write_text(
        json.dumps(json.loads((path / "manifest.json").read_text()) | {"sha256": {}}), encoding="utf-8"
    )
    found = {(p.code, p.file) for p in verify_benchmark(path).problems if p.code != "missing"}
    assert found == {("label-mismatch", "seen/genus/test_text_to_image.csv")}


def test_a_member_without_the_text_stands_for_its_group_by_a_shorter_one(small):
    benchmark = benchmark_from_split(small, groups="members", text="common")
    task = benchmark.task("unseen", "A2T", Rank.GENUS)
    place = task.taxa.index("Genus2")
    texts = benchmark.ids(Modality.TEXT)
    samples = [texts[row] for row in task.samples[task.offsets[place] : task.offsets[place + 1]]]
    assert samples == ["Genus2 species5"], "of its two species one has no genus here, and one no common name"
    assert benchmark.made["shorter_texts"] == {"name": 1}


def test_runs_by_word_and_by_members_are_not_compared(small):
    tables = []
    for groups in ("word", "members"):
        benchmark = benchmark_from_split(small, groups=groups)
        only = [task for task in benchmark.tasks if (task.direction, task.level) == ("T2A", Rank.FAMILY)]
        scores = score_benchmark(benchmark, class_vectors(benchmark, small, noise=1.0))
        mine = type(scores)(tuple(score for score in scores.tasks if score.task in only))
        tables.append(ranks_table(benchmark, mine))
    assert tables[0]["query"].to_pylist() == tables[1]["query"].to_pylist()
    with pytest.raises(BiovitaError, match="queries or candidates differ"):
        compare(*tables)


def test_the_nearest_of_a_group_are_those_of_its_best_text(small):
    benchmark = benchmark_from_split(small, groups="members")
    vectors = class_vectors(benchmark, small, noise=1.5)
    task = benchmark.task("unseen", "T2I", Rank.FAMILY)
    (score,) = [s for s in score_benchmark(benchmark, vectors).tasks if s.task is task]
    for query in range(len(task.queries)):
        assert nearest(task, vectors, vector_rows(benchmark, vectors), query)[0].taxon == score.retrieved[query]


def test_an_unknown_way_is_refused(small):
    with pytest.raises(DatasetError, match=r"unknown groups 'member'.*members"):
        benchmark_from_split(small, groups="member")


@pytest.mark.slow
def test_mteb_has_no_place_for_several_texts(small, tmp_path):
    pytest.importorskip("mteb")
    from biovita.benchmark.mteb_tasks import export_mteb

    with pytest.raises(BiovitaError, match="--groups word"):
        export_mteb(benchmark_from_split(small, groups="members"), tmp_path / "out")
