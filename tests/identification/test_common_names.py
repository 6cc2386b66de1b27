from __future__ import annotations

from pathlib import Path

import pytest

from biovita.errors import DatasetError
from biovita.identification.common_names import read_common_names

MERLE = {"turdus merula": "Amsel"}
IOC = "seq,Order,Family,IOC_14.1,Scientific Name,English,German,Portuguese (Lusophone),Northern Sami\n"
LONG = "scientificName\tlanguage\tvernacularName\nTurdus merula\ten\tBlackbird\nTurdus merula\tde\tAmsel\n"


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("language", ["de", "German", "german", "DE", "de_DE"])
def test_a_column_a_language(tmp_path: Path, language: str) -> None:
    path = written(tmp_path, "ioc.csv", IOC + "1,A,B,C,Turdus merula,Common Blackbird,Amsel,Melro,\n")
    assert read_common_names(path, language) == MERLE
    assert read_common_names(path, "pt") == {"turdus merula": "Melro"}
    assert read_common_names(path, "se") == {}  # the column is there, and empty
    with pytest.raises(
        DatasetError, match=r"no names in 'fr'\. It has: English, German, Portuguese \(Lusophone\)"
    ):
        read_common_names(path, "fr")


def test_a_column_a_code(tmp_path: Path) -> None:
    path = written(tmp_path, "names.csv", "id,scientific_name,de,en\n1,Turdus merula,Amsel,Blackbird\n")
    assert read_common_names(path, "German") == MERLE
    with pytest.raises(DatasetError, match="It has: de, en"):
        read_common_names(path, "id")  # a number, not Indonesian


def test_a_row_a_language(tmp_path: Path) -> None:
    path = written(tmp_path, "names.tsv", LONG + "Turdus merula\tde\tSchwarzdrossel\n")
    assert read_common_names(path, "de") == MERLE  # the first counts
    with pytest.raises(DatasetError, match="It has: de, en"):
        read_common_names(path, "Finnish")


def test_labels_of_birdnet(tmp_path: Path) -> None:
    text = "Turdus merula_Amsel\nEngine_Engine\n"
    for name in ("labels_de.txt", "BirdNET_GLOBAL_6K_V2.4_Labels_de.txt", "mine.txt"):
        assert read_common_names(written(tmp_path, name, text), "de") == MERLE
    with pytest.raises(DatasetError, match=r"no names in 'fr'\. It has: de"):
        read_common_names(tmp_path / "labels_de.txt", "fr")
    brazil = written(tmp_path, "labels_pt_BR.txt", text)
    assert read_common_names(brazil, "pt") == read_common_names(brazil, "pt_br") == MERLE
    with pytest.raises(DatasetError, match="It has: pt_BR"):
        read_common_names(brazil, "pt_PT")


def test_inaturalists_names_have_their_taxa_beside_them(tmp_path: Path) -> None:
    names = (
        "id,vernacularName,language,lexicon\n12716,Amsel,de,German\n12716,Drossel,de,German\n7,Ralle,de,German\n"
    )
    path = written(tmp_path, "VernacularNames-german.csv", names)
    with pytest.raises(DatasetError, match=r"no taxa\.csv beside it"):
        read_common_names(path, "de")
    written(
        tmp_path,
        "taxa.csv",
        "id,taxonID,scientificName,taxonRank\n1,x,Animalia,kingdom\n12716,y,Turdus merula,species\n",
    )
    assert read_common_names(path, "de") == MERLE


def test_a_table_of_one_common_name_is_in_the_language_that_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "names.csv", "scientific_name,common_name\nTurdus merula,Amsel\nParus major,\n")
    assert read_common_names(path, "de") == MERLE


def test_files_without_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        read_common_names(tmp_path / "names.csv", "de")
    with pytest.raises(DatasetError, match="Its columns are a, b"):
        read_common_names(written(tmp_path, "a.csv", "a,b\n1,2\n"), "de")
    with pytest.raises(DatasetError, match="no line of the form"):
        read_common_names(written(tmp_path, "a.txt", "Amsel\n"), "de")


def test_the_sample_of_inaturalists_archive(shared_data: Path) -> None:
    path = shared_data / "formats" / "inaturalist-taxonomy" / "VernacularNames-english.csv"
    assert read_common_names(path, "English")["aramus guarauna"] == "Limpkin"
