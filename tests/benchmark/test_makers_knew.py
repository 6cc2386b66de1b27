"""How many unseen species the makers of an encoder had a class for."""

from __future__ import annotations

import pyarrow as pa

from biovita.benchmark.makers_knew import MakersKnew, makers_knew
from biovita.benchmark.task import ITEMS, Benchmark
from biovita.modality import Modality
from biovita.towers import birdnet, efficientnet, minilm

CARDS = (birdnet.CARD, efficientnet.CARD, minilm.CARD)
ROWS = (  # species, genus, family, class, part
    ("Turdus merula", "Turdus", "Turdidae", "Aves", "unseen"),
    ("Turdus merula", "Turdus", "Turdidae", "Aves", "unseen"),
    ("Casmerodius albus", "Casmerodius", "Ardeidae", "Aves", "unseen"),  # Ardea alba: a class of both
    ("Novus ignotus", "Novus", "Ignotidae", "Aves", "unseen"),
    ("Pica pica", "Pica", "Corvidae", "Aves", "seen"),
)


def benchmark(rows: tuple[tuple[str, ...], ...]) -> Benchmark:
    columns = ("species", "genus", "family", "class", "part")
    items = [{**dict(zip(columns, row, strict=True)), "id": str(number)} for number, row in enumerate(rows)]
    tables = {modality: pa.Table.from_pylist([], schema=ITEMS) for modality in Modality}
    return Benchmark({**tables, Modality.AUDIO: pa.Table.from_pylist(items, schema=ITEMS)}, ())


def test_each_unseen_species_counts_once_under_any_of_its_names() -> None:
    assert makers_knew(benchmark(ROWS), CARDS) == (
        MakersKnew("birdnet-2.4", 2, 3),
        MakersKnew("efficientnet-lite2", 1, 3),
    )


def test_nothing_is_said_where_nothing_is_unseen() -> None:
    assert makers_knew(benchmark(ROWS[-1:]), CARDS) == ()
