"""The small world in which pages are followed: what they name, made once, and copied for each page."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import biovita
from biovita.traits.tables import trait_table
from support.folders import SPECIES, append, make_folder, write_rows
from support.sound_files import HTML, song, write_sound

__all__ = ["NEEDS", "furnish", "write_world"]

ANIMALS = {
    **SPECIES,
    "Turdus merula": ("Common Blackbird", "Aves", "Passeriformes", "Turdidae", "Turdus"),
    "Parus major": ("Great Tit", "Aves", "Passeriformes", "Paridae", "Parus"),
    "Corvus corax": ("Common Raven", "Aves", "Passeriformes", "Corvidae", "Corvus"),
    "Garrulus glandarius": ("Eurasian Jay", "Aves", "Passeriformes", "Corvidae", "Garrulus"),
    "Sitta europaea": ("Eurasian Nuthatch", "Aves", "Passeriformes", "Sittidae", "Sitta"),
}
BIRD = ("Animalia", "Chordata", "Aves", "Passeriformes")
PLANT, INSECT = ("Plantae", "Tracheophyta"), ("Animalia", "Arthropoda", "Insecta")
BACKBONE = [  # kingdom to genus, name, rank
    (*BIRD, "Corvidae", "Pica", "Pica pica", "species"),
    (*BIRD, "Corvidae", "Corvus", "Corvus corax", "species"),
    (*BIRD, "Corvidae", "Coloeus", "Coloeus monedula", "species"),
    (*BIRD, "Paridae", "Parus", "Parus major", "species"),
    (*BIRD, "Turdidae", "Turdus", "Turdus merula", "species"),
    (*BIRD, "Prunellidae", "Prunella", "Prunella", "genus"),
    ("Animalia", "Chordata", "Aves", "Charadriiformes", "Laridae", "Larus", "Larus vegae", "species"),
    ("Animalia", "Chordata", "Aves", "Charadriiformes", "Laridae", "Larus", "Larus argentatus", "species"),
    (*PLANT, "Magnoliopsida", "Lamiales", "Lamiaceae", "Prunella", "Prunella", "genus"),
    (*PLANT, "Liliopsida", "Asparagales", "Iridaceae", "Iris", "Iris orientalis", "species"),
    (*INSECT, "Mantodea", "Eremiaphilidae", "Iris", "Iris orientalis", "species"),
]
NAMES = """\
name,class,family
Pica pica,Aves,Corvidae
Parus Major Linnaeus 1758,Aves,Paridae
Corvus monedula,Aves,Corvidae
Larus argentatus vegae,Aves,Laridae
Pica pica galliae,Aves,Corvidae
Turdus merulla,Aves,Turdidae
Larus argentatus/michahellis,Aves,Laridae
Turdus cf. merula,Aves,Turdidae
Pica pica,Mammalia,
Iris orientalis,,
Prunella,,
"""
XENO_CANTO = [  # number, genus, species, what the licence is called, quality
    (1, "Pica", "pica", "by-nc-sa", "A"),
    (2, "Pica", "pica", "by-nc-nd", "A"),
    (3, "Pica", "pica", "by-nc-sa", "D"),
    (4, "Mystery", "mystery", "by-nc-sa", "A"),
]
PLAN = """\
name = "birds"
version = "1"
licenses = ["CC0-1.0"]

[[sources]]
kind = "folder"
path = "field"

[taxa]
clades = ["Aves"]

[limits]
audio_per_species = 3
images_per_species = 3

"""


def write_world(folder: Path) -> None:
    """Write what the pages name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, write in _ITEMS.items():
        if not (folder / name).exists():
            write(folder, folder / name)


def furnish(page: str, world: Path, folder: Path) -> None:
    """Copy what a page names into its folder."""
    for name, source in {**EVERYWHERE, **NEEDS.get(page, {})}.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (world / source).is_dir():
            shutil.copytree(world / source, target)
        else:
            shutil.copy2(world / source, target)


def _my_folder(_: Path, out: Path) -> None:
    """Write a folder in which one species has photographs alone, and one recordings alone."""
    make_folder(out, 3, ANIMALS)
    for table, unheard in (("audio.csv", "Sitta europaea"), ("images.csv", "Garrulus glandarius")):
        lines = (out / table).read_text(encoding="utf-8").splitlines(keepends=True)
        (out / table).write_text("".join(line for line in lines if unheard not in line), encoding="utf-8")


