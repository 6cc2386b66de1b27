"""What a trait table says of the labels: its columns and thresholds, described in ``tables/<id>.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from biovita.csv_table import BrokenRow, CsvTable, check_not_all_broken, held_rows, open_csv
from biovita.errors import DatasetError, unknown_name
from biovita.files import require_file
from biovita.odd_values import is_missing
from biovita.trait_labels import label
from biovita.values import number as finite_number

__all__ = ["TABLES", "TraitRecord", "TraitRows", "TraitTable", "read_records", "trait_table"]

_DECIMAL_COMMA = re.compile(r"-?\d+,\d+", re.ASCII)

TABLES: tuple[str, ...] = tuple(
    sorted(
        file.name.removesuffix(".toml")
        for file in (files("biovita.traits") / "tables").iterdir()
        if file.name.endswith(".toml")
    )
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bounds(_Strict):
    """A number's limits: ``min`` and ``max`` count as within, ``above`` and ``below`` do not."""

    min: float | None = None
    max: float | None = None
    above: float | None = None
    below: float | None = None

    def holds(self, number: float) -> bool:
        """Return whether a number lies within."""
        return (
            (self.min is None or number >= self.min)
            and (self.max is None or number <= self.max)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )


class Other(_Strict):
    """Any value but these."""

    but: tuple[str, ...] | str = Field(alias="not")


class Missing(_Strict):
    """No value."""

    missing: Literal[True]


Condition = tuple[float, ...] | tuple[str, ...] | str | Bounds | Other | Missing
Alternative = Mapping[str, Condition]  # column, or sum, and what it has to be; all of them together


def _known(label_id: str) -> str:
    return label(label_id).id


class LabelRule(_Strict):
    """When a row makes a label true or false; where neither, or ``unknown`` holds, it is unknown."""

    label: Annotated[str, AfterValidator(_known)]
    true: tuple[Alternative, ...] = ()
    unknown: tuple[Alternative, ...] = ()
    false: tuple[Alternative, ...] | Literal["otherwise"] = ()


class TraitColumn(_Strict):
    """Where a rank of a row's lineage is: in a column, or the same for the whole table."""

    column: str | None = None
    value: str | None = None


class TraitTable(_Strict):
    """The description of one published trait table.

    Attributes
    ----------
    name
        The column, or columns to be joined by a space, that hold the scientific name.
    missing
        What is written where there is no value.
    sets
        Lists of values, written ``@name`` in conditions.
    sums
        Made columns: the sum of others, missing where one of them is.
    values
        Columns that hold only these values; anything else is reported and counts as missing.
    """

    id: str
    title: str
    citation: str
    license: str
    encoding: str
    delimiter: str
    missing: tuple[str, ...]
    name: tuple[str, ...]
    lineage: Mapping[str, TraitColumn]
    sets: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    sums: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    values: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    rule: tuple[LabelRule, ...]

    @cached_property
    def columns(self) -> frozenset[str]:
        """The columns that a file has to have."""
        used = {column for rule in self.rule for way in _ways(rule) for column in way}
        summed = {column for made in used & set(self.sums) for column in self.sums[made]}
        placed = {place.column for place in self.lineage.values() if place.column}
        return frozenset({*self.name, *placed, *(used - set(self.sums)), *summed, *self.values})

    def labels_of(self, row: Mapping[str, str | None]) -> tuple[dict[str, bool], list[str]]:
        """Return what a row says of each label, and the columns whose value is none that the table should hold.

        Raises
        ------
        DatasetError
            Where a label comes out as both true and false.
        """
        odd: list[str] = []
        values = {column: row.get(column) for column in self.columns}
        for column, accepted in self.values.items():
            if values[column] is not None and values[column] not in accepted:
                odd.append(column)
                values[column] = None
        cells = _Cells(values, self.sums, odd)
        said: dict[str, bool] = {}
        for rule in self.rule:
            true = any(self._holds(way, cells) for way in rule.true)
            if rule.false == "otherwise":
                ways = [*rule.true, *rule.unknown]
                complete = all(cells.text(column) is not None for way in ways for column in way)
                false = complete and not any(self._holds(way, cells) for way in ways)
            else:
                false = any(self._holds(way, cells) for way in rule.false)
            if true and false:
                raise DatasetError(f"{self.id}.toml: a row makes {rule.label!r} both true and false: {dict(row)}")
            if (true or false) and not any(self._holds(way, cells) for way in rule.unknown):
                said[rule.label] = true
        return said, odd

    def _holds(self, way: Alternative, cells: _Cells) -> bool:
        return all(self._one_holds(condition, cells, column) for column, condition in way.items())

    def _one_holds(self, condition: Condition, cells: _Cells, column: str) -> bool:
        text = cells.text(column)
        if isinstance(condition, Missing):
            return text is None
        if text is None:
            return False
        if isinstance(condition, Bounds):
            number = cells.number(column)
            return number is not None and condition.holds(number)
        if isinstance(condition, Other):
            return text not in self._listed(condition.but)
        if condition and isinstance(condition[0], float):
            return cells.number(column) in condition
        return text in self._listed(condition)  # type: ignore[arg-type]

    @cached_property
    def _lists(self) -> dict[str | tuple[str, ...], frozenset[str]]:
        return {}

    def _listed(self, values: str | tuple[str, ...]) -> frozenset[str]:
        """Return the values that a condition lists, with the sets that it names written out."""
        if values not in self._lists:
            names = (values,) if isinstance(values, str) else values
            written = (self.sets[name[1:]] if name[:1] == "@" else (name,) for name in names)
            self._lists[values] = frozenset(one for names in written for one in names)
        return self._lists[values]


