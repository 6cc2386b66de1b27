"""The compact layout: what is read is what was written, and scores are those of the published layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biovita.benchmark import benchmark_from_split, score_benchmark
from biovita.benchmark.candidate_draws import all_candidates, draw_candidates
from biovita.benchmark.layout import write_benchmark
from biovita.benchmark.published_layout import published_bytes
from biovita.benchmark.reader import read_benchmark, read_with_problems
from biovita.benchmark.task import ITEMS, LEVELS, Benchmark, Task
from biovita.benchmark.verify import verify_benchmark
from biovita.dataset import Dataset, split_dataset
from biovita.embedding import Vectors
from biovita.errors import DatasetError
from biovita.modality import DIRECTIONS, Modality, modalities_of
from biovita.taxonomy import Rank
from support.bench_cases import write_small

ARRAYS = ("queries", "samples", "offsets", "candidates", "correct", "texts")
TAXA = "unseen/species/audio_to_image_taxa.parquet"
QUERIES = "unseen/species/audio_to_image_queries.parquet"


def assert_same(one: Benchmark, other: Benchmark) -> None:
    assert [task.name for task in one.tasks] == [task.name for task in other.tasks]
    for mine, theirs in zip(one.tasks, other.tasks, strict=True):
        assert mine.taxa == theirs.taxa
        for name in ARRAYS:
            first, second = getattr(mine, name), getattr(theirs, name)
            assert (first is None) == (second is None), name
            assert first is None or (first.dtype == second.dtype and np.array_equal(first, second)), name
    assert all(one.items[modality].equals(other.items[modality]) for modality in Modality)
    assert (one.unseen, dict(one.other_names)) == (other.unseen, dict(other.other_names))


@pytest.mark.parametrize(
    "chosen",
    [{}, {"draw": "hard", "candidates": 3}, {"candidates": "all"}, {"groups": "members", "text": "tax_com"}],
    ids=["standard", "hard", "all", "members"],
)
def test_what_is_read_is_what_was_written(small: Dataset, tmp_path: Path, chosen: dict[str, Any]) -> None:
    made = benchmark_from_split(small, **chosen)
    path = write_benchmark(made, tmp_path / "bench")
    read = read_benchmark(path)
    assert_same(made, read)
    assert read.made == {"benchmark": "bench", **made.made}
    assert read.root is not None
    assert read.root.resolve() == small.path.resolve()
    write_benchmark(read, tmp_path / "again")
    for file in (each for each in path.rglob("*.parquet")):
        assert file.read_bytes() == (tmp_path / "again" / file.relative_to(path)).read_bytes()
    shared = [task.candidates.strides[0] == 0 for task in read.tasks]
    assert all(shared) if chosen.get("candidates") == "all" else not any(shared)


def generated(rng: np.random.Generator) -> Benchmark:
    """Return a benchmark of some made-up species, with one or two tasks of any kind."""
    names = {Rank.SPECIES: "Genus{0} one{1}", Rank.GENUS: "Genus{0}", Rank.FAMILY: "Family{2}"}
    lineages = [
        {level.value: form.format(n // 2, n, n // 4) for level, form in names.items()} | {"class": "Aves"}
        for n in range(int(rng.integers(4, 9)))
    ]
    rows: dict[Modality, list[dict[str, Any]]] = {modality: [] for modality in Modality}
    for modality, lineage in product((Modality.AUDIO, Modality.IMAGE), lineages):
        for _ in range(int(rng.integers(0, 4))):
            key = f"{modality.value}{len(rows[modality])}"
            part = str(rng.choice(["seen", "unseen"]))
            rows[modality].append({"id": key, "path": f"{key}.bin", "part": part, **lineage})
    for level in LEVELS:
        above = [rank.value for rank in LEVELS[LEVELS.index(level) :]]
        for lineage in {each[level.value]: each for each in lineages}.values():
            known = {name: lineage[name] for name in above}
            rows[Modality.TEXT].append({"id": known[level.value], "level": level.value, "part": "seen", **known})
    items = {modality: pa.Table.from_pylist(found, schema=ITEMS) for modality, found in rows.items()}
    kinds = [str(kind) for kind in rng.choice(DIRECTIONS, int(rng.integers(1, 3)), replace=False)]
    tasks = (random_task(rng, items, kind, LEVELS[int(rng.integers(3))]) for kind in kinds)
    return Benchmark(items, tuple(task for task in tasks if task is not None), made={"text": "name"})


def random_task(rng: np.random.Generator, items: dict[Modality, pa.Table], kind: str, level: Rank) -> Task | None:
    """Return a task with lists of any lengths, or the same list for all."""

    def by_name(modality: Modality) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for row, item in enumerate(items[modality].to_pylist()):
            if item[level.value] and (modality != Modality.TEXT or item["level"] == level.value):
                found.setdefault(item[level.value], []).append(row)
        return found

    askers, targets = (by_name(modality) for modality in modalities_of(kind))
    taxa = tuple(sorted(targets))
    asked = [(row, place) for place, name in enumerate(taxa) for row in askers.get(name, [])]
    if len(taxa) < 2 or not asked:
        return None
    own = np.array([place for _, place in asked], np.int32)
    if rng.random() < 0.2:
        candidates, correct = all_candidates(own, len(taxa), rng)
    else:
        candidates, correct = draw_candidates(own, len(taxa), int(rng.integers(2, 6)), rng)
        ends = np.maximum(correct + 1, rng.integers(1, candidates.shape[1] + 1, len(own)))
        candidates = np.where(np.arange(candidates.shape[1]) < ends[:, None], candidates, -1).astype(np.int32)
    return Task(
        part=str(rng.choice(["seen", "unseen"])),
        direction=kind,
        level=level,
        queries=np.array([row for row, _ in asked], np.int32),
        taxa=taxa,
        samples=np.array([row for name in taxa for row in targets[name]], np.int32),
        offsets=np.cumsum([0, *(len(targets[name]) for name in taxa)]),
        candidates=candidates,
        correct=correct,
    )


def random_vectors(rng: np.random.Generator, benchmark: Benchmark, dim: int) -> dict[Modality, Vectors]:
    """Return vectors of few values, so that many scores tie and the order of the candidates counts."""
    found = {}
    for modality in Modality:
        ids = tuple(dict.fromkeys(benchmark.ids(modality)))
        found[modality] = Vectors(ids, rng.choice([-1, 1], (len(ids), dim)).astype(np.float32))
    return found


def results(
    benchmark: Benchmark, vectors: dict[Modality, Vectors]
) -> dict[str, tuple[list[str], list[int], list[str]]]:
    """Return, of each task, the queries, their ranks, and the taxa that were retrieved."""
    found = {}
    for score in score_benchmark(benchmark, vectors).tasks:
        ids = np.array(benchmark.ids(modalities_of(score.task.direction)[0]), object)
        taxa = [score.task.taxa[at] for at in score.retrieved]
        found[score.task.name] = (ids[score.task.queries].tolist(), score.ranks.tolist(), taxa)
    return found


@pytest.mark.slow
def test_both_layouts_score_alike_on_generated_benchmarks(tmp_path: Path) -> None:
    scored = several = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        made = generated(rng)
        if not made.tasks:
            continue
        vectors = random_vectors(rng, made, dim=3)
        expected = results(made, vectors)
        for layout in ("compact", "published"):
            path = write_benchmark(made, tmp_path / layout / str(seed), layout=layout)
            assert results(read_benchmark(path), vectors) == expected, (layout, seed)
        scored += sum(len(ranks) for _, ranks, _ in expected.values())
        several += sum(max(ranks) > 1 for _, ranks, _ in expected.values())
    assert scored > 1000
    assert several > 100


@pytest.mark.slow
def test_both_layouts_score_alike_on_ten_thousand_items(tmp_path: Path) -> None:
    dataset = write_small(tmp_path / "large", taxa=500, per_species=10)
    split_dataset(dataset, unseen=200, seed=0)
    made = benchmark_from_split(dataset)
    wanted = ("unseen/A2I/species", "unseen/I2A/genus")
    made = replace(made, tasks=tuple(task for task in made.tasks if task.name in wanted))
    assert sum(made.items[modality].num_rows for modality in (Modality.AUDIO, Modality.IMAGE)) > 4000
    vectors = random_vectors(np.random.default_rng(0), made, dim=8)
    expected = results(made, vectors)
    sizes = {}
    for layout in ("compact", "published"):
        path = write_benchmark(made, tmp_path / layout, layout=layout)
        assert results(read_benchmark(path), vectors) == expected
        sizes[layout] = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    assert 15 * sizes["compact"] < sizes["published"]


def test_a_part_can_be_read_alone(small: Dataset, tmp_path: Path) -> None:
    made = benchmark_from_split(small, groups="members")
    path = write_benchmark(made, tmp_path / "compact")
    alone = read_benchmark(path / "unseen")
    published = read_benchmark(write_benchmark(made, tmp_path / "published", layout="published") / "unseen")
    assert {task.part for task in alone.tasks} == {"unseen"}
    for modality in (Modality.AUDIO, Modality.IMAGE):
        assert alone.ids(modality) == published.ids(modality)
    vectors = random_vectors(np.random.default_rng(1), made, dim=4)
    whole = {name: found for name, found in results(made, vectors).items() if name.startswith("unseen/")}
    assert results(alone, vectors) == whole == results(published, vectors)
    (path / "other").mkdir()
    with pytest.raises(DatasetError, match="names no part 'other'"):
        read_benchmark(path / "other")


def column(name: str, change: Callable[[list[Any]], list[Any]]) -> Callable[[pa.Table], pa.Table]:
    """Return an edit of one column of a table."""

    def edit(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index(name)
        return table.set_column(
            at, table.schema.field(at), pa.array(change(table[name].to_pylist()), table[name].type)
        )

    return edit


def first(value: Any) -> Callable[[list[Any]], list[Any]]:
    return lambda cells: [value, *cells[1:]]


def listed(table: pa.Table) -> pa.Table:
    return table.set_column(2, "candidates", table["candidates"].cast(pa.list_(pa.int32())))


WRONG: list[tuple[str, Callable[[pa.Table], pa.Table], str]] = [
    (QUERIES, column("query", first(10_000)), "id-out-of-range: .*query: 1 rows are not in the table"),
    (QUERIES, column("query", first(-1)), "id-out-of-range"),
    (QUERIES, column("taxon", first(99)), "id-out-of-range: .*taxon"),
    (QUERIES, column("candidates", lambda cells: [[99] * len(cells[0]), *cells[1:]]), "not among the 8 taxa"),
    (
        QUERIES,
        column("candidates", lambda cells: [[-1] * len(cells[0]), *cells[1:]]),
        "correct-not-listed: .*row 1:",
    ),
    (QUERIES, lambda table: table.drop_columns(["candidates"]), "candidates has to hold lists of one length"),
    (QUERIES, lambda table: table.drop_columns(["taxon"]), "lacks the column"),
    (QUERIES, listed, "candidates has to hold lists of one length"),
    (TAXA, column("samples", first([10_000])), "id-out-of-range: .*samples"),
    (TAXA, column("samples", first([])), "no-samples: .*row 1: Genus"),
    (TAXA, lambda table: table.append_column("order", pa.array([0] * len(table))), "order has to hold each row"),
    (TAXA, lambda table: table.slice(0, 3), "at most the 3 taxa"),
    ("audio.parquet", column("path", first("../../secret.wav")), "outside: audio.parquet, row 1: .*leads out"),
    ("audio.parquet", column("path", first("x" * 300)), "outside: audio.parquet, row 1"),
    ("audio.parquet", column("path", first(None)), "empty-cell: audio.parquet, row 1: path is empty"),
    ("audio.parquet", column("end_s", first(float("nan"))), "bad-span: audio.parquet, row 1"),
    ("text.parquet", column("level", first("order")), "bad-level: text.parquet, row 1"),
    ("image.parquet", lambda table: table.drop_columns(["sha256"]), "image.parquet lacks the column"),
]


@pytest.fixture
def bench(small: Dataset, tmp_path: Path) -> Path:
    made = benchmark_from_split(small)
    wanted = ("unseen/A2I/species", "unseen/T2I/species")
    return write_benchmark(
        replace(made, tasks=tuple(task for task in made.tasks if task.name in wanted)), tmp_path / "bench"
    )


def rewrite(file: Path, edit: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(edit(pq.read_table(file)), file)


def test_what_does_not_fit_together_is_refused_by_file_and_place(bench: Path) -> None:
    for name, edit, message in WRONG:
        kept = (bench / name).read_bytes()
        rewrite(bench / name, edit)
        with pytest.raises(DatasetError, match=message):
            read_benchmark(bench)
        (bench / name).write_bytes(kept)
    assert len(read_benchmark(bench).tasks) == 2
    (bench / TAXA).write_text("no Parquet")
    with pytest.raises(DatasetError, match=r"audio_to_image_taxa\.parquet cannot be read as Parquet"):
        read_benchmark(bench)
    (bench / TAXA).unlink()
    with pytest.raises(DatasetError, match=f"missing-file: {TAXA}"):
        read_benchmark(bench)
    (bench / "text.parquet").unlink()
    found, problems = read_with_problems(bench)
    assert found.tasks == ()
    assert [problem.file for problem in problems] == ["text.parquet"]


def test_lists_that_unpack_to_more_than_the_memory_are_refused(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = 3_000_000
    kind = pa.list_(pa.int32(), 8)
    candidates = pa.FixedSizeListArray.from_arrays(
        pa.array(np.tile(np.arange(8, dtype=np.int32), rows)), type=kind
    )
    numbers = pa.array(np.zeros(rows, np.int32))
    pq.write_table(pa.table({"query": numbers, "taxon": numbers, "candidates": candidates}), bench / QUERIES)
    monkeypatch.setenv("BIOVITA_MEMORY", "64")
    with pytest.raises(DatasetError, match=r"audio_to_image_queries.*its rows take more than"):
        read_benchmark(bench)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"../x": {"tasks": []}}, "parts has to be"),
        ({"unseen": {"tasks": [{"direction": "A2I", "level": "species"}] * 2}}, "parts has to be"),
        ({"unseen": {"tasks": [{"direction": "A2A", "level": "species"}]}}, "parts has to be"),
        (None, "parts has to be"),
    ],
)
def test_a_manifest_that_names_other_places_is_refused(bench: Path, parts: Any, message: str) -> None:
    manifest = json.loads((bench / "manifest.json").read_text())
    (bench / "manifest.json").write_text(json.dumps({**manifest, "parts": parts}))
    with pytest.raises(DatasetError, match=message):
        read_benchmark(bench)


def problems_of(path: Path) -> set[tuple[str, str]]:
    found = verify_benchmark(path).problems
    return {(problem.code, problem.file) for problem in found if problem.code != "missing"}


def test_verify_finds_what_changes_a_score(bench: Path) -> None:
    assert problems_of(bench) == set()
    verdict = verify_benchmark(bench)
    assert (verdict.tasks, verdict.sound) == (2, False), "the media of these made-up items are missing"
    assert {problem.file for problem in verdict.problems} == {"audio.parquet", "image.parquet"}
    rewrite(bench / QUERIES, column("candidates", lambda cells: [[cell[0], *cell[:-1]] for cell in cells]))
    found = problems_of(bench)
    assert ("changed", QUERIES) in found
    assert {code for code, _ in found} <= {"changed", "duplicate-candidate", "correct-not-listed"}
    rewrite(bench / QUERIES, lambda table: table.slice(0, 0))
    assert ("header-only", QUERIES) in problems_of(bench)
    (bench / QUERIES).unlink()
    assert [(p.code, p.file) for p in verify_benchmark(bench).problems if p.file == QUERIES] == [
        ("missing-file", QUERIES)
    ]
    rewrite(bench / "image.parquet", column("species", lambda cells: [*cells[1:], cells[0]]))
    assert ("label-mismatch", "unseen/species/text_to_image_queries.parquet") in problems_of(bench)


def test_a_candidate_that_is_listed_twice_is_found(bench: Path) -> None:
    def doubled(cells: list[list[int]]) -> list[list[int]]:
        own = pq.read_table(bench / QUERIES)["taxon"].to_pylist()
        return [
            [mine, *([other for other in cell if other != mine][:1] * (len(cell) - 1))]
            for cell, mine in zip(cells, own, strict=True)
        ]

    rewrite(bench / QUERIES, column("candidates", doubled))
    assert ("duplicate-candidate", QUERIES) in problems_of(bench)


def test_the_size_of_the_published_layout_is_said_first_and_refused_over_a_limit(
    small: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, chosen in enumerate(({}, {"groups": "members"}, {"candidates": "all", "text": "tax_com"})):
        made = benchmark_from_split(small, **chosen)  # type: ignore[arg-type]
        path = write_benchmark(made, tmp_path / str(number), layout="published")
        taken = sum(file.stat().st_size for file in path.rglob("*.csv"))
        assert published_bytes(made) == pytest.approx(taken, rel=0.05)
        assert f"{number}: the published layout will take {published_bytes(made) / 1e6:.1f} MB" in caplog.text
    monkeypatch.setenv("BIOVITA_LIMIT_PUBLISHED", "1000")
    with pytest.raises(DatasetError, match=r"at most 1,000 bytes are accepted \(--limit published=N"):
        write_benchmark(made, tmp_path / "over", layout="published")
    assert not (tmp_path / "over").exists()
    write_benchmark(made, tmp_path / "over")
    with pytest.raises(DatasetError, match=r"unknown layout 'compct'.*compact"):
        write_benchmark(made, tmp_path / "x", layout="compct")


def test_copied_media_leave_no_place_of_the_machine_in_the_tables(bench: Path, small: Dataset) -> None:
    for name in ("audio.parquet", "image.parquet"):
        paths = pq.read_table(bench / name)["path"].to_pylist()
        assert not any(str(small.path.parent) in path for path in paths)
