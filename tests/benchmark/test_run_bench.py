from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field

import numpy as np
import pytest
import soundfile
from PIL import Image

from biovita.benchmark import benchmark_from_split
from biovita.benchmark.compare import read_ranks
from biovita.benchmark.evaluation import evaluate
from biovita.benchmark.item_vectors import benchmark_items, item_vectors, source_of
from biovita.benchmark.layout import write_benchmark
from biovita.benchmark.reader import read_benchmark
from biovita.benchmark.scored_models import safe_name
from biovita.dataset import split_dataset
from biovita.errors import BiovitaError, MediaError
from biovita.media import read_clip, read_image
from biovita.modality import MEDIA, Modality
from biovita.model import describe
from biovita.report import run_of, write_run
from support.bench_cases import restated, write_small, write_vectors

RATE = 8000


@pytest.fixture
def dataset(tmp_path):
    """Real small files: each species has a pitch and a colour."""
    made = write_small(tmp_path / "d", taxa=10, per_species=2)
    rng = np.random.default_rng(0)
    for row in made.audio.to_pylist():
        pitch = 500 + 300 * (number_of(row["taxon_id"]) % 9)
        tone = 0.4 * np.sin(2 * np.pi * pitch * np.arange(RATE) / RATE) + 0.02 * rng.normal(size=RATE)
        soundfile.write(tmp_path / "d" / row["path"], tone, RATE)
    for row in made.images.to_pylist():
        colour = np.random.default_rng(number_of(row["taxon_id"])).integers(0, 255, 3)
        pixels = np.clip(colour + rng.integers(-9, 9, (8, 8, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "d" / row["path"])
    split_dataset(restated(made), unseen=5, seed=1)
    return made


def number_of(taxon_id: str) -> int:
    return int(taxon_id.lstrip("tg") or 0)


@pytest.fixture
def benchmark(dataset):
    return benchmark_from_split(dataset)


@dataclass
class Stranger:
    """A model of others: a random direction for what it hears, sees or reads; it counts, and can be stopped."""

    name: str = "stranger"
    revision: str | None = "1"
    dim: int = 8
    photographs: list[bytes] = field(default_factory=list)
    stop_after: int | None = None

    def embed_audio(self, items):
        assert all(isinstance(samples, np.ndarray) and rate == RATE for samples, rate in items), "spans are cut"
        return self.drawn(samples.tobytes() for samples, _ in items)

    def embed_images(self, items):
        if self.stop_after is not None and len(self.photographs) >= self.stop_after:
            raise KeyboardInterrupt
        self.photographs += [item.tobytes() for item in items]
        return self.drawn(item.tobytes() for item in items)

    def embed_texts(self, items):
        return self.drawn(item.encode() for item in items)

    def drawn(self, contents):
        return np.array([np.random.default_rng(zlib.crc32(each)).normal(size=self.dim) for each in contents])


def run(benchmark, model, out, **more):
    return evaluate(benchmark, model, out, progress=False, **more)


def test_a_run_that_was_stopped_goes_on_and_repeats_nothing(benchmark, tmp_path, monkeypatch):
    monkeypatch.setattr("biovita.embedding.shards._ITEMS", dict.fromkeys(Modality, 4))
    used = len(benchmark_items(benchmark, tuple(Modality))[Modality.IMAGE])
    model = Stranger(stop_after=9)
    with pytest.raises(KeyboardInterrupt):
        run(benchmark, model, tmp_path / "v")
    before = set(model.photographs)
    assert len(before) < used
    model.stop_after, model.photographs = None, []
    done = run(benchmark, model, tmp_path / "v")
    assert len(model.photographs) < used, "what was made before the stop is kept"
    assert before | set(model.photographs) >= set(pixels_of(benchmark))
    whole = run(benchmark, Stranger(), tmp_path / "w")
    for modality in Modality:
        one, other = done.vectors[modality], whole.vectors[modality]
        rows = np.arange(len(one))
        assert list(one.ids) == list(other.ids)
        np.testing.assert_array_equal(one.vectors[rows], other.vectors[rows])
    assert done.rows == whole.rows
    model.photographs = []
    assert run(benchmark, model, tmp_path / "v").rows == whole.rows
    assert model.photographs == []
    run(benchmark, model, tmp_path / "v", name="another")
    assert len(model.photographs) >= used


def pixels_of(benchmark):
    return [read_image(path).tobytes() for path in paths_of(benchmark)]


def paths_of(benchmark):
    items = benchmark_items(benchmark, tuple(Modality))[Modality.IMAGE]
    return [benchmark.root / path for path in items.rows["path"].to_pylist()]


def test_an_object_that_states_no_revision_is_asked_again(benchmark, tmp_path):
    """It may have been trained since: nothing tells whether the vectors of before are still its own."""
    model = Stranger(revision=None)
    before = run(benchmark, model, tmp_path / "v")
    asked, model.photographs, model.dim = len(model.photographs), [], 5
    after = run(benchmark, model, tmp_path / "v")
    assert len(model.photographs) == asked
    assert (before.vectors[Modality.IMAGE].dim, after.vectors[Modality.IMAGE].dim) == (8, 5)
    model.revision, model.photographs = "1", []
    for _ in range(2):
        run(benchmark, model, tmp_path / "v")
    assert len(model.photographs) == asked, "the second time, they were there"


def test_what_two_modalities_can_be_asked_is_scored_and_the_rest_is_said_before_it_is_made(
    benchmark, tmp_path, caplog
):
    class Wide(Stranger):
        def embed_texts(self, items):
            made = super().embed_texts(items)
            assert len(made) == 1, "one text tells how long its vectors are"
            return np.concatenate([made, made], axis=1)

    done = run(benchmark, Wide(), tmp_path / "v")
    assert {row.direction for row in done.rows} == {"A2I", "I2A"}
    assert "texts have 16 numbers. Only directions between recordings and photographs" in caplog.text

    class Apart(Wide):
        def embed_images(self, items):
            return super().embed_images(items)[:, :3]

    model = Apart()
    with pytest.raises(BiovitaError, match="stranger is not in one space: recordings have 8 numbers, photographs"):
        run(benchmark, model, tmp_path / "w")
    assert len(model.photographs) == 1
    towers = describe("starter").towers
    with pytest.raises(BiovitaError, match=r"starter has towers that share no space"):
        run(benchmark, towers, tmp_path / "x")


def test_a_file_that_changes_is_embedded_again(benchmark, tmp_path):
    model = Stranger()
    run(benchmark, model, tmp_path / "v")
    path = paths_of(benchmark)[3]
    Image.new("RGB", (9, 9)).save(path)
    model.photographs = []
    run(benchmark, model, tmp_path / "v")
    assert model.photographs == [read_image(path).tobytes()]


def test_what_fails_is_absent_and_listed_and_the_rest_of_its_batch_is_not(benchmark, tmp_path):
    task = benchmark.task("unseen", "A2T", benchmark.tasks[0].level)
    ids = benchmark.ids(Modality.AUDIO)
    missing, html, silent, odd = (ids[int(row)] for row in task.queries[:4])
    paths = dict(zip(ids, benchmark.items[Modality.AUDIO]["path"].to_pylist(), strict=True))
    (benchmark.root / paths[missing]).unlink()
    (benchmark.root / paths[html]).write_text("<!DOCTYPE html><html>")
    bad = {read_clip(benchmark.root / paths[key], 0.5, 1.0)[0].tobytes(): key for key in (silent, odd)}

    dark = {read_image(path).tobytes() for path in paths_of(benchmark) if "t2-" in path.name}

    class Picky(Stranger):
        def embed_audio(self, items):
            made = super().embed_audio(items)
            for place, (samples, _) in enumerate(items):
                if samples.tobytes() in bad:
                    made[place] = 0 if bad[samples.tobytes()] == silent else np.nan
            return made

        def embed_images(self, items):
            if any(item.tobytes() in dark for item in items):
                raise MediaError("odd", "no")
            return super().embed_images(items)

    done = run(benchmark, Picky(), tmp_path / "v")
    sounds = {(f.id, f.reason) for f in done.failed if f.modality == Modality.AUDIO}
    assert sounds == {(missing, "missing"), (html, "not-audio"), (silent, "not-finite"), (odd, "not-finite")}
    assert len(done.vectors[Modality.AUDIO]) == len(set(ids)) - 4
    (score,) = [s for s in done.scores.tasks if s.task is task]
    assert score.absent_queries == 4
    images = {f.id for f in done.failed if f.modality == Modality.IMAGE}
    assert images == {key for key in set(benchmark.ids(Modality.IMAGE)) if key.startswith("it2-")}


def test_a_model_that_can_embed_nothing_of_a_kind_is_an_error(benchmark, tmp_path):
    class Blind(Stranger):
        def embed_images(self, items):
            raise MediaError("odd", "my eyes")

    with pytest.raises(BiovitaError, match=r"stranger cannot embed any of the \d+ image items.*my eyes"):
        run(benchmark, Blind(), tmp_path / "v")


@pytest.mark.slow
def test_a_run_writes_what_a_reader_needs(dataset, tmp_path):
    benchmark = read_benchmark(write_benchmark(benchmark_from_split(dataset), tmp_path / "bench"))
    result = run(benchmark, "random:8", tmp_path / "run", contrast=True)
    assert not (tmp_path / "run").exists(), "who asked for the run writes its report"
    files = write_run(tmp_path / "run", run_of(result))
    found = json.loads(files.results.read_text())
    assert {row["stage"] for row in found["scores"]} == {"random:8"}
    assert found["made"] == {"model": "random:8", "seed": 0}
    assert {name for row in found["by_recording"] for name in ("length", "quality") if name in row} == {
        "length",
        "quality",
    }
    page = files.report.read_text()
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
    assert files.scores.read_text().splitlines()[0].startswith("stage,part,direction,level,k,accuracy")
    again = write_run(tmp_path / "again", run_of(run(benchmark, "random:8", tmp_path / "again", contrast=True)))
    assert json.loads(again.results.read_text()) == found


def test_lengths_are_those_that_are_stated_and_contrast_is_measured_where_it_is_asked_for(benchmark, tmp_path):
    for path in benchmark.items[Modality.AUDIO]["path"].to_pylist():
        (benchmark.root / path).unlink()
    stated = run(benchmark, "random:8", tmp_path).recordings
    assert set(stated.seconds.tolist()) == {0.5}
    assert np.isnan(stated.contrast_db).all()
    measured = run(benchmark, "random:8", tmp_path, contrast=True).recordings
    assert np.isnan([measured.seconds, measured.contrast_db]).all()


def test_vectors_made_elsewhere_and_objects_can_be_run(benchmark, tmp_path):
    made = run(benchmark, Stranger(), tmp_path / "v").vectors
    (tmp_path / "w").mkdir()
    for modality in MEDIA:
        vectors = made[modality].vectors[np.arange(len(made[modality]))]
        if modality == Modality.AUDIO:
            vectors[0] = 0
        write_vectors(tmp_path / "w", modality, made[modality].ids, vectors)
    result = run(benchmark, f"vectors:{tmp_path / 'w'}", tmp_path / "a", name="mine")
    assert {row.direction for row in result.rows} == {"A2I", "I2A"}
    assert result.made == {"model": "mine", "seed": 0, "zero vectors, taken as missing": {"audio": 1}}

    class OnlyText:
        name = "words"

        def embed_texts(self, items):
            return np.ones((len(items), 2))

    with pytest.raises(BiovitaError, match="words cannot answer any task of the benchmark: it embeds only text"):
        run(benchmark, OnlyText(), tmp_path / "b")
    write_vectors(
        tmp_path / "w", Modality.IMAGE, made[Modality.IMAGE].ids, np.ones((len(made[Modality.IMAGE]), 3))
    )
    with pytest.raises(BiovitaError, match="not in one space: recordings have 8 numbers, photographs have 3"):
        run(benchmark, f"vectors:{tmp_path / 'w'}", tmp_path / "c")


def test_chance_looks_at_nothing_and_keeps_nothing(benchmark, tmp_path):
    for path in benchmark.root.glob("*.*"):
        if path.suffix in {".wav", ".png"}:
            path.unlink()
    first = run(benchmark, "random:8", tmp_path / "r")
    assert first.rows == run(benchmark, "random:8", tmp_path / "r").rows
    assert first.failed == ()
    assert not (tmp_path / "r").exists()


def test_vectors_of_an_earlier_version_are_not_used_and_said_so(benchmark, tmp_path, caplog):
    (tmp_path / "vectors").mkdir()
    write_vectors(tmp_path / "vectors", Modality.AUDIO, ["a"], np.ones((1, 3)))
    run(benchmark, Stranger(), tmp_path)
    (said,) = [record.getMessage() for record in caplog.records if "earlier biovita" in record.getMessage()]
    assert str(tmp_path / "vectors") in said
    assert "Remove them" in said


def test_a_benchmark_is_of_a_dataset_that_has_its_items_as_they_are(dataset, tmp_path):
    out = write_benchmark(benchmark_from_split(dataset), tmp_path / "bench", layout="published")

    def source(place):
        benchmark = read_benchmark(place)
        return source_of(benchmark, benchmark_items(benchmark, tuple(Modality)))

    assert source(out).path.resolve() == dataset.path.resolve()
    copied = write_benchmark(benchmark_from_split(dataset), tmp_path / "copied", media="copy")
    assert source(copied) is None
    index = out / "unseen" / "image_index.csv"
    header, *lines = index.read_text().splitlines()
    assert header.endswith(",sha256")
    for hashes, known in (("", True), ("0" * 64, False)):  # earlier versions stated none
        index.write_text("\n".join([header, *(f"{line.rpartition(',')[0]},{hashes}" for line in lines)]))
        assert (source(out) is not None) == known
    index.write_text(
        "\n".join([header, *(f"{line.rpartition(',')[0]}," for line in lines)]).replace(".png", ".jpg")
    )
    assert source(out) is None


def test_names_make_safe_directories():
    assert safe_name("../../x") == "x"
    assert safe_name("vectors:/a b/c") == "vectors-a-b-c"
    assert safe_name("::") == "model"


@pytest.mark.slow
def test_our_own_models_give_what_they_give_of_a_benchmark_without_a_dataset(dataset, tmp_path):
    from biovita import load_model

    model = load_model("starter")
    out = write_benchmark(benchmark_from_split(dataset), tmp_path / "bench", media="copy")
    benchmark = read_benchmark(out)
    items = benchmark_items(benchmark, tuple(Modality))
    done = item_vectors(model, items, None, tmp_path / "v", name="starter", progress=False)
    assert done.failed == ()
    photographs = [benchmark.root / path for path in items[Modality.IMAGE].rows["path"].to_pylist()[:3]]
    found = done.vectors[Modality.IMAGE].vectors[np.arange(3)]
    assert found == pytest.approx(model.embed_images(photographs), abs=1e-5)
    of_dataset = item_vectors(
        model, items_of(dataset), dataset, tmp_path / "unused", name="starter", progress=False
    )
    assert not (tmp_path / "unused").exists()
    assert of_dataset.vectors.keys() == done.vectors.keys()


def items_of(dataset):
    return benchmark_items(benchmark_from_split(dataset), tuple(Modality))
