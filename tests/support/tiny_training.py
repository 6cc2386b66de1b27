"""A small dataset of sounds and pictures that can be told apart, and small towers to train on it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import soundfile
from PIL import Image

from biovita.dataset import Dataset, write_dataset
from biovita.dataset.schema import AUDIO, IMAGES, taxa_table
from biovita.taxonomy import Taxon
from support.published_layouts import make, write_published

RATE = 8000


def read_log(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log."""
    return [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def write_towers(path: Path) -> Path:
    return write_published(make(), path)


def write_tiny(path: Path, species: int = 6, each: int = 3, unseen: int = 0) -> Dataset:
    """Write species that differ in pitch and colour; the last ``unseen`` of them are held out."""
    (path / "media").mkdir(parents=True)
    rng = np.random.default_rng(0)
    taxa, audio, images = [], [], []
    for number in range(species):
        taxon = Taxon(
            f"t{number}",
            f"Genus{number // 2} species{number}",
            f"Bird {number}",
            class_="Aves",
            order="O",
            family="F",
            genus=f"Genus{number // 2}",
        )
        taxa.append(taxon)
        split = "unseen" if number >= species - unseen else "train"
        for item in range(each):
            name = f"{taxon.id}-{item}"
            time = np.arange(RATE) / RATE
            sound = 0.3 * np.sin(2 * np.pi * (300 + 400 * number) * time) + rng.normal(0, 0.02, RATE)
            soundfile.write(path / "media" / f"{name}.wav", sound.astype(np.float32), RATE)
            pixels = np.full((32, 32, 3), [40 * number % 256, 90 * number % 256, 200], np.int64)
            Image.fromarray((pixels + rng.integers(0, 30, pixels.shape)).clip(0, 255).astype(np.uint8)).save(
                path / "media" / f"{name}.png"
            )
            audio.append({**_row(path, name, taxon.id, ".wav", split), **_SPAN})
            images.append({**_row(path, name, taxon.id, ".png", split), "width": 32, "height": 32})
    tables = {
        "taxa": taxa_table(taxa),
        "audio": pa.Table.from_pylist(audio, schema=AUDIO),
        "images": pa.Table.from_pylist(images, schema=IMAGES),
    }
    write_dataset(path, tables, {"name": "tiny", "version": "1", "made": "by a test"})
    return Dataset.open(path)


_SPAN = {"start_s": 0.0, "end_s": 1.0, "duration_s": 1.0, "sample_rate": RATE}


def _row(path: Path, name: str, taxon: str, suffix: str, split: str) -> dict[str, Any]:
    file = path / "media" / f"{name}{suffix}"
    return {
        "id": name,
        "taxon_id": taxon,
        "path": f"media/{file.name}",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "group_id": name,
        "split": split,
    }
