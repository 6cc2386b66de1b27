"""The same fauna at embedding level: vectors with the structure of a trained model's, and no media.

For tests of scoring, search and clustering at a size whose truth is known. Vectors are drawn in batches and streamed,
so that memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from biovita.dataset import Dataset, write_dataset
from biovita.dataset.schema import AUDIO, IMAGES, taxa_table
from biovita.embedding.lance_table import LanceStore, LanceTable
from biovita.embedding.made import Made
from biovita.embedding.store import COLUMNS, WHOLE
from biovita.embedding.texts import texts_of
from biovita.errors import DatasetError
from biovita.files import new_directory
from biovita.modality import Modality
from biovita.progress import progress_bar
from biovita.simulation.calls import SAMPLE_RATE
from biovita.simulation.fauna import Fauna, SpeciesTruth
from biovita.simulation.pictures import SIDE
from biovita.simulation.seeds import stream
from biovita.simulation.species_media import CLIP_S
from biovita.simulation.write import SOURCE, info_of, traits_table
from biovita.taxonomy import Rank, Taxonomy, prompts

__all__ = ["MODEL", "simulate_embeddings"]

MODEL = "simulated"  # the name under embeddings/
ABSENT = "absent"  # where the paths of items lead that exist as vectors only

# Lengths of the parts of a vector before it is normalised. The parts are random directions, nearly orthogonal.
_SHARED = {"class": 0.40, "order": 0.35, "family": 0.45, "genus": 0.45, "species": 0.55}  # in all modalities
_GAP = 0.70  # of a modality, whatever the species: the modality gap
_OWN = 0.45  # of a species in one modality
_ITEM = 0.80  # of an item
_UNEVEN = 1.0  # standard deviation of the logarithm of a species' share of the items
_BATCH = 8192
_BATCHES_AT_ONCE = 4  # written


def simulate_embeddings(
    out: str | Path,
    species: int = 14_133,
    seed: int = 0,
    *,
    audio: int = 1_300_000,
    images: int = 2_300_000,
    dim: int = 768,
    overwrite: bool = False,
    progress: bool = True,
) -> Dataset:
    """Write a dataset of simulated vectors, float16 and L2-normalised, without media.

    ``embeddings/simulated`` gets one table a modality, such as `biovita.embedding` writes, which
    ``vectors(dataset, "simulated", modality)`` reads; the default sizes are those of BioVITA Train. A vector is the
    normalised sum of parts for class, order, family, genus and species, which the modalities share, and of parts for
    the modality, the species in it, and the item. Paths of items lead to ``absent/``, and their hashes are of their
    ids.

    Raises
    ------
    DatasetError
        Where ``out`` exists and ``overwrite`` was not asked for, or there are fewer items than species.
    """
    for name, number in (("audio", audio), ("images", images)):
        if number < species:
            raise DatasetError(f"{name} is {number}; it has to be {species} or more, one for each species")
    if dim < 2:
        raise DatasetError(f"dim is {dim}; it has to be 2 or more")
    fauna = Fauna.grow(species, seed)
    space = _Space(fauna, dim)
    counts = {Modality.AUDIO: _counts(fauna, audio, "audio"), Modality.IMAGE: _counts(fauna, images, "images")}
    out = Path(out)
    with new_directory(out, replace=overwrite, marker="dataset.toml") as directory:
        store = LanceStore(directory / "embeddings" / MODEL)
        with progress_bar("Simulating vectors", audio + images, shown=progress) as advance:
            for modality, numbers in counts.items():
                _write(store.table(modality), space, _media_batches(fauna, space, modality, numbers, advance))
        _write(store.table(Modality.TEXT), space, _text_batches(fauna.taxonomy, space))
        write_dataset(
            directory,
            {
                "taxa": taxa_table(truth.taxon for truth in fauna.species),
                "traits": traits_table(fauna),
                "audio": _media_rows(fauna, Modality.AUDIO, counts[Modality.AUDIO]),
                "images": _media_rows(fauna, Modality.IMAGE, counts[Modality.IMAGE]),
            },
            info_of(
                out,
                "biovita simulate embeddings",
                species=species,
                seed=seed,
                audio=audio,
                images=images,
                dim=dim,
            ),
        )
    return Dataset.open(out)


class _Space:
    """The directions that vectors are made of."""

    def __init__(self, fauna: Fauna, dim: int) -> None:
        self.seed, self.dim = fauna.seed, dim
        self.shared = np.zeros((len(fauna.species), dim), np.float32)
        self.of_group: dict[str, np.ndarray] = {}  # by the name of a genus, family, order or class
        for row, truth in enumerate(fauna.species):
            place = truth.place
            total: np.ndarray = np.zeros(dim, np.float32)
            for rank, founder in (
                ("class", place.class_index),
                ("order", place.order),
                ("family", place.family),
                ("genus", place.genus),
                ("species", place.index),
            ):
                total = total + _SHARED[rank] * self.direction(rank, founder)
                name = truth.taxon.name_at(Rank(rank))
                if name and rank != "species":
                    self.of_group[name] = total
            self.shared[row] = total

    def direction(self, purpose: str, index: int) -> np.ndarray:
        """Return the unit vector of a purpose, ``(dim,)``, float32."""
        drawn = stream(self.seed, f"vector-{purpose}", index).standard_normal(self.dim, dtype=np.float32)
        return drawn / np.linalg.norm(drawn)

    def of_modality(self, modality: Modality) -> np.ndarray:
        """Return the species' vectors in one modality before an item's own part, ``(species, dim)``, float32."""
        own = np.stack([self.direction(modality.value, row) for row in range(len(self.shared))])
        return self.shared + _OWN * own + _GAP * self.direction(f"gap-{modality}", 0)


def _counts(fauna: Fauna, total: int, purpose: str) -> np.ndarray:
    """Return how many items each species has: at least one, unevenly many, ``total`` in all."""
    weights = np.array(
        [np.exp(_UNEVEN * stream(fauna.seed, f"count-{purpose}", truth.index).normal()) for truth in fauna.species]
    )
    spare = total - len(weights)
    edges = np.floor(np.cumsum(weights) / weights.sum() * spare + 0.5).astype(np.int64)
    return 1 + np.diff(edges, prepend=0)


def _item_ids(truth: SpeciesTruth, modality: Modality, count: int) -> list[str]:
    letter = "a" if modality == Modality.AUDIO else "p"
    return [f"{truth.taxon.id}-{letter}{number}" for number in range(count)]


def _hash_of(item: str) -> str:
    return sha256(item.encode()).hexdigest()


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _media_batches(
    fauna: Fauna, space: _Space, modality: Modality, counts: np.ndarray, advance: Callable[[int], None]
) -> Iterator[tuple[pa.Table, np.ndarray]]:
    centres = space.of_modality(modality)
    owners = np.repeat(np.arange(len(counts)), counts)
    taxon_ids = np.array([truth.taxon.id for truth in fauna.species])
    ids = (
        item
        for truth, count in zip(fauna.species, counts, strict=True)
        for item in _item_ids(truth, modality, count)
    )
    for number, start in enumerate(range(0, len(owners), _BATCH)):
        rows = owners[start : start + _BATCH]
        rng = stream(space.seed, f"items-{modality}", number)
        noise = rng.standard_normal((len(rows), space.dim), dtype=np.float32) * np.float32(
            _ITEM / np.sqrt(space.dim)
        )
        batch_ids = [next(ids) for _ in rows]
        zeros = np.zeros(len(rows), np.int64)
        columns: dict[str, object] = {
            "id": batch_ids,
            "taxon_id": taxon_ids[rows],
            "sha256": [_hash_of(item) for item in batch_ids],
            "file_size": zeros,
            "file_mtime_ns": zeros,
        }
        if modality == Modality.AUDIO:
            columns |= {"start_s": np.zeros(len(rows)), "end_s": np.full(len(rows), CLIP_S)}
        yield _rows(columns), _unit(centres[rows] + noise)
        advance(len(rows))


def _text_batches(taxonomy: Taxonomy, space: _Space) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Yield the vectors of all texts: a species' prompts near its own, a group's name near what it shares."""
    gap = space.direction(f"gap-{Modality.TEXT}", 0)
    species = space.of_modality(Modality.TEXT)
    where: dict[str, np.ndarray] = {name: shared + _GAP * gap for name, shared in space.of_group.items()}
    for row, taxon in enumerate(taxonomy.taxa):
        for text in (*prompts(taxon).values(), taxon.scientific_name, taxon.common_name):
            if text:
                where.setdefault(text, species[row])
    texts = texts_of(taxonomy)
    for number, start in enumerate(range(0, len(texts), _BATCH)):
        some = texts[start : start + _BATCH]
        rng = stream(space.seed, "items-text", number)
        noise = rng.standard_normal((len(some), space.dim), dtype=np.float32) * np.float32(
            0.25 * _ITEM / np.sqrt(space.dim)
        )
        yield _rows({"id": list(some)}), _unit(np.stack([where[text] for text in some]) + noise)


