"""Reading one task's file of the published layout, row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from biovita.benchmark.published_layout import ASKING, index_file
from biovita.benchmark.task import Task, padded
from biovita.errors import DatasetError
from biovita.foreign_tables import Held
from biovita.jsonfile import parse_json
from biovita.modality import Modality, modalities_of
from biovita.taxonomy import Rank

__all__ = ["LookUp", "TaskRows"]

LookUp: TypeAlias = Callable[[str, Rank], "int | None"]
"""From the id in an index, and the level that a text is needed at, to the row of the items."""


class TaskRows:
    """Collects the queries of a task.

    Parameters
    ----------
    which
        Part, direction and level of the task.
    look_up
        By modality.
    by_members
        Whether a genus or family is judged by the texts of its species.
    say
        Called with the code, the row and the detail of a problem.
    held
        Counts the memory that is taken.
    """

    def __init__(
        self,
        which: tuple[str, str, Rank],
        look_up: Mapping[Modality, LookUp],
        say: Callable[[str, int, str], None],
        held: Held,
        *,
        by_members: bool,
    ) -> None:
        self.part, self.direction, self.level = which
        self.asked, self.answered = modalities_of(self.direction)
        self.look_up, self.say, self.held = look_up, say, held
        self.judged = Rank.SPECIES if by_members else self.level  # the level that texts are needed at
        self.several = by_members and self.asked == Modality.TEXT and self.level != Rank.SPECIES
        self.seen: set[str] = set()
        self.pools: dict[tuple[str, tuple[int, ...]], int] = {}
        self.sizes: list[int] = []  # of the pools
        self.queries: list[int] = []
        self.texts: list[list[int]] = []
        self.lists: list[np.ndarray] = []
        self.correct: list[int] = []
        self._known: dict[tuple[str, str], int] = {}  # from a taxon and the text of its samples to their pool
        self._last: tuple[tuple[str, str], list[str], np.ndarray] | None = None

    def add(self, number: int, line: Mapping[str, str]) -> None:
        """Add a row of the file, or say what is wrong with it."""
        if line["query_id"] in self.seen:
            self.say("duplicate-query", number, f"an earlier row has the query_id {line['query_id']!r}, too")
        self.seen.add(line["query_id"])
        if (line["task"], line["taxon_level"]) != (self.direction, self.level.value):
            said = f"{line['task']} at {line['taxon_level']}"
            where = f"{self.direction} at {self.level.value}"
            self.say("wrong-task", number, f"the row is of {said}, and the file is of {where}")
        query = self.look_up[self.asked](line["query_payload_id"], self.level)
        if query is None:
            detail = f"query_payload_id {line['query_payload_id']!r} is not in {index_file(self.asked)}"
            self.say("id-out-of-range", number, detail)
            return
        try:
            texts = self._asking(line, number) if self.several else []
            taxa, listed = self._listed(line, number)
        except ValueError as error:
            self.say("bad-candidates", number, str(error))
            return
        if line["correct_taxon"] not in taxa:
            self.say("correct-not-listed", number, f"{line['correct_taxon']!r} is not among the candidates")
            return
        if len(set(taxa)) < len(taxa):
            self.say("duplicate-candidate", number, "a candidate is listed twice")
            return
        self.held.add(100 + 8 * len(texts))
        self.queries.append(query)
        self.texts.append(texts)
        self.lists.append(listed)
        self.correct.append(taxa.index(line["correct_taxon"]))

    def task(self) -> Task | None:
        """Return the task, None where it has no queries."""
        if not self.queries:
            return None
        samples = [row for _, members in self.pools for row in members]
        return Task(
            self.part,
            self.direction,
            self.level,
            np.array(self.queries, np.int32),
            tuple(taxon for taxon, _ in self.pools),
            np.array(samples, np.int32),
            np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64),
            self._candidates(),
            np.array(self.correct, np.int32),
            padded(self.texts) if self.several else None,
        )

    def _candidates(self) -> np.ndarray:
        """Return the candidates as a `Task` has them: in the memory of one row where all queries have the same."""
        first = self.lists[0]
        if all(listed is first for listed in self.lists):
            return np.broadcast_to(first, (len(self.lists), len(first)))
        self.held.add(4 * len(self.lists) * max(map(len, self.lists)))  # each row as long as the longest
        return padded(self.lists)

    def _asking(self, line: Mapping[str, str], number: int) -> list[int]:
        """Return the rows of the texts that a query asks with."""
        keys = parse_json(line.get(ASKING, ""), ASKING, DatasetError)
        if not isinstance(keys, list) or not keys:
            raise ValueError(f"{ASKING} has to be a list of the texts that the query asks with")
        return self._rows(self.asked, [str(key) for key in keys], number, line["correct_taxon"])

    def _listed(self, line: Mapping[str, str], number: int) -> tuple[list[str], np.ndarray]:
        """Return the names of a row's candidates, and where they are in the pools."""
        cells = line["candidates_taxa"], line["candidates_target_ids"]
        if self._last is not None and self._last[0] == cells:
            return self._last[1:]
        taxa = parse_json(cells[0], "candidates_taxa", DatasetError)
        texts = _texts_of_lists(cells[1])
        targets = texts or parse_json(cells[1], "candidates_target_ids", DatasetError)
        if not isinstance(taxa, list) or not isinstance(targets, list):
            raise ValueError("candidates_taxa and candidates_target_ids have to be lists")  # noqa: TRY004
        if len(taxa) != len(targets):
            raise ValueError(
                f"there are {len(taxa)} candidates_taxa and {len(targets)} candidates_target_ids; both need as many"
            )
        taxa = [str(taxon) for taxon in taxa]
        pool_of = self._pool_of_keys if texts is None else self._pool_of_text
        pools = [pool_of(taxon, keys, number) for taxon, keys in zip(taxa, targets, strict=True)]
        self.held.add(4 * len(pools))
        self._last = cells, taxa, np.array(pools, np.int32)
        return self._last[1:]

    def _pool_of_text(self, taxon: str, text: str, number: int) -> int:
        """Return which pool a taxon's samples are, from the text of their list without its brackets."""
        if (pool := self._known.get((taxon, text))) is not None:
            return pool
        keys = parse_json(f"[{text}]", "candidates_target_ids", DatasetError)
        pool = self._pool_of_keys(taxon, keys, number)
        if 0 < self.sizes[pool] == len(keys):  # nothing is to be said of it
            self.held.add(200 + len(taxon) + len(text))
            self._known[taxon, text] = pool
        return pool

    def _pool_of_keys(self, taxon: str, keys: Any, number: int) -> int:
        """Return which pool a taxon's samples are, from their ids."""
        listed = [str(key) for key in (keys if isinstance(keys, list) else [keys])]
        members = tuple(self._rows(self.answered, listed, number, taxon))
        if not listed:
            self.say("no-samples", number, f"{taxon} has no samples")
        if (taxon, members) not in self.pools:
            self.held.add(200 + len(taxon) + 16 * len(members))
            self.pools[taxon, members] = len(self.pools)
            self.sizes.append(len(members))
        return self.pools[taxon, members]

    def _rows(self, modality: Modality, keys: Sequence[str], number: int, taxon: str) -> list[int]:
        """Return the rows of items, without those that the index does not have."""
        found = [self.look_up[modality](key, self.judged) for key in keys]
        if None in found:
            bad = keys[found.index(None)]
            self.say("id-out-of-range", number, f"{taxon}: {bad!r} is not in {index_file(modality)}")
        return [row for row in found if row is not None]


def _texts_of_lists(cell: str) -> list[str] | None:
    """Return the texts of the lists within a list of lists of numbers, without brackets; None of any other cell.

    Many rows have the same lists, and their texts tell so without reading the numbers.
    """
    if not (cell.startswith("[[") and cell.endswith("]]")) or '"' in cell:
        return None
    texts = cell[2:-2].split("], [" if "], [" in cell else "],[")
    return texts if cell.count("[") == cell.count("]") == len(texts) + 1 else None
