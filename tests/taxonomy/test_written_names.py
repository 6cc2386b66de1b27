"""Names of folders and files: what is a taxon, by which of its names, and what is none."""

from __future__ import annotations

import unicodedata
from pathlib import PurePath

import pytest

from biovita.media.name_patterns import named
from biovita.taxonomy import Rank
from biovita.taxonomy.written_names import NameSource, WrittenName, file_taxon, folder_taxon

SCIENTIFIC, COMMON, LINEAGE, FORM = NameSource


def of_file(stem: str) -> WrittenName:
    return file_taxon(stem, named(PurePath(f"{stem}.wav")).taxon_hint)


@pytest.mark.parametrize(
    ("name", "taxon", "by"),
    [
        *(
            (name, "Parus major", SCIENTIFIC)
            for name in ("Parus major", "parus_major", "PARUS MAJOR", "Parus-major")
        ),
        *((name, "Parus major", SCIENTIFIC) for name in ("ParusMajor", "3_Parus major", "Parus major (12)")),
        *((name, "Parus major", SCIENTIFIC) for name in ("Parus major song", "Great Tit (Parus major)")),
        *((name, "Parus major", SCIENTIFIC) for name in ("Parus major_Kohlmeise", "Parus major Linnaeus, 1758")),
        *((name, "Parus major", COMMON) for name in ("Great Tit", "great_tit", "GREAT-TIT", "Great Tit calls")),
        ("001.Black_footed_Albatross", "Phoebastria nigripes", COMMON),  # as CUB-200-2011 names its folders
        ("009.Brewer_Blackbird", "Euphagus cyanocephalus", COMMON),
        ("Gray Catbird", "Dumetella carolinensis", COMMON),
        ("Grey Catbird", "Dumetella carolinensis", COMMON),
        # as the folders of iNaturalist's competitions of 2021
        ("00042_Animalia_Chordata_Aves_Passeriformes_Paridae_Parus_major", "Parus major", LINEAGE),
        ("05729_Plantae_Tracheophyta_Magnoliopsida_Asterales_Asteraceae_Bidens_alba", "Bidens alba", LINEAGE),
        *((name, "Gryllus campestris", FORM) for name in ("GRYLLUS CAMPESTRIS", "gryllus_campestris")),
        ("Gryllus nonamei", "Gryllus nonamei", FORM),
        ("Novagena prima_First Novelty", "Novagena prima", FORM),
        ("novagena_prima", "Novagena prima", FORM),
    ],
)
def test_folders_that_name_a_species(name: str, taxon: str, by: NameSource) -> None:
    found = folder_taxon(name)
    assert found.taxon is not None
    assert (found.taxon.scientific_name, found.by, found.taxon.rank) == (taxon, by, Rank.SPECIES)


def test_folders_of_groups() -> None:
    found = {name: folder_taxon(name).taxon for name in ("Aves", "paridae", "Larus sp.")}
    assert {name: (taxon.scientific_name, taxon.rank) for name, taxon in found.items() if taxon} == {
        "Aves": ("Aves", Rank.CLASS),
        "paridae": ("Paridae", Rank.FAMILY),
        "Larus sp.": ("Larus", Rank.GENUS),
    }


def test_what_is_known_of_a_taxon_comes_with_it() -> None:
    named = {name: folder_taxon(name).taxon for name in ("great tit", "Gryllus nonamei", "Novagena prima_Novelty")}
    lineages = {name: (t.common_name, t.class_, t.family, t.genus) for name, t in named.items() if t}
    assert lineages == {
        "great tit": ("Great Tit", "Aves", "Paridae", "Parus"),
        "Gryllus nonamei": (None, "Insecta", "Gryllidae", "Gryllus"),
        "Novagena prima_Novelty": ("Novelty", None, None, "Novagena"),
    }
    plant = folder_taxon("05729_Plantae_Tracheophyta_Magnoliopsida_Asterales_Asteraceae_Bidens_alba").taxon
    assert plant is not None
    assert plant.lineage[:2] == ((Rank.KINGDOM, "Plantae"), (Rank.PHYLUM, "Tracheophyta"))


