"""What each part of the starter recipes brings on species that the alignment never met.

    python benchmarks/starter_recipe.py NAME=DATASET:UNSEEN ... [--species report|choose|all] [--seeds 0 1 ...]
        [--only OPTION ...] [--log FILE] [--bf16]

A DATASET is imported and embedded already (`biovita demo` leaves one), such as ``field=demo-run/dataset:40``. A split
holds out UNSEEN species, one split a seed. A third of the species, by a hash of their names, are unseen in reporting
only (``report``); choices are made with unseen species of the other two thirds (``choose``).

Each option is the default recipe with some things changed. It trains both stages, and is scored at species level:

- Top-1 and Top-5, mean of six directions, where a species is asked by lineage, scientific and common name, and by
  its bare scientific name; among at most 100 unseen species;
- A-I: the mean of sound to photograph and photograph to sound;
- sound to name with all names as candidates, those of species that were trained on among them: unseen, seen, and
  their harmonic mean.

All in percent, the mean over the seeds; beside them the difference to the default on the same splits, with a 95 %
interval by Student's t over the seeds. ``--log`` keeps each result in a file, and a run that was stopped goes on from
it. ``--bf16`` multiplies matrices in bfloat16 where the processor can, for all options alike.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from biovita.benchmark import benchmark_from_split, headline, score_benchmark
from biovita.benchmark.generalised import generalised_rows
from biovita.benchmark.task import Benchmark
from biovita.dataset import Dataset
from biovita.dataset.split import split_dataset
from biovita.demo import TEXT
from biovita.embedding import Vectors, vectors
from biovita.modality import Modality
from biovita.model import Model, describe, load_model
from biovita.model.formats.projections import aligned_model
from biovita.training import FrozenRecipe, recipe
from biovita.training.projections.align import Aligned, align, untrained
from biovita.training.projections.known_places import knowledge_of
from biovita.training.projections.training_set import TrainingSet, training_set
from biovita.traits.book import book_of


@dataclass(frozen=True)
class Option:
    """Settings of both stages, further ones of stage 2, and the stages that are trained."""

    both: Mapping[str, Any] = field(default_factory=dict)
    second: Mapping[str, Any] = field(default_factory=dict)
    stages: tuple[int, ...] = (1, 2)


WORDS = {"text.features": ()}
STILL = {"pull.classes": 0, "pull.items": 0, "pull.names": 0, "pull.answers": 0}
WEIGHTS = {"weights.aic": 0.1, "weights.itc": 0.1}
GATE = {"gate": {}}
ITEM = {"positives": "item"}

OPTIONS: dict[str, Option] = {
    "default": Option(),
    "as before: words alone, nothing drawn, 512 dimensions, 200 steps": Option(
        {**WORDS, **STILL, "dim": 512, "steps": 200}
    ),
    "words alone, nothing drawn": Option({**WORDS, **STILL}),
    "lineage, nothing drawn": Option({**STILL, "text.features": ("lineage",)}),
    "traits, nothing drawn": Option({**STILL, "text.features": ("traits",)}),
    "lineage and traits, nothing drawn": Option(STILL),
    "words, names drawn to classes": Option({**WORDS, **STILL, "pull.classes": 0.6}),
    "words, names drawn to items": Option({**WORDS, **STILL, "pull.items": 0.6}),
    "words, media drawn to names": Option({**WORDS, **STILL, "pull.names": 1.0}),
    "words, sounds drawn to answers": Option({**WORDS, **STILL, "pull.answers": 2.0}),
    "without lineage": Option({"text.features": ("traits",)}),
    "without traits": Option({"text.features": ("lineage",)}),
    "without names drawn to relatives": Option({"pull.classes": 0, "pull.items": 0}),
    "without media drawn to names": Option({"pull.names": 0}),
    "without sounds drawn to answers": Option({"pull.answers": 0}),
    "nothing hidden from texts": Option({"text.hidden": 0}),
    "names drawn half as far": Option({"pull.classes": 0.3, "pull.items": 0.3}),
    "names drawn 1.0": Option({"pull.classes": 1.0, "pull.items": 1.0}),
    "media drawn half as far": Option({"pull.names": 0.5}),
    "media drawn twice as far": Option({"pull.names": 2.0}),
    "sounds drawn half as far to answers": Option({"pull.answers": 1.0}),
    "sharpness 20": Option({"pull.sharpness": 20}),
    "sharpness 60": Option({"pull.sharpness": 60}),
    "512 dimensions": Option({"dim": 512}),
    "200 steps a stage": Option({"steps": 200}),
    "64 species a step": Option({"species_batch": 64}),
    "128 species a step": Option({"species_batch": 128}),
    "stage 0 first": Option(stages=(0, 1, 2)),
    "positives of one species only": Option({"positives": "species"}),
    "no names without media": Option({"weights.names": 0}),
    "no noise": Option({"noise": 0}),
    "sigmoid loss (SigLIP)": Option({"loss": "sigmoid", "logit_scale": 10}),
    "published: items of a species as negatives": Option(ITEM),
    "published: weights of AIC and ITC 0.1": Option(second=WEIGHTS),
    "published: gate": Option(second=GATE),
    "published: all, words alone, nothing drawn, no names without media, no noise": Option(
        {**ITEM, **WORDS, **STILL, "logit_scale": 1 / 0.07, "weights.names": 0, "noise": 0}, {**WEIGHTS, **GATE}
    ),
}

MEASURES = ("Top-1", "Top-5", "bare 1", "bare 5", "A-I 1", "A-I 5", "all unseen", "all seen", "harmonic")
COMPARED = ("Top-1", "Top-5", "bare 1", "A-I 1", "all unseen")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="+", metavar="NAME=DATASET:UNSEEN")
    parser.add_argument("--species", choices=("report", "choose", "all"), default="report")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--only", nargs="+", choices=OPTIONS, default=list(OPTIONS), metavar="OPTION")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--bf16", action="store_true")
    arguments = parser.parse_args()
    names = list(dict.fromkeys(["default", *arguments.only]))
    found = _logged(arguments.log)
    if arguments.bf16:
        torch.set_float32_matmul_precision("medium")
    towers = load_model(describe("starter").towers, "cpu")
    datasets = [dataset_named(text) for text in arguments.datasets]
    for seed in arguments.seeds:
        for name, path, unseen in datasets:
            there = (name, arguments.species, seed)
            missing = [option for option in names if (*there, option) not in found]
            for option, measured in _measured(
                path, unseen, arguments.species, seed, options=missing, towers=towers
            ):
                found[*there, option] = measured
                if arguments.log:
                    with arguments.log.open("a", encoding="utf-8") as file:
                        file.write(json.dumps([*there, option, measured]) + "\n")
    for name, _, unseen in datasets:
        print(f"\n{name}: {unseen} unseen species ({arguments.species}), seeds {arguments.seeds}")
        _print_table(found, name, arguments.species, names, arguments.seeds)


Measured = dict[str, float]
Found = dict[tuple[str, str, int, str], Measured]


def dataset_named(text: str) -> tuple[str, Path, int]:
    name, _, rest = text.partition("=")
    path, _, unseen = rest.rpartition(":")
    if not (name and path and unseen.isdigit()):
        raise SystemExit(f"{text}: write a dataset as NAME=DATASET:UNSEEN")
    return name, Path(path), int(unseen)


def _logged(log: Path | None) -> Found:
    if log is None or not log.is_file():
        return {}
    lines = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    return {(name, species, seed, option): measured for name, species, seed, option, measured in lines}


def _print_table(found: Found, name: str, species: str, options: Sequence[str], seeds: Sequence[int]) -> None:
    columns = {option: _column(found, name, species, option, seeds) for option in options}
    print(f"{'option':<66}" + "".join(f"{measure:>11}" for measure in MEASURES) + f"{'seconds':>9}")
    for option, rows in columns.items():
        seconds = np.mean([found[name, species, seed, option]["seconds"] for seed in seeds])
        print(f"{option:<66}" + "".join(f"{value:11.1f}" for value in rows.mean(axis=0)) + f"{seconds:9.0f}")
    print(f"\n{'the default less the option':<66}" + "".join(f"{measure:>22}" for measure in COMPARED))
    for option, rows in columns.items():
        if option == "default":
            continue
        cells = []
        for measure in COMPARED:
            less = (columns["default"] - rows)[:, MEASURES.index(measure)]
            half = half_width(less)
            cells.append(f"{less.mean():8.1f} ({less.mean() - half:5.1f},{less.mean() + half:5.1f})")
        print(f"{option:<66}" + "".join(f"{cell:>22}" for cell in cells))
    print(f"\n{'95 % interval over the splits':<66}" + "".join(f"{measure:>22}" for measure in COMPARED))
    for option, rows in columns.items():
        spans = [(rows[:, MEASURES.index(m)].mean(), half_width(rows[:, MEASURES.index(m)])) for m in COMPARED]
        print(
            f"{option:<66}" + "".join(f"{f'{mean - half:.1f} to {mean + half:.1f}':>22}" for mean, half in spans)
        )


def _column(found: Found, name: str, species: str, option: str, seeds: Sequence[int]) -> np.ndarray:
    """Return the measures of an option, ``(seeds, measures)``."""
    return np.array([[found[name, species, seed, option][m] for m in MEASURES] for seed in seeds])


def half_width(values: np.ndarray) -> float:
    """Return half the width of the 95 % interval of the mean."""
    if len(values) < 2:
        return float("nan")
    return float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def _measured(
    path: Path, unseen: int, species: str, seed: int, *, options: Sequence[str], towers: Model
) -> Iterator[tuple[str, Measured]]:
    """Give what is measured of each of these options."""
    if not options:
        return
    with copy_of(path) as dataset:
        hold_out(dataset, unseen, species, seed)
        asked = _Asked.of(dataset, towers, seed)
        before: dict[str, Aligned] = {}
        for option in options:
            began = time.process_time()
            model = trained(dataset, towers, OPTIONS[option], seed, before)
            yield option, asked.measured(model) | {"seconds": time.process_time() - began}


def hold_out(dataset: Dataset, unseen: int, species: str, seed: int) -> None:
    """Hold out species that have recordings and photographs, of one or two thirds of all."""
    both = set(dataset.audio["taxon_id"].to_pylist()) & set(dataset.images["taxon_id"].to_pylist())
    names = sorted(dataset.taxonomy[taxon_id].scientific_name for taxon_id in both)
    if species != "all":
        names = [name for name in names if _only_reported(name) == (species == "report")]
    drawn = np.random.default_rng(seed).permutation(names)[:unseen]
    listed = dataset.path / "unseen.txt"
    listed.write_text("\n".join(drawn), encoding="utf-8")
    split_dataset(dataset, unseen_list=listed, seed=seed)


def _only_reported(name: str) -> bool:
    """Return whether a species is in the third that no choice is made on."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 3 == 0


