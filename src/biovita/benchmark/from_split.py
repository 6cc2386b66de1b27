"""Building a benchmark from a dataset's split: parts, directions, levels, candidates."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.benchmark.task import ITEMS, LEVELS, PARTS, Benchmark, LeftOut, Task
from biovita.dataset.dataset import Dataset
from biovita.dataset.held_out import other_names, split_hash, unseen_taxa
from biovita.dataset.outgoing import taxon_of
from biovita.dataset.schema import Split
from biovita.errors import DatasetError, unknown_name
from biovita.modality import DIRECTIONS, MEDIA, Modality, modalities_of
from biovita.taxonomy import PROMPT_KINDS, RANKS, Rank, Taxon, prompts

__all__ = ["DRAWS", "TEXTS", "benchmark_from_split", "draw_candidates"]

TEXTS: tuple[str, ...] = ("name", "common", *(kind for kind in PROMPT_KINDS if kind not in {"com", "sci"}))
DRAWS: tuple[str, ...] = ("uniform", "hard")
_OF_MEDIA = ("id", "path", "start_s", "end_s", "license", "attribution", "sha256")  # columns of a dataset's table
_COMMON = {"common": "com"}  # the prompt kind that a choice of text means


def benchmark_from_split(
    dataset: Dataset,
    *,
    candidates: int = 100,
    seed: int = 0,
    text: str = "name",
    draw: str = "uniform",
    new_groups: bool = False,
    only: Collection[str] | None = None,
) -> Benchmark:
    """Return the benchmark that a dataset's split describes.

    The ``seen`` and ``unseen`` parts are made of the items with that split. In each, every direction is asked at
    species, genus and family level: an item is a query where its taxon has samples of the target modality, and is
    asked against up to ``candidates`` taxa of the part, its own and others drawn uniformly, in random order; a
    candidate taxon brings all its items of the target modality in that part. Genus and family level group the same
    items by genus and by family; the genus or family of an unseen species is itself new only where no species that
    was trained on belongs to it, and ``new_groups`` keeps those alone.

    A taxon without a name at a level is left out at that level, a level with fewer than two candidate taxa is left
    out whole; both are counted in `Benchmark.left_out`.

    Parameters
    ----------
    candidates
        Most candidate taxa a query, the correct one included.
    seed
        For the draw of candidates and their order.
    text
        What stands for a taxon in text: ``name`` (the bare name at the level, as published), or at species level
        ``common`` or a prompt (``tax``, ``sci_com``, ``tax_com``). Genus and family are always bare names.
    draw
        ``uniform``, or ``hard``: the nearest relatives of the correct taxon come before others.
    new_groups
        Leave out of the unseen part, at genus and family level, what has members that were trained on.
    only
        Ids of the held-out recordings and photographs that are used; None is all.

    Raises
    ------
    DatasetError
        Where the dataset has not been split, or ``text`` is unknown.
    """
    if text not in TEXTS:
        raise DatasetError(unknown_name("text", text, TEXTS))
    if draw not in DRAWS:
        raise DatasetError(unknown_name("draw", draw, DRAWS))
    if candidates < 2:
        raise DatasetError(f"candidates is {candidates}. A query needs at least 2")
    maker = _Maker.of(dataset, text, new_groups=new_groups, only=only)
    tasks: list[Task] = []
    left_out = list(maker.left_out)
    for part in PARTS:
        for direction in DIRECTIONS:
            for level in LEVELS:
                task, missing = _task(
                    maker, part, direction, level, most=candidates, seed=seed, hard=draw == "hard"
                )
                left_out += missing
                if task is not None:
                    tasks.append(task)
    made = {
        "dataset": dataset.info.get("name"),
        "dataset_version": dataset.info.get("version"),
        "split": dataset.info.get("split"),
        "split_sha256": split_hash(dataset),
        "candidates": candidates,
        "seed": seed,
        "text": text,
        "draw": draw,
        "new_groups": new_groups,
    }
    unseen = unseen_taxa(dataset)
    others = other_names(dataset, unseen)
    names = {taxon.scientific_name: sorted(others[taxon.id]) for taxon in unseen if others[taxon.id]}
    return Benchmark(maker.items, tuple(tasks), tuple(left_out), made, dataset.path, other_names=names)


Rows = dict[str, list[int]]  # taxon name -> rows of its items


@dataclass(frozen=True)
class _Maker:
    """The items of the benchmark, and which rows belong to which taxon."""

    items: dict[Modality, pa.Table]
    rows: dict[tuple[Split, Modality, Rank], Rows]
    nameless: Counter[tuple[Split, Modality, Rank]]
    known: Counter[tuple[Split, Modality, Rank]]  # left out because their genus or family was trained on
    members: dict[tuple[Split, Rank, str], Taxon]
    left_out: tuple[LeftOut, ...]

    @classmethod
    def of(cls, dataset: Dataset, text: str, *, new_groups: bool, only: Collection[str] | None) -> _Maker:
        rows: dict[tuple[Split, Modality, Rank], Rows] = defaultdict(lambda: defaultdict(list))
        nameless: Counter[tuple[Split, Modality, Rank]] = Counter()
        known: Counter[tuple[Split, Modality, Rank]] = Counter()
        trained = _trained(dataset) if new_groups else set()
        items: dict[Modality, pa.Table] = {}
        members: dict[tuple[Split, Rank, str], Taxon] = {}
        for modality in MEDIA:
            held = _held_out(dataset, modality, only)
            taxa, numbers = _taxa(dataset, held)
            names = [[(level, taxon.name_at(level)) for level in LEVELS] for taxon in taxa]
            items[modality] = _items(held, taxa, numbers)
            parts = map(Split, held["split"].to_pylist())
            for row, (number, part) in enumerate(zip(numbers.tolist(), parts, strict=True)):
                for level, name in names[number]:
                    if name is None:
                        nameless[part, modality, level] += 1
                        continue
                    if part == Split.UNSEEN and (level, name) in trained:
                        known[part, modality, level] += 1
                        continue
                    rows[part, modality, level][name].append(row)
                    members.setdefault((part, level, name), taxa[number])
        if not any(table.num_rows for table in items.values()):
            raise DatasetError(
                f"{dataset.path} has no held-out items. Split it first: "
                f"biovita data split {dataset.path} --unseen N --seed S"
            )
        texts: list[dict[str, Any]] = []
        left_out = []
        for (part, level, name), taxon in sorted(members.items(), key=_place):
            words = _text(taxon, level, name, text)
            if words is None:
                left_out.append(LeftOut(part.value, "", level.value, f"{name} has no {text} text", 1))
                continue
            rows[part, Modality.TEXT, level][name].append(len(texts))
            texts.append({**_labels(taxon, level), "id": words, "level": level.value, "part": part.value})
        items[Modality.TEXT] = pa.Table.from_pylist(texts, schema=ITEMS)
        grouped = {key: dict(value) for key, value in rows.items()}
        return cls(items, grouped, nameless, known, members, tuple(left_out))


def _trained(dataset: Dataset) -> set[tuple[Rank, str]]:
    """Return the genera and families that have a species outside the unseen ones, by rank and name."""
    found: set[tuple[Rank, str]] = set()
    for modality in MEDIA:
        table = dataset.media(modality).select(["taxon_id", "split"]).group_by(["taxon_id", "split"]).aggregate([])
        for row in table.to_pylist():
            if row["split"] != Split.UNSEEN.value:
                taxon = taxon_of(dataset, row)
                found |= {(rank, name) for rank in LEVELS[1:] if (name := taxon.name_at(rank))}
    return found


def _place(item: tuple[tuple[Split, Rank, str], Taxon]) -> tuple[int, int, str]:
    (part, level, name), _ = item
    return PARTS.index(part), LEVELS.index(level), name


def _held_out(dataset: Dataset, modality: Modality, only: Collection[str] | None) -> pa.Table:
    """Return the held-out recordings or photographs of a dataset, limited to ``only`` where it is given."""
    wanted = pc.field("split").isin([part.value for part in PARTS])
    if only is not None:
        wanted &= pc.field("id").isin(pa.array(only, pa.string()))
    return dataset.media(modality).filter(wanted)


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


def _text(taxon: Taxon, level: Rank, name: str, text: str) -> str | None:
    if text == "name" or level != Rank.SPECIES:
        return name
    return prompts(taxon).get(_COMMON.get(text, text))


def _task(
    maker: _Maker, part: Split, direction: str, level: Rank, *, most: int, seed: int, hard: bool
) -> tuple[Task | None, list[LeftOut]]:
    asked, answered = modalities_of(direction)
    targets = maker.rows.get((part, answered, level), {})
    askers = maker.rows.get((part, asked, level), {})
    missing: list[LeftOut] = []

    def leave_out(reason: str, count: int) -> None:
        if count:
            missing.append(LeftOut(part.value, direction, level.value, reason, count))

    leave_out(f"queries without a {level.value} name", maker.nameless[part, asked, level])
    leave_out(f"queries whose {level.value} was trained on", maker.known[part, asked, level])
    unanswered = sum(len(rows) for name, rows in askers.items() if name not in targets)
    leave_out(f"queries whose {level.value} has no {answered.value} here", unanswered)
    queries = sorted((row, name) for name, rows in askers.items() if name in targets for row in rows)
    if len(targets) < 2 or not queries:
        why = f"fewer than two candidate taxa ({len(targets)})" if len(targets) < 2 else "no queries"
        missing.append(LeftOut(part.value, direction, level.value, why, 0))
        return None, missing
    taxa = tuple(sorted(targets))
    place = {name: index for index, name in enumerate(taxa)}
    lengths = [len(targets[name]) for name in taxa]
    own = np.array([place[name] for _, name in queries], np.int32)
    task_seed = [seed, zlib.crc32(f"{part.value}/{direction}/{level.value}".encode())]
    kin = _kinship([maker.members[part, level, name] for name in taxa], level) if hard else None
    chosen, correct = draw_candidates(own, len(taxa), most, np.random.default_rng(task_seed), kin)
    task = Task(
        part=part.value,
        direction=direction,
        level=level,
        queries=np.array([row for row, _ in queries], np.int32),
        taxa=taxa,
        samples=np.array([row for name in taxa for row in targets[name]], np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        candidates=chosen,
        correct=correct,
    )
    return task, missing


def _kinship(taxa: Sequence[Taxon], level: Rank) -> np.ndarray:
    """Return ``(taxa, ranks)`` numbers of their groups above ``level``, the widest first; -1 where unknown."""
    columns = []
    for rank in RANKS[: RANKS.index(level)]:
        names = [taxon.name_at(rank) for taxon in taxa]
        number = {name: at for at, name in enumerate(sorted({name for name in names if name}))}
        columns.append([number[name] if name else -1 for name in names])
    return np.array(columns, np.int64).reshape(-1, len(taxa)).T


def draw_candidates(
    own: Sequence[int] | np.ndarray,
    taxa: int,
    most: int,
    rng: np.random.Generator,
    kin: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(queries, min(most, taxa))`` candidate taxa and the column of each query's own taxon.

    The others are drawn uniformly without replacement; with ``kin`` (of `_kinship`), those that share the narrowest
    group with the query's own come first, and uniformly among those alike. The order is random, so that ties, which
    go by it, do not favour the correct taxon.
    """
    width = min(most, taxa)
    chosen = np.empty((len(own), width), np.int32)
    correct = rng.integers(width, size=len(own)).astype(np.int32)
    columns = np.arange(width)
    for row, mine in enumerate(own):
        if kin is None:
            others = rng.choice(taxa - 1, width - 1, replace=False)
            others += others >= mine
        else:
            shared = (kin == kin[mine]) & (kin >= 0)
            nearness = (shared * np.arange(1, kin.shape[1] + 1)).max(axis=1, initial=0)
            order = np.lexsort((rng.random(taxa), -nearness))
            others = rng.permutation(order[order != mine][: width - 1])
        chosen[row, columns != correct[row]] = others
        chosen[row, correct[row]] = mine
    return chosen, correct
