"""Small copies of photographs and recordings, as data URIs that a page can hold."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np

from biovita.media.packed_files import MediaPath

__all__ = ["SoundView", "sound_view", "thumbnail"]

THUMBNAIL = 256  # pixels, the longer side at most
SECONDS = 6.0  # of a recording that a page holds
RATE = 32_000
_FADE_S = 0.02
_PICTURE = (360, 120)


@dataclass(frozen=True)
class SoundView:
    """A short excerpt of a recording.

    Attributes
    ----------
    audio, picture
        Data URIs of the sound (MP3) and of its spectrogram (PNG).
    start_s, seconds
        Where the excerpt begins in the clip, and its length.
    """

    audio: str
    picture: str
    start_s: float
    seconds: float


def thumbnail(path: MediaPath) -> str:
    """Return a photograph as the data URI of a small JPEG.

    Raises
    ------
    MediaError
        Where it cannot be read.
    """
    from PIL import Image

    from biovita.media import read_image

    image = read_image(path)
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80, optimize=True)
    return _uri("image/jpeg", out.getvalue())


def sound_view(path: MediaPath, start_s: float | None, end_s: float | None) -> SoundView:
    """Return the loudest seconds of a clip, to hear and to see.

    Raises
    ------
    MediaError
        Where it cannot be read.
    """
    import soundfile

    from biovita.media import read_clip, spectrogram_png

    samples, rate = read_clip(path, start_s or 0.0, end_s, sample_rate=RATE)
    begin = _loudest(samples, int(SECONDS * rate))
    excerpt = samples[begin : begin + int(SECONDS * rate)].astype(np.float32)
    picture = spectrogram_png(excerpt, rate, width=_PICTURE[0], height=_PICTURE[1])
    fade = np.minimum(1.0, np.arange(len(excerpt)) / (_FADE_S * rate))
    excerpt = excerpt * fade * fade[::-1]
    peak = float(np.abs(excerpt).max())
    out = io.BytesIO()
    scaled = excerpt * (0.9 / peak) if peak else excerpt
    soundfile.write(out, scaled, rate, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.8)
    return SoundView(
        audio=_uri("audio/mpeg", out.getvalue()),
        picture=_uri("image/png", picture),
        start_s=begin / rate,
        seconds=len(excerpt) / rate,
    )


def _loudest(samples: np.ndarray, length: int) -> int:
    """Return where the ``length`` samples with the most energy begin."""
    if len(samples) <= length:
        return 0
    energy = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    return int(np.argmax(energy[length:] - energy[:-length]))


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
