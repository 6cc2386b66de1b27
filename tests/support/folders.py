"""Folders of recordings and photographs as `import_folder` reads them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from support.sound_files import song, write_sound

SPECIES = {
    "Pica pica": ("Eurasian Magpie", "Aves", "Passeriformes", "Corvidae", "Pica"),
    "Rana temporaria": ("Common Frog", "Amphibia", "Anura", "Ranidae", "Rana"),
    "Vulpes vulpes": ("Red Fox", "Mammalia", "Carnivora", "Canidae", "Vulpes"),
}
HEADER = (
    "file",
    "scientific_name",
    "common_name",
    "class",
    "order",
    "family",
    "genus",
    "source",
    "source_id",
    "license",
)


def write_image(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def write_rows(path: Path, rows: Sequence[Sequence[object]], header: Sequence[str], **options: str) -> Path:
    encoding = options.pop("encoding", "utf-8")
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, **options).writerows([header, *rows])
    return path


def make_folder(
    root: Path, per_species: int = 2, species: Mapping[str, tuple[str, str, str, str, str]] = SPECIES
) -> Path:
    """Write a good folder: ``per_species`` recordings and photographs of each species."""
    root.mkdir(parents=True, exist_ok=True)
    tables: Mapping[str, list[list[str]]] = {"audio": [], "images": []}
    for s, (name, lineage) in enumerate(species.items()):
        for k in range(per_species):
            seed = max(10, per_species) * s + k
            stem = f"{name.replace(' ', '_')}_{k}"
            write_sound(root / "audio" / f"{stem}.wav", song(1.0, 8000, seed=seed), 8000)
            write_image(root / "images" / f"{stem}.png", seed)
            for table, file in (("audio", f"audio/{stem}.wav"), ("images", f"images/{stem}.png")):
                tables[table].append([file, name, *lineage, f"src-{table}", f"id{seed}", "CC0-1.0"])
    for table, rows in tables.items():
        write_rows(root / f"{table}.csv", rows, HEADER)
    return root


def make_named_folder(root: Path) -> Path:
    """Write the small folder without tables of docs/folder.md: its names say what is in it, but for two files."""
    files = (
        *(
            "birds/Parus major/garden.wav",
            "birds/Parus major/site 2/dusk.wav",
            "birds/001.Eurasian_Magpie/roof.wav",
        ),
        *(
            "mixed/XC4711 - Common Chaffinch - Fringilla coelebs.wav",
            "mixed/great_tit_call_03.wav",
            "mixed/dawn.wav",
        ),
        "Parus major & Pica pica/both.wav",
    )
    for seed, file in enumerate(files):
        write_sound(root / file, song(1.0, 8000, seed=400 + seed), 8000)
    write_image(root / "birds/Parus major/nest.png", 400)
    (root / "mixed" / "notes.txt").write_text("windy\n", encoding="utf-8")
    return root


def append(table: Path, *lines: str) -> None:
    with table.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
