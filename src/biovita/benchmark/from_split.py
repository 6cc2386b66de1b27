"""Building a benchmark from a dataset's split: parts, directions, levels, candidates."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Collection, Sequence
from functools import partial
from itertools import chain, product
from typing import Literal

import numpy as np

from biovita.benchmark.asked_texts import SHORTER, TEXTS
from biovita.benchmark.candidate_draws import DRAWS, all_candidates, draw_candidates, kinship
from biovita.benchmark.split_items import GROUPS, Rows, SplitItems, split_items, unseen_names
from biovita.benchmark.task import LEVELS, PARTS, Benchmark, LeftOut, Task, padded
from biovita.dataset.dataset import Dataset
from biovita.dataset.held_out import other_names, split_hash, unseen_taxa
from biovita.dataset.schema import Split
from biovita.errors import DatasetError, unknown_name
from biovita.limits import memory_mib
from biovita.modality import DIRECTIONS, Modality, modalities_of
from biovita.taxonomy import Rank

__all__ = ["benchmark_from_split"]

logger = logging.getLogger(__name__)

_BYTES = 4  # a candidate


def benchmark_from_split(
    dataset: Dataset,
    *,
    candidates: int | Literal["all"] = 100,
    seed: int = 0,
    text: str = "name",
    groups: str = "word",
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
        Most candidate taxa a query, the correct one included. ``all``: every query of both parts is asked against the
        same taxa in the same order, those with held-out items of the target modality in any part; of text all taxa of
        the dataset.
    seed
        For the draw of candidates and their order.
    text
        What stands for a taxon in text: ``name`` (the bare name at the level, as published), or at species level
        ``common`` or a prompt (``tax``, ``sci_com``, ``tax_com``). A species that lacks what it needs goes by a shorter
        one, in the end by its name; ``made["shorter_texts"]`` counts them.
    groups
        What stands for a genus or family in text: ``word``, its bare name, as published; or ``members``, the texts of
        its species, of which the largest score counts. As a query it is asked by its species in the part; as a
        candidate it brings all those that count as its samples.
    draw
        ``uniform``, or ``hard``: the nearest relatives of the correct taxon come before others.
    new_groups
        Leave out of the unseen part, at genus and family level, what has members that were trained on.
    only
        Ids of the held-out recordings and photographs that are used; None is all.

    Raises
    ------
    DatasetError
        Where the dataset has not been split, or a value is not accepted.
    """
    for name, value, known in (("text", text, TEXTS), ("groups", groups, GROUPS), ("draw", draw, DRAWS)):
        if value not in known:
            raise DatasetError(unknown_name(name, value, known))
    _check_candidates(candidates, draw)
    found = split_items(
        dataset, text=text, groups=groups, every_name=candidates == "all", new_groups=new_groups, only=only
    )
    if candidates != "all":
        _say_if_large(found, candidates)
    task_of = partial(_task, found, candidates, seed, hard=draw == "hard", members=groups == "members")
    pairs = [task_of(which) for which in product(PARTS, DIRECTIONS, LEVELS)]
    tasks = tuple(task for task, _ in pairs if task is not None)
    left_out = (*found.left_out, *chain.from_iterable(missing for _, missing in pairs))
    unseen = unseen_names(dataset) if candidates == "all" else {}
    made = {
        "dataset": dataset.info.get("name"),
        "dataset_version": dataset.info.get("version"),
        "split": dataset.info.get("split"),
        "split_sha256": split_hash(dataset),
        "candidates": candidates,
        "seed": seed,
        "text": text,
        "groups": groups,
        "draw": draw,
        "new_groups": new_groups,
        **({SHORTER: found.shorter} if found.shorter else {}),
    }
    names = _names_of_unseen(dataset)
    return Benchmark(found.items, tasks, left_out, made, dataset.path, unseen=unseen, other_names=names)


def _names_of_unseen(dataset: Dataset) -> dict[str, list[str]]:
    """Return the other names of the unseen species that have some."""
    taxa = unseen_taxa(dataset)
    names = other_names(dataset, taxa)
    return {taxon.scientific_name: sorted(names[taxon.id]) for taxon in taxa if names[taxon.id]}


