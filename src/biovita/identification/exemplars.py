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
from biovita.identification.likeness import Likeness
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

_AT_ONCE = 1 << 23  # cosines; eight million take 32 MB


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
    def _groups(self) -> tuple[dict[str, int], np.ndarray]:
        """Return a number for each group, and by exemplar that of its own; -1 where it has none."""
        encoded = self.rows["group_id"].combine_chunks().dictionary_encode()
        named = {group: number for number, group in enumerate(encoded.dictionary.to_pylist())}
        return named, encoded.indices.fill_null(-1).to_numpy()

    def cosines(self, directions: np.ndarray, groups: Sequence[str | None] | None) -> np.ndarray:
        """Return ``(rows, exemplars)``, float32; minus infinity where both are of one group."""
        found = directions @ self.directions.T
        if groups is not None:
            named, own = self._groups
            asked = np.array([-2 if group is None else named.get(group, -2) for group in groups])
            some = np.flatnonzero(asked >= 0)
            found[some] = np.where(asked[some, None] == own[None], -np.inf, found[some])
        return found

    def log_means(
        self, vectors: np.ndarray, likeness: Likeness, groups: Sequence[str | None] | None = None
    ) -> np.ndarray:
        """Return the logarithm of the mean of ``exp(weight * cosine)`` over the exemplars of each candidate.

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
        found = np.empty((len(vectors), len(self.candidates)), np.float32)
        step = max(1, _AT_ONCE // len(self.rows))
        for start in range(0, len(vectors), step):
            rows = slice(start, start + step)
            cosines = self.cosines(directions[rows], None if groups is None else groups[rows])
            total = np.add.reduceat(np.exp(likeness.weight * cosines, dtype=np.float32), self.starts, axis=1)
            counts = np.add.reduceat(np.isfinite(cosines), self.starts, axis=1, dtype=np.float32)
            with np.errstate(divide="ignore"):
                found[rows] = np.log(total) - np.log(np.maximum(counts, 1))
        return found
