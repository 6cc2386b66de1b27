"""What each choice of the starter recipes brings on unseen species, beside the published choices.

    python benchmarks/starter_recipe.py NAME=DATASET:UNSEEN ... [--seeds 20 21 22] [--log FILE]

A DATASET is imported and embedded already (`biovita demo` leaves one), such as ``field=demo-run/dataset:40``. Each
option is the default recipe with one thing changed, unless its name says more. It trains both stages on splits of its
own, one a seed, and is scored as the demo is: Top-1 and Top-5 at species level on the species held out whole, the mean
of six directions, as times chance. The ratio to the default's Top-1 on the same split is averaged over the seeds as a
geometric mean, with a 95 % interval by Student's t on its logarithm; for all datasets together the unit is a seed, the
mean of its logarithms over the datasets. The default was chosen on seeds 0 to 19 of both datasets: taxonomy-aware
targets on 10 to 19, all else before. ``--log`` keeps each result in a file, and a run that was stopped goes on from
it; ``--bf16`` multiplies matrices in bfloat16 where the processor can, in about two thirds of the time, for all options
alike.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from biovita.benchmark import benchmark_from_split, headline, score_benchmark
from biovita.benchmark.task import Benchmark
from biovita.dataset import Dataset
from biovita.dataset.split import split_dataset
from biovita.demo import TEXT
from biovita.embedding import Vectors, vectors
from biovita.modality import Modality
from biovita.model import Model, describe, load_model
from biovita.model.formats.projections import aligned_model
from biovita.training import FrozenRecipe, recipe
from biovita.training.projections.align import Aligned, TrainingSet, align, untrained
from biovita.training.projections.training_set import training_set


@dataclass(frozen=True)
class Option:
    """Settings of both stages, further ones of stage 2, and the stages that are trained."""

    both: Mapping[str, Any] = field(default_factory=dict)
    second: Mapping[str, Any] = field(default_factory=dict)
    stages: tuple[int, ...] = (1, 2)


WEIGHTS = {"weights.aic": 0.1, "weights.itc": 0.1}
GATE = {"gate": {}}
ITEM = {"positives": "item"}
SIGMOID = {"loss": "sigmoid", "logit_scale": 10}

# The published choices as far as they apply to frozen towers. Names without media and noise on the vectors are ours.
OPTIONS: dict[str, Option] = {
    "default": Option(),
    "published: items of a species as negatives": Option(ITEM),
    "published: weights of AIC and ITC 0.1": Option(second=WEIGHTS),
    "published: gate": Option(second=GATE),
    "published: negatives, weights, gate": Option(ITEM, {**WEIGHTS, **GATE}),
    "published: all, so no names without media, no noise": Option(
        {**ITEM, "logit_scale": 1 / 0.07, "weights.names": 0, "noise": 0}, {**WEIGHTS, **GATE}
    ),
    "no names without media": Option({"weights.names": 0}),
    "no noise": Option({"noise": 0}),
    "no species twice in a batch": Option({"items_per_species": 1}),
    "sigmoid loss (SigLIP)": Option(SIGMOID),
    "positives of one species only": Option({"positives": "species"}),
    "256 dimensions": Option({"dim": 256}),
    "100 steps a stage": Option({"steps": 100}),
    "stage 0 first": Option(stages=(0, 1, 2)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="+", metavar="NAME=DATASET:UNSEEN")
    parser.add_argument("--seeds", type=int, nargs="+", default=[20, 21, 22])
    parser.add_argument("--only", nargs="+", choices=OPTIONS, default=list(OPTIONS))
    parser.add_argument("--log", type=Path)
    parser.add_argument("--bf16", action="store_true")
    arguments = parser.parse_args()
    names = list(dict.fromkeys(["default", *arguments.only]))
    found = _logged(arguments.log)
    if arguments.bf16:
        torch.set_float32_matmul_precision("medium")
    starter = load_model(describe("starter").towers, "cpu")
    datasets = [_dataset(text) for text in arguments.datasets]
    for seed in arguments.seeds:
        for name, path, unseen in datasets:
            missing = [option for option in names if (name, option, seed) not in found]
            for option, scores in _measured(path, unseen, seed, missing, starter):
                found[name, option, seed] = scores
                if arguments.log:
                    with arguments.log.open("a", encoding="utf-8") as file:
                        file.write(json.dumps([name, option, seed, *scores]) + "\n")
    for name, _, unseen in datasets:
        print(f"\n{name}: {unseen} unseen species, seeds {' '.join(map(str, arguments.seeds))}")
        _print_table(found, [name], names, arguments.seeds)
    if len(datasets) > 1:
        print("\ntogether")
        _print_table(found, [name for name, _, _ in datasets], names, arguments.seeds)


Found = dict[tuple[str, str, int], tuple[float, float]]


def _dataset(text: str) -> tuple[str, Path, int]:
    name, _, rest = text.partition("=")
    path, _, unseen = rest.rpartition(":")
    if not (name and path and unseen.isdigit()):
        raise SystemExit(f"{text}: write a dataset as NAME=DATASET:UNSEEN")
    return name, Path(path), int(unseen)


def _logged(log: Path | None) -> Found:
    if log is None or not log.is_file():
        return {}
    lines = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    return {(name, option, seed): (first, fifth) for name, option, seed, first, fifth in lines}


def _print_table(found: Found, datasets: Sequence[str], options: Sequence[str], seeds: Sequence[int]) -> None:
    print(f"{'option':<52} {'Top-1':>6} {'Top-5':>6}   ratio   95 % interval")
    rows = {}
    for option in options:
        scores = np.array([[found[name, option, seed] for seed in seeds] for name in datasets])
        default = np.array([[found[name, "default", seed] for seed in seeds] for name in datasets])
        logs = np.log(scores[..., 0] / default[..., 0]).mean(axis=0)
        rows[option] = (scores.mean(axis=(0, 1)), logs.mean(), _half_width(logs))
    for option, (mean, ratio, half) in sorted(rows.items(), key=lambda row: -row[1][1]):
        low, high = np.exp(ratio - half), np.exp(ratio + half)
        between = "" if option == "default" else f"{low:.3f} to {high:.3f}"
        print(f"{option:<52} {mean[0]:6.2f} {mean[1]:6.2f}   {np.exp(ratio):5.3f}   {between}")


def _half_width(values: np.ndarray) -> float:
    """Return half the width of the 95 % interval of the mean."""
    if len(values) < 2:
        return float("nan")
    return float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def _measured(
    path: Path, unseen: int, seed: int, options: Sequence[str], starter: Model
) -> Iterator[tuple[str, tuple[float, float]]]:
    """Give Top-1 and Top-5 as times chance of each of these options."""
    if not options:
        return
    with _copy_of(path) as dataset:
        split_dataset(dataset, unseen=unseen, seed=seed)
        data = training_set(dataset, starter)
        benchmark = benchmark_from_split(dataset, seed=seed, text=TEXT)
        found = {modality: vectors(dataset, starter, modality, space="tower") for modality in Modality}
        before: dict[str, Aligned] = {}
        for option in options:
            aligned = _trained(data, OPTIONS[option], seed, before)
            yield option, _times_chance(aligned, benchmark, found, starter)


def _trained(data: TrainingSet, option: Option, seed: int, before: dict[str, Aligned]) -> Aligned:
    """Return what the stages of an option make; stages before the last are kept in ``before`` for other options."""
    recipes = [
        recipe(
            f"starter/stage{stage}",
            {"seed": seed, **option.both, **(option.second if stage == 2 else {})},
            FrozenRecipe,
        )
        for stage in option.stages
    ]
    aligned = untrained(data, recipes[0])
    made_by = ""
    for chosen in recipes[:-1]:
        made_by += chosen.model_dump_json()
        if made_by not in before:
            before[made_by] = align(data, chosen, aligned)
        aligned = before[made_by]
    return align(data, recipes[-1], aligned)


def _times_chance(
    aligned: Aligned, benchmark: Benchmark, found: Mapping[Modality, Vectors], starter: Model
) -> tuple[float, float]:
    model = aligned_model("measured", starter, aligned.projections)
    projected = {m: Vectors(v.ids, model.project(m, v.array)) for m, v in found.items()}
    rows = score_benchmark(benchmark, projected).rows()
    first, fifth = (headline(rows, stage=None, part="unseen", k=k) for k in (1, 5))
    assert first is not None
    assert fifth is not None
    return first.times_chance, fifth.times_chance


@contextmanager
def _copy_of(path: Path) -> Iterator[Dataset]:
    """Give a copy of a dataset without its media, to split."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(path, Path(scratch) / "dataset", ignore=shutil.ignore_patterns("media"))
        yield Dataset.open(Path(scratch) / "dataset")


if __name__ == "__main__":
    main()
