"""A recording: one or more animals that call, at a distance, in a place, through a microphone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biovita.simulation.calls.habitats import background, echo
from biovita.simulation.calls.notes import SAMPLE_RATE, note
from biovita.simulation.ecology import Ecology
from biovita.simulation.voice import Voice

__all__ = ["SAMPLE_RATE", "Singer", "call", "recording"]

_VARIANTS = 2  # takes of each note of a phrase
_LEVEL = 0.09  # RMS of the nearest caller while it calls
_FAR_DB_PER_KHZ = 1.1  # what air and leaves take of a high note at full distance


@dataclass(frozen=True, slots=True)
class Singer:
    """What makes one individual's calls its own.

    Attributes
    ----------
    octaves
        Pitch above its species'.
    tempo
        Factor on the rate of its notes.
    shift
        Note of the motif that its dialect starts with.
    """

    octaves: float
    tempo: float
    shift: int

    @classmethod
    def of(cls, dialect: int, rng: np.random.Generator) -> Singer:
        """Return an individual of a dialect, of which each species has three."""
        return cls(0.05 * (dialect - 1) + rng.normal(0.0, 0.035), float(np.exp(rng.normal(0.0, 0.07))), dialect)


def call(voice: Voice, singer: Singer, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Return what one animal calls in ``seconds``: phrases and pauses, float32, RMS while calling about 1."""
    samples = round(seconds * SAMPLE_RATE)
    track = np.zeros(samples, dtype=np.float32)
    takes: dict[tuple[int, int], np.ndarray] = {}
    step = SAMPLE_RATE / (voice.rate * singer.tempo)
    start = rng.uniform(0.05, 0.5) * SAMPLE_RATE
    while start < samples:
        count = max(1, round(voice.notes * rng.uniform(0.8, 1.2)))
        for rank in range(count):
            at = int(start + rank * step * rng.normal(1.0, 0.01))
            if at >= samples:
                break
            which = ((rank + singer.shift) % len(voice.motif), int(rng.integers(_VARIANTS)))
            if which not in takes:
                takes[which] = note(voice, singer.octaves + voice.motif[which[0]], 1.0 / singer.tempo, rng)
            sound = takes[which]
            end = min(samples, at + len(sound))
            track[at:end] += sound[: end - at] * np.float32(rng.uniform(0.8, 1.0) * min(1.0, 0.6 + 0.2 * rank))
        start += count * step + voice.pause_s * SAMPLE_RATE * rng.uniform(0.7, 1.3)
    loud = np.abs(track) > 0.02
    level = float(np.sqrt(np.mean(track[loud] ** 2))) if loud.any() else 1.0
    return track / np.float32(max(level, 1e-6))


def recording(
    voice: Voice, ecology: Ecology, seconds: float, dialect: int, rng: np.random.Generator
) -> np.ndarray:
    """Return a recording, ``(samples,)`` float32 at `SAMPLE_RATE`, within -1 to 1.

    Parameters
    ----------
    dialect
        0, 1 or 2: where it was made; callers of one dialect resemble each other.
    """
    samples = round(seconds * SAMPLE_RATE)
    near = call(voice, Singer.of(dialect, rng), seconds, rng)
    for _ in range(min(3, int(rng.poisson(voice.callers - 1.0)))):
        near = near + np.float32(rng.uniform(0.25, 0.6)) * call(voice, Singer.of(dialect, rng), seconds, rng)
    habitat, activity, climate = (
        labels[0] if len(labels) == 1 or rng.random() < 0.8 else labels[1]
        for labels in (ecology.habitats, ecology.activities, ecology.climates)
    )
    distance = float(rng.beta(1.6, 2.6))
    heard = _from_afar(near, habitat, distance)
    ambience = background(habitat, activity, climate, samples, rng)
    level = 10.0 ** (-(rng.uniform(15.0, 25.0)) / 20.0)
    hiss = rng.standard_normal(samples, dtype=np.float32) * np.float32(0.0002)
    sound = np.float32(_LEVEL * (1.0 - 0.6 * distance)) * heard + np.float32(_LEVEL * level) * ambience + hiss
    peak = float(np.abs(sound).max())
    return sound * np.float32(0.95 / peak) if peak > 0.95 else sound


def _from_afar(sound: np.ndarray, habitat: str, distance: float) -> np.ndarray:
    tail, share = echo(habitat)
    size = 1 << (len(sound) + len(tail)).bit_length()
    if size > 1.5 * (len(sound) + len(tail)):
        size = 3 * size // 4
    frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE).astype(np.float32)
    loss = 10.0 ** (np.float32(-_FAR_DB_PER_KHZ * distance / 20_000.0) * frequency)
    response = 1.0 + np.float32(share * (0.25 + distance)) * np.fft.rfft(tail, size)
    spectrum = np.fft.rfft(sound, size) * (loss * response)
    return np.fft.irfft(spectrum, size)[: len(sound)].astype(np.float32)
