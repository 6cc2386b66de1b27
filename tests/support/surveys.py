"""A survey as folders of recordings and photographs that are all unlike each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from support.recorder_files import write_recorder_wav
from support.sound_files import write_sound

RATE = 8_000


def tones(seconds: float, seed: int) -> np.ndarray:
    """Return a sound that is another one each second and for each seed, ``(samples, 1)``."""
    rng = np.random.default_rng(seed)
    moments = np.arange(RATE) / RATE
    parts = [
        sum(amplitude * np.sin(2 * np.pi * pitch * moments) for amplitude, pitch in zip(*drawn, strict=True))
        for drawn in ((rng.uniform(0.02, 0.3, 4), rng.uniform(200, 3800, 4)) for _ in range(int(seconds)))
    ]
    return np.concatenate(parts)[:, None]


def write_survey(place: Path, *, sounds: int = 6, pictures: int = 5) -> Path:
    """Write recordings of two sites, half of them with a time and a zone, and photographs."""
    for number in range(sounds):
        site = place / ("pond" if number % 2 else "hill")
        samples = tones(7, number)
        if number % 2:
            moment, place_ = f"2024-0{1 + number}-17T0{number}:10:00+02:00", f"47.5 8.{number}"
            guano = f"GUANO|Version: 1.0\nTimestamp: {moment}\nLoc Position: {place_}\n"
            site.mkdir(parents=True, exist_ok=True)
            write_recorder_wav(site / f"{number}.wav", samples[:, 0], RATE, guano=guano)
        else:
            write_sound(site / f"{number}.wav", samples, RATE)
    (place / "camera").mkdir(parents=True)
    for number in range(pictures):
        colours = np.random.default_rng(number).integers(0, 255, (4, 4, 3), np.uint8)
        Image.fromarray(colours).resize((64, 48)).save(place / "camera" / f"{number}.png")
    return place