@dataclass(frozen=True, eq=False)
class _Asked:
    """What models are asked about a split."""

    dataset: Dataset
    vectors: Mapping[Modality, Vectors]
    prompted: Benchmark
    bare: Benchmark
    among_all: Benchmark

    @classmethod
    def of(cls, dataset: Dataset, towers: Model, seed: int) -> _Asked:
        return cls(
            dataset,
            {modality: vectors(dataset, towers, modality, space="tower") for modality in Modality},
            benchmark_from_split(dataset, seed=seed, text=TEXT),
            benchmark_from_split(dataset, seed=seed, text="name"),
            benchmark_from_split(dataset, seed=seed, text=TEXT, candidates="all"),
        )

    def measured(self, model: Model) -> Measured:
        known = model.knowing(book_of(self.dataset))
        projected = {m: Vectors(v.ids, known.project(m, v.array, v.ids)) for m, v in self.vectors.items()}
        six, bare = (score_benchmark(asked, projected).rows() for asked in (self.prompted, self.bare))
        rows = generalised_rows(self.among_all, score_benchmark(self.among_all, projected))
        (named,) = [row for row in rows if (row.direction, row.level, row.k) == ("A2T", "species", 1)]
        values = [
            *(_accuracy(six, k) for k in (1, 5)),
            *(_accuracy(bare, k) for k in (1, 5)),
            *(_accuracy(six, k, ("A2I", "I2A")) for k in (1, 5)),
            *(named.unseen, named.seen, named.harmonic),
        ]
        return {measure: 100 * value for measure, value in zip(MEASURES, values, strict=True)}


