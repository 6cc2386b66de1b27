"""Real media files for tests, written with soundfile, PyAV and Pillow."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import soundfile

SOUNDFILE = {
    "wav": {"format": "WAV", "subtype": "PCM_16"},
    "flac": {"format": "FLAC", "subtype": "PCM_16"},
    "mp3": {"format": "MP3", "subtype": "MPEG_LAYER_III"},
    "ogg": {"format": "OGG", "subtype": "VORBIS"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "aiff": {"format": "AIFF", "subtype": "PCM_16"},
}
AV = {"m4a": ("aac", "mp4"), "aac": ("aac", "adts"), "alac": ("alac", "mp4")}
KINDS = (*SOUNDFILE, *AV)


def song(seconds: float, rate: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    """A rising whistle with pauses over noise, so that no two places are alike: ``(samples, channels)``."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    whistle = 0.3 * np.sin(2 * np.pi * (0.05 * rate + 0.01 * rate * np.sin(2 * np.pi * 0.7 * t)) * t)
    loud = whistle * (np.sin(2 * np.pi * 1.3 * t) > 0) + 0.02 * rng.standard_normal(len(t))
    return np.stack([np.roll(loud, 37 * c) * (1 - 0.3 * c) for c in range(channels)], axis=1).astype(np.float32)


def write_sound(path: Path, samples: np.ndarray, rate: int, kind: str | None = None, **options: object) -> Path:
    """Write ``(samples, channels)`` in the format of the suffix, or of ``kind``."""
    kind = kind or path.suffix[1:]
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind in AV:
        _write_av(path, samples, rate, *AV[kind], **options)
        return path
    with soundfile.SoundFile(path, "w", rate, samples.shape[1], **{**SOUNDFILE[kind], **options}) as file:
        for first in range(0, len(samples), 4096):  # a minute of Vorbis in one call crashes libsndfile
            file.write(samples[first : first + 4096])
    return path


def _write_av(path: Path, samples: np.ndarray, rate: int, codec: str, container: str, **options: object) -> None:
    layout = "mono" if samples.shape[1] == 1 else "stereo"
    with av.open(str(path), "w", format=container, options={k: str(v) for k, v in options.items()}) as file:
        stream = file.add_stream(
            codec, rate=rate, layout=layout, options={"aac_pns": "0"} if codec == "aac" else {}
        )
        resampler = av.AudioResampler(format=stream.codec_context.format.name, layout=layout, rate=rate)
        for first in range(0, len(samples), 4096):
            part = np.ascontiguousarray(samples[first : first + 4096].T)
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate, first
            for ready in resampler.resample(frame):
                file.mux(stream.encode(ready))
        for ready in resampler.resample(None):
            file.mux(stream.encode(ready))
        file.mux(stream.encode(None))


def without_xing(data: bytes) -> bytes:
    """Take the header frame off an MP3 that `write_sound` wrote, so that nothing states its length."""
    kbits = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)[data[2] >> 4]
    rate = (44100, 48000, 32000)[data[2] >> 2 & 3]
    first = data[: 144_000 * kbits // rate + (data[2] >> 1 & 1)]
    assert b"Xing" in first or b"Info" in first
    return data[len(first) :]


HTML = b"<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not found</body></html>\n"
