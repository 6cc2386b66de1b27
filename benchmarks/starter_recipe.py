"""What each choice of the starter recipes brings on unseen species.

    python benchmarks/starter_recipe.py DATASET [--seeds 10 11 12] [--unseen 40]

DATASET is imported and embedded already (`biovita demo` leaves one). Each line trains both stages on splits of its own,
one a seed, and prints the mean over the six directions at species level as times chance, Top-1 and Top-5, and Top-1's
ratio to the default recipe on the same split: the mean over the seeds with its 95 % interval by Student's t. The
default seeds are not those that the tests and the docs report.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from biovita.bench import build_benchmark, headline, score_benchmark
from biovita.dataset import Dataset, Modality
from biovita.dataset.split import split_dataset
from biovita.demo import TEXT
from biovita.embed import Vectors, read_vectors
from biovita.towers import Tower, load_towers
from biovita.train import FrozenRecipe, recipe
from biovita.train.frozen import model_of, training_set
from biovita.train.loop import align, untrained

# What of the published recipe applies to frozen towers: other items of a species as negatives, the small weights of
# the two image terms, the temperature. The gate has no part in it: it guards a text tower that is trained.
PUBLISHED: dict[str, Any] = {"positives": "item", "weights.aic": 0.1, "weights.itc": 0.1, "logit_scale": 1 / 0.07}

OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "no class names": {"weights.names": 0},
    "class names x 3": {"weights.names": 3},
    "same species as negatives (published)": {"positives": "item"},
    "one pair a species": {"items_per_species": 1},
    "no noise": {"noise": 0},
    "noise 1": {"noise": 1},
    "noise 3": {"noise": 3},
    "logit scale from 1 / 0.07 (published)": {"logit_scale": 1 / 0.07},
    "512 dimensions": {"dim": 512},
    "400 steps a stage": {"steps": 400},
    "published weights of AIC and ITC (0.1)": {"weights.aic": 0.1, "weights.itc": 0.1},
    "sigmoid loss (SigLIP)": {"loss": "sigmoid", "logit_scale": 10},
    "taxonomy-aware targets, 0.03": {"positives": "taxonomy", "kinship": 0.03},
    "taxonomy-aware targets, 0.1": {"positives": "taxonomy", "kinship": 0.1},
    "taxonomy-aware targets, 0.3": {"positives": "taxonomy", "kinship": 0.3},
    "sigmoid, taxonomy-aware 0.1": {
        "loss": "sigmoid",
        "logit_scale": 10,
        "positives": "taxonomy",
        "kinship": 0.1,
    },
    "published choices, names and noise kept": PUBLISHED,
    "published choices": {**PUBLISHED, "weights.names": 0, "noise": 0},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12])
    parser.add_argument("--unseen", type=int, default=40)
    parser.add_argument("--only", nargs="+", choices=OPTIONS, default=list(OPTIONS))
    arguments = parser.parse_args()
    towers = load_towers("starter", "cpu")
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(arguments.dataset, Path(scratch) / "dataset")
        dataset = Dataset.open(Path(scratch) / "dataset")
        print(f"{'option':<40} {'Top-1':>6} {'Top-5':>6}   ratio   95 % interval   Top-1 a seed")
        default: np.ndarray | None = None
        for name in arguments.only:
            found = np.array(
                [times_chance(dataset, towers, OPTIONS[name], seed, arguments.unseen) for seed in arguments.seeds]
            )
            first, fifth = found.mean(axis=0)
            default = found[:, 0] if default is None else default
            ratio, half = interval(found[:, 0] / default)
            low, high = ratio - half, ratio + half
            each = " ".join(f"{value:.1f}" for value in found[:, 0])
            print(
                f"{name:<40} {first:6.2f} {fifth:6.2f}   {ratio:5.2f}   {low:5.2f} to {high:4.2f}   {each}",
                flush=True,
            )


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and half the width of its 95 % interval."""
    if len(values) < 2:
        return float(values.mean()), float("nan")
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(half)


def times_chance(
    dataset: Dataset, towers: Mapping[Modality, Tower], options: Mapping[str, Any], seed: int, unseen: int
) -> tuple[float, float]:
    """Return Top-1 and Top-5 as times chance after both stages, the mean over the directions."""
    split_dataset(dataset, unseen=unseen, seed=seed)
    data = training_set(dataset, "starter", towers)
    aligned = None
    for stage in (1, 2):
        shared = {
            key: value for key, value in options.items() if stage == 2 or key not in {"weights.aic", "weights.itc"}
        }
        chosen = recipe(f"starter/stage{stage}", {"seed": seed, **shared}, FrozenRecipe)
        aligned = align(data, chosen, aligned or untrained(data, chosen))
    model = model_of(aligned, chosen, towers, dataset)
    vectors = {}
    for modality in Modality:
        found = read_vectors(dataset, "starter", modality)
        vectors[modality] = Vectors(found.ids, found.taxon_ids, model.project(modality, found.vectors))
    rows = score_benchmark(build_benchmark(dataset, seed=seed, text=TEXT), vectors).rows()
    first, fifth = (headline(rows, stage=None, part="unseen", k=k).times_chance for k in (1, 5))
    return first, fifth


if __name__ == "__main__":
    main()
