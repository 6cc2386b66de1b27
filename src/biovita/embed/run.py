"""Embed a dataset: what has no vector yet, or changed, through the towers of a model."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from biovita.compute.cores import cpu_count
from biovita.compute.pipeline import encode_ahead, in_batches, in_processes, load_ahead
from biovita.dataset.store import Dataset
from biovita.embed.failures import Failure, read_failures, write_failures
from biovita.embed.plan import Plan, items_of, plan, rows_of
from biovita.embed.table import Made, VectorTable, columns_of, embeddings_directory
from biovita.errors import BiovitaError, DatasetError, MediaError
from biovita.filenames import own_place
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.describe import describe, load_encoder
from biovita.progress import progress_bar
from biovita.towers import Encoder, EncoderCard
from biovita.towers.base import Loaded

__all__ = ["EmbedReport", "ModalityReport", "embed"]

logger = logging.getLogger(__name__)

LoadedBatch: TypeAlias = "list[tuple[dict[str, Any], Loaded | MediaError]]"

_COMMIT_ROWS = 4096
_COMMIT_SECONDS = 5.0
_REFRESH_ROWS = 4096
_WORTH_PROCESSES = 256  # items; a process takes seconds to begin


@dataclass(frozen=True, slots=True)
class ModalityReport:
    """What a run did about one modality.

    Attributes
    ----------
    new, kept
        Items embedded now, and items that had their vector already.
    failed
        Items without a vector, and why. They are tried again by the next run.
    seconds
        From the first item read to the last vector written; opening the tower does not count.
    rebuilt
        Why the table that was there was not continued; None where it was, or there was none.
    """

    modality: Modality
    tower: str
    dim: int
    new: int
    kept: int
    failed: tuple[Failure, ...]
    seconds: float
    rebuilt: str | None = None

    @property
    def rate(self) -> float:
        """Items embedded a second."""
        return self.new / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class EmbedReport:
    """What `embed` did, a part a modality."""

    model: str
    path: Path
    parts: tuple[ModalityReport, ...]

    @property
    def failed(self) -> tuple[Failure, ...]:
        """The items of all modalities that have no vector."""
        return tuple(failure for part in self.parts for failure in part.failed)


@dataclass(frozen=True, slots=True)
class _Settings:
    device: str
    batch_size: int | None
    workers: int
    progress: bool


def embed(
    dataset: Dataset,
    model: str = "starter",
    modalities: Collection[Modality] | None = None,
    *,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> EmbedReport:
    """Write a vector for each recording, photograph and text of a dataset, to ``embeddings/<model>``.

    What has a vector already is left alone, so a run that was stopped goes on where it was; an item whose file
    changed is embedded again. An item that fails has no vector, and is listed in ``failed.parquet`` and in the
    report. The texts are those of `texts_of`.

    Parameters
    ----------
    modalities
        None is all that the dataset has items of and the model has a tower for.
    device
        ``auto``, or a torch device.
    batch_size
        Items encoded together; None is the tower's own choice.
    workers
        Threads that decode; None is the number of cores.
    progress
        Show a bar on standard error where that is a terminal.

    Raises
    ------
    DatasetError
        Where there is nothing to embed, or a modality asked for has no items.
    ModelError
        Where the model is unknown, has no tower for a modality asked for, or cannot be opened.
    """
    for name, value in (("batch_size", batch_size), ("workers", workers)):
        if value is not None and value < 1:
            raise BiovitaError(f"{name} is {value}; it has to be at least 1")
    settings = _Settings(device, batch_size, workers or cpu_count(), progress)
    towers = describe(model).towers
    directory = embeddings_directory(dataset, towers.name)
    own_place(dataset.path, *directory.relative_to(dataset.path).parts)
    chosen = _chosen(dataset, towers, modalities)
    parts = tuple(_Run(dataset, towers, info, rows, settings).run() for info, rows in chosen)
    return EmbedReport(model, directory, parts)


def _chosen(
    dataset: Dataset, towers: ModelCard, modalities: Collection[Modality] | None
) -> list[tuple[EncoderCard, pa.Table]]:
    for modality in modalities or ():
        towers.encoder(modality)
    chosen = [
        (info, rows_of(dataset, modality))
        for modality, info in towers.encoders.items()
        if modalities is None or modality in modalities
    ]
    for info, rows in chosen:
        if modalities is not None and not len(rows):
            raise DatasetError(f"{dataset.path} has no {info.modality} items: there is nothing to embed")
    if not any(len(rows) for _, rows in chosen):
        raise DatasetError(f"{dataset.path} has no items: there is nothing to embed")
    return chosen


class _Run:
    """One modality of one run."""

    def __init__(
        self,
        dataset: Dataset,
        model: ModelCard,
        info: EncoderCard,
        rows: pa.Table,
        settings: _Settings,
    ) -> None:
        self.dataset = dataset
        self.directory = directory = embeddings_directory(dataset, model.name)
        self.model = model
        self.card = info
        self.rows = rows
        self.settings = settings
        self.modality = info.modality
        self.table = VectorTable(directory, info.modality)
        self.made = Made.by(info)
        self.failed: list[Failure] = []
        self.new = 0

    def run(self) -> ModalityReport:
        rebuilt = self.table.made().difference(self.made) if self.table.exists else None
        if rebuilt:
            logger.warning("%s was made by something else (%s): all is embedded again", self.table.path, rebuilt)
        columns = columns_of(self.modality)
        stored = columns.empty_table() if rebuilt else self.table.state()
        todo = plan(self.dataset, self.rows, stored)
        self._refresh(todo)
        seconds = (
            self._encode(todo, set(stored["id"].to_pylist()), rebuild=bool(rebuilt)) if len(todo.new) else 0.0
        )
        self._list_failures(todo)
        if self.table.exists:
            self.table.tidy()
        return ModalityReport(
            self.modality,
            self.card.name,
            self.card.dim,
            self.new,
            todo.kept,
            tuple(self.failed),
            seconds,
            rebuilt,
        )

    def _refresh(self, todo: Plan) -> None:
        """Bring the columns beside the vector up to date."""
        for start in range(0, len(todo.refresh), _REFRESH_ROWS):
            places = todo.refresh[start : start + _REFRESH_ROWS]
            rows = [row for row, _ in items_of(self.dataset, self.modality, self.rows, places)]
            found, vectors = self.table.read([row["id"] for row in rows])
            by_id = {row["id"]: row for row in rows}
            ordered = [by_id[item] for item in found["id"].to_pylist()]
            self.table.put(pa.Table.from_pylist(ordered, schema=columns_of(self.modality)), vectors, self.made)

    def _encode(self, todo: Plan, stored_ids: set[str], *, rebuild: bool) -> float:
        tower = load_encoder(self.model, self.modality, self.settings.device)
        size = self.settings.batch_size or tower.batch_size
        workers = self.settings.workers
        on_device = not str(getattr(tower, "device", "cpu")).startswith("cpu")
        loader = getattr(tower, "loader", None) if on_device and len(todo.new) >= _WORTH_PROCESSES else None
        began = time.perf_counter()
        writer = _Writer(self.table, self.made, rebuild=rebuild)
        items = items_of(self.dataset, self.modality, self.rows, todo.new)
        try:
            with (
                progress_bar(str(self.modality), len(todo.new), shown=self.settings.progress) as advance,
                in_processes(loader, workers) if loader else nullcontext(tower.load) as load,
                closing(load_ahead(items, load, workers=workers, ahead=max(2 * size, workers))) as loaded,
                closing(
                    encode_ahead(in_batches(loaded, size), partial(_encoded, tower), depth=2 if on_device else 1)
                ) as encoded,
            ):
                for batch, vectors in encoded:
                    self._keep(batch, vectors, writer)
                    advance(len(batch))
        finally:
            writer.commit()
            self.new = writer.written
            self.table.remove([failure.id for failure in self.failed if failure.id in stored_ids])
            self._list_failures(todo)
        return time.perf_counter() - began

    def _keep(self, batch: LoadedBatch, vectors: np.ndarray, writer: _Writer) -> None:
        """Write a batch's vectors, and note what has none."""
        rows = [row for row, result in batch if not isinstance(result, MediaError)]
        for row, result in batch:
            if isinstance(result, MediaError):
                self.failed.append(Failure(self.modality, row["id"], result.reason, str(result)))
        assert len(vectors) == len(rows)
        if not rows:
            return
        assert vectors.shape[1] == self.card.dim
        finite = np.isfinite(vectors).all(axis=1)
        for at in np.flatnonzero(~finite):
            detail = f"{self.card.name} gave a vector with NaN or infinity"
            self.failed.append(Failure(self.modality, rows[at]["id"], "not-finite", detail))
        writer.add([row for row, good in zip(rows, finite, strict=True) if good], vectors[finite])

    def _list_failures(self, todo: Plan) -> None:
        """Write the list: this run's, other modalities', and earlier ones that this run did not come to."""
        now = {failure.id for failure in self.failed}
        waiting = set(self.rows["id"].take(pa.array(todo.new)).to_pylist())
        done = self.new + len(now) == len(waiting)
        earlier = [
            failure
            for failure in read_failures(self.directory)
            if failure.modality != self.modality or (not done and failure.id in waiting - now)
        ]
        write_failures(self.directory, [*earlier, *self.failed])


