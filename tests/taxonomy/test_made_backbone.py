"""A backbone of each list that people download: small ones in the true forms, with values of our own."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biovita.errors import DatasetError
from biovita.hashing import sha256_of
from biovita.taxonomy.backbone_files import open_backbone
from biovita.taxonomy.made_backbone import make_backbone
from biovita.taxonomy.match import match_names
from support.commands import run_command

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
OWL = ("Animalia", "Chordata", "Aves", "Strigiformes", "Strigidae", "Strix", "Strix aluco")
TIT = ("Animalia", "Chordata", "Aves", "Passeriformes", "Paridae", "Parus", "Parus major")
FROG = ("Animalia", "Chordata", "Amphibia", "Anura", "Ranidae", "Rana", "Rana temporaria")
AUTHORS = {"Strix aluco": "Linnaeus, 1758", "Parus major": "Linnaeus, 1758", "Rana temporaria": "Linnaeus, 1758"}
SYNONYMS = {"Syrnium aluco": "Strix aluco"}
GBIF = (
    *("taxonID", "datasetID", "parentNameUsageID", "acceptedNameUsageID", "originalNameUsageID", "scientificName"),
    *("scientificNameAuthorship", "canonicalName", "genericName", "specificEpithet", "infraspecificEpithet"),
    *("taxonRank", "nameAccordingTo", "namePublishedIn", "taxonomicStatus", "nomenclaturalStatus", "taxonRemarks"),
    *RANKS[:-1],
)  # fmt: skip
COL = (
    *("ID", "alternativeID", "nameAlternativeID", "sourceID", "parentID", "basionymID", "status", "scientificName"),
    *("authorship", "rank", "notho", "originalSpelling", "uninomial", "genericName", "specificEpithet", "kingdom"),
    *("phylum", "class", "order", "family", "genus", "link", "remarks"),
)  # fmt: skip
EBIRD = (
    *("TAXON_ORDER", "CATEGORY", "SPECIES_CODE", "TAXON_CONCEPT_ID", "PRIMARY_COM_NAME", "SCI_NAME", "ORDER", "FAMILY"),
    *("SPECIES_GROUP", "REPORT_AS"),
)  # fmt: skip
EML = """<eml:eml xmlns:eml="eml://ecoinformatics.org/eml-2.1.1" packageId="made/v1.7"><dataset>
<title xml:lang="en">Made Backbone</title><pubDate>
 2023-08-28 </pubDate><intellectualRights><para>This work is <ulink url="x"><citetitle>CC BY 4.0</citetitle></ulink>
