from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from biovita.errors import DatasetError
from biovita.taxonomy.backbone import Backbone
from biovita.taxonomy.overrides import Override, read_overrides


@pytest.fixture
def backbone() -> Backbone:
    return Backbone.of(
        "made",
        {
            "id": pa.array(["1", "2", "3", "4"]),
            "name": pa.array(["Parus major", "Iris orientalis", "Iris orientalis", "Parus maior"]),
            "rank": pa.array(["species"] * 4),
            "accepted": pa.array([0, 1, 2, 0], pa.int32()),
        },
    )


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_curator_s_file(backbone, tmp_path):
    lines = ["name,class,taxon_id,accepted_name,note", "Great Tit,,1,,", "great tit,Mammalia,,,no"]
    text = "\n".join([*lines, "Iris,,3,Iris orientalis,x", "", ""])
    read = read_overrides(written(tmp_path / "o.csv", text), backbone)
    assert read.find("GREAT  TIT", "Aves") == Override("1", "")
    assert read.find("Great tit", "mammalia") == Override(None, "no")
    assert read.find("Iris", None) == Override("3", "x")
    assert read.find("Rosa", None) is None
    named = written(tmp_path / "n.csv", "\ufeffname,accepted_name\nGreat Tit,parus major\n")
    assert read_overrides(named, backbone).find("great tit", None) == Override("1", "")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (",,1,,", "row 3: name is empty"),
        ("Tit,,9,,", "row 3: taxon_id: '9' is not an accepted taxon of made"),
        ("Tit,,4,,", "row 3: taxon_id: '4' is not an accepted taxon of made"),
        ("Tit,,,Parus maior,", "row 3: accepted_name: 'Parus maior' is not an accepted name of made"),
        (
            "Iris,,,Iris orientalis,",
            "row 3: accepted_name: 'Iris orientalis' is the name of 2, 3. Give the taxon_id",
        ),
        (
            "Tit,,1,Iris orientalis,",
            "row 3: accepted_name: 'Iris orientalis' is not the name of 1, which is Parus major",
        ),
        ("great tit,,1,,", "row 3: name: 'great tit' was decided in row 2 already"),
    ],
)
def test_faults_name_row_and_field(backbone, tmp_path, row, fault):
    text = f"name,class,taxon_id,accepted_name,note\nGreat Tit,,1,,\n{row}\n"
    with pytest.raises(DatasetError) as error:
        read_overrides(written(tmp_path / "o.csv", text), backbone)
    assert fault in str(error.value)
    assert "o.csv cannot be used" in str(error.value)


def test_all_faults_are_listed(backbone, tmp_path):
    rows = "\n".join(f"Tit {n},x{n}" for n in range(25))
    with pytest.raises(DatasetError, match="and 5 more"):
        read_overrides(written(tmp_path / "o.csv", f"name,taxon_id\n{rows}\n"), backbone)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,taxonid\n", "the column 'taxonid' is unknown. Known: name, class"),
        ("name,class\n", "needs the columns name, and taxon_id or accepted_name"),
    ],
)
def test_a_file_without_the_columns_is_refused(backbone, tmp_path, text, message):
    with pytest.raises(DatasetError, match=message):
        read_overrides(written(tmp_path / "o.csv", text), backbone)


def test_a_missing_file_or_another_encoding_is_refused(backbone, tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        read_overrides(tmp_path / "none.csv", backbone)
    (tmp_path / "o.csv").write_bytes(b"name,taxon_id\nM\xc3\xbcller,1\nM\xfcller,1\n")
    with pytest.raises(DatasetError, match="bytes that are not UTF-8"):
        read_overrides(tmp_path / "o.csv", backbone)
