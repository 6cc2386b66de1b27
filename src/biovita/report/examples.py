"""Queries with their nearest candidates, drawn by the seed, to see and to hear."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from biovita.benchmark.nearest import Neighbour, nearest
from biovita.benchmark.task import Item, Task
from biovita.benchmark.vector_rows import vector_rows
from biovita.dataset.outgoing import Outgoing, is_outside, require_same
from biovita.errors import DatasetError, MediaError
from biovita.modality import DIRECTIONS, MEDIA, Modality, modalities_of
from biovita.report.content import ReportContent
from biovita.report.thumbnails import SoundView, sound_view, thumbnail
from biovita.taxonomy import Rank

__all__ = ["Card", "Example", "examples"]


@dataclass(frozen=True)
class Card:
    """One item as a page shows it.

    Attributes
    ----------
    relation
        Of a candidate to the query's species: ``correct``, ``same genus``, ``same family`` or empty.
    fault
        Why there is nothing to see or hear, where that is so.
    """

    modality: Modality
    name: str
    common_name: str | None
    relation: str = ""
    similarity: float | None = None
    license: str | None = None
    attribution: str | None = None
    photograph: str | None = None
    sound: SoundView | None = None
    fault: str | None = None


@dataclass(frozen=True)
class Example:
    """A query, its nearest candidates, and where the correct one came."""

    part: str
    direction: str
    query: Card
    nearest: tuple[Card, ...]
    rank: int
    candidates: int


def examples(run: ReportContent, *, part: str, per_direction: int = 3, count: int = 5) -> list[Example]:
    """Return some queries of each direction at species level, of different species where there are enough.

    The queries are drawn at random with the run's seed, hits and misses alike.
    """
    deck = _Deck(run)
    rows = vector_rows(run.benchmark, run.vectors)
    found = []
    for direction in DIRECTIONS:
        score = next(
            (
                s
                for s in run.final.tasks
                if (s.task.part, s.task.direction, s.task.level) == (part, direction, Rank.SPECIES)
            ),
            None,
        )
        if score is None:
            continue
        task = score.task
        rng = np.random.default_rng([run.seed, zlib.crc32(f"{task.name}/examples".encode())])
        picked: dict[int, int] = {}  # species: query
        for query in rng.permutation(np.flatnonzero(score.ranks > 0)):
            picked.setdefault(int(task.correct_taxa[query]), int(query))
            if len(picked) == per_direction:
                break
        for query in picked.values():
            near = nearest(task, run.vectors, rows, query, count=count)
            found.append(
                Example(
                    part=part,
                    direction=direction,
                    query=deck.query(task, query),
                    nearest=tuple(deck.candidate(task, query, neighbour) for neighbour in near),
                    rank=int(score.ranks[query]),
                    candidates=int(task.candidate_counts[query]),
                )
            )
    return found


@dataclass
class _Deck:
    """Makes cards; a photograph or recording that occurs twice is read once."""

    run: ReportContent
    _views: dict[tuple[Modality, int], dict[str, Any]] = field(default_factory=dict)

    def query(self, task: Task, query: int) -> Card:
        return self._card(modalities_of(task.direction)[0], int(task.queries[query]))

    def candidate(self, task: Task, query: int, neighbour: Neighbour) -> Card:
        related = ""
        correct = int(task.correct_taxa[query])
        for rank in (Rank.FAMILY, Rank.GENUS):
            names = self.run.benchmark.taxon_labels(task, rank)
            if names[neighbour.taxon] is not None and names[neighbour.taxon] == names[correct]:
                related = f"same {rank.value}"
        return self._card(
            modalities_of(task.direction)[1],
            neighbour.sample,
            relation="correct" if neighbour.correct else related,
            similarity=neighbour.similarity,
        )

    def _card(self, modality: Modality, row: int, **more: Any) -> Card:
        item = self.run.benchmark.item(modality, row)
        if (modality, row) not in self._views:
            self._views[modality, row] = self._view(modality, item)
        return Card(
            modality=modality,
            name=item.species or item.genus or item.id,
            common_name=item.common_name,
            license=item.license,
            attribution=item.attribution,
            **self._views[modality, row],
            **more,
        )

    def _view(self, modality: Modality, item: Item) -> dict[str, Any]:
        if modality not in MEDIA:
            return {}
        if self.run.benchmark.root is None or item.path is None:
            return {"fault": "no media here"}
        benchmark = self.run.benchmark
        path = benchmark.locate(item.path)
        home = benchmark.home or benchmark.root
        try:
            if home is not None and is_outside(home, path):
                if item.sha256 is None:
                    return {"fault": "outside the benchmark, which states no hash of it; see --media-root"}
                require_same(Outgoing(path, modality, item.sha256))
            if modality == Modality.IMAGE:
                return {"photograph": thumbnail(path)}
            return {"sound": sound_view(path, item.start_s, item.end_s)}
        except MediaError as error:
            return {"fault": error.reason}
        except DatasetError:  # the page tells what is wrong with an item in short
            return {"fault": "missing, or not the file that the tables describe"}
