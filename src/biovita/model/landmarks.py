"""Taxa whose places in a model's space are known, and the file that keeps them beside its weights."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biovita.directions import lengths
from biovita.errors import DatasetError, ModelError
from biovita.files import open_regular
from biovita.one_line import OneLine
from biovita.parquet import read_as_it_is, read_parquet
from biovita.taxonomy import Rank, Taxon, Taxonomy
from biovita.taxonomy.known_taxa import KnownTaxa
from biovita.taxonomy.parse import fold
from biovita.taxonomy.relatives import Relatives
from biovita.trait_labels import LABELS

__all__ = ["LANDMARKS", "Landmarks", "landmarks_bytes", "read_landmarks"]

LANDMARKS = "landmarks.parquet"
_ABOVE = ("class", "order", "family", "genus")
_NAMED = ("id", "scientific_name", "rank")  # what each taxon has
_TEXTS = (*_NAMED, "common_name", *_ABOVE)
_LABELS = {"labels_true": True, "labels_false": False}  # names with commas between them
_VECTORS = ("name", "media")
_NUMBER = "class_number"
_PLAIN = pa.schema(
    [
        pa.field("trained", pa.bool_()),
        *(pa.field(name, pa.string()) for name in (*_TEXTS, *_LABELS)),
        pa.field(_NUMBER, pa.int64()),
    ]
)
_TOLERANCE = 0.01  # of a length; 16 bits leave less than a thousandth


@dataclass(frozen=True, eq=False, repr=False)
class Landmarks(OneLine):
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
    numbers
        Of the classes, their numbers in the tower's classifier, ``(len(taxa) - trained,)``, int64; none where the
        classifier is not asked.
    """

    taxa: tuple[Taxon, ...]
    trained: int
    labels: Mapping[str, Mapping[str, bool]]
    names: np.ndarray
    media: np.ndarray
    numbers: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    @cached_property
    def directions(self) -> np.ndarray:
        """The names, ``(len(taxa), dim)``, float32."""
        return self.names.astype(np.float32)

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
    columns: dict[str, pa.Array] = {"trained": pa.array(trained, pa.bool_())}
    for name in _TEXTS:
        field = "class_" if name == "class" else name
        columns[name] = pa.array([getattr(taxon, field) for taxon in landmarks.taxa], pa.string())
    for name, value in _LABELS.items():
        said = [",".join(label for label, known in each.items() if known is value) for each in labels]
        columns[name] = pa.array(said, pa.string())
    numbers = [None] * landmarks.trained + landmarks.numbers.tolist()
    columns[_NUMBER] = pa.array(numbers + [None] * (len(trained) - len(numbers)), pa.int64())
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
        Where the file is missing or damaged; where its vectors have another number of dimensions, or not length 1.
    """
    file = directory / LANDMARKS
    if not file.is_file():
        raise ModelError(f"{directory} is not a complete model directory. It has no {LANDMARKS}")
    try:
        table = read_parquet(file, _PLAIN)
        trained = _trained(table["trained"])
        taxa = _taxa(table)
        Taxonomy.of(taxa[:trained])  # it refuses an id that comes twice
        labels = _labels(table.slice(0, trained))
        numbers = _numbers(table[_NUMBER][trained:])
        names, media = _places(file, dim) if dim else np.empty((2, len(table), 0), np.float16)
    except (DatasetError, pa.ArrowException, OSError, ValueError) as error:
        raise ModelError(f"{file} is damaged: {error}") from error
    return Landmarks(taxa, trained, labels, names, media, numbers)


def _trained(column: pa.ChunkedArray) -> int:
    """Return how many taxa were trained on."""
    if column.null_count:
        raise DatasetError("the column trained has gaps. It has to be true or false")
    rows = column.to_numpy()
    if (np.diff(rows.astype(np.int8)) > 0).any():
        raise DatasetError("the taxa that were trained on have to come first")
    return int(np.count_nonzero(rows))


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    """Return the numbers of the classes; none where the classifier is not asked."""
    numbers: np.ndarray = column.drop_null().to_numpy()
    if len(numbers) not in {0, len(column)} or (numbers < 0).any():
        raise DatasetError(f"{_NUMBER} has gaps, or a number below 0")
    return numbers


def _taxa(table: pa.Table) -> tuple[Taxon, ...]:
    columns = {name: table[name] for name in _TEXTS}
    for name in _NAMED:
        if (
            columns[name].null_count
            or not pc.all(pc.not_equal(pc.utf8_trim_whitespace(columns[name]), ""), min_count=0).as_py()
        ):
            raise DatasetError(f"a taxon has no {name}")
    return tuple(
        Taxon(taxon_id, name, common, Rank(rank), class_=class_, order=order, family=family, genus=genus)
        for taxon_id, name, rank, common, class_, order, family, genus in zip(
            *(column.to_pylist() for column in columns.values()), strict=True
        )
    )


def _labels(table: pa.Table) -> dict[str, dict[str, bool]]:
    """Return the known labels of each taxon by its id."""
    columns = (table[name].to_pylist() for name in ("id", *_LABELS))
    return {
        taxon_id: {
            label: value
            for texts, value in zip(said, _LABELS.values(), strict=True)
            for label in (texts or "").split(",")
            if label in LABELS
        }
        for taxon_id, *said in zip(*columns, strict=True)
    }


def _places(file: Path, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Return names and media, each ``(rows, dim)``; that they are such vectors is known before any is unpacked."""
    with open_regular(file) as raw:
        schema = pq.read_schema(raw)
    for name in _VECTORS:
        kind = schema.field(name).type if name in schema.names else None
        if kind != pa.list_(pa.float16(), dim):
            raise DatasetError(
                f"the column {name} is {str(kind)[:60]}. It has to be lists of {dim} numbers of 16 bits"
            )
    table = read_as_it_is(file, _VECTORS)
    names, media = (_vectors(table[name], name, dim) for name in _VECTORS)
    if not names.any(axis=1).all():
        raise DatasetError("a name has no direction")
    return names, media


def _vectors(column: pa.ChunkedArray, name: str, dim: int) -> np.ndarray:
    numbers = column.combine_chunks()
    if numbers.null_count or numbers.flatten().null_count:
        raise DatasetError(f"the column {name} has gaps")
    found: np.ndarray = numbers.flatten().to_numpy().reshape(-1, dim)
    length = lengths(found.astype(np.float32))
    if not ((np.abs(length - 1) < _TOLERANCE) | (length == 0)).all():
        raise DatasetError(f"a vector of the column {name} is not of length 1")
    return found