@dataclass
class _Cells:
    """The values of one row, as text and as numbers; what is no number where one is needed is noted as odd."""

    values: dict[str, str | None]
    sums: Mapping[str, tuple[str, ...]]
    odd: list[str]
    numbers: dict[str, float | None] = field(default_factory=dict)

    def text(self, column: str) -> str | None:
        if column in self.sums:
            parts = [self.number(part) for part in self.sums[column]]
            return None if None in parts else "sum"
        return self.values[column]

    def number(self, column: str) -> float | None:
        if column not in self.numbers:
            self.numbers[column] = self._number(column)
        return self.numbers[column]

    def _number(self, column: str) -> float | None:
        if column in self.sums:
            parts = [self.number(part) for part in self.sums[column]]
            return None if None in parts else sum(part for part in parts if part is not None)
        text = self.values[column]
        if text is None:
            return None
        number = finite_number(text)
        if number is None:
            self.odd.append(column)
            self.values[column] = None
        return number


def _ways(rule: LabelRule) -> Iterator[Alternative]:
    yield from rule.true
    yield from rule.unknown
    if rule.false != "otherwise":
        yield from rule.false


@cache
def trait_table(table_id: str) -> TraitTable:
    """Return the description of a trait table.

    Raises
    ------
    DatasetError
        Where there is none of this id, or its file is not as it has to be.
    """
    if table_id not in TABLES:
        raise DatasetError(unknown_name("trait table", table_id, TABLES))
    text = (files("biovita.traits") / "tables" / f"{table_id}.toml").read_text(encoding="utf-8")
    try:
        return TraitTable(id=table_id, **tomllib.loads(text))
    except ValidationError as error:
        raise DatasetError(f"tables/{table_id}.toml: {error}") from error


@dataclass(frozen=True, slots=True)
class TraitRecord:
    """One row of a trait table: its line (the header is 1), name, lineage, and cells by column."""

    row: int
    name: str
    lineage: Mapping[str, str | None]
    cells: Mapping[str, str | None]


class TraitRows(NamedTuple):
    """What a trait table's file holds.

    Attributes
    ----------
    records
        The rows that have a name.
    nameless, skipped
        How many rows have none, and how many hold nothing at all.
    rejected
        The rows that cannot be read.
    notes
        How the file was read, where that is not plain.
    """

    records: list[TraitRecord]
    nameless: int
    skipped: int
    rejected: list[BrokenRow]
    notes: tuple[str, ...]


def read_records(table: TraitTable, path: Path) -> TraitRows:
    """Return the rows of a trait table's file: as it was published, or as Excel or R saved it.

    That is text of another delimiter or encoding, with decimal commas where semicolons separate the cells and column
    names as R's ``make.names`` changes them; or a workbook, of which the sheet with the columns is read.

    Raises
    ------
    DatasetError
        Where the file is not there, is no table, lacks a column, or has no row that can be read.
    """
    require_file(path, f"Give the file of {table.title}")
    file = _opened(table, path)
    columns, has_commas = sorted(table.columns), file.dialect.delimiter == ";"
    records: list[TraitRecord] = []
    rejected: list[BrokenRow] = []
    nameless = 0
    for row in held_rows(file):
        if isinstance(row, BrokenRow):
            rejected.append(row)
            continue
        cells = {column: _cell(row.values[column], table, has_commas=has_commas) for column in columns}
        words = [cells[column] for column in table.name]
        if any(word is None for word in words):
            nameless += 1
            continue
        lineage = {
            rank: place.value if place.column is None else cells[place.column]
            for rank, place in table.lineage.items()
        }
        records.append(TraitRecord(row.line, " ".join(word for word in words if word), lineage, cells))
    check_not_all_broken(path, records, rejected)
    return TraitRows(records, nameless, file.skipped, rejected, file.notes)


def _opened(table: TraitTable, path: Path) -> CsvTable:
    columns = sorted(table.columns)
    file = open_csv(path, columns, encoding=table.encoding, strict=False, wanted=columns)
    if lacking := [column for column in columns if column not in file.columns]:
        of_r = {column: _name_in_r(column) for column in lacking}
        if not set(of_r.values()) <= set(file.ignored):
            raise DatasetError(f"{path} is not {table.title}: it lacks the column(s) {', '.join(lacking)}")
        wanted = [of_r.get(column, column) for column in columns]
        file = open_csv(path, columns, columns=of_r, encoding=table.encoding, strict=False, wanted=wanted)
    return file


def _name_in_r(column: str) -> str:
    """Return the name of a column as R's ``make.names`` writes it."""
    name = re.sub(r"[^A-Za-z0-9._]", ".", column)
    return name if re.match(r"[A-Za-z]|\.(?!\d)", name) else f"X{name}"


def _cell(value: str | None, table: TraitTable, *, has_commas: bool) -> str | None:
    if value is not None and has_commas and _DECIMAL_COMMA.fullmatch(value):
        value = value.replace(",", ".")
    return None if value is None or value in table.missing or is_missing(value) else value