def _check_candidates(candidates: int | str, draw: str) -> None:
    if isinstance(candidates, str) and candidates != "all":
        raise DatasetError(f"candidates is {candidates!r}. It has to be a number from 2 on, or all")
    if isinstance(candidates, int) and candidates < 2:
        raise DatasetError(f"candidates is {candidates}. A query needs at least 2")
    if candidates == "all" and draw != "uniform":
        raise DatasetError(f"candidates is all, and draw is {draw!r}. Leave draw out: nothing is drawn")


def _say_if_large(found: SplitItems, candidates: int) -> None:
    """Warn where the candidates of all queries, which are held at once, take more than the memory."""
    queries = size = 0
    for part, direction, level in product(PARTS, DIRECTIONS, LEVELS):
        asked, answered = modalities_of(direction)
        width = min(candidates, len(found.answering(part, answered, level)))
        asking = sum(map(len, found.asking(part, asked, level).values()))
        queries, size = queries + asking, size + _BYTES * asking * width
    if size > memory_mib() << 20:
        logger.warning(
            "The candidates of %s queries will take %s MiB of memory, more than the %s that --memory allows. Fewer "
            "--candidates, or fewer held-out items, take less",
            *(f"{number:,}" for number in (queries, size >> 20, memory_mib())),
        )


def _task(
    found: SplitItems,
    candidates: int | Literal["all"],
    seed: int,
    which: tuple[Split, str, Rank],
    *,
    hard: bool,
    members: bool,
) -> tuple[Task | None, list[LeftOut]]:
    """Return the task of a part, direction and level, None where there is none; and what was left out of it."""
    part, direction, level = which
    asked, answered = modalities_of(direction)
    askers = found.asking(part, asked, level)
    targets = found.answering(None if candidates == "all" else part, answered, level)
    missing: list[LeftOut] = []

    def leave_out(reason: str, count: int) -> None:
        if count:
            missing.append(LeftOut(part.value, direction, level.value, reason, count))

    leave_out(f"queries without a {level.value} name", found.nameless[part, asked, level])
    leave_out(f"queries whose {level.value} was trained on", found.trained[part, asked, level])
    unanswered = sum(len(rows) for name, rows in askers.items() if name not in targets)
    leave_out(f"queries whose {level.value} has no {answered.value} here", unanswered)
    taxa = tuple(sorted(targets))
    queries, own = _asked(askers, taxa)
    if len(targets) < 2 or not len(queries):
        why = f"fewer than two candidate taxa ({len(targets)})" if len(targets) < 2 else "no queries"
        missing.append(LeftOut(part.value, direction, level.value, why, 0))
        return None, missing
    if candidates == "all":
        chosen, correct = all_candidates(own, len(taxa), _generator(seed, f"{direction}/{level.value}"))
    else:
        rng = _generator(seed, f"{part.value}/{direction}/{level.value}")
        kin = kinship([found.taxa[part, level, name] for name in taxa], level) if hard else None
        chosen, correct = draw_candidates(own, len(taxa), candidates, rng, kin)
    several = members and asked == Modality.TEXT and level != Rank.SPECIES
    texts = found.answering(part, Modality.TEXT, level)
    task = Task(
        part=part.value,
        direction=direction,
        level=level,
        queries=queries,
        taxa=taxa,
        samples=np.concatenate([targets[name] for name in taxa]),
        offsets=np.concatenate([[0], np.cumsum([len(targets[name]) for name in taxa])]).astype(np.int64),
        candidates=chosen,
        correct=correct,
        texts=padded([texts[taxa[number]] for number in own.tolist()]) if several else None,
    )
    return task, missing


def _asked(askers: Rows, taxa: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the queries of taxa, ascending, and the number of each one's own taxon."""
    found = [(number, askers[name]) for number, name in enumerate(taxa) if name in askers]
    if not found:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    queries = np.concatenate([rows for _, rows in found])
    own = np.repeat([number for number, _ in found], [len(rows) for _, rows in found]).astype(np.int32)
    order = np.lexsort((own, queries))
    return queries[order], own[order]


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
