"""Tables from public reports: open quotes, separators of Unicode, and what Excel and R leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from biovita.csv_table import BrokenRow, open_csv
from biovita.dataset import Dataset
from biovita.sources.folder import ImportReport, import_folder
from biovita.taxonomy.backbone_files import open_backbone
from biovita.taxonomy.match import match_names
from biovita.taxonomy.name_lists import read_names
from biovita.traits.importer import import_traits
from support.cases import inputs_of

# Rows that are read, and lines that are given up.
OPEN_QUOTES = {
    "xc_open.csv": (4, [3]),
    "xc_backslash.csv": (4, []),
    "xc_csv2.csv": (0, []),
    "inat_open.csv": (4, [3]),
    "inat_bare_quote.csv": (4, []),
    "inat_semicolon.csv": (1, []),
    "inat_latin1.csv": (2, []),
}


def test_f09_an_open_quote_costs_its_line_alone(tmp_path: Path) -> None:
    folder = inputs_of("F09", tmp_path)
    for name, (count, lines) in OPEN_QUOTES.items():
        number = "Recording_ID" if name.startswith("xc") else "id"
        rows = list(open_csv(folder / name, (number, "Remarks", "description"), (number,)))
        broken = [row.line for row in rows if isinstance(row, BrokenRow)]
        assert (len(rows) - len(broken), broken) == (count, lines), name


def test_f10_separators_of_unicode_are_no_line_ends(tmp_path: Path) -> None:
    folder = inputs_of("F10", tmp_path)
    backbone = open_backbone(folder / "col")
    for name in ("u2028", "nel", "formfeed", "semicolon", "ragged"):
        listed = read_names(folder / f"{name}.csv")
        decided = match_names(listed.names, backbone)
        assert decided["accepted_name"].to_pylist() == ["Parus major", "Turdus merula"], name
        assert listed.rejected == ()
    import_folder(folder / "field", out=tmp_path / "ds", progress=False)
    report = import_traits(Dataset.open(tmp_path / "ds"), {"csv": folder / "traits.csv"})
    assert (report.tables[0].matched, report.tables[0].sources) == (1, ("a\u2028b",))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ImportReport]:
    made = tmp_path_factory.mktemp("f15")
    folders = sorted(inputs_of("F15", made).iterdir())
    return {
        folder.name: import_folder(folder, out=made / f"ds_{folder.name}", strict=True, workers=1, progress=False)
        for folder in folders
    }


@pytest.mark.parametrize(
    ("name", "recordings"),
    [
        ("sep_line", 2),
        ("decimal_comma", 2),
        ("header_two_lines", 2),
        ("empty_rows", 2),
        ("nan", 2),
        ("r_write_table", 1),
    ],
)
def test_f15_tables_as_excel_pandas_and_r_leave_them(
    tables: dict[str, ImportReport], name: str, recordings: int
) -> None:
    report = tables[name]
    assert (report.audio, report.rejected) == (recordings, 0)
    if name == "decimal_comma":
        places = Dataset.open(report.dataset).audio.select(["latitude", "longitude"]).to_pylist()
        assert places == [{"latitude": 52.52, "longitude": 13.4}, {"latitude": 48.1, "longitude": 11.5}]
    if name == "empty_rows":
        assert report.skipped == 2
        assert report.ignored_columns == ()