</para></intellectualRights></dataset></eml:eml>"""


def groups() -> list[tuple[str, ...]]:
    """Return the lineages of all taxa down to themselves, the widest first."""
    found = {lineage[: depth + 1] for lineage in (OWL, TIT, FROG) for depth in range(7)}
    return sorted(found, key=lambda lineage: (len(lineage), lineage))


def written(columns: tuple[str, ...], rows: list[dict[str, str]], delimiter: str = "\t", prefix: str = "") -> str:
    lines = [
        [prefix + column for column in columns],
        *([row.get(column, "") for column in columns] for row in rows),
    ]
    if delimiter == "\t":  # quotes mean nothing there
        return "".join("\t".join(line) + "\n" for line in lines)
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator="\n").writerows(lines)
    return stream.getvalue()


def ids() -> dict[tuple[str, ...], str]:
    return {lineage: str(number) for number, lineage in enumerate(groups(), start=1)}


def inaturalist(folder: Path) -> Path:
    rows = [
        {"id": id_, "taxonID": f"https://www.inaturalist.org/taxa/{id_}", "scientificName": lineage[-1]}
        | {"taxonRank": RANKS[len(lineage) - 1], **dict(zip(RANKS[:-1], lineage, strict=False))}
        for lineage, id_ in ids().items()
    ]
    columns = ("id", "taxonID", "identifier", "parentNameUsageID", *RANKS[:-1], "specificEpithet")
    columns += ("infraspecificEpithet", "modified", "scientificName", "taxonRank", "references")
    said = [(OWL, "Tawny Owl", "en"), (OWL, "Brown Owl", "en"), (TIT, "Great Tit", "en"), (OWL, "Waldkauz", "de")]
    names = [{"id": ids()[lineage], "vernacularName": name, "language": code} for lineage, name, code in said]
    common = ("id", "vernacularName", "language", "locality", "countryCode", "source", "lexicon", "contributor")
    with zipfile.ZipFile(folder / "inaturalist.zip", "w") as archive:
        archive.writestr("taxa.csv", written(columns, rows, ","))
        archive.writestr("VernacularNames-english.csv", written(common, names[:3], ","))
        archive.writestr("VernacularNames-german.csv", written(common, names[3:], ","))
        archive.writestr("eml.xml", EML)
    return folder / "inaturalist.zip"


def gbif(folder: Path) -> Path:
    known = ids()
    rows = [
        {"taxonID": id_, "canonicalName": lineage[-1], "taxonRank": RANKS[len(lineage) - 1]}
        | {
            "scientificName": f"{lineage[-1]} {AUTHORS.get(lineage[-1], '')}".strip(),
            "taxonomicStatus": "accepted",
        }
        | {"parentNameUsageID": known.get(lineage[:-1], ""), **dict(zip(RANKS[:-1], lineage, strict=False))}
        for lineage, id_ in known.items()
    ]
    owl = next(row for row in rows if row["canonicalName"] == "Strix aluco")
    rows.append(owl | {"taxonID": "90", "acceptedNameUsageID": owl["taxonID"], "canonicalName": "Syrnium aluco"}
                | {"scientificName": 'Syrnium aluco "auct"', "taxonomicStatus": "homotypic synonym"})  # fmt: skip
    rows.append(owl | {"taxonID": "91", "canonicalName": "Strix sic", "taxonomicStatus": "misapplied"})
    common = [
        *({"taxonID": owl["taxonID"], "vernacularName": name, "language": "en"} for name in ("Owl", "Tawny Owl")),
        {"taxonID": owl["taxonID"], "vernacularName": "Tawny Owl", "language": "en", "source": "another"},
        {"taxonID": known[TIT], "vernacularName": "Great Tit", "language": "en"},
        {"taxonID": owl["taxonID"], "vernacularName": "Waldkauz", "language": "de"},
    ]
    with zipfile.ZipFile(folder / "backbone.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Taxon.tsv", written(GBIF, rows))
        columns = ("taxonID", "vernacularName", "language", "country", "countryCode", "sex", "lifeStage", "source")
        archive.writestr("VernacularName.tsv", written(columns, common))
        archive.writestr("eml.xml", EML)
    return folder / "backbone.zip"


def gbif_simple(folder: Path) -> Path:
    known = ids()
    lines = []
    for lineage, id_ in [*known.items(), (("Syrnium aluco",), "90")]:
        cells = [r"\N"] * 30
        synonym, name = id_ == "90", lineage[-1]
        cells[0], cells[3] = id_, "ft"[synonym]
        cells[1] = known[OWL] if synonym else known.get(lineage[:-1], r"\N")
        cells[4], cells[5] = ("SYNONYM", "SPECIES") if synonym else ("ACCEPTED", RANKS[len(lineage) - 1].upper())
        cells[18], cells[19], cells[29] = f"{name} {AUTHORS.get(name, '')}".strip(), name, "{}"
        lines.append("\t".join(cells) + "\n")
    (folder / "simple.txt.gz").write_bytes(gzip.compress("".join(lines).encode()))
    return folder / "simple.txt.gz"


def coldp(folder: Path) -> Path:
    known = ids()
    rows = [
        {"ID": id_, "parentID": known.get(lineage[:-1], ""), "status": "accepted", "scientificName": lineage[-1]}
        | {"authorship": AUTHORS.get(lineage[-1], ""), "rank": RANKS[len(lineage) - 1]}
        for lineage, id_ in known.items()
    ]
    rows += [
        {
            "ID": "S",
            "parentID": known[OWL],
            "status": "synonym",
            "scientificName": "Syrnium aluco",
            "rank": "species",
        },
        {"ID": "B", "status": "bare name", "scientificName": "Strix nuda", "rank": "species"},
    ]
    common = [
        {"taxonID": known[OWL], "name": "Owl", "language": "eng"},
        {"taxonID": known[OWL], "name": "Tawny Owl", "language": "eng", "preferred": "true"},
        {"taxonID": known[TIT], "name": "Great Tit", "language": "eng"},
        {"taxonID": known[OWL], "name": "Waldkauz", "language": "deu"},
    ]
    place = folder / "coldp"
    place.mkdir()
    (place / "NameUsage.tsv").write_text(written(COL, rows, prefix="col:"))
    columns = ("taxonID", "sourceID", "name", "transliteration", "language", "preferred", "country")
    (place / "VernacularName.tsv").write_text(written(columns, common, prefix="col:"))
    (place / "metadata.yaml").write_text(
        "key: 9999\ntitle: Made Backbone\nversion: 'made/v1.7'\nissued: 2023-08-28\nlicense: This work is CC BY 4.0\n"
    )
    return place


Maker = Callable[[Path], Path]
KINDS: dict[str, tuple[Maker, str]] = {
    "iNaturalist": (inaturalist, "Darwin Core checklist"),
    "GBIF": (gbif, "Darwin Core checklist"),
    "GBIF, simple": (gbif_simple, "GBIF backbone, simple table"),
    "Catalogue of Life": (coldp, "Catalogue of Life data package (ColDP)"),
}


@pytest.mark.parametrize("which", KINDS)
def test_each_list_gives_the_same_taxa(tmp_path: Path, which: str) -> None:
    make, kind = KINDS[which]
    source = make(tmp_path)
    report = make_backbone(source, out=tmp_path / "b.parquet", progress=False)
    assert report.kind == kind
    opened = open_backbone(report.path)
    rows = {row["name"]: row for row in opened.table.to_pylist()}
    has_synonyms = which != "iNaturalist"
    assert (report.taxa, report.synonyms) == (len(groups()), int(has_synonyms))
    assert set(rows) == {lineage[-1] for lineage in groups()} | (set(SYNONYMS) if has_synonyms else set())
    for lineage in groups():
        row = rows[lineage[-1]]
        assert row["rank"] == RANKS[len(lineage) - 1]
        assert [row[rank] for rank in RANKS[:-1]] == [*lineage[:6], *[None] * (6 - len(lineage))]
    if has_synonyms:
        synonym = rows["Syrnium aluco"]
        assert [synonym[rank] for rank in RANKS[:-1]] == list(OWL[:6])
        (decided,) = match_names(pa.table({"name": ["Syrnium aluco"]}), opened).to_pylist()
        assert (decided["rule"], decided["accepted_name"]) == ("synonym", "Strix aluco")
    assert report.ranks["species"] == 3
    common = {name: row["common_name"] for name, row in rows.items() if row["common_name"]}
    assert common == ({} if "simple" in which else {"Strix aluco": "Tawny Owl", "Parus major": "Great Tit"})
    assert report.common_names == len(common)
    if "simple" not in which:
        stated = report.stated
        assert (stated.title, stated.issued, stated.license) == (
            "Made Backbone",
            "2023-08-28",
            "This work is CC BY 4.0",
        )
        assert stated.version == "made/v1.7"
    assert opened.taxa([ids()[TIT]])[ids()[TIT]].common_name == common.get("Parus major")


@pytest.mark.parametrize("which", ["GBIF", "Catalogue of Life"])
def test_a_group_alone_and_names_in_the_languages_asked_for(tmp_path: Path, which: str) -> None:
    report = make_backbone(
        KINDS[which][0](tmp_path), out=tmp_path / "b.parquet", within=["aves"], names=["de", "en"], progress=False
    )
    rows = {row["name"]: row for row in open_backbone(report.path).table.to_pylist()}
    assert set(rows) == {*OWL[2:], *TIT[2:], "Syrnium aluco"}
    place = list(rows).index("Strix aluco")
    assert [rows[name]["accepted"] for name in ("Strix aluco", "Syrnium aluco")] == [place, place]
    assert (rows["Strix aluco"]["common_name"], rows["Parus major"]["common_name"]) == ("Waldkauz", "Great Tit")
    left = {"GBIF": "misapplied", "Catalogue of Life": "bare name"}[which]
    assert report.left_out == {left: 1, "not in aves": 7}
    assert report.examples[left] == (
        {"misapplied": "Strix aluco Linnaeus, 1758", "bare name": "Strix nuda"}[left],
    )
    assert sum(report.languages.values()) == {"GBIF": 5, "Catalogue of Life": 4}[which]


def ebird(folder: Path, form: str = "csv") -> Path:
    rows = [
        ("species", "tawowl1", "Tawny Owl", "Strix aluco", "Strigiformes", "Strigidae (Owls)"),
        ("issf", "tawowl2", "Tawny Owl (Siberian)", "Strix aluco siberiae", "Strigiformes", "Strigidae (Owls)"),
        ("issf", "tawowl3", "Tawny Owl (x)", "Strix aluco aluco/siberiae", "Strigiformes", "Strigidae (Owls)"),
        (
            "species",
            "gretit1",
            "Great Tit",
            "Parus major",
            "Passeriformes",
            "Paridae (Tits, Chickadees, and Titmice)",
        ),
        ("spuh", "tit1", "tit sp.", "Paridae sp.", "Passeriformes", "Paridae (Tits, Chickadees, and Titmice)"),
        ("hybrid", "x00001", "a x b (hybrid)", "Parus major x minor", "Passeriformes", "Paridae (Tits)"),
    ]
    names = ("CATEGORY", "SPECIES_CODE", "PRIMARY_COM_NAME", "SCI_NAME", "ORDER", "FAMILY")
    cells = [dict(zip(names, row, strict=True)) for row in rows]
    place = folder / f"eBird_taxonomy_v2024.{form}"
    if form == "xlsx":
        book = openpyxl.Workbook()
        for row in csv.reader(io.StringIO(written(EBIRD, cells, ","))):
            book.active.append(row)
        book.save(place)
    else:
        place.write_text(written(EBIRD, cells, ","), encoding="latin-1")
    return place


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_birds_of_ebird(tmp_path: Path, form: str) -> None:
    source = ebird(tmp_path, form)
    report = make_backbone(source, out=tmp_path / "b.parquet", progress=False)
    assert (report.kind, report.stated.version) == ("eBird or Clements checklist", "2024")
    rows = {row["name"]: row for row in open_backbone(report.path).table.to_pylist()}
    assert set(rows) == {*OWL, *TIT, "Strix aluco siberiae"}
    for lineage in (OWL, TIT):
        assert [rows[lineage[-1]][rank] for rank in RANKS[:-1]] == list(lineage[:6])
    assert (rows["Parus major"]["id"], rows["Parus major"]["common_name"]) == ("gretit1", "Great Tit")
    assert rows["Strix aluco siberiae"]["rank"] == "subspecies"
    assert rows["Paridae"]["order"] == "Passeriformes"
    assert report.left_out == {"issf": 1, "spuh": 1, "hybrid": 1}
    assert report.examples["spuh"] == ("Paridae sp.",)
    assert (
        match_names(pa.table({"name": ["Parus Major"]}), open_backbone(source))["taxon_id"][0].as_py() == "gretit1"
    )


def test_birds_of_clements(tmp_path: Path) -> None:
    header = (
        "sort v2024,species_code,Clements v2024b change,category,English name,scientific name,authority,range,order,"
        "family,extinct"
    )
    text = (
        f'{header}\n1,gretit1,,species,Great Tit,Parus major,"Linnaeus, 1758",Färöer,Passeriformes,Paridae (Tits),\n'
        "2,gretit2,,group (monotypic),Great Tit (x),Parus major niethammeri,,,Passeriformes,Paridae (Tits),\n"
        "3,gretit3,,group (polytypic),Great Tit (Great),Parus major [major Group],,,Passeriformes,Paridae (Tits),\n"
    )
    (tmp_path / "clements.csv").write_text(text, encoding="cp1252")
    report = make_backbone(tmp_path / "clements.csv", out=tmp_path / "b.parquet", progress=False)
    assert report.ranks["subspecies"] == report.ranks["species"] == 1
    assert (report.left_out, report.stated.version) == ({"group (polytypic)": 1}, "2024")
    assert report.common_names == 2


def test_the_real_head_of_inaturalist_s_archive(tmp_path: Path, shared_data: Path) -> None:
    folder = shared_data / "formats" / "inaturalist-taxonomy"
    report = make_backbone(folder, out=tmp_path / "b.parquet", progress=False)
    with (folder / "taxa.csv").open(encoding="utf-8", newline="") as file:
        taxa = {row["id"]: row for row in csv.DictReader(file)}
    with (folder / "VernacularNames-english.csv").open(encoding="utf-8", newline="") as file:
        common: dict[str, str] = {}
        for row in csv.DictReader(file):
            common.setdefault(row["id"], row["vernacularName"])
    rows = {row["id"]: row for row in open_backbone(report.path).table.to_pylist()}
    assert {id_: row["name"] for id_, row in rows.items()} == {i: row["scientificName"] for i, row in taxa.items()}
    assert {i: row["common_name"] for i, row in rows.items() if row["common_name"]} == {
        id_: name for id_, name in common.items() if id_ in taxa
    }
    assert report.languages == {"en": 20}


def test_what_a_backbone_is_made_of_stands_beside_and_in_it(tmp_path: Path) -> None:
    source = gbif(tmp_path)
    report = make_backbone(source, out=tmp_path / "made" / "b.parquet", progress=False)
    assert (report.about.name, report.path.name) == ("b.json", "b.parquet")
    told = json.loads(report.about.read_text(encoding="utf-8"))
    assert told["inputs"] == [
        {"name": "backbone.zip", "sha256": sha256_of(source), "bytes": source.stat().st_size}
    ]
    assert (told["taxa"], told["path"], told["left_out"]) == (report.taxa, "b.parquet", {"misapplied": 1})
    assert str(tmp_path) not in report.about.read_text(encoding="utf-8")
    assert json.loads(pq.read_schema(report.path).metadata[b"biovita"]) == told
    with pytest.raises(DatasetError, match=r"already exists.*--overwrite"):
        make_backbone(source, out=report.path, progress=False)
    again = make_backbone(report.path, out=tmp_path / "again.parquet", within=["Anura"], progress=False)
    assert (again.kind, again.taxa) == ("table of taxa (Parquet)", 4)


BIRDS = "SCI_NAME,SPECIES_CODE,ORDER,FAMILY\n"
LINES = "taxonID\tparentNameUsageID\tscientificName\ttaxonRank\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("Taxon.tsv", LINES + "1\t2\tAves\tclass\n2\t1\tParus\tgenus\n", r"2 taxa lead round in a circle.*'[12]'"),
        ("Taxon.tsv", LINES + "1\t\tAves\tclass\n1\t\tParus\tgenus\n7\t\tX y\tspecies\n", r"'1', and 0 more"),
        ("Taxon.tsv", LINES + "\t\tAves\tclass\n", "rows without a taxonID: 1"),
        ("Taxon.tsv", LINES + "1\t\tAves\tflock\n", "none of its names has a rank from kingdom to species"),
        ("Taxon.tsv", "ID\tnameID\tparentID\n1\t1\t\n", r"download the data package that has NameUsage\.tsv"),
        ("occurrence.txt", "occurrenceID\tbasisOfRecord\n1\tx\n", "records of animals, not a list of taxa"),
        ("VernacularName.tsv", "taxonID\tvernacularName\n1\tx\n", "common names alone"),
        ("list.csv", "name;note\nParus major;x\n", r"docs/backbone\.md says which files"),
        ("birds.csv", BIRDS + "Parus major,a1,P,P\nParus ater,a1,P,P\n", "line 3: Parus ater has the code a1"),
        ("birds.csv", BIRDS + "Parus major,,P,P\n", "line 2: Parus major has no code"),
    ],
)  # fmt: skip
def test_what_is_no_list_is_refused_with_what_to_do(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=message):
        make_backbone(tmp_path / name, out=tmp_path / "b.parquet", progress=False)
    assert not list(tmp_path.glob("*b.*"))


def test_what_is_odd_of_a_list_is_said(tmp_path: Path) -> None:
    rows = (
        "1,,Animalia,kingdom",
        "2,2,Plantae,kingdom",
        "3,1,Prunella,genus",
        "4,2,Prunella,genus",
        "5,9,X,genus",
    )
    (tmp_path / "Taxon.tsv").write_text(LINES + "".join(row.replace(",", "\t") + "\n" for row in rows))
    (tmp_path / "VernacularName.tsv").write_text("taxonID\tvernacularName\tlanguage\n3\tBraunelle\tde\n")
    report = make_backbone(tmp_path, out=tmp_path / "b.parquet", within=["Prunella"], progress=False)
    parent, language, kingdoms = report.notes
    assert parent == "the parent of 1 names is not in the list: their lineage ends there"
    assert language == "it has no common name in en; there are some in de (1)"
    assert kingdoms == "Prunella is in Animalia and in Plantae; all were kept"
    with pytest.raises(DatasetError, match=r"(?s)Did you mean 'Prunella'.*--within takes"):
        make_backbone(tmp_path, out=tmp_path / "c.parquet", within=["Prunela"], progress=False)


def test_a_synonym_of_nothing_stays_and_is_counted(tmp_path: Path) -> None:
    header = "taxonID\tacceptedNameUsageID\ttaxonomicStatus\tscientificName\ttaxonRank\n"
    (tmp_path / "Taxon.tsv").write_text(
        f"{header}1\t\taccepted\tParus major\tspecies\n2\t8\tsynonym\tParus ater\tspecies\n"
    )
    report = make_backbone(tmp_path, out=tmp_path / "b.parquet", progress=False)
    assert (report.taxa, report.synonyms, report.unplaced) == (1, 0, 1)
    (decided,) = match_names(pa.table({"name": ["Parus ater"]}), open_backbone(report.path)).to_pylist()
    assert decided["reason"] == "no-accepted"


def test_the_command_says_what_it_made_and_match_where_to_get_one(tmp_path: Path) -> None:
    out = tmp_path / "b.parquet"
    done = run_command("taxonomy", "backbone", gbif(tmp_path), "--out", out, "--within", "Aves", "Amphibia")
    assert done.code == 0, done.err
    assert (
        "Darwin Core checklist: Made Backbone, made/v1.7, 2023-08-28\nlicence: This work is CC BY 4.0" in done.out
    )
    assert f"14 taxa -> {out}" in " ".join(done.out.split())
    assert "1 misapplied" in " ".join(done.out.split())
    (tmp_path / "names.csv").write_text("name\nSyrnium aluco\n")
    match = ("taxonomy", "match", tmp_path / "names.csv", "--out", tmp_path / "d.csv")
    assert run_command(*match, "--backbone", out, "--json").json()["rules"] == {"synonym": 1}
    for given in ((), ("--backbone", tmp_path / "none.parquet")):
        refused = run_command(*match, *given)
        assert refused.code == 1
        assert "docs/backbone.md" in refused.err
        assert "biovita taxonomy backbone FILE" in refused.err
