from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest

from biovita.archive.best_events import best_events, spoken_over
from support.found_events import events_of


def found(
    media: str, score: float | None, day: int | None = None, name: str = "Pica pica", **more: object
) -> dict:
    begin = None if day is None else datetime.fromisoformat(f"2026-05-0{day}T06:00")
    return {"media_id": media, "score": score, "begin_local": begin, "scientific_name": name, **more}


def scores(events: pa.Table) -> list[float]:
    return [round(score, 2) for score in events["score"].to_pylist()]


def test_each_recording_gives_one_before_any_gives_a_second():
    events = events_of(found("a", 0.9), found("a", 0.8), found("a", 0.7), found("b", 0.5), found("c", 0.3))
    assert scores(best_events(events, 4)) == [0.9, 0.5, 0.3, 0.8]


def test_each_day_gives_one_before_any_gives_a_second():
    events = events_of(
        found("a", 0.9, 1), found("b", 0.8, 1), found("c", 0.4, 2), found("d", 0.3, 2), found("e", 0.1)
    )
    assert scores(best_events(events, 9)) == [0.9, 0.4, 0.1, 0.8, 0.3]


def test_taxa_do_not_take_from_each_other():
    events = events_of(found("a", 0.2, name="Turdus merula"), found("a", 0.9), found("b", 0.8), found("b", 0.7))
    best = best_events(events, 2)
    assert best["scientific_name"].to_pylist() == ["Pica pica", "Pica pica", "Turdus merula"]
    assert scores(best) == [0.9, 0.8, 0.2]


def test_the_order_of_the_rows_does_not_matter():
    rng = np.random.default_rng(0)
    media, marks, days = rng.integers(0, 9, 300), rng.integers(0, 20, 300) / 20, rng.integers(1, 5, 300)
    events = events_of(*(found(f"m{m}", float(s), int(d)) for m, s, d in zip(media, marks, days, strict=True)))
    shuffled = events.take(pa.array(rng.permutation(300)))
    assert best_events(events, 50)["id"].to_pylist() == best_events(shuffled, 50)["id"].to_pylist()


def test_a_probability_counts_before_a_score_and_none_comes_last():
    events = events_of(found("a", 0.9, probability=0.1), found("b", 0.5, probability=0.6), found("c", None))
    assert best_events(events, 3)["media_id"].to_pylist() == ["b", "a", "c"]


def test_only_taxa_and_classes_that_are_present_are_taken():
    events = events_of(
        found("a", 0.9, presence="absent"),
        found("b", 0.9, presence="uncertain"),
        found("c", 0.9, name=None, label="Engine", kind="sound"),
        found("d", 0.9, name=None, label="flight call", kind="class"),
    )
    assert best_events(events, 5)["media_id"].to_pylist() == ["d"]
    assert best_events(events.slice(0, 0), 5).num_rows == 0
    with pytest.raises(ValueError, match="per_taxon is 0"):
        best_events(events, 0)


def test_what_a_person_speaks_over_is_found_by_overlap():
    speech = {"a": np.array([[8.0, 9.0], [2.0, 6.0], [3.0, 3.5]]), "d": np.array([[5.0, np.inf]])}
    asked = [
        ("a", 0, 2),
        ("a", 0, 2.1),
        ("a", 5.5, 7),
        ("a", 6, 8),
        ("a", 9, 10),
        ("c", 0, 1),
        (None, 0, 9),
        ("d", 90, 91),
    ]
    media, start, end = zip(*asked, strict=True)
    over = spoken_over(
        speech, pa.chunked_array([media], pa.string()), np.array(start, float), np.array(end, float)
    )
    assert over.tolist() == [False, True, True, False, False, False, False, True]
