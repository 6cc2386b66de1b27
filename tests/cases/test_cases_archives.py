"""Archives and exports of ``shared/cases``: what their ``cmd.sh`` expects."""

from __future__ import annotations

from pathlib import Path

from biovita.collect.preview import PlanReport, preview
from support.cases import inputs_of


def plans(folder: Path) -> dict[str, PlanReport]:
    """Return the report of each plan in a folder, by its name."""
    return {plan.stem: preview(plan) for plan in sorted(folder.glob("*.toml"))}


def test_quotes_of_a_download_of_gbif_take_no_row_along(tmp_path: Path) -> None:
    reports = plans(inputs_of("F02", tmp_path))
    assert {name: report.items for name, report in reports.items()} == {"two": 11, "one": 6}


def test_rows_end_as_they_do_and_not_as_the_meta_file_says(tmp_path: Path) -> None:
    ((_, report),) = plans(inputs_of("F03", tmp_path)).items()
    assert report.items == 2
    assert "end with" in report.sources[0].notes[0]


def test_an_open_quote_costs_its_line_in_tables_of_xeno_canto_and_inaturalist(tmp_path: Path) -> None:
    reports = plans(inputs_of("F09", tmp_path))
    counts = {name: (report.items, report.sources[0].rejected) for name, report in reports.items()}
    assert counts == {
        "inat_bare_quote": (4, 0),
        "inat_latin1": (2, 0),
        "inat_open": (4, 1),
        "inat_semicolon": (1, 0),
        "xc_backslash": (4, 0),
        "xc_csv2": (0, 0),
        "xc_open": (4, 1),
    }
    assert "Windows-1252" in reports["inat_latin1"].sources[0].notes[0]
    assert reports["xc_csv2"].sources[0].why == "it has no rows"


def test_tables_of_r_packages_in_all_their_columns(tmp_path: Path) -> None:
    reports = plans(inputs_of("F17", tmp_path))
    assert {name: report.items for name, report in reports.items()} == {
        "api_names": 1,
        "suwo_all_data": 1,
        "suwo_default": 0,
        "warbler_1_1_4_no_length": 1,
        "warbler_na": 1,
        "warbler_row_names": 1,
        "warbler_write_csv2": 1,
    }
    (account,) = reports["suwo_default"].sources
    assert (account.records, account.why) == (
        1, "1 license; the first is row 2 of suwo_default.csv: Parus major, licence not stated",
    )  # fmt: skip
    assert "all_data = TRUE" in account.notes[0]
