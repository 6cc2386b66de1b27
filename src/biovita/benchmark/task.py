"""Tasks and benchmarks: which queries, against which candidate taxa, with which samples."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from biovita.dataset.dataset import Dataset
from biovita.dataset.schema import Split
from biovita.media.packed_files import MediaPath
from biovita.modality import Modality, modalities_of
from biovita.one_line import OneLine
from biovita.taxonomy import Rank

__all__ = ["ITEMS", "LEVELS", "PARTS", "Benchmark", "Item", "LeftOut", "Task", "padded", "padded_lists"]

LEVELS: tuple[Rank, ...] = (Rank.SPECIES, Rank.GENUS, Rank.FAMILY)
PARTS: tuple[Split, ...] = (Split.SEEN, Split.UNSEEN)

ITEMS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # what its vector is known by; for text the text itself
        pa.field("path", pa.string()),
        pa.field("start_s", pa.float64()),
        pa.field("end_s", pa.float64()),
        pa.field("species", pa.string()),
        pa.field("genus", pa.string()),
        pa.field("family", pa.string()),
        pa.field("class", pa.string()),
        pa.field("common_name", pa.string()),
        pa.field("level", pa.string()),  # of a text: what its name names
        pa.field("part", pa.string()),
        pa.field("license", pa.string()),
        pa.field("attribution", pa.string()),
        pa.field("sha256", pa.string()),  # of the whole file, where it is stated
        pa.field("cut_from", pa.string()),  # the hash of the recording that the file was cut out of
        pa.field("index_id", pa.string()),  # in a published index, unique within its part and modality
    ]
)


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a benchmark, as what shows or reads it needs it; the fields are columns of `ITEMS`."""

    id: str
    path: str | None
    start_s: float | None
    end_s: float | None
    species: str | None
    genus: str | None
    common_name: str | None
    license: str | None
    attribution: str | None
    sha256: str | None


@dataclass(frozen=True)
class LeftOut:
    """Something that could not become part of a task, and why."""

    part: str
    direction: str
    level: str
    reason: str
    count: int


@dataclass(frozen=True, eq=False, repr=False)
class Task(OneLine):
    """Queries of one direction at one level, each with its own candidate taxa.

    Attributes
    ----------
    part
        ``seen``, ``unseen``, or another name of a part.
    queries
        ``(queries,)`` rows in the items of the query modality: what a query is known by, and asks with.
    taxa
        ``(taxa,)`` names of the taxa that occur as candidates. A name may occur twice where a published file gives
        it different samples in different rows.
    samples, offsets
        Rows in the items of the target modality, taxon after taxon; taxon ``t`` has
        ``samples[offsets[t]:offsets[t + 1]]``.
    candidates
        ``(queries, most candidates)`` positions in ``taxa``, in the order that decides ties; -1 where a query has
        fewer.
    correct
        ``(queries,)`` column of the correct taxon in ``candidates``.
    texts
        ``(queries, most texts)`` rows in the items of the query modality where each query asks with several texts, -1
        where it has fewer: a genus or family with the texts of its members. The largest of their scores counts. None
        where each asks with its row in ``queries``.
    """

    part: str
    direction: str
    level: Rank
    queries: np.ndarray
    taxa: tuple[str, ...]
    samples: np.ndarray
    offsets: np.ndarray
    candidates: np.ndarray
    correct: np.ndarray
    texts: np.ndarray | None = None

    @property
    def name(self) -> str:
        """Part, direction and level, such as ``unseen/A2I/species``."""
        return f"{self.part}/{self.direction}/{self.level.value}"

    @property
    def asking(self) -> np.ndarray:
        """``(queries, most texts)`` the rows that each query asks with; -1 where it has fewer."""
        return self.queries[:, None] if self.texts is None else self.texts

    @cached_property
    def candidate_counts(self) -> np.ndarray:
        """``(queries,)`` how many candidates each query has."""
        return (self.candidates >= 0).sum(axis=1)

    @cached_property
    def correct_taxa(self) -> np.ndarray:
        """``(queries,)`` the correct taxon of each query, as a position in ``taxa``."""
        return self.candidates[np.arange(len(self.candidates)), self.correct]