@pytest.mark.parametrize(
    "name",
    [
        *("Alarm call", "Camera data", "site alpha", "Site_3", "Red Fox Creek", "2024", "wav", "train", "Noise"),
        *(
            "Field recordings",
            "Central Station",
            "unknown",
            "",
            "___",
            "Chainsaw noise",
            "Santa Maria",
            "COSTA RICA",
            "Parus cf. major",
            "\u9ce5",
        ),
    ],
)
def test_folders_that_name_none(name: str) -> None:
    assert folder_taxon(name).taxon is None
    assert folder_taxon(name).several == ()


def test_a_name_that_is_not_certain_says_so() -> None:
    assert folder_taxon("Parus cf. major").why == "is not certain (cf.)"


@pytest.mark.parametrize(
    "name",
    [
        "Parus major & Corvus corax",
        "Parus_major_Corvus_corax",
        "Great Tit and Common Raven",
        "Parus major, P. ater",
    ],
)
def test_names_of_several_taxa_are_of_none(name: str) -> None:
    found = folder_taxon(name)
    assert found.taxon is None
    assert len(found.several) == 2
    assert found.several[0] == "Parus major"


def test_the_unicode_form_of_a_name_makes_no_difference() -> None:
    names = {unicodedata.normalize(form, "R\u00fcppell's Starling") for form in ("NFC", "NFD")}
    assert len(names) == 2
    taxa = {folder_taxon(name).taxon for name in (*names, "Ruppells_Starling", "R\u00fcppell\u2019s Starling")}
    assert [taxon.scientific_name for taxon in taxa if taxon] == ["Lamprotornis purpuroptera"]


@pytest.mark.parametrize(
    ("stem", "taxon", "by"),
    [
        ("Parus major - XC12345", "Parus major", SCIENTIFIC),
        ("XC12345 - Great Tit - Parus major", "Parus major", SCIENTIFIC),
        ("parus_major_01", "Parus major", SCIENTIFIC),
        ("Parus_major_20240501_051500", "Parus major", SCIENTIFIC),
        ("2024-05-01 Great Tit 3", "Parus major", COMMON),
        ("great_tit_song_3", "Parus major", COMMON),
        ("Black_Footed_Albatross_0001_796111", "Phoebastria nigripes", COMMON),  # of CUB-200-2011
        ("ML123 Northern Cardinal", "Cardinalis cardinalis", COMMON),
        ("XC821237-Centronycteris_centralis-2013.01.18-CL00331_B_10", "Centronycteris centralis", FORM),
        ("XC9 - New Bird - Novagena prima", "Novagena prima", FORM),
        # lists of common names differ: BirdNET's has this one for Anas crecca
        ("XC1 - Green-winged Teal - Anas carolinensis", "Anas carolinensis", FORM),
    ],
)
def test_files_that_name_a_species(stem: str, taxon: str, by: NameSource) -> None:
    found = of_file(stem)
    assert found.taxon is not None
    assert (found.taxon.scientific_name, found.by) == (taxon, by)


@pytest.mark.parametrize(
    "stem",
    [
        *(
            "IMG_0001",
            "S4A03895_20190522_000000",
            "20240501_051500",
            "Brown_Bear_Creek_20240501_051500",
            "audio_3",
        ),
        *("Robin Smith 01", "garden_dawn_03", "novagena_prima_01", "XC12345", "24E144085F256DF6_20210503_041000"),
    ],
)
def test_files_that_name_none(stem: str) -> None:
    assert of_file(stem) == WrittenName()


def test_a_file_that_names_two_taxa() -> None:
    assert of_file("Parus major with Corvus corax").several == ("Parus major", "Corvus corax")
