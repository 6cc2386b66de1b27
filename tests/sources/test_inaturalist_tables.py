from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from biovita.errors import DatasetError
from biovita.sources.inaturalist_api import InaturalistExport
from biovita.sources.rows_read import TableRead

PHOTO = "https://static.inaturalist.org/photos/77/medium.jpg"
SOUND = "https://static.inaturalist.org/sounds/88.mp3?1"
OBSERVATION = "https://www.inaturalist.org/observations/5"


def read(
    folder: Path, *rows: dict[str, str], **how: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], TableRead]:
    file = folder / "observations.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, tuple(rows[0]), **how)
        writer.writeheader()
        writer.writerows(rows)
    (batch,) = InaturalistExport(path=file).batches()
    return batch.records.to_pylist(), batch.rejected.to_pylist(), *batch.tables


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"id": "5", "scientific_name": "Pica pica", "image_url": PHOTO}, {}),
        ({"uuid": "5", "scientific_name": "Pica pica", "image_url": PHOTO}, {}),
        ({"url": OBSERVATION, "scientific_name": "Pica pica", "image_url": PHOTO}, {}),
        ({"id": "5", "taxon_species_name": "Pica pica", "image_url": PHOTO}, {}),
        ({"id": "5", "scientific_name": "", "taxon_genus_name": "Pica", "image_url": PHOTO}, {"name": "Pica"}),
        ({"id": "5", "taxon_class_name": "Aves", "taxon_family_name": "Corvidae", "scientific_name": "Pica pica",
          "image_url": PHOTO}, {"class": "Aves", "family": "Corvidae"}),
        ({"id": "5", "scientific_name": "Pica pica", "license": "CC-BY", "image_url": PHOTO}, {"license": "CC-BY"}),
        ({"ID": "5", "Scientific_Name": "Pica pica", "Image_URL": PHOTO}, {}),
    ],
)  # fmt: skip
def test_whatever_columns_were_chosen_give_the_photograph(
    tmp_path: Path, columns: dict[str, str], expected: dict[str, str]
) -> None:
    (record,), rejected, table = read(tmp_path, columns)
    wanted = {
        "name": "Pica pica",
        "group": "5",
        "source_id": "77",
        "url": PHOTO.replace("medium", "large"),
    } | expected
    assert {name: record[name] for name in wanted} == wanted
    assert not rejected
    assert any("has no column license" in note for note in table.notes) == ("license" not in columns)


def test_sounds_alone_and_decimal_commas(tmp_path: Path) -> None:
    row = {"id": "5", "scientific_name": "Pica pica", "sound_url": SOUND, "latitude": "52,5", "longitude": "-1,25"}
    (record,), _, _ = read(tmp_path, row, delimiter=";", quoting=csv.QUOTE_ALL)
    assert (record["modality"], record["source_id"], record["url"]) == ("audio", "88", SOUND)
    assert (record["latitude"], record["longitude"]) == (52.5, -1.25)


def test_each_row_gives_records_or_a_reason_or_is_empty(tmp_path: Path) -> None:
    both = {"id": "5", "scientific_name": "Pica pica", "image_url": PHOTO, "sound_url": SOUND}
    rows = [
        both,
        dict.fromkeys(both, ""),
        {**both, "scientific_name": "NA"},
        {**both, "image_url": "", "sound_url": ""},
    ]
    records, rejected, table = read(tmp_path, *rows)
    assert [record["row"] for record in records] == [2, 2]
    assert [(row["row"], row["reason"]) for row in rejected] == [(4, "no-name"), (5, "no-media")]
    assert (table.rows, table.skipped) == (4, 1)


@pytest.mark.parametrize(
    ("columns", "lacking"),
    [
        (("id", "scientific_name"), "no address of a photograph or sound .image_url or sound_url."),
        (("id", "image_url"), "no name .scientific_name"),
        (("scientific_name", "sound_url"), "no number of an observation"),
    ],
)
def test_an_export_that_lacks_what_is_needed_is_told_which_columns_to_choose(
    tmp_path: Path, columns: tuple[str, ...], lacking: str
) -> None:
    with pytest.raises(
        DatasetError, match=f"{lacking}.*Export again from .*observations/export with the columns id"
    ):
        read(tmp_path, dict.fromkeys(columns, "x"))