def _accuracy(rows: Sequence[Any], k: int, directions: tuple[str, ...] | None = None) -> float:
    found = headline(rows, stage=None, part="unseen", k=k, directions=directions)
    assert found is not None
    return found.accuracy


def trained(dataset: Dataset, towers: Model, option: Option, seed: int, before: dict[str, Aligned]) -> Model:
    """Return the model of an option; what its stages train is kept in ``before`` for options that train the same."""
    recipes = [
        recipe(
            f"starter/stage{stage}",
            {"seed": seed, **option.both, **(option.second if stage == 2 else {})},
            FrozenRecipe,
        )
        for stage in option.stages
    ]
    last = recipes[-1]
    data = _data(dataset, towers, last.text.features)
    aligned = untrained(data, recipes[0])
    made_by = ""
    for chosen in recipes:
        made_by += chosen.model_dump_json(exclude={"pull"})
        if made_by not in before:
            before[made_by] = align(data, chosen, aligned)
        aligned = before[made_by]
    return aligned_model("measured", towers, aligned.projections, knowledge=knowledge_of(aligned, data, last))


@cache
def _data(dataset: Dataset, towers: Model, features: tuple[Any, ...]) -> TrainingSet:
    return training_set(dataset, towers, features=features)


@contextmanager
def copy_of(path: Path) -> Iterator[Dataset]:
    """Give a copy of a dataset without its media, to split."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(path, Path(scratch) / "dataset", ignore=shutil.ignore_patterns("media"))
        yield Dataset.open(Path(scratch) / "dataset")


if __name__ == "__main__":
    main()
