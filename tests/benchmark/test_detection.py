"""Scores of detection: pairs of events, segments against scikit-learn, and whole runs whose errors are planted."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biovita.archive.archive_tables import ANNOTATIONS, CANDIDATES, RECORDINGS, WINDOWS
from biovita.benchmark.detection import DetectedRun, detect_scores
from biovita.benchmark.detection_draws import Draws, estimate
from biovita.benchmark.detection_match import matched
from biovita.benchmark.detection_scores import DetectionScores, OperatingPoint
from biovita.benchmark.detection_segments import Segments, drawn_values
from biovita.benchmark.detection_truth import NotScored, Spans, annotated_spans
from biovita.errors import BiovitaError
from biovita.media import read_clip
from biovita.media import windows as cut
from biovita.towers.birdnet import WINDOW, BirdNET

HOP = 1.5
NAMES = ("Parus major", "Turdus merula", "Sylvia atricapilla", "Engine")


def spans(rows: Sequence[tuple[int, int, float, float]]) -> Spans:
    table = np.array(rows, float).reshape(-1, 4)
    return Spans(table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2], table[:, 3])


def plain_overlap(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    shared = min(first[3], second[3]) - max(first[2], second[2])
    return max(0.0, shared) / (max(first[3], second[3]) - min(first[2], second[2]))


EVENTS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 12), st.integers(1, 6)).map(
        lambda each: (*each[:2], each[2] / 2, (each[2] + each[3]) / 2)
    ),
    max_size=4,
)


@settings(deadline=None, max_examples=60)
@given(found=EVENTS, truth=EVENTS, by=st.sampled_from(["overlap", "onset"]))
def test_pairs_are_as_many_as_any_choice_of_pairs_has(
    found: list[tuple[int, int, float, float]], truth: list[tuple[int, int, float, float]], by: str
) -> None:
    def fits(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
        if one[:2] != other[:2]:
            return False
        return plain_overlap(one, other) >= 0.2 if by == "overlap" else abs(one[2] - other[2]) <= 1.0

    padded = truth + [(9, 9, 0.0, 0.0)] * len(found)
    most = max(
        sum(fits(one, other) for one, other in zip(found, order, strict=False))
        for order in permutations(padded, len(found))
    )
    options = {"least_overlap": 0.2} if by == "overlap" else {"onset_s": 1.0}
    right, hit = matched(spans(found), spans(truth), **options)
    assert right.sum() == hit.sum() == most


def test_a_pair_takes_no_event_twice() -> None:
    """Greedy by order would give the long event to the first call and leave the second without one."""
    right, hit = matched(
        spans([(0, 0, 0.0, 4.0), (0, 0, 1.0, 2.0)]), spans([(0, 0, 1.0, 2.0), (0, 0, 2.5, 4.0)]), least_overlap=0.2
    )
    assert right.all()
    assert hit.all()


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6), levels=st.integers(2, 6))
def test_segment_values_are_those_of_scikit_learn(seed: int, levels: int) -> None:
    from sklearn.metrics import average_precision_score, roc_auc_score

    rng = np.random.default_rng(seed)
    size, files = 40, 4
    scores = rng.integers(0, levels, size).astype(np.float32) / levels
    is_there = rng.random(size) < 0.3
    is_there[:2] = True, False
    media = np.sort(rng.integers(0, files, size))
    weights = np.concatenate([np.ones((1, files)), rng.integers(0, 3, (5, files))])
    found = drawn_values(scores, is_there, media, weights)
    for draw, each in enumerate(weights):
        weight = each[media]
        if not (weight * is_there).sum() or not (weight * ~is_there).sum():
            continue
        expected = average_precision_score(is_there, scores, sample_weight=weight)
        assert found.average_precision[draw] == pytest.approx(expected)
        assert found.auroc[draw] == pytest.approx(roc_auc_score(is_there, scores, sample_weight=weight))


def test_a_segment_has_the_scores_of_windows_that_share_half_of_the_shorter() -> None:
    segments = Segments.of(np.array([12.0, 4.0]), annotated_spans(recordings({"a": 12.0, "b": 4.0}), None))
    assert segments.first.tolist() == [0, 3, 4]
    windows = spans([(0, 0, 3.0, 6.0), (0, 0, 3.5, 6.5), (0, 0, 9.0, 12.0), (1, 0, 0.0, 3.0), (0, 0, 0.0, 10.0)])
    assert segments.scored(windows.take(np.arange(4)), np.float32([0.1, 0.2, 0.3, 0.4])).tolist() == pytest.approx(
        [0.2, 0.2, 0.3, 0.4]
    )
    assert segments.scored(windows.take(np.array([4])), np.float32([0.9])).tolist() == pytest.approx(
        [0.9, 0.9, 0, 0]
    )
    events = spans([(0, 0, 4.0, 5.5), (1, 0, 0.0, 9.0)])
    assert segments.holding(events).tolist() == [0, 3]
    assert segments.touched(events).tolist() == [0, 1, 3]


def recordings(durations: Mapping[str, float]) -> pa.Table:
    same = {"sha256": "0", "file_size": 1, "file_mtime_ns": 1, "notes": [], "sample_rate": 48_000, "channels": 1}
    rows = [{**same, "id": name, "path": f"/field/{name}.wav", "duration_s": s} for name, s in durations.items()]
    return pa.Table.from_pylist(rows, schema=RECORDINGS)


def candidates(*, listed: bool = True) -> pa.Table:
    rows = [
        {"taxon_id": name.lower().replace(" ", "_"), "scientific_name": name, "rank": "species", "listed": listed}
        | {"kind": "sound" if name == "Engine" else "taxon", "genus": name.split()[0], "evidence": []}
        for name in NAMES
    ]
    return pa.Table.from_pylist(rows, schema=CANDIDATES)


def windows_of(durations: Mapping[str, float], heard: Sequence[tuple[str, int, float, float, float]]) -> pa.Table:
    """Return windows: a candidate that is heard from one time to another has its score where a window lies within."""
    rows = []
    for name, duration in durations.items():
        for start in np.arange(0, duration - 2.9, HOP):
            scores = [0.01] * len(NAMES)
            for media, number, begin, end, score in heard:
                if media == name and begin <= start and start + 3 <= end:
                    scores[number] = score
            order = np.argsort(-np.array(scores), kind="stable").tolist()
            rows.append(
                {"media_id": name, "start_s": start, "end_s": start + 3, "candidates": order, "floor": 0.0}
                | {"scores": [scores[each] for each in order], "evidence": [1] * len(order)}
            )
    return pa.Table.from_pylist(rows, schema=WINDOWS)


def annotation(path: str, label: str, start: float | None, end: float | None, **more: Any) -> dict[str, Any]:
    row = {"id": f"{path}{label}{start}", "path": path, "modality": "audio", "start_s": start, "end_s": end}
    row |= {"label": label, "kind": "taxon", "presence": "present"}
    return {**row, "scientific_name": label, "rank": "species", **more}


DURATIONS = {"a": 60.0, "b": 60.0, "c": 60.0}
TRUTH = [
    annotation("a.wav", "Parus major", 3.0, 6.0),
    annotation("a.wav", "Parus major", 30.0, 36.0),
    annotation("b.wav", "Turdus merula", 15.0, 21.0),
    annotation("c.wav", "Turdus merula", 15.0, 21.0),  # missed
]
HEARD = [
    ("a", 0, 3.0, 6.0, 0.9),
    ("a", 0, 30.0, 36.0, 0.8),
    ("b", 1, 15.0, 21.0, 0.7),
    ("b", 2, 40.0, 46.0, 0.6),  # nobody annotated it
]


def scores(
    truth: Sequence[dict[str, Any]] = TRUTH,
    heard: Sequence[tuple[str, int, float, float, float]] = HEARD,
    **more: Any,
) -> DetectionScores:
    return detect_scores(
        pa.Table.from_pylist(list(truth), schema=ANNOTATIONS),
        DetectedRun(windows_of(DURATIONS, heard), candidates(), recordings(DURATIONS), HOP, {"model": "planted"}),
        **{"threshold": 0.5, **more},
    )


def test_planted_errors_are_counted() -> None:
    found = scores()
    overlap, onset = found.overall
    assert (overlap.criterion, onset.criterion) == ("overlap", "onset")
    for row in (overlap, onset):
        assert (row.annotated, row.found, row.right) == (4, 4, 3)
        assert (row.precision.value, row.recall.value, row.f1.value) == (0.75, 0.75, 0.75)
        assert row.precision.low is not None
        assert row.precision.low <= 0.75 <= (row.precision.high or 0)
    assert [(row.taxon, row.annotated, row.found, row.right) for row in found.taxa] == [
        ("Parus major", 2, 2, 2),
        ("Sylvia atricapilla", 0, 1, 0),
        ("Turdus merula", 2, 1, 1),
    ]
    assert found.mean_f1.value == pytest.approx((1 + 2 / 3) / 2)
    assert (found.recordings, found.hours) == (3, pytest.approx(0.05))
    assert found.at_precision == tuple(
        OperatingPoint(criterion, 0.9, 0.7, 0.75, 0.0) for criterion in ("overlap", "onset")
    )
    by_threshold = {row.threshold: row.found for row in found.curve if row.criterion == "overlap"}
    assert (by_threshold[0.75], by_threshold[0.85], by_threshold[0.95]) == (2, 1, 0)


def test_segments_are_scored_by_class() -> None:
    found = scores()
    tit, blackbird = found.segments
    assert (tit.taxon, tit.present, tit.segments) == ("Parus major", 2, 36)
    assert (tit.average_precision.value, tit.auroc.value) == (1.0, 1.0)
    assert (blackbird.present, blackbird.segments) == (2, 36)
    assert blackbird.average_precision.value == pytest.approx(0.5 + 0.5 * 2 / 36)
    assert blackbird.auroc.value == pytest.approx(0.75)
    mean = np.mean([row.average_precision.value for row in found.segments])
    assert found.mean_average_precision.value == pytest.approx(mean)
    assert found.chance == pytest.approx(2 / 36)


def test_what_cannot_be_scored_is_listed() -> None:
    more = [
        annotation("z.wav", "Parus major", 1.0, 2.0),
        annotation("a.wav", "Corvus corax", 1.0, 2.0),
        annotation("a.wav", "Parus major", None, None),
        annotation("a.wav", "Parus major", 60.5, 62.0),
        annotation("a.wav", "Sylvia", 40.0, 46.0, rank="genus"),
        annotation("b.wav", "Parus major", 1.0, 2.0, presence="absent"),
    ]
    found = scores([*TRUTH, *more])
    assert set(found.not_scored) == {
        NotScored("not-in-run", "z.wav", 1),
        NotScored("not-named", "Corvus corax", 1),
        NotScored("no-times", "Parus major", 1),
        NotScored("outside", "Parus major", 1),
        NotScored("higher-rank", "Sylvia", 1),
    }
    assert replace(found, not_scored=()).overall == scores().overall


def test_what_is_found_where_nobody_knows_is_neither_right_nor_wrong() -> None:
    unsure = [
        annotation("b.wav", "Sylvia", 41.0, 42.0, rank="genus"),
        annotation("b.wav", "Turdus merula", 20.0, 25.0, presence="uncertain"),
    ]
    found = scores([*TRUTH, *unsure])
    assert (found.overall[0].found, found.overall[0].right, found.neither) == (3, 3, 1)
    assert {row.taxon: row.segments for row in found.segments} == {"Parus major": 36, "Turdus merula": 35}


def test_only_what_was_annotated_counts() -> None:
    parts = pa.table({"path": ["field/b.wav"], "start_s": [0.0], "end_s": [30.0]})
    found = scores(annotated=parts)
    assert (found.recordings, found.hours) == (1, pytest.approx(30 / 3600))
    assert (found.overall[0].annotated, found.overall[0].found, found.overall[0].right) == (1, 1, 1)
    assert found.overall[0].f1.low is None
    assert found.segments[0].segments == 6
    moment = pa.table({"path": ["b.wav"], "start_s": [17.9], "end_s": [18.1]})
    found = scores(annotated=moment)
    assert (found.overall[0].right, found.segments[0].segments, found.chance) == (1, 0, None)


def test_names_meet_through_ids_and_synonyms() -> None:
    renamed = [
        annotation("a.wav", "PARUS MAJOR", 3.0, 6.0, scientific_name=None, taxon_id=None),
        annotation("a.wav", "great tit", 30.0, 36.0, scientific_name=None, taxon_id="parus_major"),
        annotation("b.wav", "Eurasian Blackbird", 15.0, 21.0, scientific_name=None),
        annotation("b.wav", "sylvia atricapilla", 40.0, 46.0, scientific_name=None, kind="class"),
    ]
    assert (scores(renamed).overall[0].annotated, scores(renamed).overall[0].right) == (4, 4)


def test_of_two_recordings_of_one_name_the_path_decides() -> None:
    media = recordings({"a": 9.0, "b": 9.0}).set_column(
        1, RECORDINGS.field("path"), pa.array(["/marsh/x.wav", "/wood/x.wav"])
    )
    rows = [annotation(path, "Parus major", 0.0, 3.0) for path in ("wood\\x.wav", "x.wav")]
    found = detect_scores(
        pa.Table.from_pylist(rows, schema=ANNOTATIONS),
        DetectedRun(windows_of({"a": 9.0, "b": 9.0}, [("b", 0, 0.0, 3.0, 0.9)]), candidates(), media, HOP),
        threshold=0.5,
    )
    assert (found.overall[0].annotated, found.overall[0].right) == (1, 1)
    assert found.not_scored == (NotScored("not-in-run", "x.wav", 1),)


def test_a_sound_that_is_no_taxon_is_scored_where_it_was_annotated() -> None:
    heard = [*HEARD, ("c", 3, 0.0, 6.0, 0.9)]
    assert scores(heard=heard).overall[0].found == 4
    truth = [*TRUTH, annotation("c.wav", "Engine", 0.0, 6.0, kind="sound", scientific_name=None)]
    assert (scores(truth, heard).overall[0].found, scores(truth, heard).overall[0].right) == (5, 4)


def test_a_run_with_a_list_is_scored_on_its_taxa() -> None:
    rows = candidates().to_pylist()
    some = [{**row, "listed": row["scientific_name"] in {"Turdus merula", "Engine"}} for row in rows]
    run = DetectedRun(
        windows_of(DURATIONS, HEARD), pa.Table.from_pylist(some, schema=CANDIDATES), recordings(DURATIONS), HOP
    )
    found = detect_scores(pa.Table.from_pylist(TRUTH, schema=ANNOTATIONS), run, threshold=0.5)
    assert [(row.taxon, row.annotated, row.found, row.right) for row in found.taxa] == [("Turdus merula", 2, 1, 1)]
    assert found.not_scored == (NotScored("not-named", "Parus major", 2),)


def test_parts_of_recordings_that_are_not_there_are_listed() -> None:
    parts = pa.table({"path": ["b.wav", "z.wav", "z.wav"], "start_s": [0.0] * 3, "end_s": [30.0] * 3})
    found = scores(annotated=parts)
    assert found.recordings == 1
    assert NotScored("part-not-in-run", "z.wav", 2) in found.not_scored


def test_events_that_no_window_can_match_are_counted() -> None:
    assert scores([*TRUTH, annotation("c.wav", "Parus major", 50.0, 50.5)]).too_short == 1


def test_thresholds_that_the_run_cannot_answer_are_refused() -> None:
    table = windows_of(DURATIONS, HEARD)
    table = table.set_column(6, WINDOWS.field("floor"), pa.array([0.2] * len(table), pa.float32()))
    annotations = pa.Table.from_pylist(TRUTH, schema=ANNOTATIONS)
    run = DetectedRun(table, candidates(listed=False), recordings(DURATIONS), HOP)
    with pytest.raises(BiovitaError, match="cannot be answered"):
        detect_scores(annotations, run, threshold=0.3)
    found = detect_scores(annotations, run, threshold=0.5)
    assert max(found.not_answered) == 0.3
    assert min(row.threshold for row in found.curve) == 0.35


def test_annotations_of_which_none_can_be_scored_are_an_error() -> None:
    with pytest.raises(BiovitaError, match=r"1 Corvus corax \(not-named\)"):
        scores([annotation("a.wav", "Corvus corax", 1.0, 2.0)])


def test_an_interval_is_of_recordings_drawn_with_replacement() -> None:
    draws = Draws.of(3, annotated_spans(recordings(DURATIONS), None), 0)
    assert (draws.weights[0] == 1).all()
    assert (draws.weights[1:].sum(axis=1) == 3).all()
    again = Draws.of(3, annotated_spans(recordings(DURATIONS), None), 0)
    assert (draws.weights == again.weights).all()
    found = estimate(draws.weights @ np.array([0.0, 0.0, 1.0]) / 3)
    assert found.value == pytest.approx(1 / 3)
    assert (found.low, found.high) == (0.0, 1.0)


CODES = {
    "NOCA": "Cardinalis cardinalis",
    "WOTH": "Hylocichla mustelina",
    "EATO": "Pipilo erythrophthalmus",
    "BCCH": "Poecile atricapillus",
}


@pytest.mark.slow
def test_on_a_real_recording_birdnet_finds_what_it_is_known_to_find(shared_data: Path) -> None:
    folder = shared_data / "annotated/powdermill"
    sound = folder / "Recording_1_Segment_07-snippet.wav"
    with (folder / "Recording_1_Segment_07.Table.1.selections.txt").open() as stream:
        truth = [
            annotation(
                sound.name,
                CODES.get(row["Species"], row["Species"]),
                float(row["Begin Time (s)"]),
                float(row["End Time (s)"]),
            )
            for row in csv.DictReader(stream, delimiter="\t")
        ]
    tower, names = BirdNET(), list(CODES.values())
    classes = tower.classes()
    numbers = [[name for name, _ in classes.names].index(name) for name in names]
    samples, rate = read_clip(sound, sample_rate=48_000)
    vectors = tower.encode_windows(list(cut(samples, WINDOW, WINDOW // 2)))
    values = 1 / (1 + np.exp(-(vectors @ classes.weights[numbers].T + classes.bias[numbers])))
    rows = [
        {"media_id": "a", "start_s": place * HOP, "end_s": place * HOP + 3, "floor": 0.0, "evidence": [1] * 4}
        | {"candidates": list(range(4)), "scores": row.tolist()}
        for place, row in enumerate(values)
    ]
    listed = [
        {
            "taxon_id": name,
            "scientific_name": name,
            "rank": "species",
            "kind": "taxon",
            "listed": True,
            "evidence": [],
        }
        for name in names
    ]
    same = {"sha256": "0", "file_size": 1, "file_mtime_ns": 1, "notes": [], "channels": 1}
    media = {**same, "id": "a", "path": str(sound), "duration_s": len(samples) / rate, "sample_rate": 32_000}
    run = DetectedRun(
        pa.Table.from_pylist(rows, schema=WINDOWS),
        pa.Table.from_pylist(listed, schema=CANDIDATES),
        pa.Table.from_pylist([media], schema=RECORDINGS),
        HOP,
    )
    found = detect_scores(pa.Table.from_pylist(truth, schema=ANNOTATIONS), run, threshold=0.5)
    assert found.overall[0].annotated == 9
    assert sum(each.count for each in found.not_scored) == 279 - 9
    right = {row.taxon for row in found.taxa if row.right}
    assert right == {"Hylocichla mustelina", "Pipilo erythrophthalmus"}
    assert found.overall[0].precision.value == 1.0
