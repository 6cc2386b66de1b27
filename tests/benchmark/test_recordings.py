from __future__ import annotations

import numpy as np
import pytest
import soundfile

from biovita.benchmark import benchmark_from_split
from biovita.benchmark.recordings import contrast_db, measured, stated
from biovita.dataset import split_dataset
from biovita.modality import modalities_of
from support.bench_cases import write_small

RATE = 16_000


def call(loudness: float, seconds: float = 4.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    samples = 0.01 * rng.normal(size=int(seconds * RATE))
    for start in range(0, len(samples) - RATE // 4, RATE):
        span = slice(start, start + RATE // 4)
        samples[span] += loudness * np.sin(2 * np.pi * 3000 * np.arange(RATE // 4) / RATE)
    return samples


def test_nearer_calls_stand_out_more():
    found = [contrast_db(call(loudness), RATE) for loudness in (0, 0.03, 0.3)]
    assert found[0] < 6
    assert found[0] < found[1] < found[2]
    assert found[2] > 25


def test_level_and_hum_do_not_matter():
    samples = call(0.1)
    hum = 0.5 * np.sin(2 * np.pi * 100 * np.arange(len(samples)) / RATE)
    assert contrast_db(0.1 * samples, RATE) == pytest.approx(contrast_db(samples, RATE), abs=1e-6)
    assert contrast_db(samples + hum, RATE) == pytest.approx(contrast_db(samples, RATE), abs=1)
    assert contrast_db(np.zeros(10), RATE) == 0


def test_spans_are_measured_and_what_cannot_be_read_is_left_out(tmp_path):
    dataset = write_small(tmp_path / "d", taxa=6)
    rows = dataset.audio.to_pylist()
    for row in rows:
        soundfile.write(tmp_path / "d" / row["path"], call(0.1), RATE)
    split_dataset(dataset, unseen=2, seed=0)
    benchmark = benchmark_from_split(dataset)
    gone = benchmark.items["audio"]["path"][0].as_py()
    (tmp_path / "d" / gone).unlink()
    found, said = measured(benchmark), stated(benchmark)
    asking = [q for t in benchmark.tasks if modalities_of(t.direction)[0] == "audio" for q in t.queries]
    known = np.flatnonzero(~np.isnan(found.seconds))
    assert known.tolist() == sorted(set(asking) - {0})
    assert np.flatnonzero(~np.isnan(found.contrast_db)).tolist() == known.tolist()
    assert set(found.seconds[known]) == {0.5}
    np.testing.assert_array_equal(said.seconds[known], found.seconds[known])
    assert np.isnan(said.contrast_db).all()
    assert said.seconds[0] == 0.5, "its length is known without it"
