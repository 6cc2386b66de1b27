"""How many unseen species the makers of an encoder had a class for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from biovita.benchmark.makers_knew import MakersKnew, makers_knew
from biovita.benchmark.task import ITEMS, Benchmark, Task
from biovita.modality import Modality
from biovita.taxonomy import Rank
from biovita.towers import birdnet, efficientnet, minilm

CARDS = (birdnet.CARD, efficientnet.CARD, minilm.CARD)
ROWS = (  # species, genus, family, class, part
    ("Turdus merula", "Turdus", "Turdidae", "Aves", "unseen"),
    ("Turdus merula", "Turdus", "Turdidae", "Aves", "unseen"),
    ("Casmerodius albus", "Casmerodius", "Ardeidae", "Aves", "unseen"),  # Ardea alba: a class of both
    ("Novus ignotus", "Novus", "Ignotidae", "Aves", "unseen"),
    ("Pica pica", "Pica", "Corvidae", "Aves", "seen"),
)
TAXA = tuple(sorted({row[0] for row in ROWS}))


def benchmark(rows: tuple[tuple[str, ...], ...]) -> Benchmark:
    columns = ("species", "genus", "family", "class", "part")
    items = [{**dict(zip(columns, row, strict=True)), "id": str(number)} for number, row in enumerate(rows)]
    tables = {modality: pa.Table.from_pylist([], schema=ITEMS) for modality in Modality}
    tasks = tuple(asking(part, rows) for part in ("seen", "unseen") if any(row[-1] == part for row in rows))
    return Benchmark({**tables, Modality.AUDIO: pa.Table.from_pylist(items, schema=ITEMS)}, tasks)


def asking(part: str, rows: tuple[tuple[str, ...], ...]) -> Task:
    """Return the task of the recordings of a part among all the species."""
    queries = [number for number, row in enumerate(rows) if row[-1] == part]
    correct = np.array([TAXA.index(rows[number][0]) for number in queries], np.int32)
    every = np.tile(np.arange(len(TAXA), dtype=np.int32), (len(queries), 1))
    samples, offsets = np.arange(len(TAXA), dtype=np.int32), np.arange(len(TAXA) + 1)
    return Task(part, "A2T", Rank.SPECIES, np.array(queries, np.int32), TAXA, samples, offsets, every, correct)


def test_each_unseen_species_counts_once_under_any_of_its_names() -> None:
    assert makers_knew(benchmark(ROWS), CARDS) == (
        MakersKnew("birdnet-2.4", 2, 3),
        MakersKnew("efficientnet-lite2", 1, 3),
    )


def test_nothing_is_said_where_nothing_is_unseen() -> None:
    assert makers_knew(benchmark(ROWS[-1:]), CARDS) == ()
