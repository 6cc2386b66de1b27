from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from biovita.collect.listening import FRAME_S, Levels, Listener, best_windows
from biovita.collect.phash import NEAR, distance, perceptual_hash
from biovita.media import probe_audio
from support.collected_media import picture


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(1, 6), frames=st.integers(1, 900))
def test_windows_never_overlap_and_lie_within(seed: int, count: int, frames: int) -> None:
    levels = np.random.default_rng(seed).normal(-50, 10, frames)
    found = best_windows(levels, 10.0, count)
    assert 1 <= len(found) <= count
    assert all(a[1] <= b[0] + 1e-9 for a, b in pairwise(found))
    assert found[0][0] >= 0
    if frames > 100:
        assert found[-1][1] <= frames * FRAME_S + 1e-9


def test_the_first_window_is_the_best_of_all() -> None:
    """Against the plain search over all windows."""
    levels = np.random.default_rng(1).normal(-50, 10, 400)
    above = np.maximum(levels - np.percentile(levels, 20), 0)
    worth = [above[start : start + 100].sum() for start in range(301)]
    ((start, _),) = best_windows(levels, 10.0, 1)
    assert round(start / FRAME_S) == int(np.argmax(worth))


def test_steady_noise_gives_one_window() -> None:
    assert best_windows(np.full(600, -40.0), 10.0, 5) == [(25.0, 35.0)]


def test_levels_do_not_depend_on_how_the_sound_is_cut_into_blocks() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, (50_000, 2)).astype(np.float32)
    levels = {}
    for count in (1, 37):
        pieces = Levels(22_050)
        for block in np.array_split(samples, count):
            pieces.add(block)
        levels[count] = pieces.all()
    whole = levels[1]
    np.testing.assert_allclose(whole, levels[37], atol=1e-4)
    assert len(whole) == 50_000 // 2205


def test_a_real_clip_that_is_short_is_one_window(shared_data: Path) -> None:
    path = min((shared_data / "field-sample/audio").glob("*.ogg"))
    listener = Listener()
    duration = probe_audio(path, listener.hear).duration_s
    assert listener.windows(duration, 10.0, 3) == [(0.0, duration)]
    if duration > 2.5:
        windows = listener.windows(duration, 1.0, 2)
        assert len(windows) == 2
        assert windows[0][1] <= windows[1][0]


def test_near_duplicates_of_real_photographs_are_near_and_others_are_not(shared_data: Path) -> None:
    paths = sorted((shared_data / "field-sample/images").glob("*.jpg"))[:60]
    hashes = []
    for path in paths:
        with Image.open(path) as image:
            original = image.convert("RGB")
        hashes.append(perceptual_hash(original))
        smaller = original.resize((original.width * 2 // 3, original.height * 2 // 3))
        assert distance(hashes[-1], perceptual_hash(smaller)) <= NEAR
    pairs = [distance(a, b) for at, a in enumerate(hashes) for b in hashes[:at]]
    assert sum(pair <= NEAR for pair in pairs) <= 1
    assert np.median(pairs) == pytest.approx(32, abs=3)


def test_the_hash_stands_recompression() -> None:
    import io

    one, other = (Image.open(io.BytesIO(picture(3, size=200, quality=quality))) for quality in (95, 30))
    assert distance(perceptual_hash(one), perceptual_hash(other)) <= NEAR
