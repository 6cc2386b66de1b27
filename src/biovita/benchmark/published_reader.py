"""Reading the files of the published benchmark layout, ours or the release's, part after part."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import pyarrow as pa

from biovita.benchmark.bench_problem import BenchmarkProblem, leads_out
from biovita.benchmark.published_layout import COLUMNS, INDEX_COLUMNS, TASK_COLUMNS, index_file, task_file
from biovita.benchmark.task import ITEMS, LEVELS, Task
from biovita.benchmark.task_rows import LookUp, TaskRows
from biovita.csv_safe import plain_row
from biovita.dataset.dataset import Dataset
from biovita.errors import DatasetError
from biovita.foreign_tables import MAX_COLUMNS, BoundedLines, Held
from biovita.limits import limit, over
from biovita.modality import DIRECTIONS, MEDIA, Modality
from biovita.taxonomy import Rank

__all__ = ["PublishedReader"]

_NEEDED = TASK_COLUMNS[:-1]  # taxon_class is optional
_OFTEN = frozenset(
    ("species", "genus", "family", "class", "common_name", "part", "license", "attribution", "cut_from")
)
_INDEX_NEEDED = {m: tuple(c for c in INDEX_COLUMNS[m] if c not in {"common_name", "text"}) for m in Modality}


class _Items:
    """Collects items by column; a text that comes often is held once."""

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = {name: [] for name in ITEMS.names}
        self._known: dict[Any, Any] = {}
        self._number = 0

    def add(self, item: Mapping[str, Any]) -> int:
        """Add an item, and return its row."""
        for name, column in self._columns.items():
            value = item.get(name)
            column.append(self._known.setdefault(value, value) if name in _OFTEN else value)
        self._number += 1
        return self._number - 1

    def table(self) -> pa.Table:
        """Return the items in the `ITEMS` schema."""
        return pa.table(self._columns, schema=ITEMS)


@dataclass
class PublishedReader:
    """Collects items, tasks and problems, part after part.

    Attributes
    ----------
    root
        The benchmark, or the part that is read.
    text
        What stands for a species in text.
    media
        File paths may not lead out of it, but for those that the dataset there lists.
    by_members
        Whether a genus or family is judged by the texts of its species.
    """

    root: Path
    text: str
    media: Path
    by_members: bool
    items: dict[Modality, _Items] = field(default_factory=lambda: {m: _Items() for m in Modality})
    tasks: list[Task] = field(default_factory=list)
    problems: list[BenchmarkProblem] = field(default_factory=list)
    listed: dict[Modality, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.held = Held(str(self.root))

    def tables(self) -> dict[Modality, pa.Table]:
        """Return the items by modality, in the `ITEMS` schema."""
        return {modality: items.table() for modality, items in self.items.items()}

    def part(self, name: str, directory: Path) -> None:
        """Read the files of a part."""
        rows = {m: self._index(name, directory / index_file(m), m) for m in Modality}
        for direction in DIRECTIONS:
            for level in LEVELS:
                file = directory / task_file(direction, level.value)
                if file.is_file():
                    self._task(name, file, direction, level, rows)

    def _say(self, code: str, file: Path, row: int, detail: str, *, counts: bool = True) -> None:
        self.problems.append(BenchmarkProblem(code, file.relative_to(self.root).as_posix(), row, detail, counts))

    def _index(self, part: str, file: Path, modality: Modality) -> LookUp:
        """Read an index; return the look-up from its ids to rows of the items."""
        rows: dict[tuple[str, str], int] = {}
        names: dict[str, Mapping[str, str]] = {}  # of texts, which are made as they are asked for
        items = self.items[modality]
        if not file.is_file():
            self._say("missing-index", file, 0, "there is no such file")
        for number, line in _lines(file, _INDEX_NEEDED[modality]) if file.is_file() else ():
            wrong = self._wrong(modality, line, known=line["id"] in names or (line["id"], "") in rows)
            if wrong is not None:
                self._say(wrong[0], file, number, wrong[1])
                continue
            self.held.add((500 if modality in MEDIA else 1000) + sum(map(len, line.values())))
            if modality in MEDIA:
                rows[line["id"], ""] = items.add(_media_item(part, line, modality))
            else:
                names[line["id"]] = line

        def look_up(key: str, level: Rank) -> int | None:
            if modality in MEDIA:
                return rows.get((key, ""))
            if (key, level.value) not in rows:
                if key not in names or not (words := self._words(names[key], level)):
                    return None
                rows[key, level.value] = items.add(_text_item(part, names[key], words, level))
            return rows[key, level.value]

        return look_up

    def _wrong(self, modality: Modality, line: Mapping[str, str], *, known: bool) -> tuple[str, str] | None:
        """Return the code of what is wrong with a row of an index, and what it is."""
        if known:
            return "duplicate-id", f"an earlier row has the id {line['id']!r}, too"
        if modality in MEDIA and leads_out(line["file_path"]) and not self._listed(modality, line):
            return "outside", f"{line['file_path']!r} leads out of the directory"
        if modality == Modality.AUDIO and not _is_span(line.get("start_s", ""), line.get("end_s", "")):
            said = f"start_s is {line['start_s']!r} and end_s is {line.get('end_s', '')!r}"
            return "bad-span", f"{said}. Both have to be seconds, at least 0, with start_s below end_s"
        return None

    def _listed(self, modality: Modality, line: Mapping[str, str]) -> bool:
        if modality not in self.listed:
            there = (self.media / "dataset.toml").is_file()
            table = Dataset.open(self.media).media(modality, ["path"]) if there else None
            self.listed[modality] = frozenset(() if table is None else table["path"].to_pylist())
        return line["file_path"] in self.listed[modality]

    def _words(self, line: Mapping[str, str], level: Rank) -> str:
        if self.text != "name" and level == Rank.SPECIES:
            return line.get("text", "")
        return line[level.value]

    def _task(
        self, part: str, file: Path, direction: str, level: Rank, look_up: Mapping[Modality, LookUp]
    ) -> None:
        say = partial(self._say_row, file)
        rows = TaskRows((part, direction, level), look_up, say, self.held, by_members=self.by_members)
        for number, line in _lines(file, _NEEDED):
            rows.add(number, line)
        if not rows.seen:
            self._say("header-only", file, 0, "the file has no queries, and is left out", counts=False)
        if (task := rows.task()) is not None:
            self.tasks.append(task)

    def _say_row(self, file: Path, code: str, row: int, detail: str) -> None:
        self._say(code, file, row, detail)


def _lines(file: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (row, fields) of a CSV file; rows count from 2, the header being 1."""
    csv.field_size_limit(limit("answer"))  # a cell is a list in JSON
    with file.open("rb") as raw:
        lines = BoundedLines(raw, most=limit("answer"))
        stream = lines.as_text("utf-8-sig")
        try:
            reader = csv.DictReader(stream, restval="", strict=True)
            names = reader.fieldnames or ()
            if len(names) > MAX_COLUMNS:
                raise DatasetError(f"{file} has {len(names):,} columns. At most {MAX_COLUMNS:,} are accepted")
            missing = [column for column in needed if column not in names]
            if missing:
                raise DatasetError(f"{file} lacks the column(s) {', '.join(missing)}")
            for row, line in enumerate(reader, start=2):
                if lines.cuts:
                    raise DatasetError(f"{file}, row {row}: the row is too long; {over('answer')}")
                if row > limit("rows"):
                    raise DatasetError(f"{file} has too many rows; {over('rows')}")
                if None in line:
                    raise DatasetError(
                        f"{file}, row {row}: has more fields than the header, which has {len(names)}"
                    )
                yield row, plain_row({name: line[name] for name in COLUMNS if name in line})
        except (UnicodeDecodeError, csv.Error) as error:
            more = f"; {over('answer')}" if "field limit" in str(error) else ""
            raise DatasetError(f"{file} cannot be read as a CSV file in UTF-8: {error}{more}") from error


