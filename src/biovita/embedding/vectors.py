"""Vectors of a dataset in the space of a model: from the tables of its towers, computed where they are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset.dataset import Dataset
from biovita.directions import unit
from biovita.embedding.container import Matrix, Vectors
from biovita.embedding.dataset_vectors import embed_modality
from biovita.embedding.engine import Settings
from biovita.embedding.failures import Failure, read_failures
from biovita.embedding.items import Items, dataset_items, text_items
from biovita.embedding.lance_table import LanceStore
from biovita.embedding.made import Made
from biovita.embedding.pending import up_to_date
from biovita.embedding.store import Snapshot, VectorTable, embeddings_directory
from biovita.errors import DatasetError, ModelError
from biovita.limits import memory_mib
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.describe import describe, load_encoder
from biovita.suggestion import suggested
from biovita.towers.encoder import Encoder
from biovita.traits.book import book_of

if TYPE_CHECKING:
    from biovita.model import Model

__all__ = ["stored", "vectors"]

Space: TypeAlias = Literal["shared", "tower"]
Project: TypeAlias = Callable[[np.ndarray, Sequence[str]], np.ndarray]  # vectors, and the ids of their items

_IN_MEMORY_MIB = (
    1024  # of vectors, or a quarter of --memory where that is less; what is larger is read as it is used
)
_ROWS_AT_ONCE = 8192


def vectors(
    dataset: Dataset | str | Path,
    model: str | Path | ModelCard | Model,
    modality: Modality,
    *,
    where: pc.Expression | None = None,
    ids: Iterable[str] | None = None,
    columns: Sequence[str] = (),
    space: Space = "shared",
    compute: bool = True,
    device: str = "auto",
    progress: bool = False,
) -> Vectors:
    """Return the vectors of a dataset's items, in the dataset's order.

    They are read from the tables of the model's towers, ``embeddings/<towers>``, and projected on the way. Where
    there are many items, their rows are read when they are asked for. Items that failed have no vector and are left
    out; see ``failed.parquet`` beside the tables.

    Parameters
    ----------
    dataset
        A dataset, or its directory.
    model
        A name or directory as `biovita.describe` takes it, its card, or a model that is open.
    modality
        Of the items.
    where
        What holds for the columns of ``dataset.media(modality)`` of the items that are wanted.
    ids
        The items that are wanted, and their order. Of texts they are the texts, which need not be the dataset's; None
        is those of `biovita.embedding.texts_of`.
    columns
        Columns of ``dataset.media(modality)`` to bring along, beside ``taxon_id``.
    space
        ``shared`` is the model's space, L2-normalised; ``tower`` is what the tower gives.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``, for what has no vector yet.
    progress
        Show bars on standard error where that is a terminal.
    compute
        Whether to embed items that have no vector yet. If not, a missing one is an error that names the command to run.

    Raises
    ------
    DatasetError
        Where there are no such items, or vectors are missing and cannot be computed.
    ModelError
        Where the model is unknown or has no tower for the modality.
    """
    dataset = Dataset.open(dataset)
    source = _source(dataset, model, modality, device)
    items = _items(dataset, modality, where, ids)
    if not len(items):
        raise DatasetError(f"{dataset.path} has no {modality} items, so there are no vectors of them")
    places, same, snapshot = _there(source, items)
    failed = _failed(items, read_failures(source.directory))
    if compute and (~same & ~failed).any() and source.opening is not None:
        settings = Settings(progress=progress)
        done = embed_modality(
            dataset, items, source.directory, source.opening, made=source.made, settings=settings
        )
        places, same, snapshot = _there(source, items)
        failed = _failed(items, done.failed)
    missing = int((~same & ~failed).sum())
    if missing or not same.any():
        raise DatasetError(_what_is_missing(dataset, source, items, missing, int(failed.sum())))
    assert snapshot is not None
    kept = items.take(np.flatnonzero(same))
    found: Matrix = _StoredRows(source.table, snapshot, places[same], kept.ids)
    if space == "shared":
        found = _Projected(found, source.project(), source.shared_dim, kept.ids)
    return Vectors(tuple(kept.ids.to_pylist()), _held(found), _columns(dataset, kept, columns))


@dataclass(frozen=True, eq=False)
class _Source:
    """Where a modality's vectors come from.

    Attributes
    ----------
    made
        What they have to be made by.
    opening
        Gives the tower; None where there is none, and the table is all there is.
    project
        Gives what takes a tower's vectors to the shared space.
    """

    model: str
    modality: Modality
    directory: Path
    table: VectorTable
    made: Made
    opening: Callable[[], Encoder] | None
    project: Callable[[], Project]
    shared_dim: int


def _source(dataset: Dataset, model: str | Path | ModelCard | Model, modality: Modality, device: str) -> _Source:
    if isinstance(model, str | Path):
        try:
            model = describe(model)
        except ModelError:
            table = LanceStore(embeddings_directory(dataset, str(model))).table(modality)
            if not table.exists:
                raise
            made = table.made()
            where = table.path.parent
            return _Source(str(model), modality, where, table, made, None, lambda: _as_directions, made.dim)
    if isinstance(model, ModelCard):
        card = model
        opening: Callable[[], Encoder] = partial(load_encoder, card.towers, modality, device)
        project: Callable[[], Project] = partial(_projection, dataset, card, modality, device)
    else:
        card, opened = model.card, model
        opening = partial(opened.tower, modality)
        project = partial(_projection, dataset, opened, modality, device)
    tower = card.encoder(modality)
    directory = embeddings_directory(dataset, card.towers.name)
    table = LanceStore(directory).table(modality)
    dim = tower.dim if card.base is None or card.dim is None else card.dim
    return _Source(card.place or card.name, modality, directory, table, Made.by(tower), opening, project, dim)


def _projection(dataset: Dataset, model: ModelCard | Model, modality: Modality, device: str) -> Project:
    """Return what takes a tower's vectors to the space of its model; where nothing else enters, normalised."""
    from biovita.model import Model, load_model

    if not isinstance(model, Model):
        if model.base is None and not (modality == Modality.TEXT and model.features):
            return _as_directions
        model = load_model(model, device, modalities=())
        if modality == Modality.AUDIO and model.knowledge is not None and model.knowledge.asks_classifier:
            model = replace(model, towers={modality: load_encoder(model.card, modality, device)})
    if modality == Modality.TEXT and model.knowledge is not None:
        model = model.knowing(book_of(dataset))
    return partial(model.project, modality)


