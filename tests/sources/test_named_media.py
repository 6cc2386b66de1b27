"""Folders without tables: what becomes of each file, and that tables written from the names give the same dataset."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

import biovita
from biovita.dataset import Dataset
from biovita.dataset.check import check
from biovita.errors import DatasetError
from biovita.sources.folder import import_folder
from biovita.sources.folder_source import Folder
from biovita.sources.named_media import NameGroup, named_media
from support.commands import run_command
from support.folders import write_image
from support.recorder_files import write_recorder_wav
from support.sound_files import song, write_sound

# file: taxon, or the reason why there is none
FILES: Mapping[str, str] = {
    "Aves/Paridae/Parus major/site 1/a.wav": "Parus major",
    "Aves/Paridae/Parus major/b.wav": "Parus major",
    "Aves/Great_Tit/c.wav": "Parus major",
    "Aves/012.Eurasian_Magpie/XC12.wav": "Pica pica",
    "Aves/unsorted/d.wav": "Aves",
    "Aves/unsorted/XC34 - Common Chaffinch - Fringilla coelebs.wav": "Fringilla coelebs",
    "parus_major_01.wav": "Parus major",
    "Parus major & Corvus corax/x.wav": "several-names",
    "Parus major/Corvus corax - XC99.wav": "several-names",
    "Parus major/costa_rica/e.wav": "Parus major",  # two words that end as Latin ones do
    "Parus major/Corvus corax/f.wav": "Corvus corax",  # the deepest folder decides
    "Parus cf. major/y.wav": "no-taxon",
    "Novagena prima/y.wav": "Novagena prima",
    "field/rec_001.wav": "no-taxon",
    "segments/Turdus merula/0.812_1_REC_0.0s_3.0s.wav": "Turdus merula",
    "segments/Corvus corax/0.700_2_REC_3.0s_6.0s.wav": "Corvus corax",
}
PICTURES = {"Aves/Paridae/Parus major/p.png": "Parus major", "Pica pica/q.PNG": "Pica pica"}


@pytest.fixture
def src(tmp_path: Path) -> Path:
    root = tmp_path / "mine"
    for seed, file in enumerate(FILES):
        write_sound(root / file, song(0.3, 8000, seed=seed), 8000)
    for seed, file in enumerate(PICTURES):
        write_image(root / file, seed)
    (root / "notes.txt").write_text("nothing\n", encoding="utf-8")
    (root / ".hidden").mkdir()
    write_sound(root / ".hidden" / "Parus major.wav", song(0.3, 8000), 8000)
    return root


def test_each_file_is_of_the_taxon_that_its_names_say(src: Path) -> None:
    media = named_media(src)
    found = {each.file: each.taxon.scientific_name if each.taxon else each.reason for each in media.files}
    assert found == {**FILES, **PICTURES}
    assert media.others == {".txt": 1}
    assert any(
        note == "files that are no recordings or photographs by their endings: .txt 1" for note in media.notes()
    )
    assert any("taken for their form: Novagena prima" in note for note in media.notes())


def test_an_import_says_what_it_understood_before_it_writes(src: Path, tmp_path: Path) -> None:
    seen: list[tuple[NameGroup, ...]] = []

    def understood(groups: tuple[NameGroup, ...]) -> None:
        assert not (tmp_path / "ds").exists()
        seen.append(groups)

    report = import_folder(src, out=tmp_path / "ds", progress=False, understood=understood)
    assert seen == [report.names]
    assert sum(group.audio + group.images for group in report.names) == len(FILES) + len(PICTURES)
    tits = [group for group in report.names if group.where == "Aves/Paridae/Parus major/"]
    (tit,) = tits
    assert (tit.taxon, tit.found, tit.audio, tit.images) == (
        "Parus major",
        "scientific name",
        2,
        1,
    )
    assert tit.examples == ("b.wav", "a.wav", "p.png")
    dataset = Dataset.open(tmp_path / "ds")
    assert check(dataset) == []
    wrong = [reason for reason in FILES.values() if "-" in reason]
    assert (report.audio, report.images, report.rejected) == (len(FILES) - len(wrong), 2, len(wrong))
    rejected = {row["path"]: (row["reason"], row["detail"]) for row in dataset.rejected.to_pylist()}
    assert {path: reason for path, (reason, _) in rejected.items()} == {
        file: said for file, said in FILES.items() if "-" in said
    }
    assert (
        "names Parus major, and that of the file Corvus corax"
        in rejected["Parus major/Corvus corax - XC99.wav"][1]
    )
    groups = dict(zip(dataset.audio["path"].to_pylist(), dataset.audio["group_id"].to_pylist(), strict=True))
    pieces = {group for path, group in groups.items() if "REC" in path}
    assert pieces == {":segments/REC"}
    assert groups["../mine/Aves/012.Eurasian_Magpie/XC12.wav"] == "xeno-canto:XC12"
    magpie = dataset.taxonomy["pica_pica"]
    assert (magpie.common_name, magpie.family) == ("Eurasian Magpie", "Corvidae")


def test_tables_written_from_names_give_the_same_dataset(src: Path, tmp_path: Path) -> None:
    import_folder(src, out=tmp_path / "names", progress=False)
    written = biovita.write_folder_tables(src, progress=False)
    assert written.tables == {src / "audio.csv": len(FILES), src / "images.csv": 2}
    assert written.unnamed == sum("-" in said for said in FILES.values())
    import_folder(src, out=tmp_path / "tables", progress=False)
    one, other = (Dataset.open(tmp_path / name) for name in ("names", "tables"))
    for table in ("taxa", "audio", "images"):
        assert one.table(table).equals(other.table(table)), table
    lines = [dataset.rejected.select(["row", "path"]).to_pylist() for dataset in (one, other)]
    assert lines[0] == lines[1]
    assert set(other.rejected["reason"].to_pylist()) == {"missing-name"}
    (src / "images.csv").unlink()
    before = (src / "audio.csv").read_bytes()
    assert list(biovita.write_folder_tables(src, progress=False).tables) == [src / "images.csv"]
    with pytest.raises(DatasetError, match=r"has audio\.csv and images\.csv already.*Nothing is written over"):
        biovita.write_folder_tables(src, progress=False)
    assert (src / "audio.csv").read_bytes() == before


def test_the_command_shows_it_writes_tables_and_goes_on(src: Path, tmp_path: Path) -> None:
    done = run_command("data", "import", "folder", src, "--write-csv")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "the names of 14 files say what is in them:"
    assert any(line.startswith("Aves (class)") for line in lines)
    assert "4 files are not understood, and left out:" in lines
    assert f"{src / 'audio.csv'}: 16 rows" in lines
    assert "4 rows have no scientific_name. Fill it in, or take the rows out" in lines
    assert "biovita data import folder" in done.err
    with (src / "audio.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows if not row["scientific_name"]] == sorted(
        f for f in FILES if "-" in FILES[f]
    )
    assert {row["named_by"] for row in rows if row["file"] == "field/rec_001.wav"} == {
        "no name of its folders, nor its own, names a taxon"
    }
    (src / "audio.csv").unlink()
    (src / "images.csv").unlink()
    report = run_command("data", "import", "folder", src, "--write-csv", "--out", tmp_path / "ds", "--json").json()
    assert (report["audio"], report["reasons"]) == (12, {"missing-name": 4})
    assert run_command("data", "import", "folder", src).code == 1


def test_a_source_of_a_plan_reads_the_same(src: Path, tmp_path: Path) -> None:
    import_folder(src, out=tmp_path / "ds", progress=False)
    rows = [row for row in Folder(path=src).items() if isinstance(row, Mapping)]
    dataset = Dataset.open(tmp_path / "ds")
    taxa = dataset.taxonomy
    expected = {
        (row["group_id"], taxa[row["taxon_id"]].scientific_name)
        for table in (dataset.audio, dataset.images)
        for row in table.to_pylist()
    }
    assert {(row["group"], row["name"]) for row in rows} == expected


def test_what_files_say_fills_time_and_place_and_a_table_goes_first(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    (root / "Parus major").mkdir(parents=True)
    guano = "GUANO|Version: 1.0\nTimestamp: 2024-05-01T05:15:00+02:00\nLoc Position: 47.5 8.75\n"
    for name, seed in (("a", 1), ("b", 2)):
        write_recorder_wav(
            root / "Parus major" / f"{name}.wav", song(1.0, 8000, seed=seed)[:, 0], 8000, guano=guano
        )
    write_sound(root / "Parus major" / "SITE_20240502_060000.wav", song(1.0, 8000, seed=3), 8000)
    report = import_folder(root, out=tmp_path / "names", progress=False)
    assert report.notes[1:] == (
        "recorded_at of 3 rows is what their files say: headers of recorders, EXIF, file names",
        "latitude and longitude of 2 rows are what their files say",
    )
    rows = {Path(row["path"]).name: row for row in Dataset.open(tmp_path / "names").audio.to_pylist()}
    assert (rows["a.wav"]["recorded_at"], rows["a.wav"]["latitude"]) == ("2024-05-01T05:15:00+02:00", 47.5)
    assert datetime.fromisoformat(rows["a.wav"]["recorded_at"]).utcoffset() is not None
    assert rows["SITE_20240502_060000.wav"]["recorded_at"] == "2024-05-02T06:00:00"
    table = (
        "file,scientific_name,recorded_at,latitude,longitude,begin_s,end_s\n"
        "Parus major/a.wav,Parus major,2019,1,2,,\n"
        "Parus major/b.wav,Parus major,some day,,,,\n"
        "Parus major/a.wav,Parus major,,95,2,0.5,1\n"
    )
    (root / "audio.csv").write_text(table, encoding="utf-8")
    import_folder(root, out=tmp_path / "tables", progress=False)
    found = Dataset.open(tmp_path / "tables").audio.to_pylist()
    assert [(row["recorded_at"], row["latitude"], row["longitude"]) for row in found] == [
        ("2019", 1, 2),
        (None, 47.5, 8.75),  # a date that cannot be read stays empty
        ("2024-05-01T05:15:00+02:00", None, None),
    ]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "is empty. Give a folder that has recordings or photographs in it"),
        ({"a.txt": "x", "b.doc": "x"}, r"has none of either: 2 other files \(\.txt 1, \.doc 1\)"),
        (
            {"x/a.wav": "x"},
            r"1 recording whose names name no taxon. The first is x/a\.wav: no name of its folders",
        ),
        (
            {"Parus major/a.wav": "x", "metadata.csv": "filename,species\na.wav,Parus major\n"},
            r"metadata\.csv may be meant.*--column file=filename scientific_name=species. To go by the names",
        ),
        (
            {"Parus major/a.wav": "x"},
            r"no recording of .* can be used \(1 not-audio\)\. The first: Parus major/a\.wav",
        ),
    ],
)
def test_folders_that_give_nothing_say_what_they_hold_and_what_to_do(
    tmp_path: Path, files: Mapping[str, str], said: str
) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=said):
        import_folder(root, out=tmp_path / "ds", progress=False)
    assert not (tmp_path / "ds").exists()


def test_a_table_that_lists_no_files_is_said_not_to_be_read(src: Path, tmp_path: Path) -> None:
    (src / "sites.csv").write_text("site,habitat\n1,wood\n", encoding="utf-8")
    report = import_folder(src, out=tmp_path / "ds", progress=False)
    assert any(note.startswith("sites.csv was not read") for note in report.notes)
    with pytest.raises(DatasetError, match=r"--column genus=g: .* so there are no columns"):
        import_folder(src, out=tmp_path / "other", columns={"genus": "g"}, progress=False)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not take such names")
def test_a_name_that_is_no_text_is_rejected(src: Path, tmp_path: Path) -> None:
    write_sound(src / "z.wav", song(0.3, 8000, seed=50), 8000)
    (src / "z.wav").rename(src / "Pica pica" / os.fsdecode(b"\xff.wav"))
    report = import_folder(src, out=tmp_path / "ds", progress=False)
    assert report.reasons["bad-name"] == 1
    assert biovita.write_folder_tables(src, progress=False).tables[src / "audio.csv"] == len(FILES)


def test_links_that_lead_out_are_rejected(src: Path, tmp_path: Path) -> None:
    write_sound(tmp_path / "outside.wav", song(0.3, 8000, seed=60), 8000)
    (src / "Pica pica" / "link.wav").symlink_to(tmp_path / "outside.wav")
    assert import_folder(src, out=tmp_path / "ds", progress=False).reasons["path-outside"] == 1
