"""What can be learned from a simulated fauna, and that it is the phenotype that is learned."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import biovita.report.page
import biovita.simulation
from biovita.benchmark import ScoreRow, headline
from biovita.dataset import Dataset, split_dataset
from biovita.dataset.dataset import replace_tables
from biovita.demo import DemoResult, demo
from support.bench_cases import with_few_draws
from support.short_demo import in_few_steps

SOUND_AND_PICTURE = ("A2I", "I2A")


def _times_chance(result: DemoResult, k: int, directions: tuple[str, ...] | None = None) -> float:
    rows = [ScoreRow(**row) for row in json.loads(result.results.read_text())["scores"]]
    found = headline(rows, stage=2, part="unseen", k=k, directions=directions)
    assert found is not None
    return found.times_chance


def _with_other_calls(dataset: Path, out: Path, seed: int) -> Path:
    """Copy a dataset and give every species the calls of another; the media and their embeddings stay as they are."""
    shutil.copytree(dataset, out)
    copy = Dataset.open(out)
    species = np.array(sorted(copy.taxonomy))
    order = np.random.default_rng(seed).permutation(len(species))
    other = dict(zip(species[order], species[np.roll(order, 1)], strict=True))
    callers = [other[taxon_id] for taxon_id in copy.audio["taxon_id"].to_pylist()]
    place = copy.audio.schema.get_field_index("taxon_id")
    audio = copy.audio.set_column(place, copy.audio.schema.field("taxon_id"), pa.array(callers, pa.string()))
    replace_tables(copy, {"audio": audio}, {})
    return out


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("a_tenth_of_the_names")
def test_unseen_species_are_found_and_only_through_what_looks_and_calls_share(
    fauna: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Fewer items of a species than the demo draws, and fewer steps, take half the time, and do.
    monkeypatch.setattr(biovita.simulation, "simulate_media", lambda out, *_, **__: shutil.copytree(fauna, out))
    in_few_steps(monkeypatch, 60)
    with_few_draws(monkeypatch)
    first = demo(None, tmp_path / "fauna", seed=0, progress=False)
    assert len(Dataset.open(tmp_path / "fauna" / "dataset").taxonomy) == 60
    assert _times_chance(first, 1) >= 4
    linked = _times_chance(first, 5, SOUND_AND_PICTURE)

    monkeypatch.setattr(biovita.report.page, "render", lambda *_: "")  # the scores are asked for alone
    broken = []
    for seed in range(2):
        unlinked = _with_other_calls(tmp_path / "fauna" / "dataset", tmp_path / f"permuted {seed}", seed)
        split_dataset(unlinked, unseen=15, seed=seed)
        result = demo(unlinked, tmp_path / "out", seed=seed, progress=False)
        broken.append(_times_chance(result, 5, SOUND_AND_PICTURE))
    # Of 15 candidates: at chance, Top-5 over 15 species scatters by a third of chance a split and direction.
    assert linked > 2
    assert np.mean(broken) < 1.5, f"audio and image are linked by something else than the phenotype: {broken}"
