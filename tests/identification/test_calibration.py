from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from biovita.archive.archive_tables import Kind
from biovita.errors import BiovitaError, ModelError
from biovita.identification.calibration import LEAST_LABELS, Calibration, read_calibration
from biovita.identification.calibration_curves import IsotonicCurve, LogisticCurve, fit_curve
from biovita.identification.evidence import Candidate
from biovita.identification.question import Question, candidates_hash
from biovita.identification.reliability_bins import expected_calibration_error, reliability_bins, wilson_interval
from biovita.modality import Modality
from biovita.taxonomy import Taxon

QUESTION = Question("starter", "r1", Modality.AUDIO, "g1", "c1", "mono", 3.0, 1.5)


def sample(
    slope: float, intercept: float, n: int = 4000, seed: int = 3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of 40 recordings that are right as often as a logistic curve says."""
    draws = np.random.default_rng(seed)
    scores = draws.uniform(0.01, 0.99, n)
    right = draws.random(n) < expit(slope * logit(scores) + intercept)
    return scores, right, np.arange(n) % 40


def test_a_logistic_curve_is_found_again() -> None:
    found = Calibration.fit(*sample(0.5, -1.0), QUESTION)
    assert isinstance(found.curve, LogisticCurve)
    assert found.curve.slope == pytest.approx(0.5, abs=0.05)
    assert found.curve.intercept == pytest.approx(-1.0, abs=0.1)
    assert found.ece < 0.03 < 0.15 < found.raw_ece
    assert found.likely_ece < 0.03 < 0.15 < found.raw_likely_ece
    assert (found.n, found.groups) == (4000, 40)


def test_a_curve_of_another_form_is_isotonic() -> None:
    draws = np.random.default_rng(0)
    scores = draws.random(5000)
    right = draws.random(5000) < np.where(scores < 0.7, 0.05, 0.6)  # a step
    found = Calibration.fit(scores, right, np.arange(5000) % 50, QUESTION)
    assert found.kind == "isotonic"
    assert found.probability([0.3, 0.9]) == pytest.approx([0.05, 0.6], abs=0.06)
    losses = dict(found.log_loss)
    assert losses["isotonic"] < losses["logistic"]


def test_the_logistic_curve_is_that_of_platt() -> None:
    """The oracle is scikit-learn's own calibration, over the same log-odds."""
    from sklearn.calibration import _sigmoid_calibration

    scores, right, _ = sample(1.5, 0.5, n=500)
    a, b = _sigmoid_calibration(logit(scores), right.astype(float))
    found = fit_curve(scores, right, "logistic")
    np.testing.assert_allclose(found.probability(scores), expit(-(a * logit(scores) + b)), atol=1e-3)


def test_the_isotonic_curve_is_that_of_scikit_learn() -> None:
    from sklearn.isotonic import IsotonicRegression

    scores, right, _ = sample(1.0, 0.0, n=500)
    asked = np.linspace(0, 1, 101)
    wanted = IsotonicRegression(out_of_bounds="clip").fit(scores, right).predict(asked)
    np.testing.assert_allclose(fit_curve(scores, right, "isotonic").probability(asked), wanted, atol=1 / 502)


def test_the_calibration_error_of_a_perfect_sample_is_small_and_that_of_a_wrong_one_is_not() -> None:
    scores, right, groups = sample(1.0, 0.0, n=20_000)
    assert expected_calibration_error(reliability_bins(scores, right, groups)) < 0.01
    flipped = expected_calibration_error(reliability_bins(1 - scores, right, groups))
    assert flipped > 0.3


def test_the_calibration_error_is_the_mean_over_answers() -> None:
    bins = reliability_bins(np.array([0.1, 0.15, 0.95]), np.array([True, False, True]), np.array([0, 0, 1]))
    assert [(each.low, each.n, each.groups, each.right) for each in bins] == [(0.1, 2, 1, 0.5), (0.9, 1, 1, 1.0)]
    assert expected_calibration_error(bins) == pytest.approx((2 * abs(0.5 - 0.125) + abs(1 - 0.95)) / 3)
    assert expected_calibration_error([]) == 0


def test_answers_near_zero_do_not_hide_the_others() -> None:
    """Beside a thousand wrong answers that nobody believes, half of the believed ones are wrong."""
    scores, right = (
        np.array([*[0.001] * 1000, *[0.9] * 60, 0.5]),
        np.array([False] * 1000 + [True] * 30 + [False] * 31),
    )
    found = Calibration.fit(scores, right, np.arange(1061) % 10, QUESTION)
    assert found.raw_ece < 0.03
    assert found.raw_likely_ece == pytest.approx((60 * 0.4 + 0.5) / 61)


def test_windows_of_one_recording_do_not_count_as_several() -> None:
    scores, right = np.full(100, 0.5), np.arange(100) % 2 == 0
    one, many = (reliability_bins(scores, right, groups)[0] for groups in (np.zeros(100), np.arange(100)))
    assert one.right_high - one.right_low > 3 * (many.right_high - many.right_low)
    assert (many.right_low, many.right_high) == pytest.approx(wilson_interval(0.5, 100))


def test_wilsons_interval_is_that_of_scipy() -> None:
    from scipy.stats import binomtest

    for right, n in ((0, 7), (3, 7), (7, 7), (40, 100)):
        wanted = binomtest(right, n).proportion_ci(method="wilson")
        assert wilson_interval(right / n, n) == pytest.approx((wanted.low, wanted.high), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=2, max_size=60),
    st.sampled_from(["isotonic", "logistic"]),
    st.lists(st.floats(0, 1, width=32), min_size=2, max_size=20),
)
def test_a_larger_score_never_has_a_smaller_probability(
    labelled: list[tuple[float, bool]], kind: str, asked: list[float]
) -> None:
    scores, right = zip(*labelled, strict=True)
    curve = fit_curve(np.array(scores), np.array(right), kind)
    found = curve.probability(np.sort(asked))
    assert (np.diff(found) >= -1e-12).all()
    assert ((found > 0) & (found < 1)).all()
    assert curve.faults() is None


