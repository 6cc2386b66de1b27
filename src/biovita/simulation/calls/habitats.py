"""What is heard beside the animal: wind, leaves, water, surf, traffic, night insects, jungle; and the echo."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from biovita.simulation.calls.notes import SAMPLE_RATE

__all__ = ["background", "echo"]

_LOOP = 2**20  # samples, 22 s; periodic, so that a recording may start anywhere
_HABITAT = {
    "forest": {"leaves": 1.0, "wind": 0.3},
    "shrubland": {"wind": 0.5, "dry": 1.0},
    "grassland": {"wind": 1.2, "dry": 0.3},
    "wetland": {"water": 1.2, "leaves": 0.2},
    "marine": {"surf": 1.5, "wind": 0.4},
    "human-modified": {"traffic": 1.4, "wind": 0.2},
}
_ECHO = {"forest": (0.55, 0.55), "human-modified": (0.40, 0.45), "shrubland": (0.12, 0.2)}  # seconds, share
_ECHO_ELSEWHERE = (0.15, 0.12)


def background(habitat: str, activity: str, climate: str, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``samples`` of what is heard at a place, float32, RMS about 1."""
    parts = dict(_HABITAT[habitat])
    if activity == "nocturnal":
        parts["night"] = 1.3
    elif activity == "crepuscular":
        parts["night"] = 0.6
    if climate == "tropical":
        parts["jungle"] = 0.8
    elif climate == "polar":
        parts["wind"] = parts.get("wind", 0.0) + 1.0
    total = np.zeros(samples, dtype=np.float32)
    for name, level in parts.items():
        loop = _loop(name)
        start = int(rng.integers(_LOOP))
        piece = (
            loop[np.arange(start, start + samples) % _LOOP]
            if start + samples > _LOOP
            else loop[start : start + samples]
        )
        total += np.float32(level * rng.uniform(0.7, 1.3)) * piece
    return total / np.float32(np.sqrt(sum(level**2 for level in parts.values())))


def echo(habitat: str) -> tuple[np.ndarray, float]:
    """Return the impulse response of a habitat's echo, without the direct sound, and its share at full distance."""
    seconds, share = _ECHO.get(habitat, _ECHO_ELSEWHERE)
    return _tail(seconds), share


@cache
def _tail(seconds: float) -> np.ndarray:
    samples = round(seconds * SAMPLE_RATE)
    t = np.arange(samples) / samples
    sound = np.random.default_rng(samples).standard_normal(samples) * np.exp(-5.0 * t)
    sound[: SAMPLE_RATE // 100] = 0.0
    return (sound / np.sqrt(np.sum(sound**2))).astype(np.float32)


@cache
def _loop(name: str) -> np.ndarray:
    """Return a periodic loop of one kind of sound, RMS 1; the same in every process."""
    rng = np.random.default_rng(sum(name.encode()))
    make: dict[str, Callable[[], np.ndarray]] = {
        "wind": lambda: _colour(rng, 60, 500, 1.3) * _gusts(rng, 0.35),
        "leaves": lambda: _colour(rng, 1800, 6500, 0.4) * _gusts(rng, 0.5),
        "dry": lambda: _colour(rng, 5500, 9500, 0.0) * (0.4 + 0.6 * np.abs(_wave(9.0)) ** 4) * _gusts(rng, 0.3),
        "water": lambda: _colour(rng, 400, 5000, 0.6) * _gusts(rng, 14.0) + _bubbles(rng),
        "surf": lambda: _colour(rng, 80, 7000, 0.9) * (0.25 + np.maximum(0.0, _wave(0.16)) ** 2),
        "traffic": lambda: _colour(rng, 40, 320, 1.0) * _gusts(rng, 0.2) + 0.6 * _wave(100.0) + 0.3 * _wave(200.0),
        "night": lambda: _crickets(rng),
        "jungle": lambda: 0.6 * _colour(rng, 6200, 7400, 0.0) * (0.5 + 0.5 * _wave(46.0)) + 0.5 * _whistlers(rng),
    }
    sound = make[name]().astype(np.float32)
    return sound / np.float32(np.sqrt(np.mean(sound**2)))


def _wave(hz: float) -> np.ndarray:
    cycles = max(1, round(hz * _LOOP / SAMPLE_RATE))
    return np.sin(2 * np.pi * cycles * np.arange(_LOOP) / _LOOP)


def _colour(rng: np.random.Generator, low: float, high: float, fall: float) -> np.ndarray:
    """Return noise between two frequencies whose power falls with frequency to the ``fall``, RMS 1."""
    frequency = np.maximum(np.fft.rfftfreq(_LOOP, 1 / SAMPLE_RATE), 1.0)
    shape = frequency ** (-0.5 * fall) / ((1 + (low / frequency) ** 4) * (1 + (frequency / high) ** 4))
    sound = np.fft.irfft(np.fft.rfft(rng.standard_normal(_LOOP)) * shape, n=_LOOP)
    return sound / np.sqrt(np.mean(sound**2))


def _gusts(rng: np.random.Generator, hz: float) -> np.ndarray:
    """Return a positive envelope that varies ``hz`` times a second."""
    spectrum = np.zeros(_LOOP // 2 + 1, dtype=complex)
    count = max(2, round(2 * hz * _LOOP / SAMPLE_RATE))
    spectrum[1 : count + 1] = rng.standard_normal(count) + 1j * rng.standard_normal(count)
    wave = np.fft.irfft(spectrum, n=_LOOP)
    return np.exp(0.55 * wave / wave.std())


def _scattered(rng: np.random.Generator, count: int, sounds: list[np.ndarray]) -> np.ndarray:
    total = np.zeros(_LOOP)
    for _ in range(count):
        sound = sounds[int(rng.integers(len(sounds)))]
        start = int(rng.integers(_LOOP))
        np.add.at(total, np.arange(start, start + len(sound)) % _LOOP, sound * rng.uniform(0.2, 1.0))
    return total


def _bubbles(rng: np.random.Generator) -> np.ndarray:
    drops = []
    for hz in np.geomspace(500, 2400, 12):
        t = np.arange(round(0.05 * SAMPLE_RATE)) / SAMPLE_RATE
        drops.append(4.0 * np.sin(2 * np.pi * hz * (t + 4 * t**2)) * np.exp(-t * 90))
    return _scattered(rng, 700, drops)


def _crickets(rng: np.random.Generator) -> np.ndarray:
    total = 0.15 * _colour(rng, 4000, 5200, 0.0)
    for hz, rate in ((4150, 2.1), (4480, 2.7), (4820, 1.6)):
        gate = np.maximum(0.0, _wave(rate)) ** 0.5 * np.maximum(0.0, _wave(34.0))
        total = total + _wave(hz) * gate * _gusts(rng, 0.1)
    return total


def _whistlers(rng: np.random.Generator) -> np.ndarray:
    calls = []
    for hz in (1400, 1900, 2600, 3300):
        t = np.arange(round(0.3 * SAMPLE_RATE)) / SAMPLE_RATE
        calls.append(np.sin(2 * np.pi * (hz * t + 600 * t**2)) * np.sin(np.pi * t / t[-1]) ** 2)
    return _scattered(rng, 26, calls)
