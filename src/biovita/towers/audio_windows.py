"""From a recording to the windows that an audio tower reads: mono, at the tower's rate, cut and filled up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from biovita.media.audio import LongSound
from biovita.media.inputs import AudioItem, Clip
from biovita.media.packed_files import PackedFile, as_media_path
from biovita.towers.input_arrays import mono_sound, native_mono
from biovita.towers.long_recordings import LongWindows

__all__ = ["AudioInput", "fill", "first_call"]

_THRESHOLD = 0.01  # of the peak
_PREROLL_S = 0.2
_BLOCK_S, _BLOCK_SAMPLES = 60, 8_000_000  # of a long recording that is resampled at a time


@dataclass(frozen=True, slots=True)
class AudioInput:
    """How an item becomes windows. Small and without weights, so that worker processes can have it.

    Attributes
    ----------
    sample_rate
        Hertz that the tower wants.
    seconds
        Length of a window.
    resampling
        ``sinc``: the published filter, for the same numbers. ``soxr``: faster at odd rates, log-mel values differ by
        0.006 dB on average and 0.6 dB at most.
    window
        Which part of a recording longer than ``seconds`` is read. ``onset``: from 0.2 s before the first sample that
        exceeds 1 % of the peak, the published evaluation. ``start``: the first. ``all``: every one, as far apart as
        ``overlap`` says.
    overlap
        Share of a window that the next one repeats, where ``window`` is ``all``; from 0 up to, not including, 1.
    padding
        What fills a window that is too short. ``zeros``: silence at its end. ``repeat``: whole repetitions, then
        silence, as CLAP was trained.
    """

    sample_rate: int = 48_000
    seconds: float = 10.0
    resampling: Literal["sinc", "soxr"] = "sinc"
    window: Literal["onset", "start", "all"] = "onset"
    overlap: float = 0.0
    padding: Literal["zeros", "repeat"] = "zeros"

    def __post_init__(self) -> None:
        accepted = {
            "resampling": ("sinc", "soxr"),
            "window": ("onset", "start", "all"),
            "padding": ("zeros", "repeat"),
        }
        for field, values in accepted.items():
            if getattr(self, field) not in values:
                raise ValueError(f"{field} is {getattr(self, field)!r}; it has to be one of {', '.join(values)}")
        if self.sample_rate <= 0 or self.seconds <= 0:
            raise ValueError(f"a window is {self.seconds} s at {self.sample_rate} Hz; both have to be positive")
        if not 0 <= self.overlap < 1:
            raise ValueError(
                f"overlap is {self.overlap}; it has to be a share of the window, at least 0 and less than 1"
            )

    @property
    def samples(self) -> int:
        """Samples in a window."""
        return round(self.seconds * self.sample_rate)

    @property
    def hop(self) -> int:
        """Samples from the start of one window to the next, where there are several."""
        return max(1, round(self.samples * (1 - self.overlap)))

    def describe(self) -> str:
        """Return all of it in words, for the record beside the vectors."""
        names = {"sinc": "windowed sinc", "soxr": "soxr"}
        part = {
            "onset": "from 0.2 s before the first sample over 1 % of the peak",
            "start": "from the start",
            "all": f"all windows with {self.overlap:.0%} overlap, mean over the windows",
        }[self.window]
        fill_up = {"zeros": "zero-padded", "repeat": "repeated and zero-padded"}[self.padding]
        return (
            f"mono mean, {self.sample_rate / 1000:g} kHz ({names[self.resampling]}), {self.seconds:g} s {part}, "
            f"shorter ones {fill_up}"
        )

    def __call__(self, item: AudioItem) -> np.ndarray | LongWindows:
        """Return the windows of an item, ``(windows, samples)``, float32; those of a long recording as they are read.

        Raises
        ------
        MediaError
            Where the item cannot be decoded or is empty.
        """
        for_rate = self.sample_rate if self.window == "all" else 0
        sound = mono_sound(item, for_rate=for_rate, encoder_rate=self.sample_rate)
        if isinstance(sound, LongSound):
            return self._of_long(sound)
        waveform, rate = sound
        if self.window == "onset":
            return self._fill(self._from_onset(waveform, rate))[None]
        if self.window == "start":
            needed = math.ceil((self.seconds + 1) * rate)  # a second more, so that the filter's end is not in it
            return self._fill(self._resampled(waveform[:needed], rate)[: self.samples])[None]
        return self._windows(self._resampled(waveform, rate))

    def random_window(self, item: AudioItem, rng: np.random.Generator) -> np.ndarray:
        """Return one window from a random place, ``(samples,)``, as training takes it; a shorter recording whole.

        Of a file, only the window is decoded.
        """
        if isinstance(item, str | Path | PackedFile):
            item = Clip(as_media_path(item))
        if isinstance(item, Clip):
            item = _random_span(item, self.seconds, rng)
            return self._fill(self._resampled(*native_mono(item))[: self.samples])
        waveform, rate = native_mono(item)
        size = math.ceil(self.seconds * rate)
        start = int(rng.integers(0, max(0, len(waveform) - size) + 1))
        return self._fill(self._resampled(waveform[start : start + size], rate)[: self.samples])

    def _from_onset(self, waveform: np.ndarray, rate: int) -> np.ndarray:
        if len(waveform) <= _BLOCK_S * rate:
            whole = self._resampled(waveform, rate)
            start = first_call(whole, self.sample_rate)
            return whole[start : start + self.samples]
        return self._from_onset_of(lambda: [waveform], rate)

    def _from_onset_of(self, parts: Callable[[], Iterable[np.ndarray]], rate: int) -> np.ndarray:
        """Return the window of a long recording; no more than a block of it is held at the tower's rate."""
        peak = max(float(np.abs(block).max(initial=0)) for block in self._blocks(parts(), rate))
        position = 0
        for block in self._blocks(parts(), rate):
            loud = np.flatnonzero(np.abs(block) > np.float32(peak * _THRESHOLD))
            if len(loud):
                begin = max(0, position + int(loud[0]) - _before_call(self.sample_rate))
                return self._span(self._blocks(parts(), rate), begin)
            position += len(block)
        return self._span(self._blocks(parts(), rate), 0)

    def _of_long(self, sound: LongSound) -> np.ndarray | LongWindows:
        if self.window == "all":
            return LongWindows(sound, self._blocks, self.samples, self.hop)
        if self.window == "onset":
            return self._fill(self._from_onset_of(sound.blocks, sound.sample_rate))[None]
        return self._fill(self._span(self._blocks(sound.blocks(), sound.sample_rate), 0))[None]

    def _span(self, blocks: Iterable[np.ndarray], begin: int) -> np.ndarray:
        """Return a window at the tower's rate that begins at one of its samples."""
        parts, position = [], 0
        for block in blocks:
            if position + len(block) > begin:
                parts.append(block[max(0, begin - position) :])
            position += len(block)
            if position >= begin + self.samples:
                break
        return np.concatenate(parts)[: self.samples]

    def _blocks(self, parts: Iterable[np.ndarray], rate: int) -> Iterator[np.ndarray]:
        """Give a recording at the tower's rate block by block; joined they are what one call would give."""
        unit = rate // math.gcd(rate, self.sample_rate)  # input samples between which outputs fall the same way
        size = unit * math.ceil(min(_BLOCK_S * rate, _BLOCK_SAMPLES) / unit)
        margin = unit * math.ceil(rate / 4 / unit)  # a quarter of a second: far longer than the filter
        per_unit = self.sample_rate * unit // rate
        for part, before, is_last in _overlapping(parts, size, margin):
            block = self._resampled(part, rate)
            skip = before // unit * per_unit
            yield block[skip:] if is_last else block[skip : skip + size // unit * per_unit]

    def _resampled(self, waveform: np.ndarray, rate: int) -> np.ndarray:
        if rate == self.sample_rate:
            return waveform
        if self.resampling == "soxr":
            from biovita.media import resample

            return resample(waveform, rate, self.sample_rate)
        import torch

        from biovita.media.sinc import sinc_resample

        return sinc_resample(torch.from_numpy(waveform), rate, self.sample_rate).numpy()

    def _windows(self, waveform: np.ndarray) -> np.ndarray:
        from biovita.media import windows

        if len(waveform) <= self.samples:
            return self._fill(waveform)[None]
        return windows(waveform, self.samples, self.hop)

    def _fill(self, waveform: np.ndarray) -> np.ndarray:
        return fill(waveform, self.samples, self.padding)


def _before_call(sample_rate: int) -> int:
    return int(_PREROLL_S * sample_rate)


def first_call(waveform: np.ndarray, sample_rate: int) -> int:
    """Return where the published evaluation begins to listen: a sample's place in ``waveform``, ``(samples,)``.

    That is 0.2 s before the first sample whose absolute value exceeds 1 % of the largest, and 0 in silence.
    """
    loudness = np.abs(waveform)
    loud = np.flatnonzero(loudness > np.float32(float(loudness.max(initial=0)) * _THRESHOLD))
    return max(0, int(loud[0]) - _before_call(sample_rate)) if len(loud) else 0


def fill(waveform: np.ndarray, samples: int, padding: Literal["zeros", "repeat"]) -> np.ndarray:
    """Return ``waveform`` with ``samples`` samples, float32: cut at its end, or filled up as `AudioInput` says."""
    waveform = waveform[:samples]
    if padding == "repeat" and 0 < len(waveform) < samples:
        waveform = np.tile(waveform, samples // len(waveform))
    filled = np.zeros(samples, np.float32)
    filled[: len(waveform)] = waveform
    return filled


def _overlapping(parts: Iterable[np.ndarray], size: int, margin: int) -> Iterator[tuple[np.ndarray, int, bool]]:
    """Yield ``size`` samples after ``size`` samples, with ``margin`` more on both sides where there are as many.

    With them comes how many samples lie before the ``size`` ones, and whether these are the last.
    """
    waiting = iter(parts)
    held = np.empty(0, np.float32)
    before = 0
    while True:
        gathered, length = [held] if len(held) else [], len(held)
        while length < before + size + margin and (part := next(waiting, None)) is not None:
            gathered.append(part)
            length += len(part)
        held = gathered[0] if len(gathered) == 1 else np.concatenate([held[:0], *gathered])
        is_last = len(held) <= before + size
        yield held[: before + size + margin], before, is_last
        if is_last:
            return
        first = max(0, before + size - margin)
        before, held = before + size - first, held[first:]


def _random_span(clip: Clip, seconds: float, rng: np.random.Generator) -> Clip:
    from biovita.media.decode import open_sound

    end = clip.end_s
    if end is None:
        with open_sound(clip.path) as reader:
            end = reader.frames / reader.sample_rate
    if end - clip.start_s <= seconds:
        return clip
    start = clip.start_s + float(rng.uniform(0, end - clip.start_s - seconds))
    return Clip(clip.path, start, min(end, start + seconds + 0.01))  # a moment more than is kept
