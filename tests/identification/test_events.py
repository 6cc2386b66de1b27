"""Events against a plain re-statement of their rule, at every overlap, at gaps and at the ends of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biovita.archive.archive_tables import ANNOTATIONS, CANDIDATES, DEPLOYMENTS, RECORDINGS, WINDOWS
from biovita.errors import BiovitaError
from biovita.identification import event_runs
from biovita.identification.events import MadeBy, check_threshold, events_of, floor_of, speech_spans

WINDOW = 3.0
MADE = MadeBy("birdnet-2.4", "sha256:1", datetime(2026, 5, 1, tzinfo=UTC))
NAMES = ("Parus major", "Turdus merula", "Engine", "nothing", "Human vocal")
KINDS = ("taxon", "taxon", "sound", "background", "sound")


def candidates(listed: Sequence[bool] = (True,) * 5) -> pa.Table:
    rows = [
        {"taxon_id": name.lower(), "scientific_name": name, "rank": "species", "kind": kind, "listed": is_listed}
        | {"evidence": ["class"]}
        for name, kind, is_listed in zip(NAMES, KINDS, listed, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=CANDIDATES)


def recordings(durations: Mapping[str, float], **more: Any) -> pa.Table:
    same = {"sha256": "0", "file_size": 1, "file_mtime_ns": 1, "notes": [], "sample_rate": 48_000, "channels": 1}
    rows = [{**same, "id": name, "path": f"/{name}.wav", "duration_s": s, **more} for name, s in durations.items()]
    return pa.Table.from_pylist(rows, schema=RECORDINGS)


def windows(media: str, hop: float, scores: Sequence[Sequence[float | None]]) -> pa.Table:
    """Return a row a window; of each candidate a score, None where it was not kept."""
    rows = []
    for place, row in enumerate(scores):
        kept = sorted((-score, number) for number, score in enumerate(row) if score is not None)
        rows.append(
            {"media_id": media, "start_s": place * hop, "end_s": place * hop + WINDOW, "floor": 0.0}
            | {"candidates": [number for _, number in kept], "scores": [-score for score, _ in kept]}
            | {"evidence": [1 + number % 3 for _, number in kept]}
        )
    return pa.Table.from_pylist(rows, schema=WINDOWS)


def single(
    scores: Sequence[float], hop: float, duration: float = 1e6, threshold: float = 0.5
) -> list[tuple[Any, ...]]:
    """Return begin, end and number of windows of the events of one candidate."""
    table = windows("a", hop, [[score] for score in scores])
    found = list(
        events_of(
            table.to_batches(),
            recordings({"a": duration}),
            candidates(),
            threshold=threshold,
            hop_s=hop,
            made=MADE,
        )
    )
    rows = pa.Table.from_batches(found, ANNOTATIONS)
    return list(zip(*(rows[name].to_pylist() for name in ("start_s", "end_s", "windows")), strict=True))


@pytest.mark.parametrize("hop", [3.0, 1.5, 0.6])
class TestTheSameAtEveryOverlap:
    def test_neighbours_are_one_event(self, hop: float) -> None:
        assert single([0, 0.9, 0.9, 0.9, 0.9, 0], hop) == [(hop, pytest.approx(4 * hop + WINDOW), 4)]

    def test_a_window_between_may_be_low_and_two_may_not(self, hop: float) -> None:
        assert single([0.9, 0, 0.9], hop) == [(0, 2 * hop + WINDOW, 2)]
        assert single([0.9, 0, 0, 0.9], hop) == [(0, WINDOW, 1), (pytest.approx(3 * hop), 3 * hop + WINDOW, 1)]

    def test_it_goes_on_down_to_six_tenths_and_needs_the_threshold_once(self, hop: float) -> None:
        assert single([0.29, 0.31, 0.5, 0.31, 0.29], hop) == [(hop, pytest.approx(3 * hop + WINDOW), 3)]
        assert single([0.31, 0.49, 0.31], hop) == []

    def test_it_is_as_the_page_draws_it(self, hop: float) -> None:
        found = single([0.1, 0.4, 0.6, 0.1, 0.3, 0.1, 0.1, 0.7, 0.1, 0.1, 0.4], hop)
        assert found == [
            (hop, pytest.approx(4 * hop + WINDOW), 3),
            (pytest.approx(7 * hop), pytest.approx(7 * hop + WINDOW), 1),
        ]

    def test_it_begins_with_the_file_and_ends_with_it(self, hop: float) -> None:
        end = 2 * hop + 1.0  # the last window is filled up with zeros
        assert single([0.9, 0.9, 0.9], hop, end) == [(0, end, 3)]

    def test_a_missing_window_is_a_gap(self, hop: float) -> None:
        table = windows("a", hop, [[0.9]] * 4)
        rows = table.take([0, 2]), table.take([0, 3])
        for part, number in zip(rows, (1, 2), strict=True):
            found = events_of(
                part.to_batches(), recordings({"a": 99.0}), candidates(), threshold=0.5, hop_s=hop, made=MADE
            )
            assert sum(map(len, found)) == number


def plain_events(scores: np.ndarray, hop: float, duration: float, threshold: float) -> list[tuple[float, ...]]:
    """Say the rule again, window by window: begin, end, maximum, mean, begin of the best, windows."""
    found, run, since = [], [], 0
    for place in range(len(scores) + 2):
        score = scores[place] if place < len(scores) else np.float32(0)
        if score >= np.float32(0.6 * threshold):
            run, since = [*run, place], 0
            continue
        since += 1
        if since == 2:
            if run and max(scores[run]) >= np.float32(threshold):
                best = run[int(np.argmax(scores[run]))]
                end = min(duration, run[-1] * hop + WINDOW)
                mean = float(scores[run].astype(float).mean())
                found.append((run[0] * hop, end, float(scores[best]), mean, best * hop, len(run)))
            run = []
    return found


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    hop=st.sampled_from([3.0, 1.5, 0.6]),
    count=st.integers(1, 40),
    per_batch=st.integers(1, 50),
    rows_at_once=st.sampled_from([1, 30, 1 << 16]),
)
def test_they_are_those_of_a_plain_restatement(
    seed: int, hop: float, count: int, per_batch: int, rows_at_once: int
) -> None:
    rng = np.random.default_rng(seed)
    thresholds = np.array([0.5, 0.7, 0.3, 0.2, np.inf])
    names = ("a", "b", "c")
    scores = {name: rng.choice(np.float32([0, 0.2, 0.31, 0.42, 0.5, 0.7, 0.9]), (count, 5)) for name in names}
    durations = {name: (count - 1) * hop + rng.uniform(0.5, WINDOW) for name in names}
    tables = [windows(name, hop, each.tolist()) for name, each in scores.items()]
    batches = pa.concat_tables(tables).combine_chunks().to_batches(max_chunksize=per_batch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_runs, "_ROWS", rows_at_once)
        found = list(
            events_of(batches, recordings(durations), candidates(), threshold=thresholds, hop_s=hop, made=MADE)
        )
    rows = pa.Table.from_batches(found, ANNOTATIONS)
    columns = ("start_s", "end_s", "score", "mean_score", "best_start_s", "windows")
    for name in names:
        for number, label in enumerate(NAMES):
            mine = [row for row in rows.to_pylist() if (row["media_id"], row["label"]) == (name, label)]
            expected = plain_events(scores[name][:, number], hop, durations[name], thresholds[number])
            if KINDS[number] == "background":
                expected = []
            assert [tuple(row[column] for column in columns) for row in mine] == [
                pytest.approx(e) for e in expected
            ]
    assert len(set(rows["id"].to_pylist())) == len(rows)


def test_an_event_says_what_came_second_and_where_and_when() -> None:
    table = windows("a", 1.5, [[0.6, 0.2, 0.99, 0.99, 0.0], [0.8, 0.7, 0.99, 0.99, 0.0]])
    begin = datetime(2026, 5, 1, 23, 59, 59)  # noqa: DTZ001 - by the recorder's clock
    media = recordings(
        {"a": 60.0},
        begin_local=begin,
        utc_offset_min=-300,
        latitude=1.0,
        longitude=2.0,
        deployment_id="d",
        channel=2,
    )
    places = pa.Table.from_pylist([{"id": "x"}, {"id": "d", "site": "Marsh"}], schema=DEPLOYMENTS)
    (batch,) = events_of(
        table.to_batches(), media, candidates(), threshold=0.75, hop_s=1.5, made=MADE, deployments=places
    )
    tit, engine = batch.to_pylist()
    assert (tit["label"], tit["scientific_name"], tit["taxon_id"]) == ("Parus major",) * 2 + ("parus major",)
    assert (tit["runner_up"], tit["runner_up_score"]) == ("Turdus merula", pytest.approx(0.7))
    assert (tit["best_start_s"], tit["windows"], tit["mean_score"]) == (1.5, 2, pytest.approx(0.7))
    assert (tit["begin_local"], tit["utc_offset_min"], tit["site"]) == (begin, -300, "Marsh")
    assert (tit["evidence"], tit["by"], tit["by_kind"], tit["channel"]) == ("class", "birdnet-2.4", "machine", 2)
    assert (engine["label"], engine["scientific_name"], engine["kind"]) == ("Engine", None, "sound")
    assert (engine["runner_up"], engine["best_start_s"]) == ("Parus major", 0.0)


def test_a_threshold_is_compared_in_single_precision() -> None:
    assert len(single([0.7], 3.0, threshold=0.7)) == 1


def test_photographs_are_passed_over() -> None:
    table = windows("a", 3.0, [[0.9]])
    pictures = table.set_column(1, WINDOWS.field("start_s"), pa.nulls(1, pa.float64()))
    found = events_of(
        pictures.to_batches(), recordings({"b": 3.0}), candidates(), threshold=0.5, hop_s=3.0, made=MADE
    )
    assert list(found) == []


@pytest.mark.parametrize(
    ("order", "known", "message"),
    [(("a", "b", "a"), ("a", "b"), "not together"), (("a", "c"), ("a", "b"), "'c' are of no recording")],
)
def test_windows_that_do_not_fit_are_refused(order: Sequence[str], known: Sequence[str], message: str) -> None:
    table = pa.concat_tables([windows(name, 3.0, [[0.9]]) for name in order])
    with pytest.raises(BiovitaError, match=message):
        list(
            events_of(
                table.to_batches(),
                recordings(dict.fromkeys(known, 3.0)),
                candidates(),
                threshold=0.5,
                hop_s=3.0,
                made=MADE,
            )
        )


def test_a_threshold_below_the_floor_is_refused_for_what_is_not_listed() -> None:
    table = windows("a", 3.0, [[0.9], [0.8]]).to_batches()
    assert floor_of(table) == 0.0
    assert floor_of([]) == 0.0
    open_ = candidates([True, False, True, False, True])
    check_threshold(0.2, open_, 0.1)
    check_threshold(0.01, candidates(), 0.1)
    check_threshold(np.array([0.01, np.inf, 0.01, 0.01, 0.01]), open_, 0.1)
    with pytest.raises(
        BiovitaError, match=r"threshold of 0\.15 .* Turdus merula, scores up to 0\.1 .* of 0\.16[78] or"
    ):
        check_threshold(0.15, open_, 0.1)
    with pytest.raises(BiovitaError, match="above 0"):
        check_threshold(0.0, candidates(), 0.0)


def test_speech_is_told_as_spans_that_do_not_touch() -> None:
    scores = [[0.9, 0, 0, 0, score] for score in (0.0, 0.12, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0)]
    found = speech_spans(windows("a", 1.5, scores).to_batches(), recordings({"a": 11.0}), candidates(), hop_s=1.5)
    assert {media: spans.tolist() for media, spans in found.items()} == {"a": [[1.5, 4.5], [7.5, 11.0]]}
