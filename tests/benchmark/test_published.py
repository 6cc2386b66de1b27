from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import soundfile

from biovita.benchmark import benchmark_from_split, score_benchmark
from biovita.benchmark.layout import write_benchmark
from biovita.benchmark.reader import read_benchmark, read_with_problems
from biovita.dataset import split_dataset
from biovita.errors import DatasetError
from biovita.modality import Modality
from support.bench_cases import class_vectors, restated, write_small

SPOKEN = {"A": "audio", "I": "image", "T": "text"}


def rows(file):
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def rewrite(file, change):
    """Write a CSV file again with its rows changed."""
    found = rows(file)
    changed = change(found) or found
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(found[0]))
        writer.writeheader()
        writer.writerows(changed)


def published_scorer(part, direction, level, vectors):
    """Score a task file by the published rules, from the files alone: returns Top-1, 5 and 10.

    Text is the bare name at the level; a taxon scores its best sample; ties go by the order in the file.
    """
    index = {m: {row["id"]: row for row in rows(part / f"{m}_index.csv")} for m in SPOKEN.values()}
    asked, answered = SPOKEN[direction[0]], SPOKEN[direction[2]]

    def vector(modality, key):
        row = index[modality][key]
        return vectors[modality][row[level] if modality == "text" else row["key"]]

    hits = np.zeros(3)
    tasks = rows(part / level / f"test_{asked}_to_{answered}.csv")
    for line in tasks:
        query = vector(asked, line["query_payload_id"])
        taxa, targets = json.loads(line["candidates_taxa"]), json.loads(line["candidates_target_ids"])
        scores = [max(float(vector(answered, str(key)) @ query) for key in keys) for keys in targets]
        order = np.argsort(-np.array(scores), kind="stable")
        place = [taxa[o] for o in order].index(line["correct_taxon"])
        hits += [place < k for k in (1, 5, 10)]
    return hits / len(tasks)


@pytest.fixture
def made(small, tmp_path):
    benchmark = benchmark_from_split(small, candidates=5)
    return benchmark, write_benchmark(benchmark, tmp_path / "bench", layout="published")


def numbers(scores):
    return {s.task.name: s.ranks.tolist() for s in scores.tasks}


def test_written_and_read_again_it_scores_the_same(small, made):
    benchmark, path = made
    vectors = class_vectors(benchmark, small, noise=1.2)
    again = read_benchmark(path)
    assert numbers(score_benchmark(again, vectors)) == numbers(score_benchmark(benchmark, vectors))
    assert again.made == {"benchmark": "bench", **benchmark.made}
    first = again.items[Modality.AUDIO].to_pylist()[0]
    assert (again.root / first["path"]).resolve() == (small.path / first["path"]).resolve()
    assert {"license", "attribution"} <= {name for name, value in first.items() if value}
    assert (first["start_s"], first["end_s"]) == (0.5, 1.0)


def test_the_published_rules_give_the_same_scores_from_the_files(small, made):
    benchmark, path = made
    tables = class_vectors(benchmark, small, noise=1.2)
    vectors = {
        m.value: {k: v.astype(np.float64) for k, v in zip(t.ids, t.vectors, strict=True)}
        for m, t in tables.items()
    }
    scored = score_benchmark(read_benchmark(path), tables).tasks
    assert len(scored) == 36
    for score in scored:
        task = score.task
        expected = published_scorer(path / task.part, task.direction, task.level.value, vectors)
        assert [score.hits(k).mean() for k in (1, 5, 10)] == pytest.approx(expected.tolist(), abs=1e-12)


def test_writing_what_was_read_gives_the_same_files(made, tmp_path):
    _, path = made
    again = write_benchmark(read_benchmark(path), tmp_path / "again", layout="published")
    files = list(path.rglob("test_*.csv"))
    assert len(files) == 36
    for file in files:
        if "text" not in file.name:  # the numbers of texts go by their first use
            assert file.read_text() == (again / file.relative_to(path)).read_text(), file