def padded(rows: Sequence[Sequence[int] | np.ndarray]) -> np.ndarray:
    """Return lists as an array, ``(len(rows), longest)`` int32, with -1 beyond the end of each."""
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return padded_lists(np.concatenate([np.empty(0, np.int32), *rows]), offsets)


def padded_lists(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return what `padded` does for ``values[offsets[row]:offsets[row + 1]]``."""
    sizes = np.diff(offsets)
    found = np.full((len(sizes), int(sizes.max(initial=0))), -1, np.int32)
    found[np.arange(found.shape[1]) < sizes[:, None]] = values
    return found


@dataclass(frozen=True, eq=False, repr=False)
class Benchmark:
    """Tasks over common items.

    Attributes
    ----------
    items
        By modality, one row an item in the `ITEMS` schema.
    left_out
        What could not become part of a task, and why.
    made
        How it was made: dataset, seed and parameters.
    other_names
        Of the unseen species that have some, the names that the dataset knows them by beside their own.
    unseen
        By level, the taxa that count as unseen where candidates are of both parts: species that are held out whole,
        and genera and families that have one. All others count as seen.
    root
        The directory that relative media paths start from; None where there are no media.
    home
        What whoever reads the benchmark chose: its own directory, or where they said that media lie. A file outside
        is shown to others only where its bytes are those that are stated. None is ``root``.
    """

    items: Mapping[Modality, pa.Table]
    tasks: tuple[Task, ...]
    left_out: tuple[LeftOut, ...] = ()
    made: Mapping[str, Any] = field(default_factory=dict)
    root: Path | None = None
    home: Path | None = None
    other_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unseen: Mapping[Rank, frozenset[str]] = field(default_factory=dict)

    def __repr__(self) -> str:
        items = ", ".join(f"{table.num_rows:,} {modality.plural}" for modality, table in self.items.items())
        queries = sum(len(task.queries) for task in self.tasks)
        place = "" if self.root is None else f", media in {str(self.root)!r}"
        return f"<Benchmark of {len(self.tasks)} tasks, {queries:,} queries: {items}{place}>"

    @cached_property
    def dataset(self) -> Dataset | None:
        """The dataset at ``root``, where there is one."""
        if self.root is None or not (self.root / "dataset.toml").is_file():
            return None
        return Dataset.open(self.root.resolve())

    def locate(self, path: str) -> MediaPath:
        """Return where a media path of an item lies, in the dataset's packed media where it has some."""
        return self.dataset.locate(path) if self.dataset is not None else (self.root or Path()) / path

    def ids(self, modality: Modality) -> list[str]:
        """Return the ids of the items of one modality, row by row; those of text are the texts."""
        return self.items[modality]["id"].to_pylist()

    def item(self, modality: Modality, row: int) -> Item:
        """Return one item by its row."""
        names = [field.name for field in fields(Item)]
        return Item(**self.items[modality].select(names).slice(row, 1).to_pylist()[0])

    def used(self, modality: Modality, able: Collection[Modality] = tuple(Modality)) -> np.ndarray:
        """Return the rows of a modality that tasks between those that a model is ``able`` to encode use, ascending."""
        rows = [np.empty(0, np.int64)]
        for task in self.tasks:
            asked, answered = modalities_of(task.direction)
            if asked in able and answered in able:
                rows += [task.asking[task.asking >= 0]] if asked == modality else []
                rows += [task.samples] if answered == modality else []
        return np.unique(np.concatenate(rows))

    def labels(self, modality: Modality, level: Rank) -> np.ndarray:
        """Return ``(items,)`` the name of each item's taxon at ``level``, None where it has none."""
        return np.array(self.items[modality][level.value].to_pylist(), object)

    def taxon_labels(self, task: Task, level: Rank) -> np.ndarray:
        """Return ``(taxa,)`` the name at ``level`` of each candidate taxon of a task, None where it has none."""
        names = self.items[modalities_of(task.direction)[1]][level.value]
        first = task.samples[np.minimum(task.offsets[:-1], len(task.samples) - 1)]
        found = np.array(names.take(pa.array(first)).to_pylist(), object)
        found[np.diff(task.offsets) == 0] = None
        return found

    def task(self, part: str, direction: str, level: Rank) -> Task | None:
        """Return one task, or None where it was left out."""
        for task in self.tasks:
            if (task.part, task.direction, task.level) == (part, direction, level):
                return task
        return None
