"""From what a user hands over (a path, a span, a box, an array, an image) to samples and pixels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from biovita.errors import MediaError
from biovita.media.boxes import boxed
from biovita.media.inputs import AudioItem, Clip, ImageItem, Picture, Sound
from biovita.media.packed_files import PackedFile, as_media_path

if TYPE_CHECKING:
    from PIL import Image

    from biovita.media import LongSound

__all__ = ["mono_sound", "native_mono", "rgb_image"]


def native_mono(item: AudioItem) -> tuple[np.ndarray, int]:
    """Return what is heard of an item as it is, ``(samples,)``, float32, and its rate in hertz.

    That is the mean of its channels, or the strongest where they cancel each other, where it does not say otherwise.

    Raises
    ------
    MediaError
        Where the item cannot be decoded, is empty, or holds numbers that are not finite.
    """
    from biovita.media import read_clip
    from biovita.media.mixing import mix_of_samples

    if isinstance(item, str | Path | PackedFile):
        item = Clip(as_media_path(item))
    if isinstance(item, Clip):
        samples, rate = read_clip(item.path, item.start_s, item.end_s, hearing=item.hearing)
        return samples, item.hearing.rate(rate)
    samples = _checked(item)
    if samples.ndim == 1:
        mono = samples
    else:
        channel = mix_of_samples(samples).channel
        mono = samples.mean(axis=1) if channel is None else samples[:, channel - 1]
    return np.ascontiguousarray(mono, dtype=np.float32), item.sample_rate


def mono_sound(item: AudioItem, *, for_rate: int = 0, encoder_rate: int = 0) -> tuple[np.ndarray, int] | LongSound:
    """Return what `native_mono` does, or a `LongSound` where the samples, at ``for_rate``, are too many to be held.

    Raises
    ------
    MediaError
        As `native_mono`; of a `LongSound`, when its blocks are read. Of a file also ``too-short``, and ``silent`` where
        nothing is heard at ``encoder_rate``.
    """
    from biovita.media import read_mono

    if isinstance(item, str | Path | PackedFile):
        item = Clip(as_media_path(item))
    if isinstance(item, Clip):
        span = (item.path, item.start_s, item.end_s)
        return read_mono(*span, for_rate=for_rate, encoder_rate=encoder_rate, hearing=item.hearing)
    return native_mono(item)


def _checked(sound: Sound) -> np.ndarray:
    samples = np.asarray(sound.samples)
    if samples.ndim not in {1, 2} or not np.issubdtype(samples.dtype, np.floating):
        raise MediaError(
            "not-samples",
            f"the samples are {samples.dtype} {samples.shape}; they have to be float, (samples,) or "
            "(samples, channels)",
        )
    if samples.size == 0:
        raise MediaError("empty", "the sound has no samples")
    if not np.isfinite(samples).all():
        raise MediaError("not-finite", "the sound holds samples that are NaN or infinite")
    if sound.sample_rate <= 0:
        raise MediaError("not-samples", f"the sample rate is {sound.sample_rate} Hz; it has to be positive")
    return samples


def rgb_image(item: ImageItem) -> Image.Image:
    """Return an item as an RGB picture.

    Raises
    ------
    MediaError
        Where a file cannot be decoded.
    """
    from biovita.media import read_image

    if isinstance(item, str | Path | PackedFile):
        return read_image(item)
    if isinstance(item, Picture):
        return boxed(read_image(item.path), item.box)
    return item if item.mode == "RGB" else item.convert("RGB")