class _Writer:
    """Vectors on their way to the table, committed every few seconds."""

    def __init__(self, table: VectorTable, made: Made, *, rebuild: bool) -> None:
        self._table, self._made, self._rebuild = table, made, rebuild
        self._rows: list[dict[str, Any]] = []
        self._vectors: list[np.ndarray] = []
        self._last = time.monotonic()
        self.written = 0

    def add(self, rows: list[dict[str, Any]], vectors: np.ndarray) -> None:
        self._rows += rows
        self._vectors.append(vectors)
        if len(self._rows) >= _COMMIT_ROWS or time.monotonic() - self._last >= _COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        if self._rows:
            rows = pa.Table.from_pylist(self._rows, schema=columns_of(self._table.modality))
            self._table.put(rows, np.concatenate(self._vectors), self._made, rebuild=self._rebuild)
            self.written += len(self._rows)
            self._rows, self._vectors, self._rebuild = [], [], False
        self._last = time.monotonic()


def _encoded(tower: Encoder, batch: LoadedBatch) -> np.ndarray:
    """Return the vectors of what was loaded; in the batch, what shows to be bad only now becomes its error."""
    arrays = [result for _, result in batch if not isinstance(result, MediaError)]
    if not arrays:
        return np.empty((0, tower.card.dim), np.float32)
    try:
        return tower.encode(arrays)
    except MediaError:  # of a long recording, which is read while it is encoded
        found = []
        for place, (row, result) in enumerate(batch):
            if not isinstance(result, MediaError):
                try:
                    found.append(tower.encode([result]))
                except MediaError as error:
                    batch[place] = row, error
        return np.concatenate(found) if found else np.empty((0, tower.card.dim), np.float32)
