"""Recordings: what they hold, and clips of them as arrays."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from biovita.errors import MediaError
from biovita.limits import gate, memory_mib
from biovita.media.audible import SILENCE, Audible, too_short
from biovita.media.decode import SoundReader, open_sound
from biovita.media.hearing import AS_IT_IS, Hearing, heard
from biovita.media.mixing import mix_of
from biovita.media.packed_files import MediaPath, as_media_path
from biovita.media.sound_bytes import TRUNCATION_TOLERANCE_S, truncated

__all__ = [
    "AudioProbe",
    "LongSound",
    "flac_takes",
    "probe_audio",
    "read_clip",
    "read_mono",
    "resample",
    "windows",
]

logger = logging.getLogger(__name__)

_ENCODERS_HZ = 48_000  # at which most encoders listen
_BYTES = 4  # of a sample
_FLAC_CHANNELS, _FLAC_HERTZ = 8, 655_350
_LONG_BYTES = 64 << 20  # of one channel: 5 min 50 s at 48 kHz


@dataclass(frozen=True, slots=True)
class AudioProbe:
    """What decoding a whole sound file showed.

    Attributes
    ----------
    duration_s
        Of the samples that decode, to the sample.
    sample_rate
        In hertz.
    format
        ``wav``, ``aiff``, ``flac``, ``mp3``, ``vorbis``, ``opus``, ``aac``, ``alac``, ...
    warnings
        What is unusual about the file and does not stop its use.
    """

    duration_s: float
    sample_rate: int
    channels: int
    format: str
    warnings: tuple[str, ...] = ()


def probe_audio(path: str | MediaPath, hear: Callable[[np.ndarray, int], None] | None = None) -> AudioProbe:
    """Decode a sound file block by block and return what it holds.

    Parameters
    ----------
    hear
        Called with what is heard of each block, float32 ``(samples, 1)``, and the sample rate. That is the mean of the
        channels, or the strongest one where they cancel each other.

    Raises
    ------
    MediaError
        With one of these reasons: ``missing``; ``empty``, no bytes; ``not-audio``, an HTML page, a text, a picture
        or something unknown; ``no-samples``, a header without sound; ``too-short``, less than the limit ``shortest``;
        ``silent``, what is heard does not reach `biovita.media.audible.SILENCE` beside a constant; ``truncated``, more
        than 0.1 s less than the container states; ``undecodable``, known as sound but damaged.
    """
    path = as_media_path(path)
    samples = 0
    with open_sound(path) as reader:
        rate, mix = reader.sample_rate, mix_of(reader)
        listening = Hearing(channel=mix.channel)
        audible, reach = Audible(rate, _ENCODERS_HZ), np.zeros(reader.channels)
        for block in reader.blocks():
            samples += len(block)
            _check_finite(path, block)
            mono = block[:, 0] if reader.channels == 1 else next(heard([block], rate, listening, path))
            audible.add(mono)
            if reader.channels > 1:
                reach = np.maximum(reach, np.ptp(block, axis=0) / 2)
            if hear is not None:
                hear(mono[:, None], rate)
        channels, name, warnings = reader.channels, reader.format, reader.warnings
        expected, states_length = reader.frames, reader.states_length
    missing = expected - samples
    if missing > TRUNCATION_TOLERANCE_S * rate and states_length:
        raise truncated(path, f"it states {expected / rate:.2f} s and decodes to {samples / rate:.2f} s")
    if samples == 0:
        raise MediaError("no-samples", f"{path}: the file decodes to no samples")
    if missing > 0:
        warnings = (*warnings, f"the last {missing} samples do not decode and are left out")
    if short := too_short(samples / rate):
        raise MediaError("too-short", f"{path}: {short}")
    silent = audible.why_silent()
    if silent is not None and not audible.is_loud:
        raise MediaError("silent", f"{path}: the file is silent: {silent}")
    odd = (mix.note, _dead(reach) if mix.note is None else None, silent or audible.why_faint())
    return AudioProbe(samples / rate, rate, channels, name, (*warnings, *filter(None, odd)))


def _dead(reach: np.ndarray) -> str | None:
    """Return which channels are silent; None where none or all are."""
    dead = [str(number) for number, each in enumerate(reach, 1) if each < SILENCE]
    if len(reach) == 1 or not dead or len(dead) == len(reach):
        return None
    weaker = 20 * np.log10(len(reach) / (len(reach) - len(dead)))
    return f"channel {', '.join(dead)} is silent, and makes the mean that is heard {weaker:.0f} dB weaker"


def _check_finite(path: MediaPath, block: np.ndarray) -> None:
    if not (np.isfinite(block.max(initial=0.0)) and np.isfinite(block.min(initial=0.0))):  # both keep NaN
        raise MediaError("undecodable", f"{path}: the file holds samples that are not finite numbers")


def read_clip(
    path: str | MediaPath,
    start_s: float = 0.0,
    end_s: float | None = None,
    *,
    sample_rate: int | None = None,
    mono: bool = True,
    hearing: Hearing = AS_IT_IS,
) -> tuple[np.ndarray, int]:
    """Return a span of a recording and its sample rate, read by seeking.

    The span holds the samples from ``round(start_s * rate)`` up to, but not including, ``round(end_s * rate)``.
    It is resampled afterwards.

    Parameters
    ----------
    start_s, end_s
        In seconds from the start of the file; None is its end.
    sample_rate
        Resample to this rate in hertz; None keeps the file's.
    mono
        Return what is heard; else all channels.
    hearing
        What is heard; where it names no channel, the mean of all, or the strongest where they cancel each other.

    Returns
    -------
    samples : float32 ``(samples,)``, or ``(samples, channels)`` where ``mono`` is false
    sample_rate : int

    Raises
    ------
    MediaError
        ``span-outside`` where the span is empty or not within the file; ``too-large`` where it does not fit into
        `biovita.limits.memory_mib`; else as `probe_audio`, without ``silent``.
    """
    path = as_media_path(path)
    with open_sound(path) as reader:
        start, stop = _edges(path, reader, start_s, end_s)
        rate = reader.sample_rate
        samples = _held(path, reader, (start, stop), hearing if mono else None, is_exact=end_s is not None)
    if sample_rate is None or sample_rate == rate:
        return samples, rate
    return resample(samples, rate, sample_rate), sample_rate


@dataclass(frozen=True, slots=True)
class LongSound:
    """A span of a recording that is too long to be held: it is decoded anew each time its blocks are asked for.

    Attributes
    ----------
    sample_rate
        At which its samples count, in hertz: the file's, unless the time is expanded.
    hearing
        What is heard of it.
    encoder_rate
        To which it will be resampled, in hertz; 0 is not known.
    """

    path: MediaPath
    start_s: float
    end_s: float | None
    sample_rate: int
    hearing: Hearing = AS_IT_IS
    encoder_rate: int = 0

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield what is heard, float32 ``(samples,)``, block by block.

        Raises
        ------
        MediaError
            As `read_clip`, without ``too-large``; what is wrong with the end shows at the end, and so does ``silent``.
        """
        audible = Audible(self.sample_rate, self.encoder_rate, self.hearing.expand)
        with open_sound(self.path) as reader:
            edges = _edges(self.path, reader, self.start_s, self.end_s)
            for block in _blocks(self.path, reader, edges, self.hearing, is_exact=self.end_s is not None):
                audible.add(block)
                yield block
        _check_audible(self.path, audible)