def _as_directions(vectors: np.ndarray, _ids: Sequence[str]) -> np.ndarray:
    return unit(vectors)


def _items(dataset: Dataset, modality: Modality, where: pc.Expression | None, ids: Iterable[str] | None) -> Items:
    if ids is None:
        return dataset_items(dataset, modality, where)
    if modality == Modality.TEXT:
        return text_items(ids)
    items = dataset_items(dataset, modality, where)
    wanted = pa.array(dict.fromkeys(ids), pa.string())
    places = pc.index_in(wanted, value_set=items.ids)
    if places.null_count:
        odd = wanted.filter(pc.is_null(places))
        raise DatasetError(
            f"{dataset.path} has no {modality} item {odd[0].as_py()!r} ({len(odd)} such ids in all)"
        )
    return items.take(places.to_numpy().astype(np.int64))


def _there(source: _Source, items: Items) -> tuple[np.ndarray, np.ndarray, Snapshot | None]:
    """Return of each item its row in the table, whether the vector there is current, and the table as it is now."""
    none = np.full(len(items), -1), np.zeros(len(items), bool), None
    if not source.table.exists or source.table.made().difference(source.made):
        return none
    snapshot = source.table.snapshot()
    return *up_to_date(items, snapshot.state(("id", "window", "sha256", "start_s", "end_s"))), snapshot


def _failed(items: Items, failures: Iterable[Failure]) -> np.ndarray:
    """Return which items are among the failures."""
    ids = pa.array([each.id for each in failures if each.modality == items.modality], pa.string())
    found: np.ndarray = pc.is_in(items.ids, value_set=ids).to_numpy(zero_copy_only=False)
    return found


