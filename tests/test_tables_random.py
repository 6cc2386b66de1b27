"""Tables of random form and faults: every row is a record, broken or skipped; Python's own reader is the oracle."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biovita.csv_table import BrokenRow, CsvRow, open_csv

FIELDS = ("file", "name", "note")
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=8)
_CELLS = st.one_of(
    _TEXTS,
    st.sampled_from(["", "52,5", "a\u2028b", "x\x85y", "\x0cz", 'say "hi"', "two\nlines", "é", "NA", ";,\t|"]),
)
_ROWS = st.lists(st.tuples(_CELLS, _CELLS, _CELLS), max_size=8)
# Each is one line, and no row.
_FAULTS = {
    "short": lambda delimiter: "only",
    "long": lambda delimiter: delimiter.join("abcde"),
    "open": lambda delimiter: delimiter.join(["a", '"open', "c"]),
    "ajar": lambda delimiter: delimiter.join(["a", '"b"x', "c"]),
}
_EMPTY = {
    "empty": lambda delimiter: delimiter * 2,
    "wide": lambda delimiter: delimiter * 5,
    "narrow": lambda delimiter: delimiter,
    "spaces": lambda delimiter: delimiter.join("   "),
}


@dataclass(frozen=True)
class Form:
    """How a table is written."""

    delimiter: str
    encoding: str
    end: str
    quote_all: bool
    sep_line: bool
    row_names: bool
    trailing: bool


_FORMS = st.builds(
    Form,
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


def line_of(form: Form, cells: Sequence[str]) -> str:
    stream = io.StringIO()
    quoting = csv.QUOTE_ALL if form.quote_all else csv.QUOTE_MINIMAL
    csv.writer(stream, delimiter=form.delimiter, quoting=quoting, lineterminator="\n").writerow(cells)
    return stream.getvalue().removesuffix("\n")


def written(path: Path, form: Form, lines: Sequence[str]) -> Path:
    header = line_of(form, [*([""] if form.row_names else []), *FIELDS, *([""] if form.trailing else [])])
    first = [f"sep={form.delimiter}"] if form.sep_line else []
    path.write_bytes((form.end.join([*first, header, *lines]) + form.end).encode(form.encoding))
    return path


@settings(max_examples=60, deadline=None)
@given(form=_FORMS, rows=_ROWS)
def test_a_well_formed_table_is_read_as_the_csv_module_reads_it(
    tmp_path_factory: pytest.TempPathFactory, form: Form, rows: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "well.csv"
    full = [
        [*([str(n)] if form.row_names else []), *cells, *([""] if form.trailing else [])]
        for n, cells in enumerate(rows, 1)
    ]
    file = written(path, form, [line_of(form, cells) for cells in full])
    with file.open(encoding=form.encoding, newline="") as stream:
        text = stream.read().replace("\r\n", "\n").replace("\r", "\n")
    body = text.split("\n", 2 if form.sep_line else 1)[-1]
    want = [cells for cells in csv.reader(io.StringIO(body), delimiter=form.delimiter) if cells]
    table = open_csv(file, FIELDS, ("file", "name"))
    got = list(table)
    assert not [row for row in got if isinstance(row, BrokenRow)]
    assert len(got) + table.skipped == len(want)
    shift = int(form.row_names)
    values = [tuple(cell.strip() or None for cell in cells[shift : shift + 3]) for cells in want]
    filled = [row for row, cells in zip(values, want, strict=True) if any(map(str.strip, cells))]
    assert [tuple(row.values.values()) for row in got if isinstance(row, CsvRow)] == filled


@settings(max_examples=60, deadline=None)
@given(
    form=_FORMS.filter(lambda form: not form.row_names and not form.trailing),
    kinds=st.lists(st.sampled_from(["row", *_FAULTS, *_EMPTY]), max_size=10),
)
def test_every_row_is_a_record_or_broken_or_skipped(
    tmp_path_factory: pytest.TempPathFactory, form: Form, kinds: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "faults.csv"
    make = {**_FAULTS, **_EMPTY}
    lines = [
        line_of(form, [f"f{n}", f"n{n}", "é"]) if kind == "row" else make[kind](form.delimiter)
        for n, kind in enumerate(kinds)
    ]
    table = open_csv(written(path, form, lines), FIELDS, ("file", "name"))
    rows = list(table)
    before = 2 + form.sep_line
    assert [row.line for row in rows if isinstance(row, CsvRow)] == [
        before + n for n, kind in enumerate(kinds) if kind == "row"
    ]
    assert [row.line for row in rows if isinstance(row, BrokenRow)] == [
        before + n for n, kind in enumerate(kinds) if kind in _FAULTS
    ]
    assert len(rows) + table.skipped == len(kinds)
