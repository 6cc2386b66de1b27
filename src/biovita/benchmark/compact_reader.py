"""Reading a benchmark in the compact layout; what does not fit together is a problem with its file and row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.benchmark.bench_problem import BenchmarkProblem, leads_out
from biovita.benchmark.compact_layout import items_file, queries_file, taxa_file
from biovita.benchmark.compact_tables import Queries, Taxa, read_queries, read_taxa
from biovita.benchmark.task import ITEMS, LEVELS, Task
from biovita.dataset.dataset import Dataset
from biovita.modality import MEDIA, Modality, modalities_of
from biovita.parquet import read_parquet
from biovita.taxonomy import Rank

__all__ = ["CompactReader"]

_AT_ONCE = 1 << 15  # queries
_ODD_PATH = r"^[/\\]|(^|[/\\])\.\.([/\\]|$)|\x00"  # for RE2: an absolute path, a step upwards, or no path
_LONG_PATH = 255  # bytes: a name may have as many


@dataclass
class CompactReader:
    """Collects items, tasks and problems.

    Attributes
    ----------
    home
        Where the manifest lies.
    media
        File paths may not lead out of it, but for those that the dataset there lists.
    """

    home: Path
    media: Path
    items: dict[Modality, pa.Table] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)
    problems: list[BenchmarkProblem] = field(default_factory=list)

    def read(self, parts: Mapping[str, Mapping[str, Any]]) -> None:
        """Read the items, and the tasks of some parts of the manifest; none where items are not as they have to be."""
        for modality in Modality:
            self.items[modality] = self._items(modality)
        if any(problem.counts for problem in self.problems):
            return
        for name, part in parts.items():
            for listed in part["tasks"]:
                self._task(name, listed["direction"], Rank(listed["level"]))

    def _say(self, code: str, file: str, row: int, detail: str, *, counts: bool = True) -> None:
        self.problems.append(BenchmarkProblem(code, file, row, detail, counts))

    def _items(self, modality: Modality) -> pa.Table:
        name = items_file(modality)
        if not (self.home / name).is_file():
            self._say("missing-file", name, 0, "there is no such file")
            return ITEMS.empty_table()
        table = read_parquet(self.home / name, ITEMS)
        needed = ("id", "path") if modality in MEDIA else ("id", "level")
        for column in needed:
            for row in _where(pc.is_null(table[column])):
                self._say("empty-cell", name, row + 1, f"{column} is empty")
        if modality == Modality.TEXT:
            levels = pa.array([level.value for level in LEVELS])
            for row in _where(pc.invert(pc.is_in(table["level"].drop_null(), value_set=levels))):
                self._say("bad-level", name, row + 1, f"level is none of {', '.join(levels.to_pylist())}")
            return table
        for row in _where(_are_no_spans(table["start_s"], table["end_s"])):
            start, end = (table[column][row].as_py() for column in ("start_s", "end_s"))
            said = f"start_s is {start} and end_s is {end}"
            self._say(
                "bad-span", name, row + 1, f"{said}. Both have to be seconds, at least 0, with start_s below end_s"
            )
        self._look_for_outside(modality, name, table["path"])
        return table

    def _look_for_outside(self, modality: Modality, name: str, paths: pa.ChunkedArray) -> None:
        odd = pc.or_(pc.match_substring_regex(paths, _ODD_PATH), pc.greater(pc.binary_length(paths), _LONG_PATH))
        out = [(row, path) for row in _where(odd) if leads_out(path := paths[row].as_py())]
        if not out:
            return
        there = (self.media / "dataset.toml").is_file()
        table = Dataset.open(self.media).media(modality, ["path"]) if there else None
        listed = (
            pc.is_in(pa.array([path for _, path in out]), value_set=table["path"].combine_chunks())
            if table is not None
            else None
        )
        for at, (row, path) in enumerate(out):
            if listed is None or not listed[at].as_py():
                self._say("outside", name, row + 1, f"{path!r} leads out of the directory")

    def _task(self, part: str, direction: str, level: Rank) -> None:
        asked, answered = modalities_of(direction)
        files = tuple(f"{part}/{file(direction, level.value)}" for file in (taxa_file, queries_file))
        missing = [name for name in files if not (self.home / name).is_file()]
        for name in missing:
            self._say("missing-file", name, 0, "the manifest has the task, and there is no such file")
        if missing:
            return
        taxa = read_taxa(self.home / files[0])
        queries = read_queries(self.home / files[1], len(taxa.names), shared=taxa.order is not None)
        if not len(queries.rows):
            self._say("header-only", files[1], 0, "the file has no queries, and is left out", counts=False)
            return
        texts = np.empty(0, np.int32) if queries.texts is None else queries.texts[queries.texts >= 0]
        fits = [
            self._within(files[0], "samples", taxa.samples, self.items[answered].num_rows),
            self._within(files[1], "query", queries.rows, self.items[asked].num_rows),
            self._within(files[1], "taxon", queries.own, len(taxa.names)),
            self._within(files[1], "texts", texts, self.items[asked].num_rows),
        ]
        if not all(fits):
            return
        for row in np.flatnonzero(np.diff(taxa.offsets) == 0).tolist():
            self._say("no-samples", files[0], row + 1, f"{taxa.names[row]} has no samples")
        candidates, correct = _own_columns(taxa, queries)
        if (correct < 0).any():
            first = int((correct < 0).argmax())
            self._say("correct-not-listed", files[1], first + 1, "its own taxon is not among the candidates")
            return
        self.tasks.append(
            Task(
                part,
                direction,
                level,
                queries.rows,
                taxa.names,
                taxa.samples,
                taxa.offsets,
                candidates,
                correct,
                queries.texts,
            )
        )

    def _within(self, file: str, column: str, rows: np.ndarray, most: int) -> bool:
        """Return whether rows are those of a table with ``most`` of them, or say that they are not."""
        if not len(rows) or (rows.min() >= 0 and rows.max() < most):
            return True
        bad = rows[(rows < 0) | (rows >= most)]
        said = f"{len(bad)} rows are not in the table that has {most:,}; the first of them is {bad[0]}"
        self._say("id-out-of-range", file, 0, f"{column}: {said}")
        return False


def _where(found: pa.ChunkedArray) -> list[int]:
    """Return the rows for which something is true."""
    rows: list[int] = np.flatnonzero(pc.fill_null(found, fill_value=False)).tolist()
    return rows


def _are_no_spans(start: pa.ChunkedArray, end: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return which rows state a begin, and are no span of seconds."""
    sound = pc.and_(pc.and_(pc.greater_equal(start, 0.0), pc.less(start, end)), pc.is_finite(end))
    return pc.and_(pc.is_valid(start), pc.invert(pc.fill_null(sound, fill_value=False)))


def _own_columns(taxa: Taxa, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
    """Return the candidates of queries, and the column of each one's own taxon; -1 where it is not among them."""
    if queries.candidates is None:
        assert taxa.order is not None
        place = np.full(len(taxa.names), -1, np.int32)
        place[taxa.order] = np.arange(len(taxa.order))
        return np.broadcast_to(taxa.order, (len(queries.rows), len(taxa.order))), place[queries.own]
    correct = np.empty(len(queries.rows), np.int32)
    for start in range(0, len(correct), _AT_ONCE):
        here = slice(start, start + _AT_ONCE)
        same = queries.candidates[here] == queries.own[here, None]
        correct[here] = np.where(same.any(axis=1), same.argmax(axis=1), -1)
    return queries.candidates, correct