def read_mono(
    path: str | MediaPath,
    start_s: float = 0.0,
    end_s: float | None = None,
    *,
    for_rate: int = 0,
    encoder_rate: int = 0,
    hearing: Hearing = AS_IT_IS,
) -> tuple[np.ndarray, int] | LongSound:
    """Return what is heard of a span, float32 ``(samples,)``, and the rate at which it counts.

    One of more than 64 MiB is a `LongSound`, of which nothing is read yet.

    Parameters
    ----------
    for_rate
        In hertz, where the whole span will be resampled: it counts with what it then takes. 0: it will not.
    encoder_rate
        At which an encoder listens, in hertz; what lies above half of it is not heard. 0 is not known.

    Raises
    ------
    MediaError
        As `read_clip`; ``too-short`` where the span is shorter than the limit ``shortest``; ``silent`` where nothing is
        heard of it, of a `LongSound` at its end.
    """
    path = as_media_path(path)
    with open_sound(path) as reader:
        start, stop = _edges(path, reader, start_s, end_s)
        rate = hearing.rate(reader.sample_rate)
        if (stop - start) / rate * max(rate, for_rate) * _BYTES > _LONG_BYTES:
            return LongSound(path, start_s, end_s, rate, hearing, encoder_rate)
        if short := too_short((stop - start) / reader.sample_rate):
            raise MediaError("too-short", f"{path}: {short}")
        samples = _held(path, reader, (start, stop), hearing, is_exact=end_s is not None)
    audible = Audible(rate, encoder_rate, hearing.expand)
    audible.add(samples)
    _check_audible(path, audible)
    return samples, rate


def _check_audible(path: MediaPath, audible: Audible) -> None:
    silent = audible.why_silent()
    if silent is not None:
        raise MediaError("silent", f"{path}: nothing is heard: {silent}")


