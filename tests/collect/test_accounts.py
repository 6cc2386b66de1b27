from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from biovita.cli.app import main
from biovita.collect.accounts import SourceAccount, account_lines
from biovita.collect.build import build, report_lines
from biovita.collect.preview import preview
from biovita.errors import DatasetError

HEADER = "id\tgen\tsp\tfile\tlic\n"
BY = "//creativecommons.org/licenses/by/4.0/"


def plan_of(folder: Path, *tables: str, licenses: str = '["CC-BY"]') -> Path:
    sources = ""
    for number, content in enumerate(tables):
        (folder / f"{number}.tsv").write_text(content, encoding="utf-8")
        sources += f'[[sources]]\nkind = "xeno_canto"\npath = "{number}.tsv"\n'
    plan = folder / "plan.toml"
    plan.write_text(f'name = "x"\nlicenses = {licenses}\n{sources}')
    return plan


def row(number: int, address: str = "https://x.org/1.mp3", license_: str = BY) -> str:
    return f"{number}\tPica\tpica\t{address}\t{license_}\n"


def test_each_source_of_a_plan_accounts_for_its_rows(tmp_path: Path) -> None:
    first = HEADER + row(1) + row(2, address="") + "\t\t\t\t\n" + row(1) + row(3, license_="CC BY-ND 4.0") + "4\n"
    second = HEADER + row(5, address="") + row(6, address="gopher://x")
    report = preview(plan_of(tmp_path, first, second, HEADER))
    assert report.sources == (
        SourceAccount(
            "xeno-canto", 6, 2, 3, 1, 1, (), None,
            {"no-address": 1, "not-as-described": 1, "repeated-id": 1},
        ),
        SourceAccount(
            "xeno-canto", 2, 0, 2, 0, 0, (),
            "2 no-address; the first is row 2 of 1.tsv: no-address: has no file address; xeno-canto withholds "
            "recordings of threatened species", {"no-address": 2},
        ),
        SourceAccount("xeno-canto", 0, 0, 0, 0, 0, ("2.tsv: it has no row below its header",), "it has no rows"),
    )  # fmt: skip
    for account in report.sources:
        assert account.read == account.records + account.rejected + account.skipped
    assert [(left.reason, left.rows) for left in report.left_out] == [("license", 1)]


def test_a_plan_tells_its_accounts_and_ends_with_1_where_it_gives_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_of(tmp_path, HEADER + row(1, license_="CC BY-ND 4.0"))
    with pytest.raises(SystemExit) as ended:
        main(["data", "plan", str(plan)])
    printed = capsys.readouterr()
    shown = " ".join(printed.out.split())
    assert "plan.toml: the plan gives nothing. xeno-canto: 1 license; the first is row 2" in printed.err
    assert ended.value.code == 1
    assert "xeno-canto: 1 rows read, 1 records, 0 rejected" in shown
    assert "gives nothing: 1 license; the first is row 2 of 0.tsv: Pica pica, licence CC BY-ND 4.0" in shown
    with pytest.raises(SystemExit) as ended:
        main(["data", "plan", str(plan), "--json"])
    (account,) = json.loads(capsys.readouterr().out)["sources"]
    assert ended.value.code == 1
    assert {name: account[name] for name in ("read", "records", "rejected", "skipped", "items")} == {
        "read": 1, "records": 1, "rejected": 0, "skipped": 0, "items": 0,
    }  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        main(["data", "plan", str(plan_of(tmp_path, HEADER + row(1)))])
    assert ended.value.code == 0


def test_a_build_records_the_accounts(tmp_path: Path) -> None:
    report = build(plan_of(tmp_path, HEADER.replace("file", "x") + row(1, license_="none")), tmp_path / "out")
    made = tomllib.loads((tmp_path / "out/dataset.toml").read_text(encoding="utf-8"))["made"]
    (told,) = made["sources"]
    assert (told["source"], told["read"], told["records"], told["rejected"]) == ("xeno-canto", 1, 1, 0)
    assert told["why"].startswith("1 license")
    assert "xeno-canto: 1 rows read, 1 records, 0 rejected" in report_lines(report)


def test_notes_are_shown_and_only_some_of_many() -> None:
    notes = tuple(f"note {number}" for number in range(12))
    account = SourceAccount("GBIF", 1200, 1100, 90, 10, 7, notes, reasons={"no-name": 80, "orphan": 10})
    first, *shown, last = account_lines([account])
    assert (
        first == "GBIF: 1,200 rows read, 1,100 records, 90 rejected (80 no-name, 10 orphan), 10 empty rows skipped"
    )
    assert shown == [f"  note: note {number}" for number in range(10)]
    assert last == "  and 2 more notes, which --json shows"


def test_a_table_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no column of the number"):
        preview(plan_of(tmp_path, "a\tb\n1\t2\n"))


def test_names_that_are_cleaned_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = (
        HEADER
        + row(1)
        + row(2, "https://x.org/2.mp3")
        + row(3, "https://x.org/3.mp3").replace("pica\t", "pi\u00adca\t")
    )
    plan = plan_of(tmp_path, table)
    note = "1 name was cleaned: 'Pica pi\\xadca' is Pica pica"
    assert preview(plan).notes == (note,)
    with pytest.raises(SystemExit):
        main(["data", "plan", str(plan)])
    assert f"note: {note}" in " ".join(capsys.readouterr().out.split())
