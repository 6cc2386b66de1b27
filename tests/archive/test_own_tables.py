"""Our own tables hold all that the archive knows: what is written is read, to the last bit."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biovita.archive.annotation_formats.annotation_readers import read_annotations
from biovita.archive.annotation_formats.annotation_writers import write_annotations
from biovita.archive.annotation_formats.own_tables import COLUMNS
from biovita.archive.archive_tables import ANNOTATIONS
from biovita.errors import DatasetError
from support.annotation_cases import events, heard, media, seen, table

OWN = ("csv", "parquet", "json")


def full() -> pa.Table:
    """Return annotations with something in every column, odd texts and odd numbers among them."""
    numbers = {
        "probability": 0.1,
        "mean_score": 1 / 3,
        "best_start_s": 0.1 + 0.2,
        "windows": 7,
        "plausibility": 1e-9,
    }
    texts = {"runner_up": "Parus major", "evidence": "class", "nearest_audio": "x", "nearest_image": "y"}
    rows = [
        heard(1, "a.wav", 0.1 + 0.2, 3.3, **numbers, **texts, runner_up_score=0.7, note='say "what"?\nthen, this'),
        heard(2, "a.wav", 1e-5, 12345.678901234, begin_local=datetime(2026, 5, 1, 5, 0, 0, 250_000)),  # noqa: DTZ001
        heard(3, "b.wav", 4.0, 5.0, label="=cmd|' /C calc'!A0", taxon_id=None, scientific_name=None, kind="class"),
        heard(4, "c.wav", 4.0, 5.0, label="", taxon_id=None, scientific_name=None, common_name=None, rank=None),
        seen(5, "p1.jpg", box=[0.1, 0.2, 0.3, 1 / 3], made_at=datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
    ]
    return table(ANNOTATIONS, rows)


@pytest.mark.parametrize("name", OWN)
def test_what_is_written_is_read(name: str, tmp_path: Path) -> None:
    (file,) = write_annotations(full(), media(), tmp_path, [name]).files
    found = read_annotations(file, name)
    assert not found.rejected
    assert found.annotations.schema == ANNOTATIONS
    read = found.annotations.sort_by("id")
    for column in ANNOTATIONS.names:
        assert read[column].to_pylist() == full()[column].to_pylist(), column


@pytest.mark.parametrize("name", OWN)
def test_nothing_is_a_table_without_rows(name: str, tmp_path: Path) -> None:
    (file,) = write_annotations(ANNOTATIONS.empty_table(), media(), tmp_path, [name]).files
    assert read_annotations(file, name).annotations.equals(ANNOTATIONS.empty_table())
    readers: dict[str, Any] = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": pd.read_json}
    assert len(readers[name](file)) == 0


def test_pandas_reads_the_same_from_all_three(tmp_path: Path) -> None:
    files = dict(zip(OWN, write_annotations(events(), media(), tmp_path, OWN).files, strict=True))
    csv, parquet, json_ = pd.read_csv(files["csv"]), pd.read_parquet(files["parquet"]), pd.read_json(files["json"])
    assert tuple(parquet.columns) == tuple(json_.columns) == COLUMNS
    for column in ("path", "start_s", "end_s", "scientific_name", "common_name", "score", "utc_offset_min"):
        assert csv[column].tolist() == parquet[column].tolist() == json_[column].tolist() == expected(column)
    assert pd.to_datetime(csv["begin_local"]).tolist() == parquet["begin_local"].tolist()


def expected(column: str) -> list[Any]:
    rows = sorted(events().to_pylist(), key=lambda row: (row["path"], row["start_s"]))
    return [row[column] for row in rows]


def test_a_spreadsheet_runs_nothing(tmp_path: Path) -> None:
    (file,) = write_annotations(full(), media(), tmp_path, ["csv"]).files
    assert pd.read_csv(file)["label"].tolist()[2] == "'=cmd|' /C calc'!A0"


def test_json_is_one_document_and_csv_has_no_byte_order_mark(tmp_path: Path) -> None:
    files = write_annotations(full(), media(), tmp_path, OWN).files
    assert len(json.loads(files[2].read_text(encoding="utf-8"))) == 5
    assert files[0].read_bytes().startswith(b"path,start_s,end_s,")


def test_rows_that_do_not_fit_are_listed(tmp_path: Path) -> None:
    (file,) = write_annotations(events(), media(), tmp_path, ["csv"]).files
    lines = file.read_text().replace(",0.25,", ",much,").replace("e1,id-a.wav,audio", "e1,id-a.wav,smell")
    file.write_text(lines)
    found = read_annotations(file, "csv")
    assert found.annotations["id"].to_pylist() == ["e3"]
    assert [(row.line, row.detail) for row in found.rejected] == [
        (2, "score is 'much', which is no number"),
        (3, "modality is 'smell', which is no audio or image"),
    ]


def test_parquet_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    pq.write_table(events().drop_columns(["label"]), file)
    with pytest.raises(DatasetError, match=r"x\.parquet: lacks the column\(s\) label"):
        read_annotations(file, "parquet")
    pq.write_table(table(ANNOTATIONS, [heard(1, "a.wav", 0.0, 1.0, presence="perhaps")]), file)
    with pytest.raises(DatasetError, match="'perhaps' in presence is none of present, absent, uncertain"):
        read_annotations(file, "parquet")
    file.write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match="cannot be read as Parquet"):
        read_annotations(file, "parquet")
