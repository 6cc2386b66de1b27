from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit

from biovita.identification.calibration import Calibration
from biovita.identification.labelled_scores import LabelledScores
from biovita.identification.question import Question
from biovita.identification.thresholds import thresholds_at
from biovita.modality import Modality
from biovita.report.reliability import reliability_chart, write_calibration_page

QUESTION = Question("<b>starter</b>", "r1", Modality.AUDIO, "g1", "c1", "mono", 3.0, 1.5)


@pytest.fixture(scope="module")
def labelled() -> LabelledScores:
    draws = np.random.default_rng(0)
    scores = draws.uniform(0, 1, 3000)
    right = draws.random(3000) < expit(1.5 * logit(np.clip(scores, 1e-6, 1 - 1e-6)) - 1)
    return LabelledScores(scores, right, np.arange(3000) % 30, np.arange(3000) % 3, 4, ())


@pytest.fixture(scope="module")
def calibration(labelled: LabelledScores) -> Calibration:
    return Calibration.fit(labelled.scores, labelled.right, labelled.groups, QUESTION)


def test_a_dot_stands_where_its_bin_is(calibration: Calibration) -> None:
    chart = reliability_chart(calibration)
    assert len(chart.points) == len(calibration.reliability)
    for point, each in zip(chart.points, calibration.reliability, strict=True):
        assert point.x == pytest.approx(44 + 220 * each.probability, abs=0.06)
        assert point.y == pytest.approx(12 + 220 * (1 - each.right), abs=0.06)
        assert point.top <= point.y <= point.bottom
        assert f"{each.n:,} answers" in point.spoken
    assert chart.diagonal == "M44.0 232.0 L264.0 12.0"


def test_the_curve_never_falls(calibration: Calibration) -> None:
    heights = [
        float(pair.split()[1]) for pair in reliability_chart(calibration).curve.removeprefix("M").split(" L")
    ]
    assert heights == sorted(heights, reverse=True)


def test_the_page_says_what_it_is_of(calibration: Calibration, labelled: LabelledScores, tmp_path: Path) -> None:
    file = write_calibration_page(
        calibration,
        tmp_path / "new",
        precision=0.9,
        thresholds=thresholds_at(0.9, labelled),
        names={0: "Parus <i>major</i>"},
        left_out=["4 scores are doubtful."],
    )
    page = file.read_text(encoding="utf-8")
    assert file.name == "calibration.html"
    assert "<b>starter</b>" not in page
    assert "&lt;b&gt;starter&lt;/b&gt;" in page
    assert "Parus &lt;i&gt;major" in page
    assert "Scores for a precision of 90 %" in page
    assert "all taxa together" in page
    assert "4 scores are doubtful." in page
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)
    assert not re.search(r"https?://", page)


def test_a_page_without_thresholds(calibration: Calibration, tmp_path: Path) -> None:
    assert "Scores for a precision" not in write_calibration_page(calibration, tmp_path).read_text(
        encoding="utf-8"
    )
