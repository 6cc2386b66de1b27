from __future__ import annotations

import zlib
from importlib.util import find_spec

import numpy as np
import pytest
import soundfile
from PIL import Image

from biovita.benchmark import benchmark_from_split, score_benchmark
from biovita.benchmark.mteb_tasks import MtebModel, export_mteb, local_tasks, run_local
from biovita.benchmark.scored_models import open_model
from biovita.dataset import split_dataset
from biovita.embedding import Vectors
from biovita.errors import BiovitaError, ModelError
from biovita.modality import Modality
from support.bench_cases import write_small

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("mteb") is None, reason="mteb is not installed"),
]
DIM = 8


def by_content(modality, content) -> np.ndarray:
    """A stand-in for an encoder: a vector that depends on what is seen, heard or read, and on nothing else."""
    if modality == "text":
        rng = np.random.default_rng(zlib.crc32(content.encode()))
        made = rng.normal(size=DIM)
    elif modality == "image":
        made = np.resize(np.asarray(content, float).reshape(-1)[:DIM] - 127, DIM)
    else:
        samples = np.asarray(content["array"], float)
        made = np.array(
            [part.std() * (1 + place % 3) - 0.2 for place, part in enumerate(np.array_split(samples, DIM))]
        )
    return made / np.linalg.norm(made)


def encoder():
    """A model as mteb has them."""
    from mteb.models import ModelMeta
    from mteb.models.abs_encoder import AbsEncoder

    class Encoder(AbsEncoder):
        def __init__(self):
            self.model = None
            self.mteb_model_meta = ModelMeta(
                **dict.fromkeys(ModelMeta.model_fields, None)
                | {"name": "tests/by-content", "revision": "1", "loader": None, "languages": None}
                | {
                    "similarity_fn_name": "cosine",
                    "modalities": ["audio", "image", "text"],
                    "framework": ["NumPy"],
                }
                | {"loader_kwargs": {}, "model_type": ["dense"]}
            )

        def encode(self, inputs, *, task_metadata, hf_split, hf_subset, prompt_type=None, **kwargs):
            rows = []
            for batch in inputs:
                (modality,) = {"audio", "image", "text"} & set(batch)
                rows += [by_content(modality, content) for content in batch[modality]]
            return np.array(rows, np.float32)

    return Encoder()


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mteb") / "d"
    dataset = write_small(folder, taxa=9, per_species=2)
    rng = np.random.default_rng(0)
    for row in dataset.audio.to_pylist():
        envelope = np.repeat(rng.uniform(0.05, 0.6, DIM), 6000)
        soundfile.write(folder / row["path"], envelope * rng.normal(size=48_000).clip(-1, 1), 48_000)
    for row in dataset.images.to_pylist():
        Image.fromarray(rng.integers(0, 255, (6, 6, 3), np.uint8)).save(folder / row["path"])
    split_dataset(dataset, unseen=6, seed=0)
    return benchmark_from_split(dataset, candidates=4)


@pytest.fixture(scope="module")
def exported(benchmark, tmp_path_factory):
    return export_mteb(benchmark, tmp_path_factory.mktemp("out") / "mteb")


def test_mteb_gives_the_scores_that_we_give(benchmark, exported, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from biovita.media import read_clip, read_image

    vectors = {}
    for modality in Modality:
        rows = benchmark.items[modality].to_pylist()
        made = []
        for row in rows:
            path = benchmark.root / (row["path"] or "")
            content = row["id"]
            if modality == Modality.IMAGE:
                content = read_image(path)
            elif modality == Modality.AUDIO:
                content = {"array": read_clip(path, row["start_s"], row["end_s"])[0]}
            made.append(by_content(modality.value, content))
        vectors[modality] = Vectors([row["id"] for row in rows], np.array(made, np.float32))
    ours = {(r.part, r.direction, r.level, r.k): r.accuracy for r in score_benchmark(benchmark, vectors).rows()}
    theirs = run_local(encoder(), exported)
    assert len(theirs) == len(ours) >= 3 * 20
    for row in theirs:
        key = row.part, row.direction, row.level, row.k
        assert row.accuracy == pytest.approx(ours[key], abs=1e-5), key  # mteb rounds to six digits
    assert 0 < np.mean([row.accuracy for row in theirs if row.k == 1]) < 1


def test_the_tasks_are_mtebs_own(exported):
    tasks = local_tasks(exported, ["A2I"])
    (task,) = tasks
    assert task.__class__.__mro__[1].__name__ == "BioVITAA2IReranking"
    assert set(task.hf_subsets) >= {"unseen_species", "unseen_genus"}
    with pytest.raises(BiovitaError, match="BioVITAA2TRetrieval"):
        local_tasks(exported / "nothing")


def test_a_model_of_mtebs_is_scored_by_us(benchmark):
    model = MtebModel(encoder(), "tests/by-content")
    photographs = [benchmark.root / row["path"] for row in benchmark.items[Modality.IMAGE].to_pylist()[:3]]
    recordings = [benchmark.root / row["path"] for row in benchmark.items[Modality.AUDIO].to_pylist()[:2]]
    assert model.embed_images(photographs).shape == (3, DIM)
    assert model.embed_audio(recordings).shape == (2, DIM)
    assert model.embed_audio([(np.ones(4800, np.float32), 48_000)]).shape == (1, DIM)
    assert model.embed_texts(["a", "b"]) == pytest.approx(
        np.array([by_content("text", "a"), by_content("text", "b")], np.float32)
    )


def test_an_unknown_model_is_said_so():
    with pytest.raises(ModelError, match="mteb has no model 'nobody/nothing'"):
        open_model("mteb:nobody/nothing")
