"""Reading a benchmark in the published layout, ours or the release's."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from biovita.benchmark.layout import COLUMNS, FORMAT, INDEX_COLUMNS, MANIFEST, TASK_COLUMNS, index_file, task_file
from biovita.benchmark.split_items import GROUPS
from biovita.benchmark.task import ITEMS, LEVELS, Benchmark, Task
from biovita.benchmark.task_rows import LookUp, TaskRows
from biovita.csv_safe import plain_row
from biovita.dataset.dataset import Dataset
from biovita.errors import DatasetError
from biovita.foreign_tables import MAX_COLUMNS, BoundedLines, Held
from biovita.jsonfile import read_json
from biovita.limits import limit, over
from biovita.modality import DIRECTIONS, MEDIA, Modality
from biovita.suggestion import suggested
from biovita.taxonomy import Rank

__all__ = ["BenchmarkProblem", "home_of", "leads_out", "read_benchmark", "read_manifest", "read_with_problems"]

_NEEDED = TASK_COLUMNS[:-1]  # taxon_class is optional
_INDEX_NEEDED = {m: tuple(c for c in INDEX_COLUMNS[m] if c not in {"common_name", "text"}) for m in Modality}


@dataclass(frozen=True)
class BenchmarkProblem:
    """Something in a benchmark's files that is not as it has to be.

    Attributes
    ----------
    code
        Short and stable, such as ``id-out-of-range``.
    file, row
        Where; the header is row 1, and 0 means the whole file.
    counts
        Whether it changes a score.
    """

    code: str
    file: str
    row: int
    detail: str
    counts: bool = True

    def __str__(self) -> str:
        """Return it as one line."""
        where = f"{self.file}, row {self.row}" if self.row else self.file
        return f"{self.code}: {where}: {self.detail}"


def read_benchmark(path: str | Path, *, media_root: str | Path | None = None) -> Benchmark:
    """Return the benchmark in a directory of the published layout.

    Queries and samples are known by the index's ``id`` (by ``key`` where we wrote it), text by its words: the bare
    name at the level, or where the manifest says so the ``text`` column at species level, and the texts of the members
    at genus and family level.

    Parameters
    ----------
    media_root
        Where file paths start; by default what the manifest says, or else the directory itself. The manifest is
        looked for beside the parts, so that a part can be read alone.

    Raises
    ------
    DatasetError
        Where files are missing or do not fit together; the message names the first place. Header-only task files
        are left out, not an error.
    """
    benchmark, problems = read_with_problems(path, media_root=media_root)
    serious = [problem for problem in problems if problem.counts]
    if serious:
        more = f" (and {len(serious) - 1} more: {suggested('bench verify', path)})" if len(serious) > 1 else ""
        raise DatasetError(f"{path}: {serious[0]}{more}")
    return benchmark


def read_with_problems(
    path: str | Path, *, media_root: str | Path | None = None
) -> tuple[Benchmark, list[BenchmarkProblem]]:
    """Return what can be read of a benchmark, and everything that is wrong with the rest."""
    path = Path(path)
    if not path.is_dir():
        raise DatasetError(
            f"{path} is not a directory. A benchmark is a directory with files such as audio_index.csv"
        )
    home = home_of(path)
    manifest = read_manifest(home)
    if any((path / index_file(m)).is_file() for m in Modality):
        parts = {path.resolve().name: path}
    else:
        parts = {p.name: p for p in sorted(path.iterdir()) if any((p / index_file(m)).is_file() for m in Modality)}
    if not parts:
        raise DatasetError(
            f"{path} holds no benchmark: neither it nor a directory in it has an index such as "
            f"{index_file(Modality.AUDIO)}"
        )
    for name in parts:
        if not name.isprintable():
            raise DatasetError(f"{path}: the name of the folder {name!r} cannot be printed. Rename the folder")
    made = {"text": "name"} if manifest is None else manifest["made"]
    root = _media_root(home, manifest) if media_root is None else Path(media_root)
    reader = _Reader(path, made.get("text", "name"), root, by_members=made.get("groups") == "members")
    for name, directory in parts.items():
        reader.part(name, directory)
    items = {m: pa.Table.from_pylist(rows, schema=ITEMS) for m, rows in reader.items.items()}
    made = {"benchmark": path.resolve().name, **made}
    stated = manifest or {}
    unseen = {Rank(level): frozenset(names) for level, names in stated.get("unseen", {}).items()}
    others = stated.get("other_names", {})
    home = Path(media_root or home)
    found = Benchmark(items, tuple(reader.tasks), (), made, root, home, unseen=unseen, other_names=others)
    return found, reader.problems


def home_of(path: Path) -> Path:
    """Return where the manifest of a benchmark lies: above a part of one of ours, or else ``path`` itself."""
    above = path.resolve().parent
    return above if (above / MANIFEST).is_file() else path


def read_manifest(path: Path) -> dict[str, Any] | None:
    """Return the manifest of a benchmark that we wrote, None where there is none."""
    file = path / MANIFEST
    if not file.is_file():
        return None
    manifest = read_json(file, DatasetError)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise DatasetError(f"{file}: format is not {FORMAT}. This version of biovita reads no other format")
    made = manifest.get("made")
    if not isinstance(made, dict):
        raise DatasetError(f"{file}: made has to be a JSON object")
    candidates, hashes = made.get("candidates", 1), manifest.get("sha256", {})
    for name, wanted, fits in (
        ("made.text", "a text", isinstance(made.get("text", ""), str)),
        ("made.groups", " or ".join(GROUPS), made.get("groups", GROUPS[0]) in GROUPS),
        (
            "made.candidates",
            "a whole number from 1 on, or all",
            candidates == "all" or (type(candidates) is int and candidates >= 1),
        ),
        ("unseen", "lists of names by level", _are_names_by_level(manifest.get("unseen", {}))),
        ("media_root", "a path or null", isinstance(manifest.get("media_root"), str | None)),
        ("made.split_sha256", "a text", isinstance(made.get("split_sha256", ""), str)),
        ("other_names", "lists of names by species", _are_lists_of_names(manifest.get("other_names", {}))),
        (
            "sha256",
            "hashes by file",
            isinstance(hashes, dict) and all(isinstance(h, str) for h in hashes.values()),
        ),
    ):
        if not fits:
            raise DatasetError(f"{file}: {name} has to be {wanted}")
    return manifest


def _are_lists_of_names(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in value.values()
    )


def _are_names_by_level(value: Any) -> bool:
    return _are_lists_of_names(value) and all(level in LEVELS for level in value)


def _media_root(home: Path, manifest: dict[str, Any] | None) -> Path:
    """Return where a benchmark's media lie: in itself, or in the dataset that its manifest names."""
    stated = None if manifest is None else manifest.get("media_root")
    if not stated:
        return home
    if not _is_path(stated):
        raise DatasetError(f"{home / MANIFEST}: media_root is not a path")
    root = home / stated
    if not root.resolve().is_relative_to(home.resolve()) and not (root / "dataset.toml").is_file():
        raise DatasetError(
            f"{home / MANIFEST}: media_root is {stated!r}, which leads out of the benchmark and to no dataset. To "
            f"read the media there, add: --media-root {root}"
        )
    return root


