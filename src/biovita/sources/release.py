"""The published BioVITA release: ``train/metadata.csv``, ``train/image_urls.csv`` and the benchmark folder.

Recordings that do not lie where the index says are found as `biovita.sources.misnamed` tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from biovita.csv_table import BrokenRow, CsvRow, held_rows, open_csv
from biovita.errors import DatasetError
from biovita.sources.licenses import normalise_license
from biovita.sources.misnamed import find_metadata, inside, locate_recordings, size_of
from biovita.sources.source import Item, RejectedRow, StreamedSource, broken, of_table, table_read
from biovita.taxonomy import taxon_id_of
from biovita.values import text, web_address

__all__ = ["Release"]

_RANKS = ("class", "order", "family", "genus")
_URL_COLUMNS = ("url", "image_url", "photo_url", "download_url")
_NAME_COLUMNS = ("accepted_name", "scientific_name", "species")
_DESCRIBING = ("com", "common_name", "license", "attribution", "source")
_FIELDS = (
    *("id", "file_path", "file_name", "recording_id", "source_id"),
    *(*_NAME_COLUMNS, *_URL_COLUMNS, *_RANKS, *_DESCRIBING),
)
Values = Mapping[str, str | None]


class Release(StreamedSource):
    """A copy of the release.

    Parameters
    ----------
    path
        The folder that holds ``train`` and ``benchmark``; each of the two may be absent.
    images
        Where the training photographs lie, in ``<species, lower case, spaces to underscores>/``; where it is not
        given, those of ``image_urls.csv`` are to be fetched.
    part
        Which of the two is meant.
    """

    kind: Literal["release"] = "release"
    path: Path
    images: Path | None = None
    part: Literal["train", "benchmark"] = "train"

    @property
    def label(self) -> str:
        """What the ``source`` column of its records says."""
        return "BioVITA release"

    def items(self) -> Iterator[Item]:
        """Yield the recordings, then the photographs."""
        folder = self.path / self.part
        if not folder.is_dir():
            raise DatasetError(f"{self.path}: has no folder {self.part}; the release has train and benchmark")
        if self.part == "train":
            yield from self._train(folder)
        else:
            yield from _benchmark(folder)

    def _train(self, folder: Path) -> Iterator[Item]:
        metadata = folder / "metadata.csv"
        table = open_csv(metadata, _FIELDS, ("file_name", "scientific_name", "download_url"))
        yield from of_table(table, lambda row: (_recording(folder, row),))
        addresses = folder / "image_urls.csv"
        if self.images is not None:
            yield from self._image_folders(metadata, self.images)
        elif addresses.is_file():
            yield from _photographs(addresses)

    def _image_folders(self, metadata: Path, images: Path) -> Iterator[Mapping[str, Any] | RejectedRow]:
        seen: set[str] = set()
        for row in open_csv(metadata, _FIELDS, ("scientific_name",)):
            name = None if isinstance(row, BrokenRow) else _name(row.values)
            if isinstance(row, BrokenRow) or name is None or name in seen:
                continue
            seen.add(name)
            for file in _files_of(images, taxon_id_of(name)):
                place, item = {"file": "metadata.csv", "row": row.line}, f"{file.parent.name}/{file.name}"
                size = size_of(file)
                if size is None:
                    detail = "there is no such file, or it is not a regular file"
                    yield RejectedRow("image", "metadata.csv", row.line, "missing", detail, name, item)
                    continue
                shared = _shared(row.values, name, place)
                yield {
                    **shared,
                    "modality": "image",
                    "source_id": item,
                    "path": file.resolve().as_posix(),
                    "bytes": size,
                }


def _files_of(images: Path, name: str) -> list[Path]:
    """Return what lies in a folder by that name; a name with a separator leads elsewhere, and has none."""
    if name in {".", ".."} or any(mark in name for mark in "/\\\0"):
        return []
    try:
        return sorted((images / name).iterdir())
    except (OSError, ValueError):
        return []


def _name(values: Values) -> str | None:
    return next((name for column in _NAME_COLUMNS if (name := text(values.get(column)))), None)


def _shared(values: Values, name: str, place: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "vernacular": text(values.get("com")) or text(values.get("common_name")),
        "rank": "species",
        "credited_source": text(values.get("source")),
        "credited_id": text(values.get("recording_id")) or text(values.get("source_id")),
        **{rank: text(values.get(rank)) for rank in _RANKS},
        "license": normalise_license(text(values.get("license"))),
        "license_given": text(values.get("license")),
        "attribution": text(values.get("attribution")) or text(values.get("source")),
        **place,
    }


def _recording(folder: Path, row: CsvRow) -> Mapping[str, Any] | RejectedRow:
    line, values = row.line, row.values
    name, file = _name(values), text(values["file_name"])
    place = {"file": "metadata.csv", "row": line}
    if name is None or file is None:
        missing = "scientific_name" if name is None else "file_name"
        return RejectedRow("audio", "metadata.csv", line, "no-name", f"{missing} is empty", name, file)
    at_hand = inside(folder, file)
    address = web_address(values["download_url"])
    if at_hand is None and address is None:
        return RejectedRow("audio", "metadata.csv", line, "no-address", "no file and no download_url", name, file)
    source, number = text(values.get("source")), text(values.get("recording_id"))
    return {
        **_shared(values, name, place),
        "modality": "audio",
        "source_id": file,
        "group": f"{source}:{number}" if number else file,
        "url": address,
        "path": None if at_hand is None else str(at_hand),
        "bytes": None if at_hand is None else size_of(at_hand),
    }


def _photographs(table: Path) -> Iterator[Item]:
    def photograph(row: CsvRow) -> Mapping[str, Any] | RejectedRow:
        line, values = row.line, row.values
        name = _name(values)
        address = next((found for column in _URL_COLUMNS if (found := web_address(values.get(column)))), None)
        if name is None or address is None:
            reason = "no-name" if name is None else "no-address"
            detail = f"needs one of {', '.join(_NAME_COLUMNS)} and one of {', '.join(_URL_COLUMNS)}"
            return RejectedRow("image", table.name, line, reason, detail, name, address)
        place = {"file": table.name, "row": line, "source_id": address, "url": address, "modality": "image"}
        return _shared(values, name, place)

    yield from of_table(open_csv(table, _FIELDS), lambda row: (photograph(row),))


def _benchmark(folder: Path) -> Iterator[Item]:
    for modality in ("audio", "image"):
        table = folder / f"{modality}_index.csv"
        if not table.is_file():
            continue
        opened = open_csv(table, _FIELDS, ("id", "file_path", "species"))
        rows = list(held_rows(opened))
        given = [row.values for row in rows if isinstance(row, CsvRow)]
        paths = [(values["file_path"] or "", values["species"] or "") for values in given]
        located = iter(locate_recordings(folder, paths, find_metadata(folder) if modality == "audio" else None))
        for row in rows:
            if isinstance(row, BrokenRow):
                yield broken(row, table.name)
                continue
            line, values = row.line, row.values
            name, path = text(values["species"]), next(located)
            file = None if path is None else inside(folder, path)
            if name is None or file is None:
                why = ("no-name", "species is empty") if name is None else ("missing", "the file is not there")
                yield RejectedRow(modality, table.name, line, *why, name, values["file_path"])
                continue
            place = {"file": table.name, "row": line, "source_id": values["id"]}
            place |= {"path": file.as_posix(), "bytes": size_of(file)}
            yield {**_shared(values, name, place), "modality": modality}
        yield table_read(opened, len(rows))
