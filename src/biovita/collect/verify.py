"""Whether a file is what it is said to be: decoded whole before it counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biovita.collect.clips import sound_windows
from biovita.collect.phash import perceptual_hash
from biovita.collect.plan import Clips
from biovita.errors import MediaError
from biovita.hashing import sha256_of

__all__ = ["Verified", "verify"]

_EXTENSIONS = {  # of formats that are not called like their files' endings
    "vorbis": "ogg",
    "opus": "ogg",
    "aac": "m4a",
    "alac": "m4a",
    "jpeg": "jpg",
}
# A recording may be this much shorter than its source states: sources round to the second.
_SHORTER_S, _SHORTER_SHARE = 1.5, 0.02


@dataclass(frozen=True, slots=True)
class Verified:
    """A whole, decodable file.

    Attributes
    ----------
    extension
        By what it holds, not by its address.
    info
        ``duration_s``, ``sample_rate`` and ``windows``; or ``width``, ``height`` and ``phash``.
    """

    sha256: str
    bytes: int
    extension: str
    info: dict[str, Any]


def verify(path: Path, modality: str, stated_s: float | None, clips: Clips) -> Verified:
    """Decode a file.

    Parameters
    ----------
    stated_s
        How long the source says that the recording is.

    Raises
    ------
    MediaError
        With the reasons of `biovita.media.probe_audio` and `biovita.media.probe_image`; ``truncated`` also where a
        recording is shorter than its source states. The message does not name the file.
    """
    try:
        info, extension = _sound(path, stated_s, clips) if modality == "audio" else _picture(path)
    except MediaError as error:
        raise MediaError(error.reason, str(error).replace(f"{path}: ", "")) from None
    digest = sha256_of(path)
    return Verified(digest, path.stat().st_size, _EXTENSIONS.get(extension, extension), info)


def _sound(path: Path, stated_s: float | None, clips: Clips) -> tuple[dict[str, Any], str]:
    from biovita.media import probe_audio

    probe = probe_audio(path)
    if stated_s is not None and probe.duration_s < stated_s * (1 - _SHORTER_SHARE) - _SHORTER_S:
        raise MediaError("truncated", f"{probe.duration_s:.1f} s, and its source states {stated_s:.1f} s")
    windows = sound_windows(path, probe.duration_s, clips.seconds, clips.per_recording)
    return {"duration_s": probe.duration_s, "sample_rate": probe.sample_rate, "windows": windows}, probe.format


def _picture(path: Path) -> tuple[dict[str, Any], str]:
    from biovita.media import probe_image, read_image

    probe = probe_image(path)
    hashed = perceptual_hash(read_image(path))
    return {"width": probe.width, "height": probe.height, "phash": f"{hashed:016x}"}, probe.format
