"""``biovita simulate``: a simulated fauna as a dataset, with media or as vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from biovita.cli.kit import Json, Overwrite, Seed, Workers, group, print_json, say

if TYPE_CHECKING:
    from biovita.dataset import Dataset

__all__ = ["app"]

app = group("simulate")


@app.default
def simulate(
    *,
    out: Path,
    species: int = 60,
    seed: Seed = 0,
    recordings: int = 8,
    photographs: int = 8,
    workers: Workers = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
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
    recordings
        Mean number of recordings a species; each has one to three clips of 5 s.
    photographs
        Mean number of photographs a species.
    """
    import biovita

    dataset = biovita.simulate(
        out=out,
        species=species,
        seed=seed,
        recordings=recordings,
        photographs=photographs,
        workers=workers,
        overwrite=overwrite,
    )
    _print(dataset, as_json=as_json)


@app.command
def embeddings(
    *,
    out: Path,
    species: int = 14_133,
    audio: int = 1_300_000,
    images: int = 2_300_000,
    dim: int = 768,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Make a dataset of vectors without media, for tests of scoring, search and clustering at full size.

    Vectors are float16, in embeddings/simulated, with the structure of species, genus, family, order and class, and
    a gap between the modalities. The default size needs 6 GB of disk. The seed fixes the fauna and its vectors.

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
    """
    from biovita.simulation.embeddings import simulate_embeddings

    dataset = simulate_embeddings(out, species, seed, audio=audio, images=images, dim=dim, overwrite=overwrite)
    _print(dataset, as_json=as_json)


def _print(dataset: Dataset, *, as_json: bool) -> None:
    counts = dataset.info["counts"]
    if as_json:
        print_json({"dataset": dataset.path, "made": dataset.info["made"], "counts": counts})
        return
    say(
        f"simulated {counts['taxa']} species: {counts['audio']} recordings, {counts['images']} photographs, "
        f"{counts['traits']} trait labels",
        f"dataset: {dataset.path}",
    )
