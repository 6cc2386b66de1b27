"""What a step of the starter recipes costs as species grow: processor seconds, memory, and both stages as a whole.

    python benchmarks/species_batches.py [--species 1000 2000 4000 8000 14133] [--items 100] [--batch 1024]

Vectors are random, 768 numbers of 16 bits in files that are read as they are drawn, so nothing is embedded; a species
has half of its items as recordings and half as photographs. Each size is trained in a process of its own, once through
all species, and the whole is what both stages take at the recipes' steps. What batches of species score against all
species at once is measured by ``starter_recipe.py ... --only "64 species a step" "128 species a step"``.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from biovita.modality import Modality
from biovita.taxonomy import Taxon
from biovita.training import FrozenRecipe, recipe
from biovita.training.projections.align import align, untrained
from biovita.training.projections.pool import Pool
from biovita.training.projections.species_batches import SpeciesBatches
from biovita.training.projections.training_set import TrainingSet

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--species", type=int, nargs="+", default=[1000, 2000, 4000, 8000, 14133])
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--batch", type=int, default=1024)
    arguments = parser.parse_args()
    heads = {
        "species": 8,
        "stage 1, s a step": 20,
        "stage 2": 10,
        "both stages, s": 16,
        "peak MiB": 10,
        "exponent": 10,
    }
    print("".join(f"{head:>{width}}" for head, width in heads.items()))
    before = None
    for species in arguments.species:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            first, second, whole, peak = pool.apply(measured, (species, arguments.items, arguments.batch))
        exponent = "" if before is None else f"{math.log(whole / before[1]) / math.log(species / before[0]):.2f}"
        print(f"{species:8,}{first:20.3f}{second:10.3f}{whole:16.0f}{peak:10.0f}{exponent:>10}", flush=True)
        before = species, whole


if __name__ == "__main__":
    main()
