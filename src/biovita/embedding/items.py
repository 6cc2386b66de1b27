"""What is to be embedded: recordings, photographs and texts, as rows and as what an encoder loads."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset.dataset import Dataset
from biovita.dataset.schema import MEDIA_TABLES, TABLES
from biovita.embedding.text_hashes import text_hashes
from biovita.embedding.texts import texts_of
from biovita.errors import DatasetError
from biovita.limits import memory_mib
from biovita.media.hearing import AS_IT_IS, Hearing
from biovita.media.inputs import Clip, Picture
from biovita.media.packed_files import MediaPath, PackedFile
from biovita.modality import Modality
from biovita.one_line import OneLine

__all__ = ["ITEMS", "Items", "dataset_items", "file_state", "loadable", "text_items"]

ITEMS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # of a text it is the text
        pa.field("taxon_id", pa.string()),
        pa.field("sha256", pa.string()),  # of the file, where that is known
        pa.field("start_s", pa.float64()),
        pa.field("end_s", pa.float64()),
        pa.field("path", pa.string()),
        pa.field("channel", pa.int16()),  # of a recording, from 1; none is the mean of all
        pa.field("box", pa.list_(pa.float64(), 4)),  # of a photograph: x, y, width, height as shares of it
    ]
)


_BATCH_ROWS = 1 << 16
_ROW_BYTES = 256  # that a row takes in memory, about

Batches = Callable[[], Iterator[pa.RecordBatch]]


@dataclass(frozen=True, eq=False, repr=False)
class Items(OneLine):
    """Items of one modality.

    Attributes
    ----------
    batches
        Gives the items from the first on, some rows at a time, as `ITEMS` has them; ids are unique.
    count
        How many there are.
    locate
        From a path in the rows to where the file lies. It is sent along where the work is done elsewhere.
    hearing
        What is heard of recordings, beside the channel that a row states.
    """

    modality: Modality
    batches: Batches = field(repr=False)
    count: int
    locate: Callable[[str], MediaPath] = Path
    hearing: Hearing = AS_IT_IS

    @classmethod
    def of(
        cls,
        modality: Modality,
        table: pa.Table,
        locate: Callable[[str], MediaPath] = Path,
        hearing: Hearing = AS_IT_IS,
    ) -> Items:
        """Return items of a table that has some of the columns of `ITEMS`, and maybe others.

        Raises
        ------
        DatasetError
            Where two items have one id.
        """
        held = [_as_items(batch) for batch in table.to_batches(max_chunksize=_BATCH_ROWS)]
        _require_unique(modality, held.__iter__)
        return cls(modality, held.__iter__, len(table), locate, hearing)

    def __len__(self) -> int:
        return self.count

    @cached_property
    def rows(self) -> pa.Table:
        """All of them in memory."""
        return pa.Table.from_batches(list(self.batches()), ITEMS).combine_chunks()

    @property
    def ids(self) -> pa.Array:
        """Their ids, in order."""
        return self.rows["id"].combine_chunks()

    def take(self, places: np.ndarray) -> Items:
        """Return the items at some places, in that order."""
        held = self.rows.take(pa.array(places)).to_batches(max_chunksize=_BATCH_ROWS)
        return replace(self, batches=held.__iter__, count=len(places))


def _as_items(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows with the columns of `ITEMS`; one that they lack is empty."""
    columns = [
        batch.column(each.name).cast(each.type)
        if each.name in batch.schema.names
        else pa.nulls(len(batch), each.type)
        for each in ITEMS
    ]
    return pa.RecordBatch.from_arrays(columns, schema=ITEMS)


def _require_unique(modality: Modality, batches: Batches) -> None:
    """Raise a DatasetError where two items have one id; only those whose hashes are equal are looked at."""
    hashes = np.sort(np.concatenate([np.empty(0, np.uint64), *(text_hashes(each["id"]) for each in batches())]))
    twice = hashes[1:][hashes[1:] == hashes[:-1]]
    if not len(twice):
        return
    counts: Counter[str] = Counter()
    for batch in batches():
        likely = np.isin(text_hashes(batch["id"]), twice)
        counts.update(batch["id"].filter(pa.array(likely)).to_pylist())
    for item, count in counts.items():
        if count > 1:
            raise DatasetError(f"two {modality} items have the id {item!r}. Ids have to be unique")


@dataclass(frozen=True, eq=False)
class _MediaOf:
    """Where a dataset has its media. Sent elsewhere, it opens the dataset there."""

    dataset: Dataset

    def __call__(self, path: str) -> MediaPath:
        return self.dataset.locate(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return _media_of, (self.dataset.path,)


def _media_of(path: Path) -> _MediaOf:
    return _MediaOf(Dataset.open(path))


def dataset_items(dataset: Dataset, modality: Modality, where: pc.Expression | None = None) -> Items:
    """Return the items of a dataset in its order; its texts are those of `texts_of`.

    Parameters
    ----------
    where
        What holds for the columns of the recordings or photographs that are wanted.

    Raises
    ------
    DatasetError
        Where two items have one id.
    """
    if modality == Modality.TEXT:
        return text_items(texts_of(dataset.taxonomy))
    name = MEDIA_TABLES[modality]
    columns = [each.name for each in ITEMS if each.name in TABLES[name].names]
    # What would take more than a quarter of the memory stays on the disk, and each pass reads it anew.
    is_large = where is None and dataset.rows(name) * _ROW_BYTES > memory_mib() << 18
    table = None if is_large else dataset.columns(name, columns, where)
    try:
        if table is not None:
            return Items.of(modality, table, _MediaOf(dataset))
        _require_unique(modality, partial(dataset.batches, name, ["id"]))
    except DatasetError as error:
        raise DatasetError(f"{dataset.path}: {error}") from None
    return Items(modality, partial(_read, dataset, name, columns), dataset.rows(name), _MediaOf(dataset))


def _read(dataset: Dataset, name: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
    return map(_as_items, dataset.batches(name, columns))


def text_items(texts: Iterable[str]) -> Items:
    """Return texts as items, each once."""
    return Items.of(Modality.TEXT, pa.table({"id": pa.array(dict.fromkeys(texts), pa.string())}))


def loadable(
    modality: Modality, row: Mapping[str, Any], locate: Callable[[str], MediaPath], hearing: Hearing = AS_IT_IS
) -> Clip | Picture | MediaPath | str:
    """Return what an encoder loads of an item."""
    if modality == Modality.TEXT:
        text: str = row["id"]
        return text
    path = locate(row["path"] or "")
    if modality == Modality.AUDIO:
        heard = replace(hearing, channel=row["channel"]) if row["channel"] else hearing
        return Clip(path, row["start_s"] or 0.0, row["end_s"], heard)
    return Picture(path, tuple(row["box"])) if row["box"] else path


def file_state(path: MediaPath) -> tuple[int, int]:
    """Return a file's size in bytes and its time of change in nanoseconds; of no file or a packed one (-1, -1).

    A packed file has the bytes that the dataset's tables state, or it is not taken from the packed media.
    """
    if isinstance(path, PackedFile):
        return NO_FILE
    try:
        status = path.stat()
    except (OSError, ValueError):
        return NO_FILE
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else NO_FILE


NO_FILE = (-1, -1)