def test_scores_that_tell_the_truth_backwards_become_flat() -> None:
    scores, right, _ = sample(-2.0, 0.0)
    found = fit_curve(scores, right, "logistic")
    assert found == LogisticCurve(0.0, pytest.approx(logit(right.mean()), abs=0.01))


def test_it_is_judged_on_recordings_that_were_left_out() -> None:
    """Each recording has a score of its own, and all its answers are right or all wrong: nothing can be learned."""
    draws = np.random.default_rng(1)
    groups = np.repeat(np.arange(30), 50)
    scores, right = draws.random(30)[groups], (np.arange(30) % 2 == 0)[groups]
    found = Calibration.fit(scores, right, groups, QUESTION, kind="isotonic")
    own = expected_calibration_error(reliability_bins(found.probability(scores), right, groups))
    assert own < 0.1 < found.ece


def test_too_few_labels_are_refused_with_how_many_are_needed() -> None:
    scores, right, groups = sample(1.0, 0.0)
    few = np.concatenate([np.flatnonzero(right)[: LEAST_LABELS - 1], np.flatnonzero(~right)])
    with pytest.raises(BiovitaError, match=f"19 right answers of .* Label at least {LEAST_LABELS} of each"):
        Calibration.fit(scores[few], right[few], groups[few], QUESTION)
    with pytest.raises(BiovitaError, match=r"of 1 recordings.* in 5 recordings or more"):
        Calibration.fit(scores, right, np.zeros(len(scores)), QUESTION)


@pytest.mark.parametrize("score", [-0.1, 1.5, float("nan")])
def test_what_is_no_score_is_refused(score: float) -> None:
    calibration = Calibration.fit(*sample(1.0, 0.0), QUESTION)
    with pytest.raises(BiovitaError, match="from 0 to 1"):
        calibration.probability([0.5, score])


def test_it_says_what_it_is_of() -> None:
    found = Calibration.fit(*sample(1.0, 0.0), QUESTION)
    assert found.fits(QUESTION) is None
    for change in (
        {"model": "other"},
        {"revision": "r2"},
        {"modality": Modality.IMAGE},
        {"gallery": "g2"},
        {"candidates": "c2"},
        {"preprocessing": "1,000 to 10,000 Hz"},
        {"window_s": 5.0},
        {"hop_s": 3.0},
    ):
        reason = found.fits(replace(QUESTION, **change))
        assert reason is not None
        assert f"its {next(iter(change))} is" in reason


def test_candidates_are_the_same_in_any_order() -> None:
    wren, noise = Candidate(Taxon("wren", "Wren")), Candidate(Taxon("noise", "Noise"), Kind.SOUND)
    assert candidates_hash([wren, noise]) == candidates_hash([noise, wren]) != candidates_hash([wren])
    assert candidates_hash([noise]) != candidates_hash([replace(noise, kind=Kind.CLASS)])


@pytest.mark.parametrize("kind", ["isotonic", "logistic", "auto"])
def test_a_saved_one_is_the_same(kind: str, tmp_path: Path) -> None:
    found = Calibration.fit(*sample(0.7, -0.3), QUESTION, kind=kind)
    again = read_calibration(found.save(tmp_path / "of" / "calibration.json"))
    assert again == found
    assert again.version == found.version
    asked = np.linspace(0, 1, 50)
    np.testing.assert_array_equal(again.probability(asked), found.probability(asked))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "is no calibration"),
        ({"curve": {"kind": "pickle"}}, "logistic or isotonic"),
        ({"curve": {"kind": "logistic", "slope": -1.0, "intercept": 0.0}}, "not below 0"),
        ({"curve": {"kind": "isotonic", "scores": [0.1, 0.9], "probabilities": [0.9, 0.1]}}, "have to ascend"),
        ({"curve": {"kind": "isotonic", "scores": [0.1], "probabilities": [0.1, 0.2]}}, "as many scores"),
        ({"curve": {"kind": "isotonic", "scores": [], "probabilities": []}}, "at least one"),
        ({"curve": []}, "JSON objects"),
        ({"question": {"model": "x"}}, "question.revision"),
        ({"n": "many"}, "n: Input should be a valid integer"),
    ],
)
def test_a_file_that_is_none_is_refused(change: dict[str, object], message: str, tmp_path: Path) -> None:
    file = Calibration.fit(*sample(1.0, 0.0), QUESTION).save(tmp_path / "calibration.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ModelError, match=message):
        read_calibration(file)


def test_knots_are_numbers_of_python() -> None:
    curve = fit_curve(np.array([0.1, 0.2, 0.9]), np.array([False, True, True]), "isotonic")
    assert isinstance(curve, IsotonicCurve)
    assert all(type(value) is float for value in (*curve.scores, *curve.probabilities))
