"""What class names alone teach: recordings to names among all that BirdNET's classifier has.

    python benchmarks/names_without_media.py DATASET [--seeds 0 1 2] [--unseen 40]

DATASET is imported and embedded already (`biovita demo` leaves one), with real species. Each recording whose species
BirdNET has a class for is a query against the names of all 6,522 classes; a name counts by the mean of its texts. The
clips of the species held out as unseen, whose names stage 0 was not given either, are counted apart. Beside it: the
projections before any training, the stages that go on to recordings, with stage 0 before them and without, and the
classifier that the rows were taken from, which has heard these species. Means over the seeds, in percent.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from biovita.dataset import Dataset
from biovita.dataset.held_out import unseen_taxa
from biovita.dataset.split import split_dataset
from biovita.embedding import Vectors, vectors
from biovita.modality import Modality
from biovita.model import Model, describe, load_model
from biovita.training import FrozenRecipe, recipe
from biovita.training.projections.align import Aligned, align, untrained
from biovita.training.projections.names_without_media import named_classes
from biovita.training.projections.training_set import training_set

AUDIO, TEXT = Modality.AUDIO, Modality.TEXT
STAGES = {
    "untrained": (),
    "stage 0": (0,),
    "stages 0, 1": (0, 1),
    "stages 0, 1, 2": (0, 1, 2),
    "stage 1": (1,),
    "stages 1, 2": (1, 2),
}
PARTS = ("held out", "others", "all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--unseen", type=int, default=40)
    arguments = parser.parse_args()
    starter = load_model(describe("starter").towers, "cpu")
    listener = starter.tower(AUDIO)
    classes, classifier = named_classes(listener), listener.classes()
    assert classes is not None
    assert classifier is not None
    place = {names[0]: number for number, names in enumerate(classes.names)}
    found: dict[str, list[list[float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(arguments.dataset, Path(scratch) / "dataset", ignore=shutil.ignore_patterns("media"))
        dataset = Dataset.open(Path(scratch) / "dataset")
        sounds = vectors(dataset, starter, AUDIO, space="tower")
        names = [dataset.taxonomy[taxon_id].scientific_name for taxon_id in sounds.taxon_ids]
        asked = [item for item, name in zip(sounds.ids, names, strict=True) if name in place]
        wanted = np.array([place[name] for name in names if name in place])
        sounds = sounds.subset(asked)
        flat = [text for forms in classes.texts for text in forms]
        texts = vectors(dataset, starter, TEXT, ids=flat, space="tower").subset(flat).array
        texts = texts.reshape(len(classes.texts), -1, texts.shape[1])
        own = sounds.array @ classes.weights.T + classifier.bias[: classifier.animals]
        for seed in arguments.seeds:
            split_dataset(dataset, unseen=arguments.unseen, seed=seed)
            hidden = {taxon.id for taxon in unseen_taxa(dataset)}
            unseen = np.array([taxon_id in hidden for taxon_id in sounds.taxon_ids])
            found["BirdNET's own classifier"].append(_hits(own, wanted, unseen))
            for name, aligned in _trained(dataset, starter, seed):
                found[name].append(_hits(_similarity(aligned, sounds, texts), wanted, unseen))
    chance = 100 / len(place)
    print(f"{len(wanted)} recordings, {len(place)} names; chance {chance:.3f} and {5 * chance:.3f}")
    print(f"{'':<26} " + " ".join(f"{part + ' Top-1':>15} {'Top-5':>6}" for part in PARTS))
    for name, rows in found.items():
        mean = np.mean(rows, axis=0)
        print(f"{name:<26} " + " ".join(f"{mean[2 * n]:15.1f} {mean[2 * n + 1]:6.1f}" for n in range(len(PARTS))))


def _trained(dataset: Dataset, starter: Model, seed: int) -> Iterator[tuple[str, Aligned]]:
    data = training_set(dataset, starter)
    recipes = {stage: recipe(f"starter/stage{stage}", {"seed": seed}, FrozenRecipe) for stage in (0, 1, 2)}
    made: dict[tuple[int, ...], Aligned] = {(): untrained(data, recipes[0])}
    for name, stages in STAGES.items():
        if stages:
            made[stages] = align(data, recipes[stages[-1]], made[stages[:-1]])
        yield name, made[stages]


def _similarity(aligned: Aligned, sounds: Vectors, texts: np.ndarray) -> np.ndarray:
    """Return ``(recordings, names)``: the mean similarity of the texts of each name."""
    import torch

    def embed(modality: Modality, rows: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            made = aligned.projections[modality](torch.from_numpy(rows))
            return torch.nn.functional.normalize(made, dim=1).numpy()

    named, forms, dim = texts.shape
    similarity = embed(AUDIO, sounds.array) @ embed(TEXT, texts.reshape(-1, dim)).T
    return similarity.reshape(-1, named, forms).mean(axis=2)


def _hits(scores: np.ndarray, wanted: np.ndarray, unseen: np.ndarray) -> list[float]:
    """Return Top-1 and Top-5 in percent for each of `PARTS`."""
    rank = (scores > scores[np.arange(len(wanted)), wanted][:, None]).sum(axis=1)
    parts = (unseen, ~unseen, np.ones_like(unseen))
    return [100 * float((rank[part] < k).mean()) for part in parts for k in (1, 5)]


if __name__ == "__main__":
    main()
