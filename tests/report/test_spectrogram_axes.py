from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from biovita.report.spectrogram_axes import drawn, round_steps


def brightest(picture: bytes) -> tuple[float, float]:
    """The place of the brightest row from the bottom, and of the brightest column from the left, as shares."""
    levels = np.asarray(Image.open(io.BytesIO(picture)).convert("L")).astype(float)
    row = len(levels) - 0.5 - int(levels.mean(axis=1).argmax())
    return row / len(levels), (int(levels.mean(axis=0).argmax()) + 0.5) / levels.shape[1]


@pytest.mark.parametrize(
    ("rate", "slowed", "khz"), [(32_000, 1.0, 4.0), (22_050, 1.0, 1.0), (384_000, 10.0, 40.0)]
)
def test_a_tone_lies_where_the_axis_says(rate, slowed, khz):
    time = np.arange(rate) / rate
    shown = drawn(np.sin(2 * np.pi * 1000 * khz * time), rate, start_s=0.0, slowed=slowed, size=(200, 200))
    (mark,) = (mark for mark in shown.khz if mark.text == f"{khz:g}")
    assert brightest(shown.picture)[0] == pytest.approx(mark.place, abs=0.02)


def test_a_click_lies_where_the_axis_says():
    samples = np.random.default_rng(0).normal(0, 1e-4, 3 * 24_000)
    samples[24_000 : 24_000 + 200] = 0.5 * (-1.0) ** np.arange(200)
    shown = drawn(samples, 24_000, start_s=7.0, size=(300, 100))
    assert [mark.text for mark in shown.seconds] == ["7", "7.5", "8", "8.5", "9", "9.5", "10"]
    (mark,) = (mark for mark in shown.seconds if mark.text == "8")
    assert brightest(shown.picture)[1] == pytest.approx(mark.place, abs=0.02)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0.61, 0.82, [0.65, 0.7, 0.75, 0.8]),
        (0, 1400, [0, 200, 400, 600, 800, 1000, 1200, 1400]),
    ],
)
def test_marks_are_round_numbers(low, high, expected):
    assert round_steps(low, high, 7) == expected
