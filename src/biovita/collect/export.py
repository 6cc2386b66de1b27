"""A dataset in others' layouts: that of the published release, and Parquet with the media in it for `datasets`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from biovita.collect.attribution import write_attribution
from biovita.csv_safe import SafeWriter
from biovita.dataset import Dataset, Modality, Split, new_directory
from biovita.dataset.schema import AUDIO, IMAGES
from biovita.errors import DatasetError
from biovita.media.packed import MediaPath, PackedFile
from biovita.taxonomy import Taxon, taxon_id_of

__all__ = ["export_hub", "export_release"]

METADATA = (
    *("file_name", "scientific_name", "accepted_name", "class", "order", "family", "genus", "com"),
    *("source", "recording_id", "download_url", "license", "attribution"),
)
IMAGE_URLS = (
    *("file_name", "scientific_name", "class", "order", "family", "genus", "com", "source", "source_id", "url"),
    *("license", "attribution"),
)
_SHARD_BYTES = 400 << 20


def export_release(dataset: Dataset, out: Path, *, copy: bool = False) -> dict[str, int]:
    """Write the training part of a dataset as the published release lays it out; return the files by table.

    ``train/metadata.csv`` has a row a recording, whole, ``train/image_urls.csv`` a row a photograph;
    recordings lie in ``train/audio/<species>/``, photographs in ``images/<species>/``. Items held out by a split are
    left to a benchmark.

    Parameters
    ----------
    copy
        Copy the files; otherwise they are hard links where the file system allows it.
    """
    with new_directory(out) as directory:
        train = directory / "train"
        train.mkdir()
        counts = {}
        for modality, name, columns in (
            (Modality.AUDIO, "metadata.csv", METADATA),
            (Modality.IMAGE, "image_urls.csv", IMAGE_URLS),
        ):
            folder = train / "audio" if modality == Modality.AUDIO else directory / "images"
            counts[name] = 0
            with (train / name).open("w", encoding="utf-8", newline="") as stream:
                writer = SafeWriter(stream, columns)
                writer.writeheader()
                for row, taxon in _training_files(dataset, modality):
                    source = dataset.locate(row["path"])
                    place = (
                        folder / taxon_id_of(taxon.scientific_name) / f"{row['id'].split('-')[0]}{source.suffix}"
                    )
                    if place.exists():  # ids that differ after the dash are not always clips of one recording
                        place = place.with_name(f"{row['id']}{source.suffix}")
                    _place(source, place, copy=copy)
                    base = train if modality == Modality.AUDIO else directory
                    writer.writerow(_columns(row, taxon, place.relative_to(base).as_posix()))
                    counts[name] += 1
    return counts


def _training_files(dataset: Dataset, modality: Modality) -> Iterator[tuple[dict[str, Any], Taxon]]:
    seen: set[str] = set()
    for batch in dataset.media(modality).to_batches():
        for row in batch.to_pylist():
            if row["split"] in {None, Split.TRAIN.value} and row["path"] not in seen:
                seen.add(row["path"])
                yield row, dataset.taxonomy[row["taxon_id"]]


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


def _place(source: MediaPath, place: Path, *, copy: bool) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        if isinstance(source, PackedFile):
            place.write_bytes(source.read_bytes())
            return
        if copy:
            shutil.copyfile(source, place)
            return
        try:
            os.link(source.resolve(), place)
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, place)
    except FileNotFoundError:
        raise DatasetError(f"{source}: the dataset names this file, and it is not there") from None


def export_hub(dataset: Dataset, out: Path) -> dict[str, int]:
    """Write Parquet shards with the media in them, which ``datasets.load_dataset(out, "audio")`` reads as they are.

    Returns
    -------
    dict[str, int]
        Items by configuration: ``audio`` and ``images``.
    """
    counts = {}
    with new_directory(out) as directory:
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
        card = dataset.path / "README.md"
        text = card.read_text(encoding="utf-8").partition("\n---\n")[2] if card.is_file() else "\n"
        (directory / "README.md").write_text(
            "\n".join(["---", "configs:", *configs, "---"]) + "\n" + text, "utf-8"
        )
        if (dataset.path / "ATTRIBUTION.csv").is_file():
            write_attribution(dataset, directory / "ATTRIBUTION.csv")
    return counts


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


def _shards(dataset: Dataset, table: pa.Table, directory: Path, schema: pa.Schema, column: str) -> None:
    number, size = 0, 0
    writer: pq.ParquetWriter | None = None
    for batch in table.to_batches(max_chunksize=64):
        rows = batch.to_pylist()
        for row in rows:
            taxon = dataset.taxonomy[row["taxon_id"]]
            row |= {"scientific_name": taxon.scientific_name, "common_name": taxon.common_name}
            row[column] = {"bytes": _bytes(dataset, row), "path": Path(row["path"]).name}
            size += len(row[column]["bytes"])
        if writer is None:
            writer = pq.ParquetWriter(directory / f"{number:05}.parquet", schema, compression="none")
        writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))
        if size >= _SHARD_BYTES:
            writer.close()
            writer, number, size = None, number + 1, 0
    if writer is not None:
        writer.close()


def _bytes(dataset: Dataset, row: dict[str, Any]) -> bytes:
    """Return the file; of a recording that is a span of one, the span, as FLAC."""
    place = dataset.locate(row["path"])
    if "start_s" not in row or (row["start_s"] <= 0 and row["end_s"] >= row["duration_s"]):
        return place.read_bytes()
    import io

    import soundfile

    from biovita.media import read_clip

    samples, rate = read_clip(place, row["start_s"], row["end_s"], mono=False)
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format="FLAC", subtype="PCM_16")
    return stream.getvalue()
