"""What is to be embedded: recordings, photographs and texts, as rows and as what an encoder loads."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset.dataset import Dataset
from biovita.embedding.texts import texts_of
from biovita.errors import DatasetError
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


@dataclass(frozen=True, eq=False, repr=False)
class Items(OneLine):
    """Items of one modality.

    Attributes
    ----------
    rows
        As `ITEMS` has them; ids are unique.
    locate
        From a path in ``rows`` to where the file lies. It is sent along where the work is done elsewhere.
    hearing
        What is heard of recordings, beside the channel that a row states.
    """

    modality: Modality
    rows: pa.Table
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
        columns = [
            table[field.name].cast(field.type)
            if field.name in table.column_names
            else pa.nulls(len(table), field.type)
            for field in ITEMS
        ]
        rows = pa.table(columns, schema=ITEMS).combine_chunks()
        if pc.count_distinct(rows["id"]).as_py() != rows.num_rows:
            counts = pc.value_counts(rows["id"].combine_chunks())
            twice = counts.filter(pc.greater(counts.field("counts"), 1))[0]["values"]
            raise DatasetError(f"two {modality} items have the id {twice.as_py()!r}. Ids have to be unique")
        return cls(modality, rows, locate, hearing)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ids(self) -> pa.Array:
        """Their ids, in order."""
        return self.rows["id"].combine_chunks()

    def take(self, places: np.ndarray) -> Items:
        """Return the items at some places, in that order."""
        return replace(self, rows=self.rows.take(pa.array(places)))


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
    table = dataset.media(modality)
    if where is not None:
        table = table.filter(where)
    try:
        return Items.of(modality, table, _MediaOf(dataset))
    except DatasetError as error:
        raise DatasetError(f"{dataset.path}: {error}") from None


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
