"""The held-out items of a dataset by part and taxon, and the texts that stand for its taxa."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.benchmark.asked_texts import species_text
from biovita.benchmark.task import ITEMS, LEVELS, PARTS, LeftOut
from biovita.dataset.dataset import Dataset
from biovita.dataset.held_out import unseen_taxa
from biovita.dataset.outgoing import taxon_of
from biovita.dataset.schema import MEDIA_TABLES, TABLES, Split
from biovita.errors import DatasetError
from biovita.modality import MEDIA, Modality
from biovita.suggestion import suggested
from biovita.taxonomy import Rank, Taxon

__all__ = ["GROUPS", "Rows", "SplitItems", "split_items", "unseen_names"]

GROUPS: tuple[str, ...] = ("word", "members")
_ORDER = (*PARTS, Split.TRAIN)
_OF_MEDIA = ("id", "path", "start_s", "end_s", "license", "attribution", "sha256")  # columns of a dataset's table
_NAMELESS, _TRAINED = -1, -2  # in place of the number of a name

Rows: TypeAlias = dict[str, np.ndarray]  # taxon name -> rows of its items
Place: TypeAlias = tuple[Split, Modality, Rank]
Named: TypeAlias = tuple[Split, Rank, str]


@dataclass(frozen=True)
class SplitItems:
    """The items of a benchmark, and which rows belong to which taxon.

    Attributes
    ----------
    items
        By modality, one row an item in the `ITEMS` schema.
    rows
        The items of each taxon; of text those that it is judged by.
    words
        The one text that each taxon is known by as a query.
    nameless
        How many items have no name at the level.
    trained
        How many were left out because their genus or family was trained on.
    taxa
        A taxon of each name: of a genus or family one of its members.
    left_out
        Groups without a text.
    shorter
        By `biovita.benchmark.asked_texts.TEXTS`, how many species have such a text because they lack what the one that
        was asked for needs.
    """

    items: Mapping[Modality, pa.Table]
    rows: Mapping[Place, Rows]
    words: Mapping[tuple[Split, Rank], Rows]
    nameless: Counter[Place]
    trained: Counter[Place]
    taxa: Mapping[Named, Taxon]
    left_out: tuple[LeftOut, ...]
    shorter: Mapping[str, int]

    def asking(self, part: Split, modality: Modality, level: Rank) -> Rows:
        """Return the queries of each taxon of a part."""
        if modality == Modality.TEXT:
            return self.words.get((part, level), {})
        return self.rows.get((part, modality, level), {})

    def answering(self, part: Split | None, modality: Modality, level: Rank) -> Rows:
        """Return the samples of each taxon of a part; None is all parts and training, where each text counts once."""
        if part is not None:
            return self.rows.get((part, modality, level), {})
        found: dict[str, list[np.ndarray]] = defaultdict(list)
        texts = self.items[modality]["id"].to_pylist() if modality == Modality.TEXT else None
        for split in _ORDER:
            for name, rows in self.rows.get((split, modality, level), {}).items():
                there = set() if texts is None else {texts[row] for some in found[name] for row in some}
                found[name].append(rows if texts is None else _without(rows, texts, there))
        return {name: np.concatenate(rows) for name, rows in found.items()}


def split_items(
    dataset: Dataset,
    *,
    text: str = "name",
    groups: str = "word",
    every_name: bool = False,
    new_groups: bool = False,
    only: Collection[str] | None = None,
) -> SplitItems:
    """Return the held-out items of a dataset, and the texts of their taxa.

    Parameters
    ----------
    text
        What stands for a species in text, one of `biovita.benchmark.asked_texts.TEXTS`.
    groups
        What stands for a genus or family in text, one of `GROUPS`: its own name, or the texts of its member species.
    every_name
        Make texts of the taxa that have no held-out items, too.
    new_groups
        Leave out of the unseen part, at genus and family level, what has members that were trained on.
    only
        Ids of the held-out recordings and photographs that are used; None is all.

    Raises
    ------
    DatasetError
        Where the dataset has not been split.
    """
    rows: dict[Place, Rows] = {}
    nameless: Counter[Place] = Counter()
    known: Counter[Place] = Counter()
    trained = _trained(dataset) if new_groups else set()
    items: dict[Modality, pa.Table] = {}
    named: dict[Named, Taxon] = {}
    for modality in MEDIA:
        held = _held_out(dataset, modality, only)
        taxa, numbers = _taxa(dataset, held)
        items[modality] = _items(held, taxa, numbers)
        for part, level in product(PARTS, LEVELS):
            place = part, modality, level
            mine = np.flatnonzero(pc.equal(held["split"], part.value))
            names, codes = _names(taxa, level, trained if part == Split.UNSEEN else set())
            own = codes[numbers[mine]]
            nameless[place] = int((own == _NAMELESS).sum())
            known[place] = int((own == _TRAINED).sum())
            rows[place] = _by_name(names, own, mine)
            for name, found in rows[place].items():
                named.setdefault((part, level, name), taxa[numbers[found[0]]])
    if not any(table.num_rows for table in items.values()):
        raise DatasetError(
            f"{dataset.path} has no held-out items. Split it first: "
            + suggested("data split", dataset.path, "--unseen N --seed S")
        )
    if every_name:
        named |= _in_training(dataset, named)
    texts = _Texts(text, groups)
    texts.add(named)
    items[Modality.TEXT] = pa.Table.from_pylist(texts.items, schema=ITEMS)
    left_out = tuple(texts.left_out)
    return SplitItems(items, rows | texts.by_name, texts.words, nameless, known, named, left_out, texts.shorter)


def _names(
    taxa: Sequence[Taxon], level: Rank, trained: Collection[tuple[Rank, str]]
) -> tuple[list[str], np.ndarray]:
    """Return the names of taxa at a level, ascending, and the number of each taxon's among them."""
    own = [taxon.name_at(level) for taxon in taxa]
    names = sorted({name for name in own if name is not None and (level, name) not in trained})
    number: dict[str | None, int] = {name: at for at, name in enumerate(names)}
    number[None] = _NAMELESS
    return names, np.array([number.get(name, _TRAINED) for name in own], np.int64)


