"""Labelled recordings and photographs that questions are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from biovita.dataset.dataset import Dataset
from biovita.directions import unit
from biovita.embedding import vectors
from biovita.errors import DatasetError
from biovita.identification.evidence import Candidate
from biovita.media.packed_files import PackedFile
from biovita.modality import Modality
from biovita.model.card import ModelCard

__all__ = ["EXEMPLARS", "Exemplars", "Labelled", "labelled_dataset"]

EXEMPLARS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("group_id", pa.string()),  # a question of the same group is not compared with it
        pa.field("path", pa.string(), nullable=False),
        pa.field("start_s", pa.float64()),
        pa.field("end_s", pa.float64()),
        pa.field("license", pa.string()),
        pa.field("attribution", pa.string()),
        pa.field("dataset", pa.string()),  # directory of the dataset that it is packed in; its path begins with it
    ]
)
"""What is told of an exemplar, a row each."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Recordings or photographs whose taxa, or classes of a user's own, are known.

    Attributes
    ----------
    labels
        What they are of, each once.
    places
        ``(items,)``: of each item its place among the labels.
    rows
        As `EXEMPLARS` has them.
    vectors
        ``(items, dim)``, float32, as the tower gives them.
    notes
        What was decided about labels, and items that could not be used.
    """

    modality: Modality
    labels: tuple[Candidate, ...]
    places: np.ndarray
    rows: pa.Table
    vectors: np.ndarray
    notes: tuple[str, ...] = ()


def labelled_dataset(
    dataset: Dataset, model: ModelCard, modality: Modality, *, device: str = "auto", progress: bool = False
) -> Labelled:
    """Return the recordings or photographs of a dataset, with vectors of a model's tower.

    Vectors come from the dataset's tables and are made where they are missing. Items that failed are left out, and
    their number is noted.

    Raises
    ------
    DatasetError
        Where the dataset has no items of the modality, or none of them can be embedded.
    """
    table = dataset.media(modality)
    names = [name for name in EXEMPLARS.names if name != "id" and name in table.column_names]
    found = vectors(dataset, model, modality, columns=names, space="tower", device=device, progress=progress)
    taxon_ids = found.columns["taxon_id"].dictionary_encode()
    labels = tuple(Candidate(dataset.taxonomy[taxon_id]) for taxon_id in taxon_ids.dictionary.to_pylist())
    columns = {name: found.columns[name] for name in names}
    places = [dataset.locate(path) for path in columns["path"].to_pylist()]
    columns["path"] = pa.array(
        [str(dataset.path.absolute() / at.path if isinstance(at, PackedFile) else at) for at in places],
        pa.string(),
    )
    home = str(dataset.path.absolute())
    columns["dataset"] = pa.array([home if isinstance(at, PackedFile) else None for at in places], pa.string())
    rows = pa.table(
        {
            "id": pa.array(found.ids),
            **{name: columns.get(name, pa.nulls(len(found.ids))) for name in EXEMPLARS.names[1:]},
        },
        schema=EXEMPLARS,
    )
    failed = len(table) - len(rows)
    notes = (f"{failed} of {len(table)} {modality} items of {dataset.path} have no vector",) if failed else ()
    held = np.asarray(found.vectors[np.arange(len(rows))], np.float32)
    return Labelled(modality, labels, taxon_ids.indices.to_numpy(), rows, held, notes)


@dataclass(frozen=True, eq=False)
class Exemplars:
    """What questions of one modality are compared with, by candidate.

    Attributes
    ----------
    candidates
        Numbers of the candidates that have any, ascending, ``(taxa,)``.
    starts
        ``(taxa,)``: where those of each begin.
    rows
        As `EXEMPLARS` has them, those of one candidate together.
    vectors
        ``(exemplars, dim)``, float32, as the tower gives them.
    centre
        ``(dim,)``: what is taken from all vectors before they are compared, the mean of what the tower gives.
    """

    candidates: np.ndarray
    starts: np.ndarray
    rows: pa.Table
    vectors: np.ndarray
    centre: np.ndarray

    @classmethod
    def of(
        cls, labelled: Sequence[Labelled], numbers: Sequence[np.ndarray], centre: np.ndarray
    ) -> Exemplars | None:
        """Return labelled items in the order of candidates; None where no item is of one.

        Parameters
        ----------
        numbers
            For each of ``labelled``, by label, the number of the candidate that it is; -1 where it is none.

        Raises
        ------
        DatasetError
            Where two items have one id.
        """
        of = [each[items.places] for each, items in zip(numbers, labelled, strict=True)]
        candidate = np.concatenate(of) if of else np.empty(0, np.int64)
        order = np.argsort(candidate, kind="stable")
        order = order[candidate[order] >= 0]
        if not len(order):
            return None
        rows = pa.concat_tables([items.rows for items in labelled]).take(pa.array(order)).combine_chunks()
        if len(rows["id"].unique()) != len(rows):
            raise DatasetError("two labelled items have one id. Give each dataset and folder once")
        candidates, starts = np.unique(candidate[order], return_index=True)
        vectors = np.concatenate([items.vectors for items in labelled])[order]
        return cls(candidates, starts, rows, vectors, centre)

    @cached_property
    def directions(self) -> np.ndarray:
        """The vectors as `directed` makes them."""
        return self.directed(self.vectors)

    def directed(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors of the tower as they are compared, ``(rows, dim)``: from the centre, and of length 1."""
        return unit(vectors - self.centre)

    @cached_property
    def _places(self) -> np.ndarray:
        """Return by exemplar the place of its candidate."""
        return np.repeat(np.arange(len(self.candidates)), np.diff(np.append(self.starts, len(self.rows))))

    @cached_property
    def _groups(self) -> tuple[dict[str, int], np.ndarray]:
        """Return a number for each group, and by exemplar that of its own; -1 where it has none."""
        encoded = self.rows["group_id"].combine_chunks().dictionary_encode()
        named = {group: number for number, group in enumerate(encoded.dictionary.to_pylist())}
        return named, encoded.indices.fill_null(-1).to_numpy()

    @cached_property
    def _means(self) -> np.ndarray:
        """Return the mean direction of each candidate, ``(taxa, dim)``, of length 1; 0 where they cancel out."""
        return _of_length_1(np.add.reduceat(self.directions, self.starts, axis=0))

    def cosines(self, vectors: np.ndarray, groups: Sequence[str | None] | None = None) -> np.ndarray:
        """Return the cosine with the mean direction of the exemplars of each candidate.

        Parameters
        ----------
        vectors
            ``(rows, dim)``, as the tower gives them.
        groups
            By row; exemplars of the same group are passed over.

        Returns
        -------
        np.ndarray
            ``(rows, taxa)``, float32; minus infinity where no exemplar is left.
        """
        directions = self.directed(vectors)
        found: np.ndarray = directions @ self._means.T
        if groups is None:
            return found
        named, own = self._groups
        asked = np.array([-2 if group is None else named.get(group, -2) for group in groups])
        for group in np.unique(asked[asked >= 0]).tolist():
            rows = np.flatnonzero(asked == group)
            for place in np.unique(self._places[own == group]).tolist():
                left = np.flatnonzero((self._places == place) & (own != group))
                mean = _of_length_1(self.directions[left].sum(axis=0, keepdims=True))[0]
                found[rows, place] = directions[rows] @ mean if len(left) else -np.inf
        return found


def _of_length_1(sums: np.ndarray) -> np.ndarray:
    found: np.ndarray = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return found