@dataclass
class _Reader:
    """Collects items, tasks and problems, part after part."""

    root: Path
    text: str
    media: Path  # file paths may not lead out of it, but for those that the dataset there lists
    by_members: bool  # a genus or family is judged by the texts of its species
    items: dict[Modality, list[dict[str, Any]]] = field(default_factory=lambda: {m: [] for m in Modality})
    tasks: list[Task] = field(default_factory=list)
    problems: list[BenchmarkProblem] = field(default_factory=list)
    listed: dict[Modality, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.held = Held(str(self.root))

    def part(self, name: str, directory: Path) -> None:
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
        names: dict[str, dict[str, Any]] = {}
        if not file.is_file():
            self._say("missing-index", file, 0, "there is no such file")
        else:
            for number, line in _lines(file, _INDEX_NEEDED[modality]):
                if line["id"] in names:
                    self._say("duplicate-id", file, number, f"an earlier row has the id {line['id']!r}, too")
                    continue
                if modality in MEDIA and leads_out(line["file_path"]) and not self._listed(modality, line):
                    self._say("outside", file, number, f"{line['file_path']!r} leads out of the directory")
                    continue
                if modality == Modality.AUDIO and not _is_span(line.get("start_s", ""), line.get("end_s", "")):
                    said = f"start_s is {line['start_s']!r} and end_s is {line.get('end_s', '')!r}"
                    self._say(
                        "bad-span",
                        file,
                        number,
                        f"{said}. Both have to be seconds, at least 0, with start_s below end_s",
                    )
                    continue
                self.held.add(100 + 60 * len(line) + sum(map(len, line.values())))
                names[line["id"]] = line
        rows: dict[tuple[str, str], int] = {}
        items = self.items[modality]
        if modality in MEDIA:
            for key, line in names.items():
                rows[key, ""] = len(items)
                items.append(_media_item(part, line, modality))

        def look_up(key: str, level: Rank) -> int | None:
            if modality in MEDIA:
                return rows.get((key, ""))
            if (key, level.value) not in rows:
                if key not in names or not (words := self._words(names[key], level)):
                    return None
                rows[key, level.value] = len(items)
                items.append(_text_item(part, names[key], words, level))
            return rows[key, level.value]

        return look_up

    def _listed(self, modality: Modality, line: Mapping[str, str]) -> bool:
        if modality not in self.listed:
            there = (self.media / "dataset.toml").is_file()
            table = Dataset.open(self.media).media(modality) if there else None
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


def leads_out(path: str) -> bool:
    """Return whether a relative path leads out of where it starts, or is no path."""
    parts = PurePosixPath(path.replace("\\", "/"))
    return parts.is_absolute() or ".." in parts.parts or not _is_path(path)


def _is_path(text: str) -> bool:
    """Return whether a text can be a path: file systems take 255 bytes a name, and no NUL."""
    names = [name.encode(errors="replace") for name in text.split("/")]
    return "\x00" not in text and len(text) <= 4096 and all(len(name) <= 255 for name in names)


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
