"""The recordings and photographs of one species, made and written; a unit of work for one process."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from biovita.dataset.schema import AUDIO, IMAGES
from biovita.simulation.calls import SAMPLE_RATE, recording
from biovita.simulation.fauna import SpeciesTruth
from biovita.simulation.pictures import SIDE, picture
from biovita.simulation.seeds import stream

__all__ = ["CLIP_S", "Job", "SpeciesMedia", "make_items"]

CLIP_S = 5.0  # seconds
_CLIPS = ((1, 0.70), (2, 0.20), (3, 0.10))  # clips of a recording, and how often
_FEWEST = 2  # recordings, and photographs, of a species
_UNEVEN = 0.45  # standard deviation of the logarithm of their number
_JPEG_QUALITY = 88
_DIALECTS = 3  # regions of a species' range; recordings of one region share a dialect
_LATITUDES = {"tropical": (-20.0, 20.0), "temperate": (26.0, 58.0), "polar": (67.0, 78.0)}
_FIRST_DAY = dt.date(2015, 1, 1)
_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Job:
    """What one process has to make.

    Attributes
    ----------
    caller
        The species whose calls are recorded: ``truth`` itself, or another where calls were permuted.
    recordings, photographs
        Means over species; each has its own number around it.
    """

    truth: SpeciesTruth
    caller: SpeciesTruth
    seed: int
    recordings: int
    photographs: int
    directory: Path


@dataclass(frozen=True, slots=True)
class SpeciesMedia:
    """The rows of one species, in the `AUDIO` and `IMAGES` schemas of datasets."""

    audio: pa.Table
    images: pa.Table


def make_items(job: Job) -> SpeciesMedia:
    """Write a species' media into ``directory/media`` and return their rows."""
    return SpeciesMedia(
        pa.Table.from_pylist(_recordings(job), schema=AUDIO),
        pa.Table.from_pylist(_photographs(job), schema=IMAGES),
    )


def _number(mean: int, rng: np.random.Generator) -> int:
    return max(min(_FEWEST, mean), round(mean * float(np.exp(rng.normal(-0.5 * _UNEVEN**2, _UNEVEN)))))


def _recordings(job: Job) -> list[dict[str, Any]]:
    taxon, caller = job.truth.taxon, job.caller
    count = _number(job.recordings, stream(job.seed, "recordings", caller.index)) if job.recordings else 0
    rows = []
    for number in range(count):
        rng = stream(job.seed, "recording", caller.index, number)
        clips = int(rng.choice([clips for clips, _ in _CLIPS], p=[share for _, share in _CLIPS]))
        region = int(rng.integers(_DIALECTS))
        found = _when_and_where(job.seed, caller, region, rng)
        sound = recording(caller.voice, caller.ecology, clips * CLIP_S, region, rng)
        source_id = f"{taxon.id}-r{number:03d}"
        path = Path("media") / "audio" / taxon.id / f"{source_id}.flac"
        digest = _write(job.directory / path, _flac(sound))
        rows += [
            {
                "id": f"{source_id}-{clip + 1}",
                "taxon_id": taxon.id,
                "path": path.as_posix(),
                "start_s": clip * CLIP_S,
                "end_s": (clip + 1) * CLIP_S,
                "duration_s": clips * CLIP_S,
                "sample_rate": SAMPLE_RATE,
                **_provenance(source_id, digest),
                **found,
            }
            for clip in range(clips)
        ]
    return rows


def _photographs(job: Job) -> list[dict[str, Any]]:
    taxon, truth = job.truth.taxon, job.truth
    count = _number(job.photographs, stream(job.seed, "photographs", truth.index)) if job.photographs else 0
    rows = []
    for number in range(count):
        rng = stream(job.seed, "photograph", truth.index, number)
        found = _when_and_where(job.seed, truth, int(rng.integers(_DIALECTS)), rng)
        image = picture(truth.looks, truth.ecology, rng)
        data = io.BytesIO()
        image.save(data, "JPEG", quality=_JPEG_QUALITY)
        source_id = f"{taxon.id}-p{number:03d}"
        path = Path("media") / "images" / taxon.id / f"{source_id}.jpg"
        rows.append(
            {
                "id": source_id,
                "taxon_id": taxon.id,
                "path": path.as_posix(),
                "width": SIDE,
                "height": SIDE,
                **_provenance(source_id, _write(job.directory / path, data.getvalue())),
                **found,
            }
        )
    return rows


def _flac(sound: np.ndarray) -> bytes:
    import soundfile as sf

    data = io.BytesIO()
    sf.write(data, sound, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return data.getvalue()


def _write(file: Path, data: bytes) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return sha256(data).hexdigest()


def _provenance(source_id: str, digest: str) -> dict[str, Any]:
    return {
        "source": "simulated",
        "source_id": source_id,
        "url": None,
        "license": "CC0-1.0",
        "attribution": "simulated by biovita",
        "sha256": digest,
        "group_id": source_id,
        "split": None,
    }


def _when_and_where(seed: int, truth: SpeciesTruth, region: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return date and place of an item: somewhere around the middle of a region of the species' range."""
    low, high = _LATITUDES[truth.ecology.climates[0]]
    range_rng = stream(seed, "range", truth.index)
    latitudes = range_rng.uniform(low, high, _DIALECTS)
    longitudes = range_rng.uniform(-160.0, 160.0) + range_rng.uniform(-18.0, 18.0, _DIALECTS)
    day = _FIRST_DAY + dt.timedelta(days=int(rng.integers(_DAYS)))
    return {
        "recorded_at": day.isoformat(),
        "latitude": round(float(latitudes[region] + rng.normal(0.0, 0.6)), 4),
        "longitude": round(float(longitudes[region] + rng.normal(0.0, 0.8)), 4),
    }
