"""Taxa whose places in a model's space are known, and the file that keeps them beside its weights."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from biovita.errors import DatasetError, ModelError
from biovita.parquet import read_as_it_is
from biovita.taxonomy import Taxon, Taxonomy
from biovita.taxonomy.known_taxa import KnownTaxa
from biovita.taxonomy.parse import fold
from biovita.taxonomy.relatives import Relatives
from biovita.taxonomy.taxon import taxon_id_of
from biovita.trait_labels import LABELS

__all__ = ["LANDMARKS", "Landmarks", "landmarks_bytes", "read_landmarks"]

LANDMARKS = "landmarks.parquet"
_ABOVE = ("class", "order", "family", "genus")
_TEXTS = ("scientific_name", "common_name", *_ABOVE)
_LISTS = ("labels_true", "labels_false")
_VECTORS = ("name", "media")


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Species, and where their names and their media lie in a space.

    Attributes
    ----------
    taxa
        First those that the model was trained on, then those of the classes of its audio tower.
    trained
        How many were trained on.
    labels
        By the id of a taxon that was trained on, its known trait labels.
    names
        ``(len(taxa), dim)``, of length 1, float16: the names.
    media
        The same of the recordings and photographs that were trained on, and of the directions of the classes. Zeros
        where there is nothing. Where only the taxa are kept, both have ``dim`` 0.
    """

    taxa: tuple[Taxon, ...]
    trained: int
    labels: Mapping[str, Mapping[str, bool]]
    names: np.ndarray
    media: np.ndarray

    @cached_property
    def items(self) -> Relatives:
        """The taxa that were trained on, where their media lie."""
        return self._relatives(slice(None, self.trained))

    @cached_property
    def classes(self) -> Relatives:
        """The classes, in their directions."""
        return self._relatives(slice(self.trained, None))

    def _relatives(self, rows: slice) -> Relatives:
        there = np.any(self.media[rows], axis=1)
        taxa = tuple(taxon for taxon, has in zip(self.taxa[rows], there, strict=True) if has)
        return Relatives(taxa, self.media[rows][there])

    @cached_property
    def met(self) -> frozenset[str]:
        """The scientific names of the landmarks, folded."""
        return frozenset(fold(taxon.scientific_name) for taxon in self.taxa)

    @cached_property
    def book(self) -> KnownTaxa:
        """The taxa that were trained on, by their names."""
        return KnownTaxa(Taxonomy.of(self.taxa[: self.trained]), self.labels)


def landmarks_bytes(landmarks: Landmarks) -> bytes:
    """Return the content of the file: the same for the same landmarks."""
    trained = [number < landmarks.trained for number in range(len(landmarks.taxa))]
    labels = [
        landmarks.labels.get(taxon.id, {}) if own else {}
        for taxon, own in zip(landmarks.taxa, trained, strict=True)
    ]
    columns: dict[str, pa.Array] = {"trained": pa.array(trained)}
    for name in _TEXTS:
        field = "class_" if name == "class" else name
        columns[name] = pa.array([getattr(taxon, field) for taxon in landmarks.taxa], pa.string())
    for name, value in zip(_LISTS, (True, False), strict=True):
        said = [[label for label, known in each.items() if known is value] for each in labels]
        columns[name] = pa.array(said, pa.list_(pa.string()))
    for name in _VECTORS if landmarks.names.shape[1] else ():
        vectors = getattr(landmarks, {"name": "names"}.get(name, name)).astype(np.float16)
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()


def read_landmarks(directory: Path, dim: int) -> Landmarks:
    """Return the landmarks of a model's directory.

    Parameters
    ----------
    dim
        Length of the vectors of its space; 0 where only the taxa are kept.

    Raises
    ------
    ModelError
        Where the file is missing or damaged, or its vectors are of another length.
    """
    file = directory / LANDMARKS
    if not file.is_file():
        raise ModelError(f"{directory} is not a complete model directory. It has no {LANDMARKS}")
    try:
        table = read_as_it_is(file, ["trained", *_TEXTS, *_LISTS, *(_VECTORS if dim else ())])
        trained = int(np.count_nonzero(table["trained"].to_numpy()))
        if not table["trained"][:trained].to_numpy().all():
            raise ModelError(f"{file}: the taxa that were trained on have to come first")
        taxa = _taxa(table)
        labels = {
            taxa[row].id: {
                label: value
                for name, value in zip(_LISTS, (True, False), strict=True)
                for label in table[name][row].as_py()
                if label in LABELS
            }
            for row in range(trained)
        }
        none = np.empty((len(table), 0), np.float16)
        names, media = (_vectors(table[name], dim) if dim else none for name in _VECTORS)
    except (DatasetError, pa.ArrowException, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{file} is damaged: {error}") from error
    return Landmarks(taxa, trained, labels, names, media)


def _taxa(table: pa.Table) -> tuple[Taxon, ...]:
    columns = [table[name].cast(pa.string()).to_pylist() for name in _TEXTS]
    return tuple(
        Taxon(taxon_id_of(name), name, common, class_=class_, order=order, family=family, genus=genus)
        for name, common, class_, order, family, genus in zip(*columns, strict=True)
    )


def _vectors(column: pa.ChunkedArray, dim: int) -> np.ndarray:
    numbers = column.combine_chunks()
    if numbers.type != pa.list_(pa.float16(), dim) or numbers.null_count:
        raise ModelError(f"the column of vectors is {numbers.type}, not of {dim} numbers of 16 bits")
    found: np.ndarray = numbers.flatten().to_numpy().reshape(-1, dim)
    if not np.isfinite(found).all():
        raise ModelError("a vector is not finite")
    return found
