"""The small world in which pages are followed: what they name, made once, and copied for each page."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

import biovita
from support.folders import HEADER, SPECIES, append, make_folder, make_named_folder
from support.page_files import FILES, TRAIT_TABLES
from support.sound_files import HTML, song, write_sound

__all__ = ["NEEDS", "furnish", "let_happen", "write_world"]

ANIMALS = {
    **SPECIES,
    "Turdus merula": ("Common Blackbird", "Aves", "Passeriformes", "Turdidae", "Turdus"),
    "Parus major": ("Great Tit", "Aves", "Passeriformes", "Paridae", "Parus"),
    "Corvus corax": ("Common Raven", "Aves", "Passeriformes", "Corvidae", "Corvus"),
    "Garrulus glandarius": ("Eurasian Jay", "Aves", "Passeriformes", "Corvidae", "Garrulus"),
    "Sitta europaea": ("Eurasian Nuthatch", "Aves", "Passeriformes", "Sittidae", "Sitta"),
}


def write_world(folder: Path) -> None:
    """Write what the pages name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, write_file in FILES.items():
        write_file(folder / name)
    for name, write in _ITEMS.items():
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


def let_happen(command: str, folder: Path) -> None:
    """Let happen in a page's folder what the page says has happened before a command."""
    if command in BEFORE:
        BEFORE[command](folder)


def _photograph_is_lost(folder: Path) -> None:
    (folder / "field/images/Pica_pica_0.png").rename(folder / "lost.png")


def _folder_is_moved(folder: Path) -> None:
    (folder / "lost.png").rename(folder / "field/images/Pica_pica_0.png")
    shutil.copytree(folder / "field", folder / "archive/field-2024")


def _my_folder(_: Path, out: Path) -> None:
    """Write a folder in which one species has photographs alone, and one recordings alone."""
    make_folder(out, 3, ANIMALS)
    for table, unheard in (("audio.csv", "Sitta europaea"), ("images.csv", "Garrulus glandarius")):
        lines = (out / table).read_text(encoding="utf-8").splitlines(keepends=True)
        (out / table).write_text("".join(line for line in lines if unheard not in line), encoding="utf-8")


def _named_folder(_: Path, out: Path) -> None:
    make_named_folder(out)


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
    empty = "," * (len(HEADER) - 1)
    rows = ("audio/cut.wav,Pica pica", "audio/page.mp3,Pica pica", "audio/Rana_temporaria_1.wav,")
    append(out / "audio.csv", *(row + empty for row in rows))


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


BEFORE = {
    "biovita data check birds": _photograph_is_lost,
    "biovita data relink birds field archive/field-2024": _folder_is_moved,
}
FEW = {"steps": 2, "weights.names": 0.0}
_ITEMS: Mapping[str, Callable[[Path, Path], None]] = {
    "my-folder": _my_folder,
    "birds": _birds,
    "run1": _stage1,
    "run2": _stage2,
    "run-on-all": _trained_on_another_split,
    "bench": _bench,
    "named-folder": _named_folder,
    "rough-folder": _rough_folder,
    "field": _field,
    "towers": _towers,
    "dawn.wav": _dawn,
    "quiet": _quiet,
    "selections": _selections,
    "recordings": _recordings,
    "photographs": _photographs,
}
EVERYWHERE = {"my-folder": "my-folder"}  # a dataset's media lie there
DATASET = {"DATASET": "birds"}
TRAITS = {file: file for file in TRAIT_TABLES.values()}
NEEDS: Mapping[str, Mapping[str, str]] = {
    "README.md": {"dawn.wav": "dawn.wav", "recordings": "recordings", "photos": "photographs"},
    "docs/backbone.md": {
        "inaturalist-taxonomy.dwca.zip": "inaturalist.zip",
        "ebird_2024_taxonomy.csv": "ebird.csv",
        "names.csv": "names.csv",
    },
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
        "field-and-traits.toml": "unlimited.toml",
        "misspelt/birds.toml": "misspelt.toml",
    },
    "docs/detection.md": {
        **DATASET,
        "RECORDINGS": "recordings",
        "TABLES": "selections",
        "BACKGROUNDS": "quiet",
    },
    "docs/embedding.md": {**DATASET, "field": "birds", "birds": "birds", "run1": "run1", "run2": "run2"},
    "docs/folder.md": {"field": "rough-folder", "calls": "named-folder"},
    "docs/identify.md": {
        "dawn.wav": "dawn.wav",
        "recordings": "recordings",
        "photographs": "photographs",
        "my-dataset": "birds",
        "species.txt": "species.txt",
    },
    "docs/index.md": {"dawn.wav": "dawn.wav"},
    "docs/search.md": {
        "dawn.wav": "dawn.wav",
        "recordings": "recordings",
        "photographs": "photographs",
        "more-recordings": "recordings",
        "my-dataset": "birds",
        "Pica_pica_0.Table.1.selections.txt": "selections/Pica_pica_0.Table.1.selections.txt",
        "nets.csv": "nets.csv",
        "jay.png": "photographs/Pica_pica_0.png",
        "run2": "run2",
    },
    "docs/taxonomy.md": {"names.csv": "names.csv", "inaturalist-taxa.parquet": "backbone.parquet"},
    "docs/the-path.md": {"field-sample": "my-folder"},
    "docs/training.md": {"birds": "birds", "dawn.wav": "dawn.wav", "towers": "towers"},
    "docs/traits.md": {**DATASET, **TRAITS},
    "docs/traits-predict.md": {"birds": "birds", "recordings": "recordings", "photographs": "photographs"},
    "docs/unseen-species.md": {"run2": "run2"},
    "docs/your-model.md": {"birds": "birds", "birds-bench": "bench", "run2": "run2"},
}
