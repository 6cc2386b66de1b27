"""A dataset in others' layouts: that of the published release, and Parquet with the media in it for `datasets`."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biovita.csv_safe import SafeWriter
from biovita.dataset import Dataset, Split
from biovita.dataset.file_rows import file_rows
from biovita.dataset.outgoing import (
    Outgoing,
    allowed_outside,
    bytes_of,
    copied,
    is_outside,
    own_file,
    stated_files,
    taxon_of,
    unchanged,
)
from biovita.dataset.schema import AUDIO, IMAGES, MEDIA_TABLES, TABLES
from biovita.errors import DatasetError
from biovita.filenames import FileNames, contained, file_name, safe_suffix
from biovita.files import new_directory, require_replaceable, write_whole
from biovita.jsonfile import read_text
from biovita.modality import MEDIA, Modality
from biovita.publish.attribution import shown_path, write_attribution
from biovita.taxonomy import Taxon, taxon_id_of

__all__ = ["export_hub", "export_release", "training_files"]

METADATA = (
    *("file_name", "scientific_name", "accepted_name", "class", "order", "family", "genus", "com"),
    *("source", "recording_id", "download_url", "license", "attribution"),
)
IMAGE_URLS = (
    *("file_name", "scientific_name", "class", "order", "family", "genus", "com", "source", "source_id", "url"),
    *("license", "attribution"),
)
_SHARD_BYTES = 400 << 20
_GROUP_ROWS, _GROUP_BYTES = 64, 64 << 20  # of media that are held together


def export_release(
    dataset: Dataset, out: Path, *, copy: bool = False, allow_outside: bool = False
) -> dict[str, int]:
    """Write the training part of a dataset as the published release lays it out; return the files by table.

    ``train/metadata.csv`` has a row a recording, whole, ``train/image_urls.csv`` a row a photograph;
    recordings lie in ``train/audio/<species>/``, photographs in ``images/<species>/``. Items held out by a split are
    left to a benchmark.

    Parameters
    ----------
    copy
        Copy the files; otherwise they are hard links where the file system allows it. Files from outside the dataset
        are always copied.
    allow_outside
        Publish files that lie outside the dataset, too.

    Raises
    ------
    DatasetError
        Where files lie outside the dataset and that is not allowed, one is not what the tables state, or ``out`` exists
        or cannot be made.
    """
    require_replaceable(out, marker=None)
    allowed_outside(dataset.path, training_files(dataset), allow=allow_outside)
    with new_directory(out, marker=None) as directory:
        train = directory / "train"
        train.mkdir()
        counts = {}
        for modality, name, columns in (
            (Modality.AUDIO, "metadata.csv", METADATA),
            (Modality.IMAGE, "image_urls.csv", IMAGE_URLS),
        ):
            places = _Places(train / "audio" if modality == Modality.AUDIO else directory / "images")
            base = train if modality == Modality.AUDIO else directory
            counts[name] = 0
            with (train / name).open("w", encoding="utf-8", newline="") as stream:
                writer = SafeWriter(stream, columns)
                writer.writeheader()
                for row, taxon, file in _training_files(dataset, modality):
                    place = contained(directory, places.of(row, taxon))
                    copied(file, place, link=not copy and not is_outside(dataset.path, file.source))
                    writer.writerow(_columns(row, taxon, place.relative_to(base).as_posix()))
                    counts[name] += 1
    return counts


def training_files(dataset: Dataset) -> Iterator[Outgoing]:
    """Yield the files that `export_release` writes: all but those that a split holds out."""
    return (file for modality in MEDIA for _, _, file in _training_files(dataset, modality))


class _Places:
    """Where files go: a folder a species, and in it a name an item, whatever its id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._species = FileNames()
        self._items: dict[str, FileNames] = defaultdict(FileNames)

    def of(self, row: dict[str, Any], taxon: Taxon) -> Path:
        species = self._species.of(taxon_id_of(taxon.scientific_name))
        # clips share the id before the dash, but ids that differ after it are not always clips of one recording
        ids = row["id"].split("-")[0], row["id"]
        return self._folder / species / self._items[species].new(*ids, suffix=safe_suffix(row["path"]))


def _training_files(dataset: Dataset, modality: Modality) -> Iterator[tuple[dict[str, Any], Taxon, Outgoing]]:
    name = MEDIA_TABLES[modality]
    trained = pc.field("split").is_null() | (pc.field("split") == Split.TRAIN.value)
    for batch in file_rows(dataset, name, TABLES[name].names, trained):
        for row in batch.to_pylist():
            yield row, taxon_of(dataset, row), Outgoing(dataset.locate(row["path"]), modality, row["sha256"])


def _columns(row: dict[str, Any], taxon: Taxon, file: str) -> dict[str, Any]:
    return {
        "file_name": file,
        "scientific_name": taxon.scientific_name,
        "accepted_name": taxon.scientific_name,
        "class": taxon.class_,
        "order": taxon.order,
        "family": taxon.family,
        "genus": taxon.genus,
        "com": taxon.common_name,
        "source": row["source"],
        "source_id": row["source_id"],
        "recording_id": row["source_id"],
        "download_url": row["url"],
        "url": row["url"],
        "license": row["license"],
        "attribution": row["attribution"],
    }


