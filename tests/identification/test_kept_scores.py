from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from biovita.archive.archive_tables import Kind
from biovita.archive.stored_windows import SomeVectors
from biovita.identification.evidence import Candidate, Scored
from biovita.identification.kept_scores import BEST, SMALL, candidate_rows, kept_rows
from biovita.taxonomy import Taxon

COUNT = 50


def rows_of(listed: Sequence[int], sounds: Sequence[int] = ()) -> pa.Table:
    candidates = [
        Candidate(Taxon(f"t{n}", f"Taxon {n}"), Kind.SOUND if n in sounds else Kind.TAXON) for n in range(COUNT)
    ]
    return candidate_rows(candidates, [n in listed for n in range(COUNT)], [[]] * COUNT)


@pytest.mark.parametrize("listed", [(), (3, 7), range(COUNT)])
def test_the_best_and_all_that_are_listed_are_kept(listed: Sequence[int]) -> None:
    logits = np.random.default_rng(0).normal(-5, 3, (2500, COUNT)).astype(np.float32)
    groups: list[str | None] = []

    def score(vectors: np.ndarray, of: Sequence[str | None]) -> Scored:
        groups.extend(of)
        return Scored(vectors, np.full(vectors.shape, 2, np.uint8))

    media = pa.table({"id": ["x", "y"], "group_id": ["g", None]})
    place = np.arange(2500) // 2000
    start = np.arange(2500) * 1.5
    start[-1] = np.nan
    found = SomeVectors(place, start, start + 3, logits)
    kept = pa.Table.from_batches(list(kept_rows([found], media, score, rows_of(listed, sounds=(11,)))))
    assert kept["media_id"].to_pylist() == ["x"] * 2000 + ["y"] * 500
    assert groups == ["g"] * 2000 + [None] * 500
    assert kept["start_s"][1].as_py() == 1.5
    assert kept["start_s"].null_count == kept["end_s"].null_count == 1
    scores = 1 / (1 + np.exp(-logits))
    for row in (0, 1023, 1024, 2499):
        order = np.argsort(-scores[row])
        wanted = [
            n for place, n in enumerate(order) if place < BEST or n in listed or n == 11 or scores[row, n] >= SMALL
        ]
        assert kept["candidates"][row].as_py() == wanted
        assert kept["scores"][row].as_py() == pytest.approx(scores[row, wanted].tolist(), rel=1e-5)
        rest = np.delete(scores[row], wanted)
        assert kept["floor"][row].as_py() == pytest.approx(rest.max(initial=0), rel=1e-5)
    assert set(kept["evidence"][0].as_py()) == {2}