def _edges(path: MediaPath, reader: SoundReader, start_s: float, end_s: float | None) -> tuple[int, int]:
    rate = reader.sample_rate
    start, stop = _sample(start_s, rate), reader.frames if end_s is None else _sample(end_s, rate)
    if not 0 <= start < stop <= reader.frames:
        until = "the end" if end_s is None else f"{end_s:g} s"
        raise MediaError(
            "span-outside",
            f"{path}: {start_s:g} s to {until} is not within this file, which lasts {reader.frames / rate:.3f} s",
        )
    return start, stop


def _sample(seconds: float, rate: int) -> int:
    """Return the sample at a time; -1, which no file has, where that is no time."""
    return round(seconds * rate) if math.isfinite(seconds * rate) else -1


def _held(
    path: MediaPath, reader: SoundReader, edges: tuple[int, int], hearing: Hearing | None, *, is_exact: bool
) -> np.ndarray:
    """Return the samples of a span, where they fit into the memory that is set; all channels where none is heard."""
    length = edges[1] - edges[0]
    size = length * _BYTES * (1 if hearing else reader.channels)
    if size > memory_mib() << 20:
        raise MediaError(
            "too-large",
            f"{path}: {length / reader.sample_rate:.0f} s of sound take {size >> 20:,} MiB at once, and --memory is "
            f"{memory_mib():,}",
        )
    with gate.holding(size):
        samples = np.empty(length if hearing else (length, reader.channels), np.float32)
        done = 0
        for block in _blocks(path, reader, edges, hearing, is_exact=is_exact):
            samples[done : done + len(block)] = block
            done += len(block)
        return samples[:done] if done == length else samples[:done].copy()


def _blocks(
    path: MediaPath, reader: SoundReader, edges: tuple[int, int], hearing: Hearing | None, *, is_exact: bool
) -> Iterator[np.ndarray]:
    """Yield what is heard of a span, or all channels, and raise where less of it decodes than its length says."""
    blocks = _whole_blocks(path, reader, edges, is_exact=is_exact)
    if hearing is None:
        return blocks
    if hearing.channel is None:
        hearing = replace(hearing, channel=mix_of(reader).channel)
    return heard(blocks, reader.sample_rate, hearing, path)


def _whole_blocks(
    path: MediaPath, reader: SoundReader, edges: tuple[int, int], *, is_exact: bool
) -> Iterator[np.ndarray]:
    start, stop = edges
    rate, done, known = reader.sample_rate, 0, len(reader.warnings)
    for block in reader.blocks(start, stop):
        _check_finite(path, block)
        done += len(block)
        yield block
    for warning in reader.warnings[known:]:
        logger.warning("%s: %s", path, warning)
    missing = (stop - start - done) / rate
    tolerance = TRUNCATION_TOLERANCE_S if reader.states_length or is_exact else float("inf")
    if not done or missing > tolerance:
        raise truncated(
            path, f"{missing:.2f} s of the span {start / rate:.2f} to {stop / rate:.2f} s do not decode"
        )


def resample(samples: np.ndarray, from_rate: float, to_rate: float) -> np.ndarray:
    """Return samples at another rate, with soxr's HQ filter.

    Parameters
    ----------
    samples
        ``(samples,)`` or ``(samples, channels)``.
    from_rate, to_rate
        In hertz.

    Returns
    -------
    float32 with ``round(len(samples) * to_rate / from_rate)`` samples, give or take one; the input where the rates
    are equal.
    """
    samples = np.asarray(samples, dtype=np.float32)
    if from_rate == to_rate:
        return samples
    import soxr

    return soxr.resample(samples, from_rate, to_rate, quality="HQ")


def flac_takes(samples: np.ndarray, sample_rate: int) -> bool:
    """Say whether FLAC can hold samples ``(samples, channels)``: it takes 8 channels and 655,350 hertz at most."""
    return samples.shape[1] <= _FLAC_CHANNELS and sample_rate <= _FLAC_HERTZ


def windows(samples: np.ndarray, size: int, hop: int) -> np.ndarray:
    """Cut samples into windows; the last one is filled up with zeros at its end.

    Windows begin every ``hop`` samples until one reaches the end, so every sample is in at least one where
    ``hop <= size``. There is always one window at least.

    Returns
    -------
    ``(windows, size)``, of the dtype of ``samples``
    """
    if size < 1 or hop < 1:
        raise ValueError(f"size is {size} and hop is {hop}; both have to be 1 sample or more")
    if samples.ndim != 1:
        raise ValueError(f"the samples have the shape {samples.shape}; it has to be (samples,)")
    count = 1 + max(0, -(-(len(samples) - size) // hop))
    padded = np.zeros((count - 1) * hop + size, samples.dtype)
    kept = samples[: len(padded)]
    padded[: len(kept)] = kept
    return np.lib.stride_tricks.sliding_window_view(padded, size)[::hop].copy()
