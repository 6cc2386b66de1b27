"""What training by batches of species scores against all species at once, and what a step costs as species grow.

    python benchmarks/species_batches.py scores [DATASET:UNSEEN ...] [--seeds 0 1 ...] [--batches 64 128]
    python benchmarks/species_batches.py cost [--species 1024 4096 14133] [--items 100] [--batch 1024]

Scores are of both stages of the starter recipes, without the term of class names, which no batch of species changes.
An item of a species that training did not meet is asked for among the means of all such species in another modality:
Top-1 in percent, the mean of six directions, one split a seed; then the difference to all at once on the same splits,
with a 95 % interval by Student's t. A DATASET has starter embeddings (`biovita demo` leaves one); beside it stands a
simulated fauna of 350 species, 100 of them unseen, whose vectors are turned sums of what relatives share and noise.

Costs are processor seconds and peak memory. Vectors are random, 768 numbers of 16 bits in files that are read as they
are drawn; half of a species' items are recordings and half photographs. Each number of species is trained in a process
of its own; both stages as a whole are what they take at the recipes' steps.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import torch
from scipy import stats
from torch.nn.functional import normalize

from biovita.dataset import Dataset
from biovita.dataset.held_out import unseen_taxa
from biovita.dataset.split import split_dataset
from biovita.embedding import vectors
from biovita.modality import MEDIA, Modality
from biovita.model import describe, load_model
from biovita.model.knowledge import known_of
from biovita.taxonomy import Taxon, prompts
from biovita.training import FrozenRecipe, recipe
from biovita.training.projections.align import Aligned, align, untrained
from biovita.training.projections.pool import Pool
from biovita.training.projections.species_batches import SpeciesBatches
from biovita.training.projections.training_set import TextPools, TrainingSet, training_set

DIM = 768
ROWS = 8192  # written at once


class Halves:
    """Rows of numbers of 16 bits in a file; see `biovita.embedding.container.Matrix`."""

    def __init__(self, file: Path, rows: int, rng: np.random.Generator) -> None:
        self._array = np.memmap(file, np.float16, "w+", shape=(rows, DIM))
        for start in range(0, rows, ROWS):
            part = self._array[start : start + ROWS]
            part[:] = rng.standard_normal(part.shape, np.float32)
        self.shape = self._array.shape

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return self._array[rows].astype(np.float32)


def simulated(folder: Path, species: int, items: int) -> TrainingSet:
    """Return recordings and photographs of species, in no order, and a text of each."""
    rng = np.random.default_rng(0)
    pools = {
        modality: Pool.of(
            Halves(folder / modality, species * items // 2, rng),
            rng.permutation(np.arange(species).repeat(items // 2)),
            species,
        )
        for modality in (Modality.AUDIO, Modality.IMAGE)
    }
    texts = torch.from_numpy(rng.standard_normal((species, DIM), np.float32))
    pools[Modality.TEXT] = Pool.of(texts, range(species), species)
    taxa = tuple(
        Taxon(f"t{n}", f"G{n // 4} s{n}", genus=f"G{n // 4}", family=f"F{n // 40}", order=f"O{n // 400}")
        for n in range(species)
    )
    return TrainingSet(pools, {}, {}, taxa)


def measured(species: int, items: int, batch: int) -> list[float]:
    """Return the seconds of a step of both stages, of both stages as a whole, and the peak in MiB."""
    settings = {"weights.names": 0, "text.features": "none", "species_batch": batch}
    with tempfile.TemporaryDirectory() as folder:
        data = simulated(Path(folder), species, items)
        seconds, whole = [], 0.0
        aligned = None
        for stage in (1, 2):
            usual = recipe(f"starter/stage{stage}", settings, FrozenRecipe)
            chosen = usual.model_copy(update={"steps": max(1, math.ceil(8 * batch / species))})
            aligned = aligned or untrained(data, chosen)
            began = time.process_time()
            aligned = align(data, chosen, aligned)
            seconds.append((time.process_time() - began) / len(aligned.history))
            whole += seconds[-1] * SpeciesBatches.of(data, usual).steps
        return [*seconds, whole, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]


@dataclass(frozen=True, eq=False)
class Split:
    """What is trained on, and of the species that are not, their vectors."""

    data: TrainingSet
    unseen: Mapping[Modality, Pool]


def simulated_split(seed: int, species: int = 350, unseen: int = 100, dim: int = 64, items: int = 4) -> Split:
    """Return species whose vectors share what their genus, family, order and class are like, in random order."""
    rng = np.random.default_rng(seed)
    size = {"class_": 120, "order": 40, "family": 12, "genus": 4}
    number = rng.permutation(species)
    groups = {rank: number // count for rank, count in size.items()}
    middle = 0.55 * rng.standard_normal((species, dim))
    for group in groups.values():
        middle += 0.42 * rng.standard_normal((species, dim))[group]
    names = [{rank: f"{rank}{group[n]}" for rank, group in groups.items()} for n in range(species)]
    taxa = [Taxon(f"t{n}", f"{names[n]['genus']} s{n}", **names[n]) for n in range(species)]
    trained, held = np.arange(unseen, species), np.arange(unseen)
    pools = {}
    for modality in Modality:
        owners = np.repeat(np.arange(species), 3 if modality == Modality.TEXT else items)
        noise = rng.standard_normal((len(owners), dim)) * (0.3 if modality == Modality.TEXT else 1.0)
        own = 0.45 * rng.standard_normal((species, dim))
        turned = (middle[owners] + own[owners] + noise) @ np.linalg.qr(rng.standard_normal((dim, dim)))[0]
        both = []
        for part in (trained, held):
            kept = np.isin(owners, part)
            both.append(
                Pool.of(torch.from_numpy(turned[kept].astype(np.float32)), owners[kept] - part[0], len(part))
            )
        pools[modality] = both
    data = TrainingSet({m: both[0] for m, both in pools.items()}, {}, {}, tuple(taxa[n] for n in trained))
    return Split(data, {m: both[1] for m, both in pools.items()})


@contextmanager
def dataset_split(path: Path, unseen: int, seed: int) -> Iterator[Split]:
    """Give a copy of a dataset without its media, split anew."""
    towers = load_model(describe("starter").towers, "cpu")
    with tempfile.TemporaryDirectory() as folder:
        copied = shutil.copytree(path, Path(folder) / "dataset", ignore=shutil.ignore_patterns("media"))
        split_dataset(copied, unseen=unseen, seed=seed)
        dataset = Dataset.open(copied)
        data = training_set(dataset, towers, names=False, features=recipe("starter/stage2").text.features)
        taxa = unseen_taxa(dataset)
        place = {taxon.id: number for number, taxon in enumerate(taxa)}
        held = {}
        for modality in MEDIA:
            found = vectors(dataset, towers, modality, where=pc.field("split") == "unseen", space="tower")
            owners = [place[taxon_id] for taxon_id in found.taxon_ids]
            held[modality] = Pool.of(torch.from_numpy(found.array), owners, len(taxa))
        texts = TextPools(
            lambda asked: vectors(dataset, towers, Modality.TEXT, ids=asked, space="tower"), data.features
        )
        known = [known_of(taxon.scientific_name, (data.book,)) for taxon in taxa]
        held[Modality.TEXT] = texts.pool([tuple(prompts(taxon).values()) for taxon in taxa], known)
        yield Split(data, held)


@torch.inference_mode()
def top1(aligned: Aligned, unseen: Mapping[Modality, Pool]) -> float:
    """Return the share of items whose own species is the nearest in another modality; the mean of six directions."""
    items, owners, means = {}, {}, {}
    for modality, pool in unseen.items():
        found = [(species, aligned.projections[modality](rows)) for species, rows in pool.parts()]
        owners[modality] = torch.cat([species for species, _ in found])
        items[modality] = normalize(torch.cat([rows for _, rows in found]), dim=1)
        sums = torch.zeros(len(pool.count), items[modality].shape[1])
        means[modality] = normalize(sums.index_add_(0, owners[modality], items[modality]), dim=1)
    right = [
        ((items[one] @ means[other].T).argmax(dim=1) == owners[one]).float().mean()
        for one, other in permutations(Modality, 2)
    ]
    return 100 * float(torch.stack(right).mean())


def trained(split: Split, seed: int, batch: int) -> float:
    """Return the score of both stages, where a step draws so many species."""
    aligned = None
    for stage in (1, 2):
        settings = {"weights.names": 0, "text.features": split.data.features, "species_batch": batch, "seed": seed}
        chosen = recipe(f"starter/stage{stage}", settings, FrozenRecipe)
        aligned = align(split.data, chosen, aligned or untrained(split.data, chosen))
    assert aligned is not None
    return top1(aligned, split.unseen)


def print_scores(datasets: Sequence[str], seeds: Sequence[int], batches: Sequence[int]) -> None:
    def splits(name: str, seed: int) -> AbstractContextManager[Split]:
        if name == "simulated":
            return nullcontext(simulated_split(seed))
        path, _, unseen = name.rpartition(":")
        return dataset_split(Path(path), int(unseen), seed)

    for name in ("simulated", *datasets):
        rows = []
        for seed in seeds:
            with splits(name, seed) as split:
                rows.append([trained(split, seed, batch) for batch in (len(split.data.taxa), *batches)])
        found = np.array(rows)
        print(f"{name}: all species at once {found[:, 0].mean():.2f}, splits {len(seeds)}")
        for column, batch in enumerate(batches, start=1):
            more = found[:, column] - found[:, 0]
            half = stats.t.ppf(0.975, len(more) - 1) * more.std(ddof=1) / np.sqrt(len(more))
            mean, ratio = more.mean(), found[:, column].mean() / found[:, 0].mean()
            print(
                f"  {batch:>4} species a step {found[:, column].mean():6.2f}, ratio {ratio:.3f}, "
                f"difference {mean:+.2f} ({mean - half:+.2f} to {mean + half:+.2f})",
                flush=True,
            )


def print_costs(numbers: Sequence[int], items: int, batch: int) -> None:
    heads = {
        "species": 8,
        "stage 1, s a step": 20,
        "stage 2": 10,
        "both stages, s": 16,
        "peak MiB": 10,
        "exponent": 10,
    }
    print("".join(f"{head:>{width}}" for head, width in heads.items()), flush=True)
    before = None
    for species in numbers:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            first, second, whole, peak = pool.apply(measured, (species, items, batch))
        exponent = "" if before is None else f"{math.log(whole / before[1]) / math.log(species / before[0]):.2f}"
        print(f"{species:8,}{first:20.3f}{second:10.3f}{whole:16.0f}{peak:10.0f}{exponent:>10}", flush=True)
        before = species, whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked = parser.add_subparsers(dest="asked", required=True)
    scores = asked.add_parser("scores")
    scores.add_argument("datasets", nargs="*", metavar="DATASET:UNSEEN")
    scores.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    scores.add_argument("--batches", type=int, nargs="+", default=[64, 128])
    cost = asked.add_parser("cost")
    cost.add_argument("--species", type=int, nargs="+", default=[1024, 4096, 14133])
    cost.add_argument("--items", type=int, default=100)
    cost.add_argument("--batch", type=int, default=1024)
    arguments = parser.parse_args()
    if arguments.asked == "scores":
        print_scores(arguments.datasets, arguments.seeds, arguments.batches)
    else:
        print_costs(arguments.species, arguments.items, arguments.batch)


if __name__ == "__main__":
    main()
