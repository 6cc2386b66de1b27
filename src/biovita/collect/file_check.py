"""Whether a file is what it is said to be: decoded whole before it counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biovita.collect.fingerprint import FORMAT, encoded
from biovita.collect.listening import Listener
from biovita.collect.phash import perceptual_hash
from biovita.collect.plan import Clips
from biovita.errors import MediaError
from biovita.hashing import sha256_of

__all__ = ["Verified", "how_listened", "verify"]

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
        Of a recording ``duration_s``, ``sample_rate``, ``windows``, ``fingerprint`` and ``listened``, and ``warnings``
        where there are any; of a picture ``width``, ``height`` and ``phash``.
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

    listener = Listener()
    probe = probe_audio(path, listener.hear)
    if stated_s is not None and probe.duration_s < stated_s * (1 - _SHORTER_SHARE) - _SHORTER_S:
        raise MediaError(
            "truncated", f"the file lasts {probe.duration_s:.1f} s, and its source states {stated_s:.1f} s"
        )
    info = {
        "duration_s": probe.duration_s,
        "sample_rate": probe.sample_rate,
        "windows": listener.windows(probe.duration_s, clips.seconds, clips.per_recording),
        "fingerprint": encoded(listener.fingerprint()),
        "listened": how_listened(clips),
    }
    return info | ({"warnings": list(probe.warnings)} if probe.warnings else {}), probe.format


def how_listened(clips: Clips) -> list[float]:
    """Return what windows and fingerprint go by; where it has changed, a recording is listened to again."""
    return [clips.seconds, clips.per_recording, FORMAT]


def _picture(path: Path) -> tuple[dict[str, Any], str]:
    from biovita.media import probe_image, read_image

    probe = probe_image(path)
    hashed = perceptual_hash(read_image(path))
    return {"width": probe.width, "height": probe.height, "phash": f"{hashed:016x}"}, probe.format
