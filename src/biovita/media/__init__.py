"""Recordings and photographs: decoded, checked, cut, resampled and drawn."""

from biovita.media.audio import (
    AudioProbe,
    LongSound,
    flac_takes,
    probe_audio,
    read_clip,
    read_mono,
    resample,
    windows,
)
from biovita.media.image import ImageProbe, probe_image, read_image
from biovita.media.spectrogram import spectrogram_png

__all__ = [
    "AudioProbe",
    "ImageProbe",
    "LongSound",
    "flac_takes",
    "probe_audio",
    "probe_image",
    "read_clip",
    "read_image",
    "read_mono",
    "resample",
    "spectrogram_png",
    "windows",
]
