"""One note: frequency-modulated harmonics, a train of damped resonances, or filtered noise."""

from __future__ import annotations

import numpy as np

from biovita.simulation.voice import Voice

__all__ = ["SAMPLE_RATE", "note"]

SAMPLE_RATE = 48_000  # hertz
_HIGHEST = 20_000.0  # no harmonic above
_SHORTEST_EDGE = 0.003  # seconds of fade, against clicks


def note(voice: Voice, octaves: float, stretch: float, rng: np.random.Generator) -> np.ndarray:
    """Return one note, float32, peak about 1.

    Parameters
    ----------
    octaves
        Pitch above the voice's own.
    stretch
        Factor on the note's length.
    """
    samples = max(64, round(voice.note_s * stretch * SAMPLE_RATE))
    hz = voice.hz * 2.0**octaves
    make = {"tone": _tone, "pulse": _pulses, "noise": _hiss}[voice.mode]
    return make(voice, hz, samples, rng) * _envelope(samples)


def _envelope(samples: int) -> np.ndarray:
    rise = max(round(_SHORTEST_EDGE * SAMPLE_RATE), samples // 12)
    fall = max(round(_SHORTEST_EDGE * SAMPLE_RATE), samples // 4)
    rise, fall = min(rise, samples // 2), min(fall, samples // 2)
    shape = np.ones(samples, dtype=np.float32)
    shape[:rise] = 0.5 - 0.5 * np.cos(np.pi * np.arange(rise) / rise)
    shape[samples - fall :] = 0.5 + 0.5 * np.cos(np.pi * np.arange(fall) / fall)
    return shape


def _pitch(voice: Voice, hz: float, samples: int) -> np.ndarray:
    """Return the frequency at each sample; ``hz`` is its geometric mean."""
    t = np.linspace(0.0, 1.0, samples, dtype=np.float32)
    octaves = voice.slope * (t - 0.5) + voice.arch * (2.0 / 3.0 - 2.0 * (2.0 * t - 1.0) ** 2)
    if voice.vibrato > 0.0:
        octaves = octaves + voice.vibrato * np.sin(2 * np.pi * voice.vibrato_hz * samples / SAMPLE_RATE * t)
    return (hz * np.exp2(octaves)).astype(np.float32)


def _swing(voice: Voice, samples: int) -> np.ndarray | float:
    """Return the amplitude modulation."""
    if voice.am_depth <= 0.0 or voice.am_hz <= 0.0:
        return 1.0
    t = np.arange(samples, dtype=np.float32) * np.float32(2 * np.pi * voice.am_hz / SAMPLE_RATE)
    return 1.0 - np.float32(voice.am_depth) * (0.5 + 0.5 * np.cos(t))


def _tone(voice: Voice, hz: float, samples: int, rng: np.random.Generator) -> np.ndarray:
    frequency = _pitch(voice, hz, samples)
    phase = np.cumsum(frequency, dtype=np.float64) * (2 * np.pi / SAMPLE_RATE)
    if voice.noise > 0.0:  # a wandering phase spreads every harmonic into a band
        spread = np.sqrt(2.0 * np.pi * 0.12 * hz * voice.noise / SAMPLE_RATE)
        phase = phase + spread * np.cumsum(rng.standard_normal(samples, dtype=np.float32))
    # sin((k + 1) x) = 2 cos(x) sin(k x) - sin((k - 1) x)
    x = np.remainder(phase, 2 * np.pi).astype(np.float32)
    double = 2.0 * np.cos(x)
    before, now = np.zeros(samples, dtype=np.float32), np.sin(x)
    total: np.ndarray = np.zeros(samples, dtype=np.float32)
    weight, sum_of_weights, highest = 1.0, 0.0, float(frequency.max())
    for harmonic in range(1, voice.harmonics + 1):
        if harmonic > 1 and harmonic * highest > _HIGHEST:
            break
        total += np.float32(weight) * now
        sum_of_weights += weight
        before, now = now, double * now - before
        weight *= 10.0 ** (-voice.rolloff_db / 20.0)
    total /= np.float32(np.sqrt(sum_of_weights))
    if voice.noise > 0.0:
        total = total + _breath(hz, samples, rng) * np.float32(0.5 * voice.noise)
    return total * _swing(voice, samples)


def _breath(hz: float, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return noise up to a few times ``hz``, RMS about 1: a running mean of white noise."""
    width = int(np.clip(SAMPLE_RATE / (5.0 * hz), 2, 48))
    total = np.cumsum(rng.standard_normal(samples + width, dtype=np.float32), dtype=np.float64)
    return ((total[width:] - total[:-width]) / np.sqrt(width)).astype(np.float32)


def _pulses(voice: Voice, hz: float, samples: int, rng: np.random.Generator) -> np.ndarray:
    gap = max(8, round(SAMPLE_RATE / voice.am_hz))
    t = np.arange(min(gap, SAMPLE_RATE // 20), dtype=np.float32) / SAMPLE_RATE
    fade = np.exp(-t * (5.0 * voice.am_hz if voice.am_hz > 30 else 160.0))
    total = np.zeros(samples, dtype=np.float32)
    starts = range(0, samples - 16, gap)
    for rank, start in enumerate(starts):
        if rank % 4 == 0:  # the same few pulses again and again, each pitch a little on
            place = rank / max(1, len(starts) - 1)
            pitch = hz * 2.0 ** (
                voice.slope * (place - 0.5) * 0.5 + voice.arch * (0.5 - (2 * place - 1) ** 2) * 0.3
            )
            grain = np.sin(2 * np.pi * pitch * t)
            if voice.harmonics > 2:
                grain = grain + 0.35 * np.sin(4 * np.pi * pitch * t)
            rough = rng.standard_normal(len(t), dtype=np.float32) * np.float32(0.8 * voice.noise)
            grain = ((1.0 - 0.6 * voice.noise) * grain + rough) * fade
        begin = min(samples, start + int(rng.integers(0, max(1, gap // 12))))
        end = min(samples, begin + len(grain))
        total[begin:end] += grain[: end - begin] * np.float32(rng.uniform(0.85, 1.0))
    return total


def _hiss(voice: Voice, hz: float, samples: int, rng: np.random.Generator) -> np.ndarray:
    size = -(-samples // 4096) * 4096  # a length that factors
    spectrum = np.fft.rfft(rng.standard_normal(size, dtype=np.float32))
    frequency = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 1.0)
    width = 0.16 + 0.30 * voice.noise + 0.1 * abs(voice.slope)  # octaves
    band = np.exp(-0.5 * (np.log2(frequency / hz) / width) ** 2)
    sound = np.fft.irfft(spectrum * band, n=size)[:samples].astype(np.float32)
    sound /= max(float(np.sqrt(np.mean(sound**2))) * 2.5, 1e-9)
    return sound * _swing(voice, samples)
