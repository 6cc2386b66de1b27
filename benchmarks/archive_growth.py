"""Claim: ten files come into an archive of a million windows in 15 s beyond what embedding them takes.

    python benchmarks/archive_growth.py [--windows 1e6] [--work DIRECTORY]

The archive has recordings of 150 s, 99 windows each, whose files are not there; their vectors are random, 256 numbers
long, of a stub encoder that costs nothing. What is measured is the wall time of `add_to_archive` with ten new files of
150 s, less the seconds that it states for embedding; beside it the first refresh, which writes all rows and the index.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
import wave
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import biovita
from biovita.archive.archive import Archive
from biovita.archive.archive_tables import RECORDINGS
from biovita.archive.embed_media import media_made, media_table
from biovita.archive.pieces import pieces
from biovita.compute.device import Device
from biovita.embedding.store import COLUMNS
from biovita.identification.asked import Perceiving
from biovita.modality import Modality
from biovita.model import Model, ModelCard
from biovita.model.formats.installed import Installed
from biovita.model.lookup import FORMATS, KNOWN
from biovita.towers.encoder import Encoder, EncoderCard, EncoderDefaults, Windowing

NAME, DIM, RATE, SECONDS = "growth-stub", 256, 8_000, 150.0
MOST_S = 15.0
AT_ONCE = 500  # recordings
CARD = EncoderCard(NAME, Modality.AUDIO, DIM, "simulated", "1", "CC0-1.0", preprocessing="none")


class Stub(EncoderDefaults):
    """Vectors that the samples have drawn."""

    batch_size = 16
    tolerance = 0.0
    device = Device("cpu", "it costs nothing")
    card = CARD

    def __init__(self, overlap: float = 0.5) -> None:
        self._hop = 3.0 * (1 - overlap)

    @property
    def windows(self) -> Windowing:
        """Three seconds."""
        return Windowing(3.0, self._hop, 1.5)

    def load(self, item: Any) -> np.ndarray:
        """Return a seed for each window."""
        count = self.windows.count((item.end_s or SECONDS) - item.start_s)
        return np.arange(count) + int(1000 * item.start_s)

    def encode(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """Return the mean over windows."""
        return np.stack([self.encode_windows(list(each)).mean(axis=0) for each in batch])

    def encode_windows(self, windows: Sequence[Any]) -> np.ndarray:
        """Return a vector a window."""
        drawn = [np.random.default_rng(int(seed)).standard_normal(DIM, np.float32) for seed in windows]
        return np.stack(drawn) if drawn else np.empty((0, DIM), np.float32)

    def cutting(self, overlap: float = 0.0) -> Encoder:
        """Return it with another overlap."""
        return Stub(overlap)


class _Layout(Installed):
    name = NAME

    def load(self, card: ModelCard, path: Path, device: str, modalities: Collection[Modality]) -> Model:  # noqa: ARG002
        return Model(card.name, card, {each: Stub() for each in modalities if each == Modality.AUDIO})


def fill(archive: Archive, windows: int) -> None:
    """Write recordings and their vectors, as if they had been added."""
    count = windows // Windowing(3.0, 1.5, 1.5).count(SECONDS)
    hashes = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]
    columns = {
        "id": [each[:20] for each in hashes],
        "path": [f"/nowhere/site{number % 50}/{number:06d}.wav" for number in range(count)],
        "sha256": hashes,
        "file_size": [2_400_000] * count,
        "file_mtime_ns": [0] * count,
        "deployment_id": [f"site{number % 50}" for number in range(count)],
        "notes": [[]] * count,
        "duration_s": [SECONDS] * count,
        "sample_rate": [RATE] * count,
    }
    rows = {field.name: pa.array(columns.get(field.name, [None] * count), field.type) for field in RECORDINGS}
    archive.write("recordings", pa.table(rows, schema=RECORDINGS))
    perceiving = Perceiving()
    tower = Stub().cutting(perceiving.overlap)
    made = media_made(tower, perceiving.hearing)
    table, rng = media_table(archive, NAME, Modality.AUDIO), np.random.default_rng(0)
    recordings = archive.table("recordings")
    for start in range(0, count, AT_ONCE):
        found = pieces(recordings.slice(start, AT_ONCE), tower.windows or Windowing(3, 3), perceiving.hearing)
        items = found.items.rows
        counts = [tower.windows.count(SECONDS)] * len(items)  # type: ignore[union-attr]
        of = np.repeat(np.arange(len(items)), counts)
        window = np.concatenate([np.arange(each) for each in counts])
        taken = items.take(pa.array(of))
        given = {
            "id": taken["id"],
            "window": pa.array(window.astype(np.int32)),
            "sha256": taken["sha256"],
            "start_s": taken["start_s"],
            "end_s": taken["end_s"],
            "file_size": pa.array(np.full(len(of), -1)),
            "file_mtime_ns": pa.array(np.full(len(of), -1)),
        }
        columns_ = [given.get(field.name, pa.nulls(len(of), field.type)) for field in COLUMNS]
        table.commit(pa.table(columns_, schema=COLUMNS), rng.standard_normal((len(of), DIM), np.float32), made)
    table.tidy()


def write_files(folder: Path, count: int = 10) -> None:
    """Write recordings of noise."""
    folder.mkdir()
    for number in range(count):
        noise = np.random.default_rng(number).integers(-3000, 3000, int(RATE * SECONDS), np.int16)
        with wave.open(str(folder / f"{number}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(noise.tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=float, default=1e6)
    parser.add_argument("--work", type=Path, help="kept; without it a temporary directory")
    options = parser.parse_args()
    FORMATS[NAME] = _Layout()
    KNOWN[NAME] = ModelCard(NAME, "costs nothing", NAME, NAME, "1", {Modality.AUDIO: CARD}, DIM)
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        place = biovita.create_archive(work / "archive", model=[NAME])
        fill(Archive.open(place), int(options.windows))
        began = time.perf_counter()
        done = biovita.refresh_archive(place, progress=False)
        rows = done.models[0].filled[Modality.AUDIO].rows
        print(f"first refresh: {time.perf_counter() - began:.1f} s for {rows:,} rows")
        write_files(work / "new")
        began = time.perf_counter()
        done = biovita.add_to_archive(place, [work / "new"], progress=False)
        wall, embedding = time.perf_counter() - began, done.models[0].embedded[Modality.AUDIO].seconds
        filled = done.models[0].filled[Modality.AUDIO]
        print(
            f"ten files: {wall:.1f} s, {embedding:.1f} s of it embedding; {filled.written:,} rows of {filled.rows:,}"
        )
        print(f"ratio to the claim of {MOST_S:g} s: {(wall - embedding) / MOST_S:.2f}")


if __name__ == "__main__":
    main()
