"""The description in Croissant, beside the one that the format's own library writes."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import mlcroissant as mlc
import pyarrow as pa
import pytest

from biovita.dataset import Dataset, write_dataset
from biovita.dataset.schema import TABLES
from biovita.hashing import sha256_of
from biovita.publish.croissant import write_croissant

KINDS = {
    pa.string(): mlc.DataType.TEXT,
    pa.bool_(): mlc.DataType.BOOL,
    pa.float64(): mlc.DataType.FLOAT,
    pa.int32(): mlc.DataType.INTEGER,
    pa.int64(): mlc.DataType.INTEGER,
}


def _by_the_library(dataset: Dataset, description: str, licenses: list[str]) -> dict[str, object]:
    files, sets = [], []
    for name, schema in TABLES.items():
        file = f"{name}.parquet"
        files.append(
            mlc.FileObject(
                id=file,
                name=file,
                content_url=file,
                encoding_formats=["application/x-parquet"],
                sha256=sha256_of(dataset.path / file),
            )
        )
        fields = [
            mlc.Field(
                id=f"{name}/{field.name}",
                name=field.name,
                data_types=KINDS[field.type],
                source=mlc.Source(file_object=file, extract=mlc.Extract(column=field.name)),
            )
            for field in schema
        ]
        sets.append(mlc.RecordSet(id=name, name=name, description=f"{name}", fields=fields))
    made = mlc.Metadata(
        name="birds",
        description=description,
        version="1.2.0",
        license=licenses,
        distribution=files,
        record_sets=sets,
    )
    return json.loads(json.dumps(made.to_json(), default=str))


@pytest.mark.parametrize("licenses", [["CC0-1.0"], ["CC-BY", "CC-BY-NC"]])
def test_it_is_what_the_library_writes(tmp_path: Path, licenses: list[str]) -> None:
    logging.getLogger("absl").setLevel(logging.ERROR)
    write_dataset(tmp_path, {}, {"name": "birds", "version": "1.2"})
    dataset = Dataset.open(tmp_path)
    write_croissant(dataset, tmp_path, "Möwen.", licenses)
    ours = json.loads((tmp_path / "croissant.json").read_text(encoding="utf-8"))
    theirs = _by_the_library(dataset, "Möwen.", licenses)
    for each in ours["recordSet"]:
        assert each.pop("description").startswith("One row")
    for each in theirs["recordSet"]:  # type: ignore[attr-defined]
        del each["description"]
    assert ours == theirs
    assert list(ours) == list(theirs)


def test_it_is_valid_and_says_that_no_licence_is_stated(tmp_path: Path) -> None:
    write_dataset(tmp_path, {}, {"name": "birds", "version": "2"})
    write_croissant(Dataset.open(tmp_path), tmp_path, "Nothing yet.", [])
    read = mlc.Dataset(jsonld=str(tmp_path / "croissant.json"))
    assert not read.metadata.ctx.issues.errors
    assert read.metadata.version == "2.0.0"
    assert read.metadata.license == ["not stated"]
