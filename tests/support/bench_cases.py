from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from biovita.benchmark.scores import bootstrap_interval, bootstrap_means
from biovita.dataset import Dataset, write_dataset
from biovita.dataset.dataset import replace_tables
from biovita.dataset.schema import AUDIO, IMAGES, taxa_table
from biovita.embedding import Vectors
from biovita.hashing import sha256_of
from biovita.modality import Modality
from biovita.taxonomy import Rank, Taxon


def species(number: int) -> Taxon:
    """Genera of two, families of six; species 4 has no genus, species 5 no family and common name."""
    return Taxon(
        id=f"t{number}",
        scientific_name=f"Genus{number // 2} species{number}",
        common_name=None if number == 5 else f"Common {number}",
        class_="Aves" if number % 12 < 6 else "Amphibia",
        family=None if number == 5 else f"Family{number // 6}",
        genus=None if number == 4 else f"Genus{number // 2}",
    )


def write_small(path: Path, taxa: int = 24, per_species: int = 5) -> Dataset:
    """Write a dataset of made-up items; the last species has no photographs, one taxon is only a genus."""
    known = [
        *(species(number) for number in range(taxa)),
        Taxon("g", "Genus0", rank=Rank.GENUS, class_="Aves", genus="Genus0"),
    ]
    sound = {"start_s": 0.5, "end_s": 1.0, "duration_s": 1.0, "sample_rate": 8000}
    common = {"sha256": "0", "license": "CC0-1.0", "attribution": "nobody"}
    audio, images = [], []
    for taxon in known:
        for n in range(per_species):
            key = f"{taxon.id}-{n}"
            audio.append(
                {
                    "id": f"a{key}",
                    "taxon_id": taxon.id,
                    "path": f"{key}.wav",
                    "group_id": f"r{key}",
                    **common,
                    **sound,
                }
            )
            if taxon.id != f"t{taxa - 1}":
                images.append(
                    {"id": f"i{key}", "taxon_id": taxon.id, "path": f"{key}.png", "group_id": f"p{key}"}
                    | {"width": 1, "height": 1, **common}
                )
    path.mkdir()
    tables = {
        "taxa": taxa_table(known),
        "audio": pa.Table.from_pylist(audio, schema=AUDIO),
        "images": pa.Table.from_pylist(images, schema=IMAGES),
    }
    write_dataset(path, tables, {"name": "small", "version": "1", "made": "by a test"})
    return Dataset.open(path)


def with_few_draws(patch: pytest.MonkeyPatch) -> None:
    """Let intervals come of few draws, which take most of the time of small benchmarks."""
    for drawn in (bootstrap_interval, bootstrap_means):
        patch.setitem(drawn.__kwdefaults__, "resamples", 200)
    patch.setattr("biovita.benchmark.headlines.RESAMPLES", 200)


def restated(dataset: Dataset) -> Dataset:
    """Write the hashes of the media that a test has put where the tables say."""
    tables = {}
    for name in ("audio", "images"):
        table = dataset.table(name)
        hashes = [sha256_of(dataset.path / path) for path in table["path"].to_pylist()]
        tables[name] = table.set_column(table.schema.get_field_index("sha256"), "sha256", pa.array(hashes))
    replace_tables(dataset, tables, {})
    return dataset


def class_vectors(benchmark, dataset, noise: float, seed: int = 0, dim: int = 32) -> dict[Modality, Vectors]:
    """Vectors of a made-up model: one direction a taxon, and noise."""
    rng = np.random.default_rng(seed)
    centre = {}

    def vector(*names):
        found = np.zeros(dim)
        for name in names:
            if name:
                centre.setdefault(name, rng.normal(size=dim))
                found += centre[name]
        found = found / np.linalg.norm(found) + noise * rng.normal(size=dim) / np.sqrt(dim)
        return found / np.linalg.norm(found)

    return {
        modality: Vectors(
            tuple(table["id"].to_pylist()),
            np.array([vector(r["species"], r["genus"], r["family"]) for r in table.to_pylist()], np.float32),
        )
        for modality, table in benchmark.items.items()
    }


def write_vectors(path: Path, modality: Modality, ids: Sequence[str], vectors: np.ndarray) -> None:
    """Write vectors as others may hand them over: ``<modality>.npy`` and ``<modality>.ids.json``."""
    np.save(path / f"{modality}.npy", vectors)
    (path / f"{modality}.ids.json").write_text(json.dumps(list(ids)), encoding="utf-8")