def test_a_part_alone_with_only_the_published_columns_is_read(small, made):
    """The release has no keys and no manifest, and its candidate ids are numbers."""
    _, path = made
    part = path / "unseen"
    assert (read_benchmark(part).root / "x").resolve() == (small.path / "x").resolve(), "by the manifest above it"
    (path / "manifest.json").unlink()
    for modality in ("audio", "image"):
        file = part / f"{modality}_index.csv"
        kept = [{k: r[k] for k in ("id", "file_path", "species", "genus", "family", "class")} for r in rows(file)]
        with file.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(kept[0]))
            writer.writeheader()
            writer.writerows(kept)
    benchmark = read_benchmark(part)
    assert {task.part for task in benchmark.tasks} == {"unseen"}
    assert benchmark.ids(Modality.AUDIO)[:3] == ["0", "1", "2"]
    assert benchmark.root == part
    assert len(benchmark.tasks) == 18


def test_manifest_counts_and_hashes(small, made):
    import hashlib

    _, path = made
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["made"]["seed"] == 0
    assert manifest["parts"]["unseen"]["items"]["audio"] == len(rows(path / "unseen" / "audio_index.csv"))
    (task,) = [
        t for t in manifest["parts"]["unseen"]["tasks"] if (t["direction"], t["level"]) == ("A2I", "species")
    ]
    assert task["queries"] == len(rows(path / "unseen/species/test_audio_to_image.csv"))
    for name, digest in manifest["sha256"].items():
        assert hashlib.sha256((path / name).read_bytes()).hexdigest() == digest
    assert manifest["left_out"]


def test_prompts_survive_the_files(small, tmp_path):
    benchmark = benchmark_from_split(small, text="sci_com")
    again = read_benchmark(write_benchmark(benchmark, tmp_path / "bench", layout="published"))
    assert set(again.ids(Modality.TEXT)) == set(benchmark.ids(Modality.TEXT))
    assert any(" with common name " in text for text in again.ids(Modality.TEXT))


def test_media_can_be_copied_and_spans_cut(tmp_path):
    from PIL import Image

    dataset = write_small(tmp_path / "d", taxa=6)
    for row in dataset.audio.to_pylist():
        soundfile.write(tmp_path / "d" / row["path"], np.linspace(-1, 1, 8000), 8000)
    for row in dataset.images.to_pylist():
        Image.new("RGB", (4, 4)).save(tmp_path / "d" / row["path"])
    split_dataset(restated(dataset), unseen=2, seed=0)
    path = write_benchmark(benchmark_from_split(dataset), tmp_path / "bench", layout="published", media="copy")
    benchmark = read_benchmark(path)
    assert benchmark.root == path
    item = benchmark.items[Modality.AUDIO].to_pylist()[0]
    assert item["start_s"] is None
    samples, rate = soundfile.read(path / item["path"])
    assert len(samples) / rate == 0.5
    assert samples[0] == pytest.approx(0, abs=1e-3), "cut at half a second"
    assert all((path / i["path"]).is_file() for i in benchmark.items[Modality.IMAGE].to_pylist())


def replace(field, value, row=0):
    def change(found):
        found[row][field] = value

    return change


def first_candidate(value):
    def change(found):
        targets = json.loads(found[2]["candidates_target_ids"])
        targets[0] = value
        found[2]["candidates_target_ids"] = json.dumps(targets)

    return change


def twice(found):
    names = json.loads(found[1]["candidates_taxa"])
    other = next(i for i, name in enumerate(names) if name != found[1]["correct_taxon"])
    names[other] = found[1]["correct_taxon"]
    found[1]["candidates_taxa"] = json.dumps(names)


