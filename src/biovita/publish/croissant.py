"""A dataset described in Croissant (MLCommons), so that others' tools read its tables."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from biovita.dataset import Dataset
from biovita.dataset.schema import LARGE_TABLES, TABLES
from biovita.files import write_whole
from biovita.hashing import sha256_of

if TYPE_CHECKING:
    import mlcroissant

__all__ = ["write_croissant"]

_ABOUT = {
    "taxa": "One row a taxon.",
    "traits": "One row for each known trait label of a taxon.",
    "audio": "One row a recording, or a span of one.",
    "images": "One row a photograph.",
    "rejected": "One row for each record that could not be used, and why.",
    "omitted": "One row for each record that the plan left out, and why.",
}


def write_croissant(dataset: Dataset, directory: Path, description: str, licenses: Sequence[str]) -> None:
    """Write ``croissant.json`` for the tables in ``directory``, which are those of ``dataset``."""
    import mlcroissant as mlc

    logging.getLogger("absl").setLevel(logging.ERROR)
    distribution, record_sets = [], []
    large = {name: schema for name, schema in LARGE_TABLES.items() if (directory / f"{name}.parquet").is_file()}
    for name, schema in {**TABLES, **large}.items():
        file = f"{name}.parquet"
        digest = sha256_of(directory / file)
        distribution.append(
            mlc.FileObject(
                id=file, name=file, content_url=file, encoding_formats=["application/x-parquet"], sha256=digest
            )
        )
        fields = [_field(mlc, name, file, field) for field in schema]
        record_sets.append(mlc.RecordSet(id=name, name=name, description=_ABOUT[name], fields=fields))
    made = mlc.Metadata(
        name=dataset.info["name"],
        description=description,
        version=_semantic(str(dataset.info["version"])),
        license=list(licenses) or ["not stated"],
        distribution=distribution,
        record_sets=record_sets,
    )
    text = json.dumps(made.to_json(), indent=2, ensure_ascii=False, default=str)
    write_whole(directory / "croissant.json", text + "\n")


def _semantic(version: str) -> str:
    """Return a version with the three parts that Croissant asks for; ``1`` is ``1.0.0``."""
    parts = version.split(".")
    return (
        ".".join([*parts, "0", "0"][:3]) if all(part.isdigit() for part in parts) and len(parts) < 3 else version
    )


def _field(mlc: Any, table: str, file: str, field: pa.Field) -> mlcroissant.Field:
    kinds = {
        pa.string(): mlc.DataType.TEXT,
        pa.bool_(): mlc.DataType.BOOL,
        pa.float64(): mlc.DataType.FLOAT,
        pa.int32(): mlc.DataType.INTEGER,
        pa.int64(): mlc.DataType.INTEGER,
    }
    return mlc.Field(
        id=f"{table}/{field.name}",
        name=field.name,
        data_types=kinds[field.type],
        source=mlc.Source(file_object=file, extract=mlc.Extract(column=field.name)),
    )