def export_hub(dataset: Dataset, out: Path, *, allow_outside: bool = False) -> dict[str, int]:
    """Write Parquet shards with the media in them, which ``datasets.load_dataset(out, "audio")`` reads as they are.

    Parameters
    ----------
    allow_outside
        Publish files that lie outside the dataset, too.

    Returns
    -------
    dict[str, int]
        Items by configuration: ``audio`` and ``images``.

    Raises
    ------
    DatasetError
        Where files lie outside the dataset and that is not allowed, one is not what the tables state, or ``out`` exists
        or cannot be made.
    """
    require_replaceable(out, marker=None)
    files = (file for modality in MEDIA for _, file in stated_files(dataset, modality))
    allowed_outside(dataset.path, files, allow=allow_outside)
    counts = {}
    with new_directory(out, marker=None) as directory:
        for modality, name, column, schema in (
            (Modality.AUDIO, "audio", "audio", AUDIO),
            (Modality.IMAGE, "images", "image", IMAGES),
        ):
            table = dataset.media(modality)
            if table.num_rows:
                (directory / name).mkdir()
                _shards(dataset, table, directory / name, _hub_schema(schema, column), column)
            counts[name] = table.num_rows
        configs = [
            f"- config_name: {name}\n  data_files: {name}/*.parquet" for name, number in counts.items() if number
        ]
        card = own_file(dataset.path, "README.md")
        text = _without_front(read_text(card, DatasetError)) if card is not None else "\n"
        front = "\n".join(["---", "configs:", *configs, "---"])
        write_whole(directory / "README.md", f"{front}\n{text}")
        if own_file(dataset.path, "ATTRIBUTION.csv") is not None:
            write_attribution(dataset, directory / "ATTRIBUTION.csv")
    return counts


def _without_front(card: str) -> str:
    """Return a card without the lines between ``---`` that it begins with, where it does."""
    card = card.replace("\r\n", "\n")
    return card.partition("\n---\n")[2] if card.startswith("---\n") else f"\n{card}"


def _hub_schema(schema: pa.Schema, column: str) -> pa.Schema:
    """Return the table's columns with names of the taxon and the medium, and what `datasets` calls their types."""
    kinds = {pa.string(): "string", pa.float64(): "float64", pa.int32(): "int32"}
    medium = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [*schema, pa.field("scientific_name", pa.string()), pa.field("common_name", pa.string())]
    features: dict[str, Any] = {field.name: {"dtype": kinds[field.type], "_type": "Value"} for field in fields}
    features[column] = {"_type": "Audio" if column == "audio" else "Image"}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    nullable = [field.with_nullable(True) for field in fields]  # noqa: FBT003 - pyarrow takes it by position only
    return pa.schema([*nullable, pa.field(column, medium)], metadata=metadata)


def _groups(dataset: Dataset, table: pa.Table, column: str) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Yield some rows with their media, and how many bytes these have."""
    known: set[Any] = set()
    for batch in table.to_batches(max_chunksize=_GROUP_ROWS):
        rows: list[dict[str, Any]] = []
        size = 0
        for row in batch.to_pylist():
            taxon = taxon_of(dataset, row)
            row |= {"scientific_name": taxon.scientific_name, "common_name": taxon.common_name}
            row[column] = {
                "bytes": _bytes(dataset, row, known),
                "path": file_name(PurePosixPath(row["path"]).name),
            }
            row["path"] = shown_path(row["path"], row["sha256"])
            rows.append(row)
            size += len(row[column]["bytes"])
            if size >= _GROUP_BYTES:
                yield rows, size
                rows, size = [], 0
        if rows:
            yield rows, size


def _shards(dataset: Dataset, table: pa.Table, directory: Path, schema: pa.Schema, column: str) -> None:
    number, size = 0, 0
    writer: pq.ParquetWriter | None = None
    for rows, held in _groups(dataset, table, column):
        size += held
        if writer is None:
            writer = pq.ParquetWriter((directory / f"{number:05}.parquet").absolute(), schema, compression="none")
        writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))
        if size >= _SHARD_BYTES:
            writer.close()
            writer, number, size = None, number + 1, 0
    if writer is not None:
        writer.close()


def _bytes(dataset: Dataset, row: dict[str, Any], known: set[Any]) -> bytes:
    """Return the file; of a recording that is a span of one, the span, as FLAC where that takes it, or else as WAV."""
    modality = Modality.AUDIO if "start_s" in row else Modality.IMAGE
    file = Outgoing(dataset.locate(row["path"]), modality, row["sha256"])
    if modality == Modality.IMAGE or (row["start_s"] <= 0 and row["end_s"] >= row["duration_s"]):
        return bytes_of(file)
    import io

    import soundfile

    from biovita.media import flac_takes, read_clip

    with unchanged(file, known) as place:
        samples, rate = read_clip(place, row["start_s"], row["end_s"], mono=False)
    stream = io.BytesIO()
    kind = "FLAC" if flac_takes(samples, rate) else "WAV"
    soundfile.write(stream, samples, rate, format=kind, subtype="PCM_16")
    return stream.getvalue()
