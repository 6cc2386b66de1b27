"""Small tables and lists that pages name, as others publish them."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from biovita.traits.tables import trait_table
from support.folders import write_rows

__all__ = ["FILES", "TRAIT_TABLES"]

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")
BIRD = ("Animalia", "Chordata", "Aves", "Passeriformes")
GULL = ("Animalia", "Chordata", "Aves", "Charadriiformes", "Laridae", "Larus")
BACKBONE = [  # kingdom to genus, name, rank
    (*BIRD, "Corvidae", "Pica", "Pica pica", "species"),
    (*BIRD, "Corvidae", "Corvus", "Corvus corax", "species"),
    (*BIRD, "Corvidae", "Coloeus", "Coloeus monedula", "species"),
    (*BIRD, "Paridae", "Parus", "Parus major", "species"),
    (*BIRD, "Turdidae", "Turdus", "Turdus merula", "species"),
    (*BIRD, "Prunellidae", "Prunella", "Prunella", "genus"),
    (*GULL, "Larus vegae", "species"),
    (*GULL, "Larus argentatus", "species"),
    ("Plantae", "Tracheophyta", "Magnoliopsida", "Lamiales", "Lamiaceae", "Prunella", "Prunella", "genus"),
    ("Plantae", "Tracheophyta", "Liliopsida", "Asparagales", "Iridaceae", "Iris", "Iris orientalis", "species"),
    ("Animalia", "Arthropoda", "Insecta", "Mantodea", "Eremiaphilidae", "Iris", "Iris orientalis", "species"),
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
EBIRD = """\
TAXON_ORDER,CATEGORY,SPECIES_CODE,PRIMARY_COM_NAME,SCI_NAME,ORDER,FAMILY
1,species,eurmag1,Eurasian Magpie,Pica pica,Passeriformes,"Corvidae (Crows, Jays, and Magpies)"
2,species,comrav,Common Raven,Corvus corax,Passeriformes,"Corvidae (Crows, Jays, and Magpies)"
3,species,carcro1,Carrion Crow,Corvus corone,Passeriformes,"Corvidae (Crows, Jays, and Magpies)"
4,species,gretit1,Great Tit,Parus major,Passeriformes,"Paridae (Tits, Chickadees, and Titmice)"
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
TRAIT_TABLES = {
    "avonet": "AVONET1_BirdLife.csv",
    "eltontraits-birds": "BirdFuncDat.txt",
    "eltontraits-mammals": "MamFuncDat.txt",
    "amphibio": "AmphiBIO_v1.csv",
    "pantheria": "PanTHERIA_1-0_WR05_Aug2008.txt",
    "anage": "anage_data.txt",
}
OF_TABLES = {"amphibio": "Rana temporaria", "eltontraits-mammals": "Vulpes vulpes", "pantheria": "Vulpes vulpes"}
DIETS = {"Trophic.Niche": "Granivore", "Diet-Seed": "0", "Diet-Inv": "100"}  # on which two tables disagree


def _text(text: str) -> Callable[[Path], None]:
    def write(out: Path) -> None:
        out.write_text(text, encoding="utf-8")

    return write


def _backbone(out: Path) -> None:
    columns = dict(zip((*RANKS, "scientificName", "taxonRank"), zip(*BACKBONE, strict=True), strict=True))
    pq.write_table(pa.table({"id": list(map(str, range(len(BACKBONE)))), **columns}), out)


def _inaturalist(out: Path) -> None:
    """Write iNaturalist's archive of taxa, with common names in English."""
    heads = ("id", "taxonID", "parentNameUsageID", *RANKS, "scientificName", "taxonRank")
    rows = [(id_, f"https://www.inaturalist.org/taxa/{id_}", "", *row) for id_, row in enumerate(BACKBONE)]
    with zipfile.ZipFile(out, "w") as archive:
        for name, lines in (
            ("taxa.csv", [heads, *rows]),
            ("VernacularNames-english.csv", [("id", "vernacularName", "language"), (0, "Eurasian Magpie", "en")]),
        ):
            stream = io.StringIO()
            csv.writer(stream).writerows(lines)
            archive.writestr(name, stream.getvalue())


def _xeno_canto(out: Path) -> None:
    site, licences = "//xeno-canto.org", "//creativecommons.org/licenses"
    rows = [
        (number, genus, species, "birds", f"{site}/{number}/download", f"{licences}/{kind}/4.0/", quality)
        for number, genus, species, kind, quality in XENO_CANTO
    ]
    write_rows(out, rows, ("id", "gen", "sp", "grp", "file", "lic", "q"))


def _trait_table(name: str) -> Callable[[Path], None]:
    """Return what writes a published table: of an animal of ours, another, and in two of them one without a name."""

    def write(out: Path) -> None:
        table = trait_table(name)
        nameless = [[]] if name.startswith("eltontraits") else []
        columns = sorted(table.columns)
        rows = []
        for words in (OF_TABLES.get(name, "Pica pica").split(), ["Nowhere", "nowhere"], *nameless):
            named = dict(zip(table.name, words if len(table.name) == 2 else [" ".join(words)], strict=False))
            rows.append([named.get(column, DIETS.get(column, "")) for column in columns])
        with out.open("w", encoding=table.encoding, newline="") as file:
            csv.writer(file, delimiter=table.delimiter).writerows([columns, *rows])

    return write


FILES: Mapping[str, Callable[[Path], None]] = {
    "backbone.parquet": _backbone,
    "inaturalist.zip": _inaturalist,
    "ebird.csv": _text(EBIRD),
    "names.csv": _text(NAMES),
    "species.txt": _text("Pica pica\nTurdus merula\n"),
    "nets.csv": _text("path,nets\nrecordings/Pica_pica_0.wav,3\n"),
    "xc.csv": _xeno_canto,
    "field.toml": _text(PLAN),
    "unlimited.toml": _text(PLAN.partition("[limits]")[0]),
    "misspelt.toml": _text(PLAN.replace("clades =", "clade =")),
    **{file: _trait_table(name) for name, file in TRAIT_TABLES.items()},
}
