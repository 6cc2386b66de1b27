from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image

from bench_cases import write_small
from biovita.bench import build_benchmark, score_benchmark
from biovita.bench.compare import read_ranks
from biovita.bench.embed import embed_benchmark
from biovita.bench.layout import write_benchmark
from biovita.bench.models import RandomModel
from biovita.bench.published import read_benchmark
from biovita.bench.run import run_benchmark, safe_name
from biovita.bench.vectors import Table, write_vectors
from biovita.dataset import split_dataset
from biovita.errors import BiovitaError, MediaError
from biovita.modality import Modality

RATE = 8000


@pytest.fixture
def dataset(tmp_path):
    """Real small files: each species has a pitch and a colour."""
    made = write_small(tmp_path / "d", taxa=10, per_species=2)
    rng = np.random.default_rng(0)
    for row in made.audio.to_pylist():
        pitch = 500 + 300 * (hash_of(row["taxon_id"]) % 9)
        tone = 0.4 * np.sin(2 * np.pi * pitch * np.arange(RATE) / RATE) + 0.02 * rng.normal(size=RATE)
        soundfile.write(tmp_path / "d" / row["path"], tone, RATE)
    for row in made.images.to_pylist():
        colour = np.random.default_rng(hash_of(row["taxon_id"])).integers(0, 255, 3)
        pixels = np.clip(colour + rng.integers(-9, 9, (8, 8, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "d" / row["path"])
    split_dataset(made, unseen=5, seed=1)
    return made


def hash_of(taxon_id: str) -> int:
    return int(taxon_id.lstrip("tg") or 0)


class Counting(RandomModel):
    """Counts what it is given, and can be stopped after a number of batches."""

    calls: list = []  # noqa: RUF012
    stop_after = None

    def embed_images(self, items):
        if self.stop_after is not None and len(self.calls) >= self.stop_after:
            raise KeyboardInterrupt
        self.calls.append(len(items))
        return super().embed_images(items)


@pytest.fixture
def counting(monkeypatch):
    monkeypatch.setattr("biovita.bench.embed._BATCH", 4)
    monkeypatch.setattr("biovita.bench.embed._PART", 4)
    Counting.calls, Counting.stop_after = [], None
    return Counting(16)


def test_a_run_that_was_stopped_goes_on_and_repeats_nothing(dataset, counting, tmp_path):
    benchmark = build_benchmark(dataset)
    used = len(
        {r for t in benchmark.tasks for r in (t.samples if t.direction[2] == "I" else ()) for r in [int(r)]}
    )
    Counting.stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        embed_benchmark(benchmark, counting, tmp_path / "v", name="x", progress=False)
    assert sum(counting.calls) == 8
    Counting.stop_after = None
    done = embed_benchmark(benchmark, counting, tmp_path / "v", name="x", progress=False)
    assert sum(counting.calls) == used
    assert not (tmp_path / "v" / "image.parts").exists()
    whole = embed_benchmark(benchmark, RandomModel(16), tmp_path / "w", name="x", progress=False)
    for modality in Modality:
        assert done.vectors[modality].ids == whole.vectors[modality].ids
        assert (done.vectors[modality].vectors == whole.vectors[modality].vectors).all()
    again = embed_benchmark(benchmark, counting, tmp_path / "v", name="x", progress=False)
    assert (again.new, again.failed) == (0, ())
    assert sum(counting.calls) == used
    other = embed_benchmark(benchmark, counting, tmp_path / "v", name="another", progress=False)
    assert other.kept == 0


def test_a_file_that_changes_is_embedded_again(dataset, counting, tmp_path):
    benchmark = build_benchmark(dataset)
    embed_benchmark(benchmark, counting, tmp_path / "v", name="x", progress=False)
    task = benchmark.tasks[-1]
    path = benchmark.root / benchmark.items[Modality.IMAGE]["path"][int(task.samples[0])].as_py()
    Image.new("RGB", (9, 9)).save(path)
    counting.calls.clear()
    assert embed_benchmark(benchmark, counting, tmp_path / "v", name="x", progress=False).new == 1
    assert counting.calls == [1]


def test_what_fails_is_absent_and_listed_and_the_rest_of_its_batch_is_not(dataset, tmp_path):
    benchmark = build_benchmark(dataset)
    task = benchmark.task("unseen", "A2T", benchmark.tasks[0].level)
    ids = benchmark.ids(Modality.AUDIO)
    missing, html, poison = (ids[int(row)] for row in task.queries[:3])
    paths = dict(zip(ids, benchmark.items[Modality.AUDIO]["path"].to_pylist(), strict=True))
    (benchmark.root / paths[missing]).unlink()
    (benchmark.root / paths[html]).write_text("<!DOCTYPE html><html>")

    class Picky(RandomModel):
        def embed_audio(self, items):
            assert all(isinstance(samples, np.ndarray) and rate == RATE for samples, rate in items), (
                "spans are cut"
            )
            made = super().embed_audio(items)
            for place, (samples, _) in enumerate(items):
                if np.array_equal(samples, bad):
                    made[place] = np.nan
            return made

    from biovita.media import read_clip

    bad = read_clip(benchmark.root / paths[poison], 0.5, 1.0)[0]
    done = embed_benchmark(benchmark, Picky(8), tmp_path / "v", name="x", progress=False)
    assert {(f.id, f.reason) for f in done.failed} == {
        (missing, "missing"), (html, "not-audio"), (poison, "not-finite"),
    }  # fmt: skip
    assert len(done.vectors[Modality.AUDIO].ids) == len(set(ids)) - 3
    assert pq.read_table(tmp_path / "v" / "failed.parquet").num_rows == 3
    (score,) = [s for s in score_benchmark(benchmark, done.vectors).tasks if s.task is task]
    assert score.absent_queries == 3

    class Raises(RandomModel):
        def embed_images(self, items):
            if any("it2" in str(item) or "t2-" in str(item) for item in items):
                raise MediaError("odd", "no")
            return super().embed_images(items)

    alone = embed_benchmark(benchmark, Raises(8), tmp_path / "w", name="x", progress=False)
    images = [f for f in alone.failed if f.modality == Modality.IMAGE]
    assert all("t2-" in f.id for f in images)
    assert images


def test_a_run_writes_what_a_reader_needs(dataset, tmp_path):
    benchmark = read_benchmark(write_benchmark(build_benchmark(dataset), tmp_path / "bench"))
    result = run_benchmark(benchmark, "random:8", tmp_path / "run", dataset=dataset, progress=False)
    found = json.loads(result.results.read_text())
    assert {row["stage"] for row in found["scores"]} == {"random:8"}
    assert found["made"]["model"] == "random:8"
    assert len(found["by_recording"]) > 0
    page = result.report.read_text()
    for needed in (
        "Beside the published results",
        "This is another benchmark",
        "BioVITA stage 2",
        "Where it fails",
    ):
        assert needed in page, needed
    ranks = read_ranks(tmp_path / "run")
    assert ranks.num_rows == sum(len(task.queries) for task in benchmark.tasks)
    first = next(r for r in found["scores"] if r["k"] == 1)
    mine = [
        r["rank"] == 1
        for r in ranks.to_pylist()
        if (r["part"], r["direction"], r["level"]) == (first["part"], first["direction"], first["level"])
    ]
    assert np.mean(mine) == pytest.approx(first["accuracy"])
    again = run_benchmark(benchmark, "random:8", tmp_path / "run", dataset=dataset, progress=False)
    assert (again.new, again.kept) == (0, result.new)
    assert json.loads(again.results.read_text()) == found


def test_vectors_made_elsewhere_and_objects_can_be_run(dataset, tmp_path):
    benchmark = build_benchmark(dataset)
    model = RandomModel(8)
    embedded = embed_benchmark(benchmark, model, tmp_path / "v", name="x", progress=False)
    zero = embedded.vectors[Modality.AUDIO]
    vectors = np.array(zero.vectors)
    vectors[0] = 0
    (tmp_path / "w").mkdir()
    write_vectors(tmp_path / "w", Modality.AUDIO, zero.ids, vectors)
    write_vectors(tmp_path / "w", Modality.IMAGE, *_pair(embedded.vectors[Modality.IMAGE]))
    result = run_benchmark(benchmark, f"vectors:{tmp_path / 'w'}", tmp_path / "a", name="mine", progress=False)
    assert {row["direction"] for row in result.rows} == {"A2I", "I2A"}
    made = json.loads(result.results.read_text())["made"]
    assert made == {"model": "mine", "seed": 0, "zero vectors, taken as missing": {"audio": 1}}

    class OnlyText:
        name = "words"

        def embed_texts(self, items):
            return np.ones((len(items), 2))

    with pytest.raises(BiovitaError, match="words: the benchmark has no task"):
        run_benchmark(benchmark, OnlyText(), tmp_path / "b", progress=False)


def _pair(table: Table):
    return table.ids, table.vectors


def test_names_make_safe_directories():
    assert safe_name("../../x") == "x"
    assert safe_name("vectors:/a b/c") == "vectors-a-b-c"
    assert safe_name("::") == "model"


@pytest.mark.slow
def test_our_own_models_load_in_threads_and_give_what_they_give(dataset, tmp_path):
    from biovita import load_model

    model = load_model("starter")
    benchmark = build_benchmark(dataset)
    done = embed_benchmark(benchmark, model, tmp_path / "v", name="starter", progress=False)
    ids = done.vectors[Modality.IMAGE].ids[:3]
    paths = dict(
        zip(benchmark.ids(Modality.IMAGE), benchmark.items[Modality.IMAGE]["path"].to_pylist(), strict=True)
    )
    direct = model.embed_images([benchmark.root / paths[key] for key in ids])
    assert done.vectors[Modality.IMAGE].vectors[:3] == pytest.approx(direct, abs=1e-5)
    assert done.failed == ()
