"""A folder whose tables write one name in many ways: one taxon, and a note that says what was cleaned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from biovita.dataset import Dataset
from biovita.sources.folder import ImportReport, import_folder
from biovita.sources.folder_source import Folder
from support.folders import make_folder, write_rows

WAYS = (
    "Pica\u00a0pica",
    "PICA PICA",
    "Pica pica (Linnaeus, 1758)",
    "\ufeffPica pi\u00adca",
    "Pica_pica",
    "Pica pica song",
)


@pytest.fixture
def src(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "src", per_species=4)


def named(src: Path, tmp_path: Path, names: Sequence[str]) -> tuple[ImportReport, Dataset]:
    files = sorted((src / "audio").iterdir())
    rows = [(f"audio/{file.name}", name) for file, name in zip(files, names, strict=False)]
    write_rows(src / "audio.csv", rows, ("file", "scientific_name"))
    write_rows(src / "images.csv", [("images/Pica_pica_0.png", "Pica pica")], ("file", "scientific_name"))
    report = import_folder(src, out=tmp_path / "ds", progress=False)
    return report, Dataset.open(tmp_path / "ds")


def test_all_ways_to_write_a_name_are_one_taxon(src: Path, tmp_path: Path) -> None:
    report, dataset = named(src, tmp_path, ("Pica pica", "Pica  pica", *WAYS))
    assert [(taxon.id, taxon.scientific_name) for taxon in dataset.taxonomy.values()] == [
        ("pica_pica", "Pica pica")
    ]
    assert set(dataset.audio["taxon_id"].to_pylist()) == {"pica_pica"}
    note = next(note for note in report.notes if "cleaned" in note)
    assert note.startswith(f"{len(WAYS) - 1} names were cleaned: 'PICA PICA' is Pica pica (audio.csv line 5); ")
    assert "'\\ufeffPica pi\\xadca' is Pica pica (audio.csv line 7)" in note, "what is not seen is shown"
    assert report.rejected == 0


def test_custom_classes_stay_apart(src: Path, tmp_path: Path) -> None:
    classes = ("chainsaw noise", "Engine noise Car", "Engine noise Truck", "Larus sp.", "Pica pica/nuttalli")
    report, dataset = named(src, tmp_path, classes)
    assert {taxon.scientific_name for taxon in dataset.taxonomy.values()} == {*classes, "Pica pica"}
    assert not any("cleaned" in note for note in report.notes)


def test_a_cell_of_several_species_is_rejected(src: Path, tmp_path: Path) -> None:
    several = ("Pica pica, Corvus corax", "Pica pica & Corvus corax", "Pica pica\nCorvus corax")
    report, dataset = named(src, tmp_path, ("Pica pica", *several))
    assert report.reasons == {"several-names": 3}
    rejected = dataset.rejected.to_pylist()
    assert [row["name"] for row in rejected] == list(several)
    assert "names 2 species" in rejected[0]["detail"]
    assert list(dataset.taxonomy) == ["pica_pica"]


def test_a_plan_s_source_keeps_the_name_as_given_and_rejects_several(src: Path, tmp_path: Path) -> None:
    named(src, tmp_path, ("Pica pica song", "Pica pica, Corvus corax"))
    batches = list(Folder(path=src).batches())
    assert batches[0].records["name"].to_pylist() == ["Pica pica song", "Pica pica"]
    assert Counter(batches[0].rejected["reason"].to_pylist()) == {"several-names": 1}
