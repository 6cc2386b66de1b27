from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from biovita.errors import MediaError, ModelError
from biovita.media.inputs import Picture
from biovita.towers.efficientnet import EfficientNetLite2
from biovita.towers.views import MOST_VIEWS, Views


@pytest.fixture(scope="module")
def encoder() -> EfficientNetLite2:
    return EfficientNetLite2("cpu")


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    file = tmp_path / "a.png"
    Image.fromarray(pixels).resize((480, 360)).save(file)
    return file


@pytest.mark.slow
def test_the_vector_is_the_mean_of_the_views(encoder: EfficientNetLite2, photograph: Path) -> None:
    image = Image.open(photograph)
    boxes = [(60, 45, 420, 315), (0, 0, 360, 270), (120, 0, 480, 270), (0, 90, 360, 360), (120, 90, 480, 360)]
    seen = [image, *(image.crop(box) for box in boxes), image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    every = encoder.encode([encoder.load(view) for view in seen])
    for views in (1, 3, MOST_VIEWS):
        several = Views(encoder, views)
        found = several.encode([several.load(photograph), several.load(image)])
        np.testing.assert_allclose(found, np.stack([every[:views].mean(axis=0)] * 2), rtol=1e-4, atol=1e-5)
    assert Views(encoder, 1).card == encoder.card
    assert Views(encoder, 3).card.preprocessing.endswith("; mean of 3 views")


def test_a_box_is_cut_out(encoder: EfficientNetLite2, photograph: Path) -> None:
    box = Picture(photograph, (0.25, 0.5, 0.5, 0.25))
    want = encoder.load(Image.open(photograph).crop((120, 180, 360, 270)))
    assert np.array_equal(encoder.load(box), want)
    with pytest.raises(MediaError, match="is not within the picture"):
        encoder.load(Picture(photograph, (0.75, 0.5, 0.5, 0.25)))


def test_too_many_views_are_refused(encoder: EfficientNetLite2) -> None:
    with pytest.raises(ModelError, match=f"8 views are asked for. It has to be 1 to {MOST_VIEWS}"):
        Views(encoder, 8)
