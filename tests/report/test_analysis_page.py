from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from biovita.benchmark import benchmark_from_split, score_benchmark
from biovita.benchmark.recordings import Recordings
from biovita.benchmark.trait_scores import TraitScore
from biovita.dataset import Dataset, split_dataset, write_table
from biovita.dataset.schema import TRAITS
from biovita.embedding.failures import Failure
from biovita.modality import Modality
from biovita.report import ReportContent, write_report
from biovita.report.charts import radar_chart
from biovita.report.published_tables import AVERAGES, RELEASED_QUERIES, TABLES, is_released
from biovita.taxonomy import Rank
from support.bench_cases import class_vectors, write_small


@pytest.fixture
def run(tmp_path):
    """A run over made-up vectors in which two families' calls are exchanged."""
    dataset = write_small(tmp_path / "d", taxa=24)
    rows = [
        {"taxon_id": t.id, "label": label, "value": int(t.id[1:]) // 6 % 2 == n, "source": "test"}
        for t in dataset.taxonomy.values()
        if t.rank == Rank.SPECIES
        for n, label in enumerate(("nocturnal", "diurnal"))
    ]
    write_table(pa.Table.from_pylist(rows, schema=TRAITS), dataset.path / "traits.parquet")
    fewer = [r for r in dataset.images.to_pylist() if not re.fullmatch(r"it(0|7|13)-[1-3]", r["id"])]
    write_table(pa.Table.from_pylist(fewer, schema=dataset.images.schema), dataset.path / "images.parquet")
    dataset = Dataset.open(dataset.path)
    split_dataset(dataset, unseen=8, seed=3, held_out=0.4)
    benchmark = benchmark_from_split(dataset)
    vectors = class_vectors(benchmark, dataset, noise=0.9)
    families = benchmark.labels(Modality.AUDIO, Rank.FAMILY)
    one, other = (np.flatnonzero(families == name) for name in ("Family1", "Family2"))
    table = vectors[Modality.AUDIO].vectors
    length = min(len(one), len(other))
    table[one[:length]], table[other[:length]] = table[other[:length]].copy(), table[one[:length]].copy()
    numbers = np.arange(benchmark.items[Modality.AUDIO].num_rows)
    return ReportContent(
        title="Analysis",
        benchmark=benchmark,
        scores={"mine": score_benchmark(benchmark, vectors)},
        vectors=vectors,
        dataset=dataset,
        failed=[Failure(Modality.AUDIO, "at0-1", "truncated", "..")],
        recordings=Recordings(numbers.astype(float), (numbers % 40).astype(float)),
        predictions=[
            TraitScore("audio", method, "unseen", "activity", "nocturnal", 0.87, 0.8, 0.5, species=8)
            for method in ("zero-shot", "probe")
        ],
        published=True,
    )


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


@pytest.mark.slow
def test_every_part_of_the_analysis_is_on_the_page(run, tmp_path):
    text = words(write_report(tmp_path / "r", run)[0].read_text(encoding="utf-8"))
    for needed in (
        "By class",
        "How near the errors are",
        "Families that are found least",
        "Species that are confused most",
        "Samples of the correct species",
        "Length of the recording",
        "Contrast of the recording",
        "Way of life",
        "nocturnal",
        "0.87",
        "1 item that could not be embedded",
        "audio at0-1: truncated",
        "This is another benchmark",
        "BioVITA stage 2 36.6 / 62.2",
        "mine *",
    ):
        assert needed in text, needed


@pytest.mark.slow
def test_exchanged_calls_of_a_family_stand_out(run, tmp_path):
    """The page is about the foremost part; there the exchanged families come first, each taken for the other."""
    from biovita.report.analysis_section import family_rows

    rows = family_rows(run.analysis, "seen")
    first = {row.name: row for row in rows[:2]}
    assert set(first) == {"Family1", "Family2"}
    assert first["Family1"].taken_for.taken_for == "Family2"
    assert first["Family2"].taken_for.taken_for == "Family1"
    assert rows[2].mean > 1.5 * rows[1].mean
    page = write_report(tmp_path / "r", run)[0].read_text(encoding="utf-8")
    assert re.search(r"Family[12].*most often taken for|most often taken for.*Family[12]", words(page))


def test_published_tables_are_those_of_the_paper():
    """The averages that the paper prints are the means of its rows, up to rounding."""
    for part, rows in AVERAGES.items():
        for name, printed in rows.items():
            cells = TABLES[part][name]
            for at, value in enumerate(printed):
                assert np.mean([cell[at] for cell in cells]) == pytest.approx(value, abs=0.11), (part, name)


def test_the_released_benchmark_is_known_by_its_queries(run):
    assert not is_released(run.benchmark)
    tasks = []
    for task in run.benchmark.tasks:
        if task.part == "unseen" and task.level == Rank.SPECIES:
            count = RELEASED_QUERIES[task.direction]
            tasks.append(replace(task, queries=np.zeros(count, np.int32)))
    assert is_released(replace(run.benchmark, tasks=tuple(tasks)))


def test_radars_stay_in_their_frame_and_say_their_numbers():
    chart = radar_chart(
        "a", ["All", "Aves", "Mammalia", "Insecta"], {1: [0.5, 1.0, None, 0.2], 5: [1, 1, 1, 1]}, 3
    )
    assert chart.id == "radar-3"
    assert [shape.k for shape in chart.shapes] == [5, 1], "the smallest on top"
    for shape in [*(s.points for s in chart.shapes), *chart.rings]:
        for pair in shape.split():
            x, y = map(float, pair.split(","))
            assert 0 < x < 300
            assert 0 < y < 236
    assert "Top-1: All 50 %, Aves 100 %, Mammalia 0 %, Insecta 20 %" in chart.spoken