def _is_span(start: str, end: str) -> bool:
    """Return whether two fields are seconds of a span, or the first is empty: the whole file."""
    if not start:
        return True
    try:
        return 0 <= float(start) < float(end) < inf
    except ValueError:
        return False


def _taxon(line: Mapping[str, str]) -> dict[str, str | None]:
    return {name: line.get(name) or None for name in ("species", "genus", "family", "class", "common_name")}


def _media_item(part: str, line: Mapping[str, str], modality: Modality) -> dict[str, Any]:
    span = {}
    if modality == Modality.AUDIO and line.get("start_s"):
        span = {"start_s": float(line["start_s"]), "end_s": float(line["end_s"])}
    more = {name: line.get(name) or None for name in ("license", "attribution", "sha256", "cut_from")}
    key = line.get("key") or line["id"]
    return (
        {"id": key, "index_id": line["id"], "path": line["file_path"], "part": part} | _taxon(line) | span | more
    )


def _text_item(part: str, line: Mapping[str, str], words: str, level: Rank) -> dict[str, Any]:
    item = {"id": words, "index_id": line["id"], "level": level.value, "part": part, **_taxon(line)}
    if level != Rank.SPECIES:
        item["common_name"] = item["species"] = None
        if level == Rank.FAMILY:
            item["genus"] = None
    return item
