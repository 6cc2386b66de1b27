"""One family's calls exchanged with another's, in real and simulated datasets: the analysis has to show it."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from biovita.benchmark import benchmark_from_split
from biovita.benchmark.evaluation import evaluate
from biovita.dataset import Dataset, split_dataset
from biovita.modality import Modality
from biovita.report import run_of, write_run
from biovita.taxonomy import Rank
from support.bench_cases import class_vectors, with_few_draws, write_vectors
from support.part_of_sample import copy_part

pytestmark = pytest.mark.slow


def field_sample(shared_data, folder) -> Dataset:
    from biovita.sources.folder import import_folder

    import_folder(copy_part(shared_data / "field-sample", folder.with_name("s")), out=folder, progress=False)
    return Dataset.open(folder)


def simulated(shared_data, folder) -> Dataset:
    from biovita.simulation import simulate_media

    return simulate_media(folder, 24, 0, recordings=2, photographs=1, workers=1, progress=False)


@pytest.mark.parametrize("source", [field_sample, simulated])
def test_exchanged_calls_stand_out(source, shared_data, tmp_path, monkeypatch):
    with_few_draws(monkeypatch)
    dataset = source(shared_data, tmp_path / "d")
    both = set(dataset.audio["taxon_id"].to_pylist()) & set(dataset.images["taxon_id"].to_pylist())
    split_dataset(dataset, unseen=len(both) // 2, seed=0)
    benchmark = benchmark_from_split(dataset)
    vectors = class_vectors(benchmark, dataset, noise=0.4, dim=128)
    families = benchmark.labels(Modality.AUDIO, Rank.FAMILY)
    unseen = np.array([part == "unseen" for part in benchmark.items[Modality.AUDIO]["part"].to_pylist()])
    sizes = Counter(families[unseen].tolist())
    one, other = (name for name, _ in sizes.most_common(2))
    places = [np.flatnonzero((families == name) & unseen) for name in (one, other)]
    table = vectors[Modality.AUDIO].vectors
    before = table.copy()
    for mine, theirs in (places, places[::-1]):
        table[mine] = before[np.resize(theirs, len(mine))]
    (tmp_path / "v").mkdir()
    for modality, made in vectors.items():
        write_vectors(tmp_path / "v", modality, made.ids, made.vectors)
    result = evaluate(benchmark, f"vectors:{tmp_path / 'v'}", tmp_path / "run", contrast=True, progress=False)
    files = write_run(tmp_path / "run", run_of(result))
    found = json.loads(files.results.read_text(encoding="utf-8"))
    accuracy = {
        row["family"]: row["accuracy"]
        for row in found["by_family"]
        if (row["part"], row["direction"], row["k"]) == ("unseen", "A2T", 1)
    }
    assert max(accuracy[one], accuracy[other]) < 0.2
    assert np.mean([value for name, value in accuracy.items() if name not in {one, other}]) > 0.6
    pairs = [row for row in found["confusions"] if (row["part"], row["level"]) == ("unseen", "family")]
    assert {(row["taxon"], row["taken_for"]) for row in pairs[:2]} == {(one, other), (other, one)}
    for name in ("by_class", "by_samples", "by_recording", "near_misses", "mrr"):
        assert found[name], name
    if source is simulated:  # the field sample has no traits
        assert found["traits"]
        assert {row["method"] for row in found["trait_prediction"]} == {"probe"}, (
            "vectors alone cannot read labels"
        )
    page = files.report.read_text(encoding="utf-8")
    for title in ("Families that are found least", "Species that are confused most", "Contrast of the recording"):
        assert title in page
    assert page.index(f">{one}<") > 0