def _what_is_missing(dataset: Dataset, source: _Source, items: Items, missing: int, failed: int) -> str:
    modality, model = source.modality, source.model
    mend = f"Run: {suggested('embed', dataset.path, f'--model {model} --modality {modality}')}"
    if source.opening is None:
        mend = "biovita does not know this model, so it cannot make them"
    if not source.table.exists:
        why = (
            f"all {failed} failed, see {source.directory / 'failed.parquet'}" if failed else "they were never made"
        )
        return f"{dataset.path} has no {modality} vectors of the model {model!r}: {why}. {mend}"
    if difference := source.table.made().difference(source.made):
        return f"{source.table.name} was made by another encoder ({difference}). {mend}"
    some = f"{missing} of {len(items)} {modality} items"
    return f"{dataset.path}: {some} have no vector of the model {model!r} yet. {mend}"


def _columns(dataset: Dataset, items: Items, names: Sequence[str]) -> dict[str, pa.Array]:
    if items.modality == Modality.TEXT:
        return {}
    found = {"taxon_id": items.rows["taxon_id"].combine_chunks()}
    if names:
        table = dataset.media(items.modality, ["id", *names])
        at = pc.index_in(items.ids, value_set=table["id"].combine_chunks())
        found |= {name: table[name].combine_chunks().take(at) for name in names}
    return found


class _StoredRows:
    """Rows of a table by number, read as they are asked for; found again where the table is written to meanwhile."""

    def __init__(self, table: VectorTable, snapshot: Snapshot, numbers: np.ndarray, ids: pa.Array) -> None:
        self._table, self._snapshot, self._numbers, self._ids = table, snapshot, numbers, ids
        self.shape = (len(numbers), table.made().dim)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        try:
            return self._snapshot.take(self._numbers[rows])
        except LookupError:
            self._find_again()
            return self._snapshot.take(self._numbers[rows])

    def _find_again(self) -> None:
        self._snapshot = self._table.snapshot()
        state = self._snapshot.state(("id", "window"))
        places, there = up_to_date(Items.of(Modality.TEXT, pa.table({"id": self._ids})), state)
        if not there.all() or self._table.made().dim != self.shape[1]:
            raise DatasetError(f"{self._table.name} was replaced while it was read. Run the command again")
        self._numbers = places


class _Projected:
    """Rows taken to the shared space as they are asked for."""

    def __init__(self, rows: Matrix, project: Project, dim: int, ids: pa.Array) -> None:
        self._rows, self._project, self._ids = rows, project, ids
        self.shape = (len(rows), dim)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return self._project(self._rows[rows], self._ids.take(pa.array(rows)).to_pylist())


def _held(rows: Matrix) -> Matrix:
    """Return all rows in one array, read some at a time, where that is not too large; otherwise as they are."""
    if rows.shape[0] * rows.shape[1] * 4 > min(_IN_MEMORY_MIB << 20, memory_mib() << 18):
        return rows
    held = np.empty(rows.shape, np.float32)
    for start in range(0, len(held), _ROWS_AT_ONCE):
        end = min(start + _ROWS_AT_ONCE, len(held))
        held[start:end] = rows[np.arange(start, end)]
    return held


def stored(
    table: VectorTable, ids: pa.Array, project: Project = _as_directions, dim: int | None = None
) -> Vectors:
    """Return the vectors of items in any table, in the order of ``ids``, which are unique; those without are left out.

    Parameters
    ----------
    project
        Takes what the encoder gave of items to where it is compared, ``dim`` numbers long; by default L2-normalised.
    """
    if not table.exists:
        return Vectors((), np.empty((0, dim or 0), np.float32))
    snapshot = table.snapshot()
    places, there = up_to_date(Items.of(Modality.TEXT, pa.table({"id": ids})), snapshot.state(("id", "window")))
    kept = ids.filter(pa.array(there))
    rows = _StoredRows(table, snapshot, places[there], kept)
    return Vectors(tuple(kept.to_pylist()), _held(_Projected(rows, project, dim or rows.shape[1], kept)))
