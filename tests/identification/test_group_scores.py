from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from biovita.archive.archive_tables import WINDOWS, Kind
from biovita.identification.evidence import Candidate, Evidence
from biovita.identification.group_scores import groups_at, windows_at
from biovita.identification.kept_scores import candidate_rows
from biovita.taxonomy import Rank, Taxon

CANDIDATES = (
    Candidate(Taxon("a", "Parus major", "Great Tit", genus="Parus", family="Paridae", order="Passeriformes")),
    Candidate(Taxon("b", "Poecile palustris", genus="Poecile", family="Paridae", order="Passeriformes")),
    Candidate(Taxon("c", "Nescio quid", genus="Nescio")),
    Candidate(Taxon("d", "Paridae", rank=Rank.FAMILY, family="Paridae", order="Passeriformes")),
    Candidate(Taxon("engine", "Engine"), Kind.SOUND),
)
ROWS = candidate_rows(CANDIDATES, [False] * 5, [[Evidence.CLASS]] * 5)


def windows(*scores: dict[int, float]) -> pa.RecordBatch:
    rows = [
        {
            "media_id": "m",
            "start_s": 3.0 * place,
            "end_s": 3.0 * place + 3,
            "candidates": list(each),
            "scores": list(each.values()),
            "evidence": [1] * len(each),
            "floor": 0.0,
        }
        for place, each in enumerate(scores)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=WINDOWS)


def test_groups_of_a_rank_lose_no_taxon() -> None:
    groups, of = groups_at(ROWS, Rank.FAMILY)
    assert groups["scientific_name"].to_pylist() == ["Paridae", "Nescio quid", "Engine"]
    assert groups["rank"].to_pylist() == ["family", "species", "species"]
    assert groups["genus"].to_pylist() == [None, "Nescio", None]
    assert groups["order"].to_pylist() == ["Passeriformes", None, None]
    assert groups["kind"].to_pylist() == ["taxon", "taxon", "sound"]
    assert of.tolist() == [0, 0, 1, 0, 2]
    groups, of = groups_at(ROWS, Rank.GENUS)
    assert groups["scientific_name"].to_pylist() == ["Parus", "Poecile", "Nescio", "Paridae", "Engine"]


def test_scores_of_members_are_joined() -> None:
    _, of = groups_at(ROWS, Rank.FAMILY)
    batch = windows({0: 0.5, 4: 0.4, 1: 0.2, 2: 0.1}, {}, {3: 1.0, 0: 0.9})
    [found] = windows_at([batch], of, np.ones(5, bool))
    assert found.column("candidates").to_pylist() == [[0, 2, 1], [], [0]]
    assert found.column("scores").to_pylist()[0] == pytest.approx([1 - 0.5 * 0.8, 0.4, 0.1])
    assert found.column("scores").to_pylist()[2] == pytest.approx([1.0])
    assert found.column("start_s") == batch.column("start_s")
    [found] = windows_at([batch], of, np.array([True, False, True, True, False]))
    assert found.column("candidates").to_pylist() == [[0, 1], [], [0]]
    assert found.column("scores").to_pylist()[0] == pytest.approx([0.5, 0.1])


def test_no_windows_give_no_windows() -> None:
    _, of = groups_at(ROWS, Rank.GENUS)
    [found] = windows_at([windows({}, {})], of, np.ones(5, bool))
    assert found.column("candidates").to_pylist() == [[], []]
