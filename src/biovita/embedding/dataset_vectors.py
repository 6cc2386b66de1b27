"""Embed a dataset: what has no vector yet, or changed, through the towers of a model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset.dataset import Dataset
from biovita.embedding.engine import Embedded, Settings, run_plan
from biovita.embedding.failures import Failure, read_failures, write_failures
from biovita.embedding.items import Items, dataset_items
from biovita.embedding.lance_table import LanceStore
from biovita.embedding.made import Made
from biovita.embedding.store import VectorTable, embeddings_directory
from biovita.errors import BiovitaError, DatasetError
from biovita.filenames import own_place
from biovita.modality import Modality
from biovita.model.describe import describe, load_encoder
from biovita.one_line import OneLine
from biovita.towers.encoder import Encoder

__all__ = ["EmbedReport", "ModalityReport", "embed", "embed_modality"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalityReport(Embedded):
    """What a run did about one modality, and with which tower."""

    modality: Modality
    tower: str
    dim: int

    @property
    def rate(self) -> float:
        """Items embedded a second."""
        return self.new / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True, repr=False)
class EmbedReport(OneLine):
    """What `embed` did, a part a modality.

    Attributes
    ----------
    towers
        Of an aligned model, the one whose towers it was trained on, which made the vectors; None of any other.
    """

    model: str
    towers: str | None
    path: Path
    parts: tuple[ModalityReport, ...]

    @property
    def failed(self) -> tuple[Failure, ...]:
        """The items of all modalities that have no vector."""
        return tuple(failure for part in self.parts for failure in part.failed)


def embed(
    dataset: Dataset | str | Path,
    *,
    model: str | Path = "starter",
    modalities: Collection[Modality] | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> EmbedReport:
    """Write a vector for each recording, photograph and text of a dataset, to ``embeddings/<towers>``.

    Items that have a vector already are left alone, so a run that was stopped continues where it was. An item whose
    file changed is embedded again. An item that fails has no vector, and is listed in ``failed.parquet`` and in the
    report. The texts are those of `texts_of`.

    Parameters
    ----------
    dataset
        A dataset, or its directory.
    model
        A name or directory as `biovita.describe` takes it. Its towers embed; of an aligned model those that it was
        trained on, under whose name the vectors are kept.
    modalities
        None is all that the dataset has items of and the model has a tower for.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    batch_size
        Items encoded together; None is the tower's own choice.
    workers
        Threads that decode, or for a GPU processes; None is one a core.
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
            raise BiovitaError(f"{name} is {value}. It has to be at least 1")
    dataset = Dataset.open(dataset)
    card = describe(model)
    towers = card.towers
    settings = Settings(batch_size, workers, progress)
    directory = embeddings_directory(dataset, towers.name)
    chosen = [towers.encoder(modality) for modality in modalities or towers.encoders]
    wanted = [(tower, dataset_items(dataset, tower.modality)) for tower in chosen]
    for tower, items in wanted:
        if modalities is not None and not len(items):
            raise DatasetError(f"{dataset.path} has no {tower.modality} items to embed")
    if not any(len(items) for _, items in wanted):
        raise DatasetError(f"{dataset.path} has no items to embed")
    parts = []
    for tower, items in wanted:
        opening = partial(load_encoder, towers, tower.modality, device)
        done = embed_modality(dataset, items, directory, opening, made=Made.by(tower), settings=settings)
        parts.append(
            ModalityReport(
                modality=tower.modality,
                tower=tower.name,
                dim=tower.dim,
                new=done.new,
                kept=done.kept,
                failed=done.failed,
                seconds=done.seconds,
                rebuilt=done.rebuilt,
            )
        )
    return EmbedReport(str(model), None if card.base is None else towers.name, directory, tuple(parts))


def embed_modality(
    dataset: Dataset,
    items: Items,
    directory: Path,
    opening: Callable[[], Encoder],
    *,
    made: Made,
    settings: Settings,
) -> Embedded:
    """Embed some items of a dataset into its table, and list what failed.

    Raises
    ------
    DatasetError
        Where ``directory`` leads out of the dataset by a link.
    """
    own_place(dataset.path, *directory.relative_to(dataset.path).parts)
    table = LanceStore(directory).table(items.modality)
    failed: list[Failure] = []
    try:
        return run_plan(opening, made, items, table, settings, failed=failed)
    finally:
        _list_failures(dataset, items.modality, table, directory, failed)


def _list_failures(
    dataset: Dataset, modality: Modality, table: VectorTable, directory: Path, failed: list[Failure]
) -> None:
    """Write the list: this run's, other modalities', and earlier ones of items that have no vector still."""
    earlier = read_failures(directory)
    mine = pa.array([failure.id for failure in earlier if failure.modality == modality], pa.string())
    lacking: set[str] = set()
    if len(mine):
        known = _found(mine, dataset_items(dataset, modality).batches())
        there = _found(mine, table.snapshot().batches(["id"])) if table.exists else set()
        lacking = known - there - {failure.id for failure in failed}
    kept = [failure for failure in earlier if failure.modality != modality or failure.id in lacking]
    write_failures(directory, [*kept, *failed])


def _found(ids: pa.Array, rows: Iterable[pa.RecordBatch]) -> set[str]:
    """Return which ids some rows have."""
    found: set[str] = set()
    for batch in rows:
        found.update(batch["id"].filter(pc.is_in(batch["id"], value_set=ids)).to_pylist())
    return found
