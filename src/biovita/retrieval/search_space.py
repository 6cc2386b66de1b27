"""What is searched of an archive with one model: a table a modality, all vectors of length 1 in the model's space."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biovita.archive.archive import Archive
from biovita.errors import DatasetError
from biovita.filenames import file_name, own_place
from biovita.files import make_directory, write_whole
from biovita.jsonfile import read_json
from biovita.lance_tables import no_panic, open_lance
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.storage import for_lance
from biovita.suggestion import suggested

if TYPE_CHECKING:
    import lance

__all__ = ["SearchSpace", "has_search_spaces", "search_spaces", "space_of"]

_RECORD = "search.json"
_DAMAGED = (ValueError, OSError, RuntimeError, LookupError)


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
    def record(self) -> dict[str, Any]:
        """What made the tables: ``model``, and by modality what is known of the table."""
        file = self.directory / _RECORD
        found = read_json(file, DatasetError) if file.is_file() else {}
        if not isinstance(found, dict):
            raise DatasetError(f"{file} holds no JSON object. Remove {self.directory} and refresh the archive")
        return found

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Write what made the tables."""
        make_directory(self.directory)
        write_whole(self.directory / _RECORD, json.dumps(record, indent=2, ensure_ascii=False) + "\n")

    def said_of(self, modality: Modality) -> dict[str, Any]:
        """Return what the record says of a modality's table."""
        found: dict[str, Any] = self.record.get("tables", {}).get(modality.value, {})
        return found

    def say_of(self, modality: Modality, said: Mapping[str, Any]) -> None:
        """Record something of a modality's table, beside what is recorded."""
        record = self.record
        tables = record.setdefault("tables", {})
        tables[modality.value] = {**tables.get(modality.value, {}), **said}
        self.write_record(record)

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
                return open_lance(*for_lance(str(place)))
        except _DAMAGED as error:
            reason = str(error).split("\n", maxsplit=1)[0][:300]
            raise DatasetError(
                f"{place} cannot be read: {reason}. Remove {self.directory} and refresh the archive"
            ) from error


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