def _rows(columns: Mapping[str, Any]) -> pa.Table:
    """Return rows of a table of vectors, each of an item as a whole."""
    count = len(columns["id"])
    whole = {"window": np.full(count, WHOLE, np.int32), **columns}
    return pa.table(
        [
            pa.array(whole[field.name], field.type) if field.name in whole else pa.nulls(count, field.type)
            for field in COLUMNS
        ],
        schema=COLUMNS,
    )


def _write(table: LanceTable, space: _Space, batches: Iterator[tuple[pa.Table, np.ndarray]]) -> None:
    made = Made(MODEL, f"seed {space.seed}", space.dim, "none: simulated vectors", numbers="float16")
    while some := list(islice(batches, _BATCHES_AT_ONCE)):
        rows = pa.concat_tables([rows for rows, _ in some])
        table.commit(rows, np.concatenate([vectors.astype(np.float16) for _, vectors in some]), made)
    table.tidy()


def _media_rows(fauna: Fauna, modality: Modality, counts: np.ndarray) -> pa.RecordBatchReader:
    """Return the rows of a media table, some thousand species' a batch."""
    schema = AUDIO if modality == Modality.AUDIO else IMAGES
    extra: dict[str, object] = {"width": SIDE, "height": SIDE}
    if modality == Modality.AUDIO:
        extra = {"start_s": 0.0, "end_s": CLIP_S, "duration_s": CLIP_S, "sample_rate": SAMPLE_RATE}
    same = {"source": SOURCE, "license": "CC0-1.0", "attribution": "simulated by biovita", **extra}

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, len(counts), 512):
            ids: list[str] = []
            taxon_ids: list[str] = []
            for truth, count in zip(fauna.species[start : start + 512], counts[start : start + 512], strict=True):
                ids += _item_ids(truth, modality, count)
                taxon_ids += [truth.taxon.id] * int(count)
            columns = {
                "id": ids,
                "taxon_id": taxon_ids,
                "path": [f"{ABSENT}/{item}" for item in ids],
                "source_id": ids,
                "group_id": ids,
                "sha256": [_hash_of(item) for item in ids],
            }
            yield pa.RecordBatch.from_arrays(
                [
                    pa.array(columns[field.name], field.type)
                    if field.name in columns
                    else pa.repeat(pa.scalar(same.get(field.name), field.type), len(ids))
                    for field in schema
                ],
                schema=schema,
            )

    return pa.RecordBatchReader.from_batches(schema, batches())