@pytest.mark.parametrize(
    "written",
    [
        lambda lists: json.dumps(lists, separators=(",", ":")),
        lambda lists: json.dumps([list(map(str, each)) for each in lists]),
    ],
    ids=["without spaces", "as texts"],
)
def test_lists_of_samples_may_be_written_in_other_ways(written, made):
    _, path = made
    before = read_benchmark(path / "unseen").tasks

    def change(found):
        for row in found:
            row["candidates_target_ids"] = written(json.loads(row["candidates_target_ids"]))

    rewrite(path / "unseen/species/test_audio_to_image.csv", change)
    for one, other in zip(before, read_benchmark(path / "unseen").tasks, strict=True):
        assert one.taxa == other.taxa
        assert all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("samples", "candidates"))


TASK = "unseen/species/test_audio_to_image.csv"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "change", "code", "row"),
    [
        (TASK, replace("query_payload_id", "99999"), "id-out-of-range", 2),
        (TASK, first_candidate([12345]), "id-out-of-range", 4),
        (TASK, first_candidate([]), "no-samples", 4),
        (TASK, replace("correct_taxon", "Nemo nemo"), "correct-not-listed", 2),
        (TASK, replace("candidates_taxa", "[oops"), "bad-candidates", 2),
        (TASK, replace("candidates_target_ids", "[[1]]"), "bad-candidates", 2),
        (TASK, replace("candidates_target_ids", '{"a": 1}'), "bad-candidates", 2),
        (TASK, replace("task", "I2A"), "wrong-task", 2),
        (TASK, replace("query_id", "0", row=1), "duplicate-query", 3),
        (TASK, twice, "duplicate-candidate", 3),
        ("unseen/audio_index.csv", replace("id", "0", row=1), "duplicate-id", 3),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(made, file, change, code, row):
    _, path = made
    rewrite(path / file, change)
    _, problems = read_with_problems(path)
    assert (code, file, row) in {(p.code, p.file, p.row) for p in problems}
    assert all(p.counts for p in problems)
    with pytest.raises(DatasetError, match=r"bench.*row"):
        read_benchmark(path)


def test_header_only_tasks_are_left_out_and_said(made):
    _, path = made
    file = path / TASK
    file.write_text(file.read_text().splitlines()[0] + "\n")
    benchmark, problems = read_with_problems(path)
    assert [(p.code, p.counts) for p in problems] == [("header-only", False)]
    assert len(benchmark.tasks) == 35
    assert len(read_benchmark(path).tasks) == 35


def test_a_missing_index_or_column_is_named(made, tmp_path):
    _, path = made
    (path / "seen" / "audio_index.csv").unlink()
    with pytest.raises(DatasetError, match=r"missing-index: seen/audio_index\.csv"):
        read_benchmark(path)
    (path / "unseen" / "audio_index.csv").write_text("id,species\n")
    with pytest.raises(DatasetError, match=r"lacks the column\(s\) file_path, genus"):
        read_benchmark(path)
    with pytest.raises(DatasetError, match="holds no benchmark"):
        read_benchmark(tmp_path)
    with pytest.raises(DatasetError, match="not a directory"):
        read_benchmark(tmp_path / "nowhere")


def test_one_name_with_different_samples_in_different_rows_is_kept_apart(small, made):
    """The released files may give a taxon other samples for other queries; each list stands as it is."""
    benchmark, path = made
    vectors = class_vectors(benchmark, small, noise=1.2)
    file = path / "unseen/species/test_text_to_image.csv"

    def fewer(found):
        for line in found[::2]:
            line["candidates_target_ids"] = json.dumps([t[:1] for t in json.loads(line["candidates_target_ids"])])

    rewrite(file, fewer)
    again = read_benchmark(path)
    (score,) = [s for s in score_benchmark(again, vectors).tasks if s.task.name == "unseen/T2I/species"]
    assert len(set(score.task.taxa)) < len(score.task.taxa)
    plain = {
        m.value: {k: v.astype(np.float64) for k, v in zip(t.ids, t.vectors, strict=True)}
        for m, t in vectors.items()
    }
    expected = published_scorer(path / "unseen", "T2I", "species", plain)
    assert [score.hits(k).mean() for k in (1, 5, 10)] == pytest.approx(expected.tolist(), abs=1e-12)
