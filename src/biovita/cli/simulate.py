"""``biovita simulate``: a simulated fauna as a dataset, with media or as vectors."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from biovita.dataset import Dataset

__all__ = ["app"]

app = App(name="simulate", help="Make a dataset of a simulated fauna.")


@app.default
def media(
    *,
    out: Path,
    species: int = 60,
    seed: int = 0,
    recordings: int = 8,
    photographs: int = 8,
    workers: int | None = None,
    overwrite: Annotated[bool, Parameter(negative=())] = False,
    json_: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Make a dataset of a simulated fauna: drawn animals, synthesised calls, names and traits along one tree.

    Everything in it is invented, and says so. The same seed gives the same bytes, and the species of a smaller fauna
    are the first of a larger one.

    Parameters
    ----------
    out
        The dataset to make.
    species
        Number of species.
    seed
        Of the fauna.
    recordings
        Mean number of recordings a species; each has one to three clips of 5 s.
    photographs
        Mean number of photographs a species.
    workers
        Processes; as many as processors if not given.
    overwrite
        Replace the dataset at OUT.
    json_
        Print what was made as JSON.
    """
    from biovita.simulation import simulate

    dataset = simulate(
        out,
        species,
        seed,
        recordings=recordings,
        photographs=photographs,
        workers=workers,
        overwrite=overwrite,
    )
    _print(dataset, json_=json_)


@app.command
def embeddings(
    *,
    out: Path,
    species: int = 14_133,
    audio: int = 1_300_000,
    images: int = 2_300_000,
    dim: int = 768,
    seed: int = 0,
    overwrite: Annotated[bool, Parameter(negative=())] = False,
    json_: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Make a dataset of vectors without media, for tests of scoring, search and clustering at full size.

    Vectors are float16, in embeddings/simulated, with the structure of species, genus, family, order and class, and
    a gap between the modalities. The default size needs 6 GB of disk.

    Parameters
    ----------
    out
        The dataset to make.
    species
        Number of species.
    audio
        Number of recordings.
    images
        Number of photographs.
    dim
        Length of a vector.
    seed
        Of the fauna and its vectors.
    overwrite
        Replace the dataset at OUT.
    json_
        Print what was made as JSON.
    """
    from biovita.simulation.embeddings import simulate_embeddings

    dataset = simulate_embeddings(out, species, seed, audio=audio, images=images, dim=dim, overwrite=overwrite)
    _print(dataset, json_=json_)


def _print(dataset: Dataset, *, json_: bool) -> None:
    counts = dataset.info["counts"]
    if json_:
        report = {"dataset": str(dataset.path), "made": dataset.info["made"], "counts": counts}
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
        return
    sys.stdout.write(
        f"simulated {counts['taxa']} species: {counts['audio']} recordings, {counts['images']} photographs, "
        f"{counts['traits']} trait labels\ndataset: {dataset.path}\n"
    )
