from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from biovita.archive.archive_tables import ANNOTATIONS, CANDIDATES, WINDOWS
from biovita.errors import BiovitaError
from biovita.identification.labelled_scores import LabelledScores, labelled_scores
from biovita.identification.thresholds import LEAST_RIGHT, thresholds_at

JUNCO, TIT, NOISE, WREN = range(4)
MEDIA = pa.schema([("id", pa.string()), ("path", pa.string()), ("group_id", pa.string())])


def table(schema: pa.Schema, rows: Sequence[Mapping[str, Any]], **defaults: Any) -> pa.Table:
    """Rows with what is not said empty."""
    return pa.Table.from_pylist([{**dict.fromkeys(schema.names), **defaults, **row} for row in rows], schema)


CANDIDATE_ROWS = table(
    CANDIDATES,
    [
        {"taxon_id": "junco_hyemalis", "scientific_name": "Junco hyemalis", "genus": "Junco"},
        {"taxon_id": "parus_major", "scientific_name": "Parus major", "genus": "Parus"},
        {"taxon_id": "noise", "scientific_name": "Noise", "kind": "sound"},
        {"taxon_id": "troglodytes", "scientific_name": "Troglodytes", "rank": "genus", "genus": "Troglodytes"},
    ],
    rank="species",
    kind="taxon",
    listed=False,
    evidence=["class"],
)


def windows(*rows: tuple[str, float | None, Mapping[int, float]]) -> pa.Table:
    return table(
        WINDOWS,
        [
            {
                "media_id": media,
                "start_s": start,
                "end_s": None if start is None else start + 3,
                "candidates": list(scores),
                "scores": list(scores.values()),
                "evidence": [1] * len(scores),
            }
            for media, start, scores in rows
        ],
        floor=0.0,
    )


def annotations(*rows: Mapping[str, Any]) -> pa.Table:
    said = [{"label": row["scientific_name"], "id": str(number), **row} for number, row in enumerate(rows)]
    return table(ANNOTATIONS, said, modality="audio", kind="taxon", presence="present", rank="species")


def media(*names: str, group: str | None = None) -> pa.Table:
    return table(MEDIA, [{"id": name, "path": f"/{name}.wav", "group_id": group} for name in names])


def verdicts(found: LabelledScores) -> list[tuple[int, float, bool]]:
    """Candidate, score and whether it is right, the largest score first."""
    rows = zip(found.candidates, found.scores, found.right, strict=True)
    said = [(int(candidate), round(float(score), 3), bool(right)) for candidate, score, right in rows]
    return sorted(said, key=lambda each: -each[1])


def test_half_a_window_or_half_a_call_makes_a_score_right_and_less_makes_it_doubtful() -> None:
    scored = windows(
        ("a", 0.0, {TIT: 0.9}),  # 1.5 s of the call: half of the window
        ("a", 0.5, {TIT: 0.8, JUNCO: 0.1}),
        ("a", 3.0, {TIT: 0.7}),  # 1.0 s of a call of 2.5 s
        ("a", 4.0, {TIT: 0.6}),  # it only touches the call
    )
    said = annotations(
        {"media_id": "a", "taxon_id": "parus_major", "scientific_name": "Parus major"} | span(1.5, 4.0)
    )
    found = labelled_scores(scored, CANDIDATE_ROWS, said, media("a"))
    assert verdicts(found) == [(TIT, 0.9, True), (TIT, 0.8, True), (TIT, 0.6, False), (JUNCO, 0.1, False)]
    assert found.doubtful == 1


def span(start: float, end: float) -> dict[str, float]:
    return {"start_s": start, "end_s": end}


def test_half_of_a_short_call_is_enough() -> None:
    said = annotations({"media_id": "a", "scientific_name": "Parus major"} | span(2.9, 3.1))
    found = labelled_scores(
        windows(("a", 0.0, {TIT: 0.9}), ("a", 3.05, {TIT: 0.2})), CANDIDATE_ROWS, said, media("a")
    )
    assert verdicts(found) == [(TIT, 0.9, True)]
    assert found.doubtful == 1


def test_names_of_groups_and_uncertain_and_absent_ones() -> None:
    scored = windows(("a", 0.0, {TIT: 0.9, JUNCO: 0.8, WREN: 0.7, NOISE: 0.6}))
    said = annotations(
        {"media_id": "a", "scientific_name": "Junco", "rank": "genus"}
        | span(0, 3),  # some junco: which is not said
        {"media_id": "a", "scientific_name": "Troglodytes aedon"} | span(0, 3),  # a class of its genus is right
        {"media_id": "a", "scientific_name": "Parus major", "presence": "absent"} | span(0, 3),
        {"media_id": "a", "scientific_name": "Noise", "kind": "sound", "presence": "uncertain"} | span(0, 3),
        {"media_id": "a", "scientific_name": "Strix aluco", "label": "tawny"} | span(0, 3),
    )
    found = labelled_scores(scored, CANDIDATE_ROWS, said, media("a"))
    assert verdicts(found) == [(TIT, 0.9, False), (WREN, 0.7, True)]
    assert found.doubtful == 2
    assert found.unnamed == ("tawny",)


