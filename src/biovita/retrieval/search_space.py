"""What is searched of an archive with one model: a table a modality, all vectors of length 1 in the model's space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, ValidationError

from biovita.archive.archive import Archive
from biovita.errors import DatasetError
from biovita.filenames import file_name, own_place
from biovita.files import make_directory, write_whole
from biovita.jsonfile import read_json
from biovita.lance_tables import no_panic, open_lance
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.retrieval.searched_rows import searched_schema
from biovita.storage import for_lance
from biovita.suggestion import suggested

if TYPE_CHECKING:
    import lance

__all__ = [
    "IndexRecord",
    "SearchSpace",
    "SpaceRecord",
    "TableRecord",
    "has_search_spaces",
    "search_spaces",
    "space_of",
]

_RECORD = "search.json"
_DAMAGED = (ValueError, OSError, RuntimeError, LookupError)


class _Record(BaseModel):
    """What is recorded, in types."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class IndexRecord(_Record):
    """What is known of an index.

    Attributes
    ----------
    rows
        That the table had when it was made.
    recall
        By the modality of a query, pairs of how many partitions are read and the recall at ten that was measured.
    """

    rows: int
    partitions: int
    recall: dict[Modality, tuple[tuple[int, float], ...]]


class TableRecord(_Record):
    """What is known of a table: of how many rows its background was drawn, and its index where it has one."""

    background_of: int = 0
    index: IndexRecord | None = None


class SpaceRecord(_Record):
    """What made the tables of a model, and what is known of each."""

    model: str
    place: str
    revision: str
    towers: str
    tables: dict[Modality, TableRecord] = {}


@dataclass(frozen=True)
class SearchSpace:
    """The tables of a model in an archive, all of which can be made anew from its vectors.

    Attributes
    ----------
    directory
        ``search/<model>`` of the archive.
    """

    directory: Path

    @property
    def exists(self) -> bool:
        """Whether anything was recorded."""
        return (self.directory / _RECORD).is_file()

    @property
    def record(self) -> SpaceRecord:
        """What made the tables.

        Raises
        ------
        DatasetError
            Where the record is not there, or is none.
        """
        file = self.directory / _RECORD
        try:
            return SpaceRecord.model_validate(read_json(file, DatasetError))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise DatasetError(
                f"{file} is no record of what is searched: {where}: {first['msg']}. {self._again}"
            ) from None

    @property
    def _again(self) -> str:
        return f"Remove {self.directory} and refresh the archive"

    def write_record(self, record: SpaceRecord) -> None:
        """Write what made the tables."""
        make_directory(self.directory)
        write_whole(self.directory / _RECORD, record.model_dump_json(indent=2) + "\n")

    def said_of(self, modality: Modality) -> TableRecord:
        """Return what is recorded of a modality's table."""
        return self.record.tables.get(modality, TableRecord())

    def say_of(self, modality: Modality, **said: Any) -> None:
        """Record something of a modality's table, beside what is recorded."""
        record = self.record
        changed = self.said_of(modality).model_copy(update=said)
        self.write_record(record.model_copy(update={"tables": {**record.tables, modality: changed}}))

    def place(self, modality: Modality) -> Path:
        """Return the directory of a modality's table."""
        return self.directory / f"{modality.value}.lance"

    def background_file(self, modality: Modality) -> Path:
        """Return the file of the rows with which scores are compared."""
        return self.directory / f"background-{modality.value}.npy"

    def has(self, modality: Modality) -> bool:
        """Say whether a modality has a table."""
        versions = self.place(modality) / "_versions"
        return versions.is_dir() and any(versions.iterdir())

    def table(self, modality: Modality) -> lance.LanceDataset:
        """Return a modality's table, as it is now.

        Raises
        ------
        DatasetError
            Where it cannot be read.
        """
        place = self.place(modality)
        try:
            with no_panic():
                table = open_lance(*for_lance(str(place)))
        except _DAMAGED as error:
            reason = str(error).split("\n", maxsplit=1)[0][:300]
            raise DatasetError(f"{place} cannot be read: {reason}. {self._again}") from error
        vector = dict(zip(table.schema.names, table.schema.types, strict=True)).get("vector", pa.null())
        if not pa.types.is_fixed_size_list(vector) or table.schema != searched_schema(vector.list_size):
            raise DatasetError(f"{place} has not the columns of a table that is searched. {self._again}")
        return table


def space_of(archive: Archive, model: ModelCard) -> SearchSpace:
    """Return where a model's tables lie; they need not be there."""
    return SearchSpace(own_place(archive.path, "search", file_name(model.name)))


def has_search_spaces(archive: Archive) -> bool:
    """Say whether an archive has anything to search."""
    return any((archive.path / "search").glob(f"*/{_RECORD}"))


def search_spaces(archive: Archive) -> tuple[SearchSpace, ...]:
    """Return the spaces that an archive has, by name.

    Raises
    ------
    DatasetError
        Where it has none.
    """
    found = sorted(file.parent for file in (archive.path / "search").glob(f"*/{_RECORD}"))
    if not found:
        raise DatasetError(
            f"{archive.path} has nothing to search yet. Run: {suggested('archive refresh', archive.path)}"
        )
    return tuple(map(SearchSpace, found))
