"""What a dataset can test, against the benchmark that its split becomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from biovita.benchmark.from_split import benchmark_from_split
from biovita.dataset import Dataset, split_dataset
from biovita.dataset.dataset import replace_tables
from biovita.dataset.outlook import outlook
from biovita.modality import DIRECTIONS
from support.bench_cases import write_small
from support.commands import run_command


def _undivided(path: Path, **options: int) -> Dataset:
    dataset = write_small(path, **options)
    bare = {name: dataset.table(name).drop_columns("split") for name in ("audio", "images")}
    replace_tables(
        dataset, {name: table.append_column("split", [[None] * len(table)]) for name, table in bare.items()}, {}
    )
    return Dataset.open(path)


def test_a_divided_dataset_asks_for_the_taxa_of_its_benchmark(tmp_path: Path) -> None:
    dataset = write_small(tmp_path / "birds")
    split_dataset(dataset, unseen=9, seed=2)
    found = outlook(dataset)
    benchmark = benchmark_from_split(dataset)
    by_task = {(task.part, task.direction, task.level.value): task for task in benchmark.tasks}
    assert len(found.asked) == 2 * len(DIRECTIONS)
    compared = 0
    for one in found.asked:
        for level in ("species", "genus", "family"):
            task = by_task.get((one.part, one.direction, level))
            asked = len(np.unique(task.candidates[np.arange(len(task.correct)), task.correct])) if task else 0
            assert getattr(one, level) == asked or (asked == 0 and getattr(one, level) < 2)
            compared += task is not None
    assert compared > 30
    train = {
        m: pc.sum(pc.equal(t["split"], "train")).as_py()
        for m, t in (("audio", dataset.audio), ("image", dataset.images))
    }
    assert found.training == train
    assert found.next_step.startswith("It can be trained on: biovita train")


def test_an_undivided_dataset_says_the_most_that_a_split_can_ask(tmp_path: Path) -> None:
    dataset = _undivided(tmp_path / "birds")
    before = outlook(dataset)
    assert (before.split, before.training) == (False, None)
    assert f"biovita data split {dataset.path} --unseen {before.usual_unseen}" in before.next_step
    assert before.usual_unseen == 5
    split_dataset(dataset, unseen=before.most_unseen, seed=0)
    after = {(one.part, one.direction): one for one in outlook(Dataset.open(dataset.path)).asked}
    for one in before.asked:
        if one.part == "unseen" and {"A", "I"} == set(one.direction) - {"2"}:
            assert one == after[one.part, one.direction]
    refused = run_command("data", "split", dataset.path, "--unseen", before.most_unseen + 1)
    assert f"the largest number that works is {before.most_unseen} " in refused.err


def test_what_is_missing_is_counted_with_what_to_do(tmp_path: Path) -> None:
    dataset = write_small(tmp_path / "birds", per_species=1)
    found = {short.what: short for short in outlook(dataset).shortages}
    assert (found["no photograph"].taxa, found["no photograph"].examples) == (1, ("Genus11 species23",))
    assert found["one recording only"].taxa == 25
    assert (found["no genus"].taxa, found["no family"].taxa) == (1, 2)
    assert "taxonomy backbone" in found["no family"].advice
    assert "no recording" not in found


def test_the_command_says_whether_one_can_train_on_it(tmp_path: Path) -> None:
    dataset = _undivided(tmp_path / "birds")
    shown = run_command("data", "show", dataset.path)
    assert "can be asked  directions  species  genera  families\n" in shown.out
    assert "\n  1 taxon has no photograph: Genus11 species23\n" in shown.out
    assert shown.out.endswith(outlook(dataset).next_step + "\n")
    told = run_command("data", "show", dataset.path, "--json").json()
    assert told["outlook"]["most_unseen"] == outlook(dataset).most_unseen


def test_recordings_alone_can_be_divided_and_asked_by_name(tmp_path: Path) -> None:
    dataset = _undivided(tmp_path / "birds")
    replace_tables(dataset, {"images": dataset.images.slice(0, 0)}, {})
    dataset = Dataset.open(dataset.path)
    found = {(one.part, one.direction): one.species for one in outlook(dataset).asked}
    assert found["unseen", "A2T"] == found["seen", "T2A"] + 0 == 24
    assert not any(number for (_, direction), number in found.items() if "I" in direction)
    assert len(split_dataset(dataset, unseen=5, seed=0).unseen) == 5
