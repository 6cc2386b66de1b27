"""Photographs as open_clip prepares them: cut to the size of the network, before they are scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from biovita.media.inputs import ImageItem
from biovita.towers.input_arrays import rgb_image

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["ImageInput", "image_input"]


@dataclass(frozen=True, slots=True)
class ImageInput:
    """How a photograph becomes pixels, from open_clip's ``preprocess_cfg``. Worker processes can have it.

    Attributes
    ----------
    size
        Height and width in pixels.
    mean, std
        Of each channel, in parts of full scale.
    interpolation, resize_mode, fill_color
        As open_clip names them.
    """

    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"
    fill_color: int = 0

    def describe(self) -> str:
        """Return all of it in words, for the record beside the vectors."""
        kept = {"shortest": "shorter side resized, central crop", "longest": "longer side resized, filled up"}
        return (
            f"RGB, {kept.get(self.resize_mode, self.resize_mode)}, {self.size[1]} x {self.size[0]} px "
            f"{self.interpolation}, mean {_numbers(self.mean)}, std {_numbers(self.std)}"
        )

    def __call__(self, item: ImageItem) -> np.ndarray:
        """Return an item's pixels, ``(3, height, width)``, uint8; the tower scales them on its device.

        Raises
        ------
        MediaError
            Where a file cannot be decoded.
        """
        pixels = np.asarray(self._cut(rgb_image(item)))
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def _cut(self, image: Image.Image) -> Image.Image:
        from PIL import Image

        height, width = self.size
        if self.interpolation not in {"bicubic", "bilinear"} or (
            self.resize_mode == "shortest" and height != width
        ):
            return self._cut_by_open_clip(image)
        how = Image.Resampling[self.interpolation.upper()]
        if self.resize_mode == "squash":
            return image.resize((width, height), how)
        if self.resize_mode != "shortest":
            return self._cut_by_open_clip(image)
        short, long = sorted(image.size)
        if short != height:
            long = int(height * long / short)
            image = image.resize((height, long) if image.width <= image.height else (long, height), how)
        left, top = round((image.width - width) / 2), round((image.height - height) / 2)
        return image.crop((left, top, left + width, top + height))

    def _cut_by_open_clip(self, image: Any) -> Any:
        from open_clip.transform import PreprocessCfg, image_transform_v2
        from torchvision.transforms import Normalize, ToTensor

        settings = PreprocessCfg(**{name: getattr(self, name) for name in _PREPROCESSING})
        for step in image_transform_v2(settings, is_train=False).transforms:
            if not isinstance(step, ToTensor | Normalize):
                image = step(image)
        return image


_PREPROCESSING = ("size", "mean", "std", "interpolation", "resize_mode", "fill_color")


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)


def image_input(
    model_cfg: dict[str, Any], preprocess_cfg: dict[str, Any] | None, size: int | Sequence[int] | None = None
) -> ImageInput:
    """Return how a model's photographs are prepared; what is not stated is as CLIP has it.

    Parameters
    ----------
    size
        In pixels; None takes what the architecture states.
    """
    from open_clip.transform import PreprocessCfg

    stated = {**asdict(PreprocessCfg()), **(preprocess_cfg or {})}
    size = size or model_cfg.get("vision_cfg", {}).get("image_size") or stated["size"]
    height, width = (size, size) if isinstance(size, int) else size
    return ImageInput(
        size=(int(height), int(width)),
        mean=tuple(stated["mean"]),
        std=tuple(stated["std"]),
        interpolation=stated["interpolation"],
        resize_mode=stated["resize_mode"],
        fill_color=stated["fill_color"],
    )
