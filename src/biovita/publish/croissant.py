"""A dataset described in Croissant 1.0 (MLCommons), so that others' tools read its tables.

``croissant_context.json`` is the context of that version (https://docs.mlcommons.org/croissant/docs/croissant-spec.html).
The tests compare what is written with what the library mlcroissant writes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa

from biovita.dataset import Dataset
from biovita.dataset.schema import LARGE_TABLES, TABLES
from biovita.files import write_whole
from biovita.hashing import sha256_of

__all__ = ["write_croissant"]

_VERSION = "http://mlcommons.org/croissant/1.0"
_ABOUT = {
    "taxa": "One row a taxon.",
    "traits": "One row for each known trait label of a taxon.",
    "audio": "One row a recording, or a span of one.",
    "images": "One row a photograph.",
    "rejected": "One row for each record that could not be used, and why.",
    "omitted": "One row for each record that the plan left out, and why.",
}
_KINDS = {
    pa.string(): "sc:Text",
    pa.bool_(): "sc:Boolean",
    pa.float64(): "sc:Float",
    pa.int32(): "sc:Integer",
    pa.int64(): "sc:Integer",
}


def write_croissant(dataset: Dataset, directory: Path, description: str, licenses: Sequence[str]) -> None:
    """Write ``croissant.json`` for the tables in ``directory``, which are those of ``dataset``."""
    large = {name: schema for name, schema in LARGE_TABLES.items() if (directory / f"{name}.parquet").is_file()}
    tables = {**TABLES, **large}
    described = {
        "@context": json.loads(files(__package__).joinpath("croissant_context.json").read_text(encoding="utf-8")),
        "@type": "sc:Dataset",
        "name": dataset.info["name"],
        "description": description,
        "conformsTo": _VERSION,
        "license": _one_or_list(licenses or ["not stated"]),
        "version": _semantic(str(dataset.info["version"])),
        "distribution": [_file(directory / f"{name}.parquet") for name in tables],
        "recordSet": [_record_set(name, schema) for name, schema in tables.items()],
    }
    write_whole(directory / "croissant.json", json.dumps(described, indent=2, ensure_ascii=False) + "\n")


def _file(file: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.name,
        "encodingFormat": "application/x-parquet",
        "sha256": sha256_of(file),
    }


def _record_set(table: str, schema: pa.Schema) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": table,
        "name": table,
        "description": _ABOUT[table],
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{table}/{field.name}",
                "name": field.name,
                "dataType": _KINDS[field.type],
                "source": {
                    "fileObject": {"@id": f"{table}.parquet"},
                    "extract": {"column": field.name},
                },
            }
            for field in schema
        ],
    }


def _one_or_list(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)


def _semantic(version: str) -> str:
    """Return a version with the three parts that Croissant asks for; ``1`` is ``1.0.0``."""
    parts = version.split(".")
    return (
        ".".join([*parts, "0", "0"][:3]) if all(part.isdigit() for part in parts) and len(parts) < 3 else version
    )