def test_the_best_window_of_a_clip_stands_for_it() -> None:
    scored = windows(
        ("a", 0.0, {TIT: 0.2, JUNCO: 0.3}), ("a", 3.0, {TIT: 0.9}), ("b", 0.0, {TIT: 0.4}), ("c", 0.0, {TIT: 1.0})
    )
    said = annotations(
        {"path": "/a.wav", "scientific_name": "Parus major"},
        {"path": "/b.wav", "scientific_name": "Junco hyemalis"},
    )
    found = labelled_scores(scored, CANDIDATE_ROWS, said, media("a", "b", "c", group="one recording"))
    assert verdicts(found) == [(TIT, 0.9, True), (TIT, 0.4, False), (JUNCO, 0.3, False)]
    assert set(found.groups) == {0}


def test_a_label_without_a_span_says_nothing_of_a_window_where_others_have_one() -> None:
    said = annotations(
        {"media_id": "a", "scientific_name": "Parus major"},
        {"media_id": "a", "scientific_name": "Junco hyemalis"} | span(0, 3),
    )
    scored = windows(("a", 0.0, {TIT: 0.9, JUNCO: 0.8}), ("a", 3.0, {TIT: 0.7, JUNCO: 0.6}))
    found = labelled_scores(scored, CANDIDATE_ROWS, said, media("a"))
    assert verdicts(found) == [(JUNCO, 0.8, True), (JUNCO, 0.6, False)]


def test_a_photograph_is_undivided() -> None:
    said = annotations({"media_id": "a", "scientific_name": "Parus major", "modality": "image"})
    found = labelled_scores(windows(("a", None, {TIT: 0.9, JUNCO: 0.1})), CANDIDATE_ROWS, said, media("a"))
    assert verdicts(found) == [(TIT, 0.9, True), (JUNCO, 0.1, False)]


def test_annotations_of_other_files_are_an_error() -> None:
    said = annotations({"path": "/elsewhere.wav", "scientific_name": "Parus major"})
    with pytest.raises(BiovitaError, match="none of the 1 recordings"):
        labelled_scores(windows(("a", 0.0, {TIT: 0.9})), CANDIDATE_ROWS, said, media("a"))


def of(scores: Sequence[float], right: Sequence[bool], candidates: Sequence[int]) -> LabelledScores:
    n = len(scores)
    return LabelledScores(np.array(scores), np.array(right), np.arange(n), np.array(candidates), 0, ())


def test_a_threshold_is_the_smallest_score_that_is_precise_enough() -> None:
    right = [True] * 9 + [False] + [True] * 10 + [False] * 10
    scores = np.linspace(1, 0.01, 30)
    everything, own = thresholds_at(0.9, of(scores, right, [TIT] * 30))
    plain = min(s for s in scores if np.mean(np.array(right)[scores >= s]) >= 0.9)
    assert own.threshold == everything.threshold == plain
    assert (own.kept, own.kept_right, own.n, own.right) == (21, 19, 30, 19)
    assert own.low < 19 / 21 < own.high


def test_scores_of_one_size_are_kept_or_left_together() -> None:
    found = thresholds_at(1.0, of([0.9, 0.5, 0.5], [True, True, False], [TIT] * 3))
    assert found[0].threshold == 0.9


def test_a_taxon_with_few_labels_has_the_threshold_of_all() -> None:
    right = [True] * LEAST_RIGHT + [False] * 5 + [True, False]
    scores = [*np.linspace(0.9, 0.8, LEAST_RIGHT), *np.linspace(0.5, 0.4, 5), 0.3, 0.95]
    everything, tit, wren = thresholds_at(0.9, of(scores, right, [TIT] * (LEAST_RIGHT + 5) + [WREN] * 2))
    assert not tit.pooled
    assert wren.pooled
    assert wren.threshold == everything.threshold
    assert (wren.candidate, wren.kept, wren.kept_right) == (WREN, 1, 0)


def test_no_score_may_be_precise_enough() -> None:
    found = thresholds_at(0.9, of([0.9, 0.8], [False, True], [TIT] * 2))
    assert (found[0].threshold, found[0].kept) == (None, 0)
    with pytest.raises(BiovitaError, match="above 0 and up to 1"):
        thresholds_at(0.0, of([0.9], [True], [TIT]))