def _rough_folder(_: Path, out: Path) -> None:
    """Write a folder with columns that are not used, and three rows that cannot be."""
    make_folder(out, 2)
    for table, more in (("audio.csv", "license_tier"), ("images.csv", "width,height,license_tier")):
        head, *rows = (out / table).read_text(encoding="utf-8").splitlines()
        values = "," + ",".join("1" for _ in more.split(","))
        (out / table).write_text(
            "\n".join([f"{head},{more}", *(row + values for row in rows), ""]), encoding="utf-8"
        )
    whole = (out / "audio/Pica_pica_0.wav").read_bytes()
    (out / "audio/cut.wav").write_bytes(whole[: len(whole) // 2])
    (out / "audio/page.mp3").write_bytes(HTML)
    append(out / "audio.csv", "audio/cut.wav,Pica pica", "audio/page.mp3,Pica pica", "audio/Pica_pica_1.wav,")


def _birds(world: Path, out: Path) -> None:
    biovita.import_folder(world / "my-folder", out=out, progress=False)
    biovita.split_dataset(out, unseen=2, seed=0)
    biovita.embed(out, progress=False)


def _stage1(world: Path, out: Path) -> None:
    biovita.train("starter/stage1", data=world / "birds", out=out, settings=FEW, progress=False)


def _stage2(world: Path, out: Path) -> None:
    biovita.train(
        "starter/stage2", data=world / "birds", start=world / "run1", out=out, settings=FEW, progress=False
    )


def _trained_on_another_split(world: Path, out: Path) -> None:
    other = shutil.copytree(world / "birds", world / "birds-split-anew")
    biovita.split_dataset(other, unseen=0, seed=1)
    biovita.train("starter/stage1", data=other, out=out, settings=FEW, progress=False)


def _bench(world: Path, out: Path) -> None:
    biovita.build_benchmark(world / "birds", out=out)
    for name, model in (("random", "random"), ("trained", str(world / "run2"))):
        biovita.run_benchmark(out, model=model, name=name)


def _field(_: Path, out: Path) -> None:
    """Write a folder with what a plan leaves out: other licences, other taxa, too many, the same bytes."""
    make_folder(out, 4, ANIMALS)
    table = (out / "audio.csv").read_text(encoding="utf-8").replace("id0,CC0-1.0", "id0,none given")
    (out / "audio.csv").write_text(table, encoding="utf-8")
    shutil.copy2(out / "audio/Parus_major_1.wav", out / "audio/Parus_major_2.wav")
    shutil.copy2(out / "audio/Parus_major_1.wav", out / "audio/Parus_major_3.wav")


def _dawn(_: Path, out: Path) -> None:
    write_sound(out, song(4.0, 48_000), 48_000)


def _towers(_: Path, out: Path) -> None:
    from support.tiny_training import write_towers

    write_towers(out)


def _quiet(_: Path, out: Path) -> None:
    for number in range(2):
        noise = np.random.default_rng(number).normal(0, 0.003, (30 * 48_000, 1)).astype(np.float32)
        write_sound(out / f"{number}.wav", noise, 48_000)


def _selections(_: Path, out: Path) -> None:
    """Write a Raven table of one recording."""
    out.mkdir()
    heads = ("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)")
    row = (1, "Spectrogram 1", 1, 0.1, 0.9, 500, 8000, "Pica pica")
    with (out / "Pica_pica_0.Table.1.selections.txt").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([(*heads, "Species"), row])


def _recordings(world: Path, out: Path) -> None:
    out.mkdir()
    for name in ("Pica_pica_0.wav", "Turdus_merula_0.wav"):
        shutil.copy2(world / "my-folder/audio" / name, out)


def _photographs(world: Path, out: Path) -> None:
    out.mkdir()
    shutil.copy2(world / "my-folder/images/Pica_pica_0.png", out)


def _backbone(_: Path, out: Path) -> None:
    ranks = ("kingdom", "phylum", "class", "order", "family", "genus")
    columns = dict(zip((*ranks, "scientificName", "taxonRank"), zip(*BACKBONE, strict=True), strict=True))
    pq.write_table(pa.table({"id": list(map(str, range(len(BACKBONE)))), **columns}), out)


def _trait_table(name: str) -> Callable[[Path, Path], None]:
    """Return what writes a published table of an animal of ours, one of others, and in two of them none."""

    def write(_: Path, out: Path) -> None:
        table = trait_table(name)
        animal = (
            "Rana temporaria"
            if name == "amphibio"
            else "Vulpes vulpes"
            if name in {"eltontraits-mammals", "pantheria"}
            else "Pica pica"
        )
        columns = sorted(table.columns)
        rows = []
        nameless = [[]] if name.startswith("eltontraits") else []
        for words in (animal.split(), ["Nowhere", "nowhere"], *nameless):
            named = dict(zip(table.name, words if len(table.name) == 2 else [" ".join(words)], strict=False))
            rows.append([named.get(column, DIETS.get(column, "")) for column in columns])
        with out.open("w", encoding=table.encoding, newline="") as file:
            csv.writer(file, delimiter=table.delimiter).writerows([columns, *rows])

    return write


def _xeno_canto(_: Path, out: Path) -> None:
    site = "//xeno-canto.org"
    rows = [
        (
            number,
            genus,
            species,
            "birds",
            f"{site}/{number}/download",
            f"//creativecommons.org/licenses/{kind}/4.0/",
            q,
        )
        for number, genus, species, kind, q in XENO_CANTO
    ]
    write_rows(out, rows, ("id", "gen", "sp", "grp", "file", "lic", "q"))


def _text(text: str) -> Callable[[Path, Path], None]:
    def write(_: Path, out: Path) -> None:
        out.write_text(text, encoding="utf-8")

    return write


DIETS = {"Trophic.Niche": "Granivore", "Diet-Seed": "0", "Diet-Inv": "100"}  # on which two tables disagree
OF_TABLES = {
    "amphibio": "Rana temporaria",
    "eltontraits-mammals": "Vulpes vulpes",
    "pantheria": "Vulpes vulpes",
}
TRAIT_TABLES = {
    "avonet": "AVONET1_BirdLife.csv",
    "eltontraits-birds": "BirdFuncDat.txt",
    "eltontraits-mammals": "MamFuncDat.txt",
    "amphibio": "AmphiBIO_v1.csv",
    "pantheria": "PanTHERIA_1-0_WR05_Aug2008.txt",
    "anage": "anage_data.txt",
}
FEW = {"steps": 2, "weights.names": 0.0}
_ITEMS: Mapping[str, Callable[[Path, Path], None]] = {
    "my-folder": _my_folder,
    "birds": _birds,
    "run1": _stage1,
    "run2": _stage2,
    "run-on-all": _trained_on_another_split,
    "bench": _bench,
    "rough-folder": _rough_folder,
    "field": _field,
    "towers": _towers,
    "dawn.wav": _dawn,
    "quiet": _quiet,
    "selections": _selections,
    "recordings": _recordings,
    "photographs": _photographs,
    "backbone.parquet": _backbone,
    "names.csv": _text(NAMES),
    **{file: _trait_table(name) for name, file in TRAIT_TABLES.items()},
    "species.txt": _text("Pica pica\nTurdus merula\n"),
    "xc.csv": _xeno_canto,
    "field.toml": _text(PLAN),
    "misspelt.toml": _text(PLAN.replace("clades =", "clade =")),
}
EVERYWHERE = {"my-folder": "my-folder"}  # a dataset's media lie there
DATASET = {"DATASET": "birds"}
TRAITS = {file: file for file in TRAIT_TABLES.values()}
NEEDS: Mapping[str, Mapping[str, str]] = {
    "README.md": {"dawn.wav": "dawn.wav", "recordings": "recordings", "photos": "photographs"},
    "docs/benchmark.md": {
        **DATASET,
        "demo-run/model": "run2",
        "run1": "run-on-all",
        "run2": "run2",
        "birds": "birds",
        "birds-bench": "bench",
        "bench": "bench",
    },
    "docs/build.md": {
        **TRAITS,
        "field": "field",
        "xc.csv": "xc.csv",
        "taxa.parquet": "backbone.parquet",
        "field.toml": "field.toml",
        "field-and-traits.toml": "field.toml",
        "misspelt/birds.toml": "misspelt.toml",
    },
    "docs/detection.md": {
        **DATASET,
        "RECORDINGS": "recordings",
        "TABLES": "selections",
        "BACKGROUNDS": "quiet",
    },
    "docs/embedding.md": {**DATASET, "field": "birds", "birds": "birds", "run1": "run1", "run2": "run2"},
    "docs/folder.md": {"field": "rough-folder"},
    "docs/identify.md": {
        "dawn.wav": "dawn.wav",
        "recordings": "recordings",
        "photographs": "photographs",
        "my-dataset": "birds",
        "species.txt": "species.txt",
    },
    "docs/index.md": {"dawn.wav": "dawn.wav"},
    "docs/taxonomy.md": {"names.csv": "names.csv", "inaturalist-taxa.parquet": "backbone.parquet"},
    "docs/the-path.md": {"field-sample": "my-folder"},
    "docs/training.md": {"birds": "birds", "dawn.wav": "dawn.wav", "towers": "towers"},
    "docs/traits.md": {**DATASET, **TRAITS},
    "docs/unseen-species.md": {"run2": "run2"},
}
