"""Small real media files, made."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from biovita.collect.build import BuildReport, build

HTML = b"<!doctype html><html><body>404</body></html>"


def sound(number: int, seconds: float = 0.5, rate: int = 8000, kind: str = "WAV") -> bytes:
    """Return a tone that no other number has."""
    times = np.arange(round(seconds * rate)) / rate
    samples = 0.3 * np.sin(2 * np.pi * (200 + 1.7 * number) * times)
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format=kind)
    return stream.getvalue()


def picture(number: int, size: int = 64, quality: int = 90) -> bytes:
    """Return a picture of coarse noise, a JPEG, that no other number resembles."""
    noise = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).resize((size, size), 0).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def observation(number: int, url: str, modality: str, species: str = "Pica pica", **values: Any) -> dict[str, Any]:
    """Return an observation with one medium, as iNaturalist's API answers."""
    medium = {"id": number, "license_code": "cc-by", "attribution": f"(c) Ann {number}"}
    medium["file_url" if modality == "audio" else "url"] = url
    return {
        "id": number, "uuid": f"u{number}", "quality_grade": "research", "uri": f"https://x.org/{number}",
        "observed_on": "2020-05-01", "location": f"{number % 50}.5,{number % 90}.25",
        "user": {"login": f"ann{number % 7}"},
        "taxon": {"name": species, "rank": "species", "iconic_taxon_name": "Aves"},
        "sounds" if modality == "audio" else "photos": [medium], **values,
    }  # fmt: skip


def write_plan(folder: Path, observations: list[dict[str, Any]], rest: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "answers.json").write_text(json.dumps({"results": observations}))
    plan = folder / "plan.toml"
    plan.write_text(
        'name = "made"\n[[sources]]\nkind = "inaturalist_api"\npath = "answers.json"\nsize = "original"\n'
        "[fetching]\nallow_private = true\nper_second = 10000.0\nat_once = 16\nat_once_per_host = 16\n" + rest
    )
    return plan


def build_soon(plan: Path, out: Path) -> BuildReport:
    """Build a dataset from a plan; what a server refuses is asked for again at once."""
    return build(plan, out, backoff_s=0.01)