def _by_name(names: Sequence[str], own: np.ndarray, rows: np.ndarray) -> Rows:
    """Return the rows of each name, by the number of each row's; names without rows are left out."""
    order = np.argsort(own, kind="stable")[np.count_nonzero(own < 0) :]
    found, starts = np.unique(own[order], return_index=True)
    parts = np.split(rows[order].astype(np.int32), starts[1:]) if len(found) else []
    return {names[number]: part for number, part in zip(found.tolist(), parts, strict=True)}


def _without(rows: np.ndarray, texts: Sequence[str], there: Collection[str]) -> np.ndarray:
    """Return the rows whose texts are not there."""
    return np.array([row for row in rows.tolist() if texts[row] not in there], np.int32)


class _Texts:
    """Collects the texts of taxa, as items and by taxon."""

    def __init__(self, text: str, groups: str) -> None:
        self.text, self.by_members = text, groups == "members"
        self.items: list[dict[str, Any]] = []
        self.words: dict[tuple[Split, Rank], Rows] = defaultdict(dict)
        self._rows: dict[Place, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self.left_out: list[LeftOut] = []
        self._shorter: dict[str, str] = {}

    @property
    def by_name(self) -> dict[Place, Rows]:
        """The texts of each name."""
        return {
            place: {name: np.array(rows, np.int32) for name, rows in found.items()}
            for place, found in self._rows.items()
        }

    @property
    def shorter(self) -> dict[str, int]:
        """How many species have a shorter text than was asked for, by its kind."""
        return dict(sorted(Counter(self._shorter.values()).items()))

    def add(self, named: Mapping[Named, Taxon]) -> None:
        for (part, level, name), taxon in sorted(named.items(), key=_place):
            if self.by_members and level != Rank.SPECIES:
                if not self._rows[part, Modality.TEXT, level].get(name):
                    self._leave_out(part, level, f"{name} has no member with a {self.text} text")
                elif part != Split.TRAIN:
                    self.words[part, level][name] = np.array([self._item(part, level, name, taxon)], np.int32)
                continue
            words = self._words(taxon, level, name)
            row = self._item(part, level, words, taxon)
            self._rows[part, Modality.TEXT, level][name].append(row)
            self.words[part, level][name] = np.array([row], np.int32)
            for rank in LEVELS[1:] if self.by_members else ():
                group = taxon.name_at(rank)
                if group is not None and (part == Split.TRAIN or (part, rank, group) in named):
                    self._rows[part, Modality.TEXT, rank][group].append(row)

    def _words(self, taxon: Taxon, level: Rank, name: str) -> str:
        """Return the text of a taxon: of a genus or family its name."""
        if level != Rank.SPECIES:
            return name
        words, kind = species_text(taxon, self.text)
        if kind != self.text:
            self._shorter[name] = kind
        return name if kind == "name" else words

    def _item(self, part: Split, level: Rank, words: str, taxon: Taxon) -> int:
        """Add an item, and return its row."""
        self.items.append({**_labels(taxon, level), "id": words, "level": level.value, "part": part.value})
        return len(self.items) - 1

    def _leave_out(self, part: Split, level: Rank, reason: str) -> None:
        self.left_out.append(LeftOut(part.value, "", level.value, reason, 1))


def unseen_names(dataset: Dataset) -> dict[Rank, frozenset[str]]:
    """Return the names of the unseen species of a dataset, and of the genera and families that have one, by level."""
    taxa = unseen_taxa(dataset)
    return {level: frozenset(name for taxon in taxa if (name := taxon.name_at(level))) for level in LEVELS}


def _trained(dataset: Dataset) -> set[tuple[Rank, str]]:
    """Return the genera and families that have a species outside the unseen ones, by rank and name."""
    found: set[tuple[Rank, str]] = set()
    for modality in MEDIA:
        table = dataset.media(modality, ["taxon_id", "split"]).group_by(["taxon_id", "split"]).aggregate([])
        for row in table.to_pylist():
            if row["split"] != Split.UNSEEN.value:
                taxon = taxon_of(dataset, row)
                found |= {(rank, name) for rank in LEVELS[1:] if (name := taxon.name_at(rank))}
    return found


def _in_training(dataset: Dataset, held_out: Collection[Named]) -> dict[Named, Taxon]:
    """Return the taxa of a dataset whose names no held-out item has."""
    there = {(level, name) for _, level, name in held_out}
    found: dict[Named, Taxon] = {}
    for taxon in dataset.taxonomy.values():
        for level in LEVELS:
            name = taxon.name_at(level)
            if name is not None and (level, name) not in there:
                found.setdefault((Split.TRAIN, level, name), taxon)
    return found


def _place(item: tuple[Named, Taxon]) -> tuple[int, int, str]:
    (part, level, name), _ = item
    return _ORDER.index(part), LEVELS.index(level), name


def _held_out(dataset: Dataset, modality: Modality, only: Collection[str] | None) -> pa.Table:
    """Return the held-out recordings or photographs of a dataset, limited to ``only`` where it is given."""
    wanted = pc.field("split").isin([part.value for part in PARTS])
    if only is not None:
        wanted &= pc.field("id").isin(pa.array(only, pa.string()))
    listed = TABLES[MEDIA_TABLES[modality]].names
    return dataset.media(modality, [*(name for name in _OF_MEDIA if name in listed), "taxon_id", "split"], wanted)


def _taxa(dataset: Dataset, held: pa.Table) -> tuple[list[Taxon], np.ndarray]:
    """Return the taxa of some recordings or photographs, and the number of each one's among them, ``(rows,)``."""
    numbers = held["taxon_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    _, first = np.unique(numbers, return_index=True)
    rows = held.select(["id", "taxon_id"]).take(pa.array(first)).to_pylist()
    return [taxon_of(dataset, row) for row in rows], numbers


def _items(held: pa.Table, taxa: Sequence[Taxon], numbers: np.ndarray) -> pa.Table:
    """Return recordings or photographs in the `ITEMS` schema."""
    columns = {"part": held["split"]}
    columns |= {name: held[name] for name in _OF_MEDIA if name in held.column_names}
    labels = [_labels(taxon) for taxon in taxa]
    for name in ("common_name", "species", "genus", "family", "class"):
        columns[name] = pa.array([each[name] for each in labels], pa.string()).take(pa.array(numbers))
    full = [columns.get(field.name, pa.nulls(len(held), field.type)) for field in ITEMS]
    return pa.table(full, schema=ITEMS)


def _labels(taxon: Taxon, level: Rank = Rank.SPECIES) -> dict[str, str | None]:
    """Return the names of a taxon from ``level`` up, as columns of `ITEMS`."""
    ranks = (Rank.SPECIES, Rank.GENUS, Rank.FAMILY, Rank.CLASS)
    known = ranks[ranks.index(level) :]
    common = taxon.common_name if level == Rank.SPECIES else None
    return {"common_name": common, **{rank.value: taxon.name_at(rank) for rank in known}}
