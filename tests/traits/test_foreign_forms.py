"""Published trait tables as they are, and as Excel and R save them: the same records come out."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from biovita.errors import DatasetError
from biovita.traits.plain import read_plain
from biovita.traits.tables import TraitRows, read_records, trait_table

ROWS = (
    ("Strix aluco", "Strigidae", "Strigiformes", "Forest", "1", "Vertivore", "Insessorial", "35.25", "64.5"),
    ("Apus apus", "Apodidae", "Apodiformes", "Human Modified", "3", "Invertivore", "Aerial", "NA", "69"),
)
HEAD = ("Species1", "Family1", "Order1", "Habitat", "Migration", "Trophic.Niche", "Primary.Lifestyle")
HEAD = (*HEAD, "Min.Latitude", "Max.Latitude")


def text(path: Path, delimiter: str = ",", encoding: str = "utf-8", *, commas: bool = False) -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(HEAD)
        writer.writerows([cell.replace(".", ",") if commas else cell for cell in row] for row in ROWS)
    return path


def workbook(path: Path) -> Path:
    """Write a workbook as AVONET's: what it is on the first sheet, then a sheet a taxonomy."""
    book = openpyxl.Workbook()
    book.active.title = "Metadata"
    book.active.append(["Dataset", "AVONET"])
    book.active.append(["Species1", "the name in BirdLife's list"])
    for number in (2, 1, 3):
        sheet = book.create_sheet(f"AVONET{number}")
        sheet.append([name.replace("1", str(number)) for name in HEAD])
        for row in ROWS:
            sheet.append([float(cell) if cell[0].isdigit() else cell for cell in row])
    book.save(path)
    return path


FORMS: dict[str, Callable[[Path], Path]] = {
    "as published": lambda folder: text(folder / "avonet.csv"),
    "semicolons and decimal commas": lambda folder: text(folder / "avonet.csv", ";", commas=True),
    "tabs": lambda folder: text(folder / "avonet.txt", "\t"),
    "Unicode text": lambda folder: text(folder / "avonet.txt", "\t", "utf-16"),
    "a workbook": lambda folder: workbook(folder / "AVONET Supplementary dataset 1.xlsx"),
}


@pytest.mark.parametrize("form", FORMS)
def test_avonet_in_all_its_forms(tmp_path: Path, form: str) -> None:
    rows = read_records(trait_table("avonet"), FORMS[form](tmp_path))
    assert [(record.row, record.name) for record in rows.records] == [(2, "Strix aluco"), (3, "Apus apus")]
    owl, swift = (record.cells for record in rows.records)
    assert (owl["Migration"], owl["Min.Latitude"], owl["Max.Latitude"]) == ("1", "35.25", "64.5")
    assert (swift["Min.Latitude"], swift["Max.Latitude"], swift["Habitat"]) == (None, "69", "Human Modified")
    said, odd = trait_table("avonet").labels_of(owl)
    assert (odd, said["forest"], said["carnivore"]) == ([], True, True)
    assert (rows.nameless, rows.skipped, rows.rejected, rows.notes) == (0, 0, [], ())


def test_what_r_makes_of_a_table(trait_files: dict[str, Path], tmp_path: Path) -> None:
    """As ``write.csv(read.delim(...))`` writes PanTHERIA: row names, other names of columns, NA."""
    described, published = trait_table("pantheria"), trait_files["pantheria"]
    with published.open(encoding="latin-1", newline="") as file:
        rows = [row for _, row in zip(range(40), csv.reader(file, delimiter="\t"), strict=False)]
    names = ["X" + name.replace("-", ".") if name[0].isdigit() else name for name in rows[0]]
    with (tmp_path / "pantheria.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["", *names])
        for number, row in enumerate(rows[1:], 1):
            writer.writerow([number, *("NA" if cell in described.missing else cell for cell in row)])
    want = read_records(described, published).records[:39]
    got = read_records(described, tmp_path / "pantheria.csv")
    assert [(record.name, record.cells) for record in got.records] == [(r.name, r.cells) for r in want]
    assert got.notes == ("its column 1 has no name, and was not read",)


def test_one_broken_row_is_listed_and_the_others_count(tmp_path: Path) -> None:
    file = text(tmp_path / "avonet.csv")
    with file.open("a", encoding="utf-8") as stream:
        stream.write("Parus major,Paridae\n,,,,,,,,\n,,,Forest,,,,,\n")
    rows: TraitRows = read_records(trait_table("avonet"), file)
    assert [row.line for row in rows.rejected] == [4]
    assert (len(rows.records), rows.skipped, rows.nameless) == (2, 1, 1)
    own = tmp_path / "own.csv"
    own.write_text("name;label;value\nStrix aluco;nocturnal;yes\nApus apus;nocturnal;no;x\n", encoding="utf-8")
    plain = read_plain(own)
    assert ([entry.record.name for entry in plain.entries], [row.line for row in plain.rejected]) == (
        ["Strix aluco"],
        [3],
    )


def test_a_plain_table_with_separators_of_unicode_in_its_cells(tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("name,label,value,source\nStrix aluco,nocturnal,yes,a\u2028b\x85c\x0cd\n", encoding="utf-8")
    ((entry,), _, rejected, notes) = read_plain(own)
    assert (entry.source, rejected, notes) == ("a\u2028b\x85c\x0cd", [], ())


def test_a_workbook_without_the_sheet_is_refused(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Species", "Family"])
    book.create_sheet("more").append(["x"])
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(DatasetError, match=r"no sheet has the columns .*Its sheets are 'Sheet', 'more'"):
        read_records(trait_table("avonet"), tmp_path / "a.xlsx")
