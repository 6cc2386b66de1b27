"""A part of the field sample, for tests that need real media and not all of them."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path

__all__ = ["copy_part"]


def copy_part(sample: Path, out: Path, every: int = 2, each: int = 2) -> Path:
    """Copy every second species of the field sample with a few photographs and clips, each of another recording."""
    with (sample / "audio.csv").open(encoding="utf-8", newline="") as file:
        wanted = set(sorted({row["scientific_name"] for row in csv.DictReader(file)})[::every])
    for name in ("audio", "images"):
        (out / name).mkdir(parents=True)
        with (sample / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            columns, recordings, species, kept = rows.fieldnames or [], set(), Counter[str](), []
            for row in rows:
                recording = row["source_id"] if name == "audio" else row["file"]
                owner = row["scientific_name"]
                if owner in wanted and recording not in recordings and species[owner] < each:
                    recordings.add(recording)
                    species[owner] += 1
                    shutil.copyfile(sample / row["file"], out / row["file"])
                    kept.append(row)
        with (out / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, columns)
            table.writeheader()
            table.writerows(kept)
    return out
