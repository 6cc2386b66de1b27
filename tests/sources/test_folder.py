"""Folders, good and broken, and what becomes of each row."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest
import soundfile

from biovita.dataset import Dataset
from biovita.dataset.check import check
from biovita.errors import DatasetError
from biovita.sources.folder import ImportReport, import_folder
from biovita.taxonomy import Rank
from support.folders import HEADER, SPECIES, append, make_folder, write_image, write_rows
from support.sound_files import HTML, song, write_sound


@pytest.fixture
def src(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "src")


@pytest.fixture
def run(src: Path, tmp_path: Path) -> Callable[..., tuple[ImportReport, Dataset]]:
    def imported(**options: object) -> tuple[ImportReport, Dataset]:
        report = import_folder(src, out=tmp_path / "ds", progress=False, **options)
        return report, Dataset.open(tmp_path / "ds")

    return imported


def test_a_good_folder(src: Path, run: Callable[..., tuple[ImportReport, Dataset]]) -> None:
    report, dataset = run()
    assert (report.audio, report.images, report.taxa, report.rejected) == (6, 6, 3, 0)
    assert report.notes == report.ignored_columns == ()
    assert check(dataset, hashes=True) == []
    magpie = dataset.taxonomy["pica_pica"]
    assert (magpie.scientific_name, magpie.common_name, magpie.class_) == ("Pica pica", "Eurasian Magpie", "Aves")
    for row in dataset.audio.to_pylist():
        path = dataset.locate(row["path"])
        assert isinstance(path, Path)
        assert row["path"] == f"../src/audio/{path.name}"
        assert path.is_relative_to(src)
        info = soundfile.info(path)
        assert (row["start_s"], row["end_s"], row["duration_s"]) == (0, info.duration, info.duration)
        assert row["sample_rate"] == info.samplerate
        assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert row["group_id"] == f"src-audio:{row['source_id']}"
        assert row["split"] is None
    assert [(row["width"], row["height"]) for row in dataset.images.to_pylist()] == [(32, 24)] * 6
    # the tables are plain Parquet
    query = (
        f"SELECT count(*) FROM '{dataset.path}/audio.parquet' JOIN '{dataset.path}/taxa.parquet' USING (taxon_id)"
    )
    assert duckdb.sql(query).fetchall() == [(6,)]


def test_the_same_folder_gives_the_same_bytes(src: Path, tmp_path: Path) -> None:
    append(src / "audio.csv", "audio/none.wav,Pica pica,,,,,,,,")
    made = []
    for workers in (1, 4):
        out = tmp_path / f"w{workers}" / "ds"
        import_folder(src, out=out, workers=workers, progress=False)
        made.append({file.name: file.read_bytes() for file in out.iterdir()})
    assert made[0] == made[1]


def test_ids_do_not_depend_on_where_the_folder_is(src: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(src, moved)
    ids = []
    for k, folder in enumerate((src, moved)):
        import_folder(folder, out=tmp_path / f"ds{k}", progress=False)
        dataset = Dataset.open(tmp_path / f"ds{k}")
        ids.append((dataset.audio["id"].to_pylist(), dataset.images["id"].to_pylist()))
    assert ids[0] == ids[1]
    assert len({*ids[0][0], *ids[0][1]}) == 12


def test_ten_broken_files_and_five_broken_rows(
    src: Path, run: Callable[..., tuple[ImportReport, Dataset]], tmp_path: Path
) -> None:
    audio, images = src / "audio", src / "images"
    write_sound(audio / "whole.wav", song(2, 8000, seed=90), 8000)
    (audio / "cut.wav").write_bytes((audio / "whole.wav").read_bytes()[:9000])
    (audio / "page.mp3").write_bytes(HTML)
    (audio / "empty.ogg").touch()
    write_sound(audio / "silent.flac", np.zeros((8000, 1), np.float32), 8000)
    write_sound(audio / "none.wav", np.zeros((0, 1), np.float32), 8000)
    (images / "page.jpg").write_bytes(HTML)
    (images / "empty.jpg").touch()
    whole = write_image(images / "whole.png", 91).read_bytes()
    (images / "cut.png").write_bytes(whole[: len(whole) // 2])
    (images / "noise.png").write_bytes(whole[:60] + os.urandom(len(whole) - 60))
    for name in ("cut.wav", "page.mp3", "empty.ogg", "silent.flac", "none.wav", "absent.wav"):
        append(src / "audio.csv", f"audio/{name},Pica pica,,,,,,,,")
    for name in ("page.jpg", "empty.jpg", "cut.png", "noise.png"):
        append(src / "images.csv", f"images/{name},Pica pica,,,,,,,,")
    append(
        src / "audio.csv",
        "audio/Pica_pica_0.wav,,,,,,,,,",
        ",Pica pica,,,,,,,,",
        "audio/Pica_pica_0.wav,Pica pica",
    )
    append(src / "images.csv", "../outside.png,Pica pica,,,,,,,,", 'images/whole.png,"Pica pica,,,,,,,,')
    write_image(tmp_path / "outside.png")
    report, dataset = run()
    assert (report.audio, report.images, report.taxa) == (6, 6, 3)
    assert dataset.rejected.num_rows == report.rejected == 15
    got = [(row["file"], row["row"], row["path"], row["reason"]) for row in dataset.rejected.to_pylist()]
    assert got == [
        ("audio.csv", 8, "audio/cut.wav", "truncated"),
        ("audio.csv", 9, "audio/page.mp3", "not-audio"),
        ("audio.csv", 10, "audio/empty.ogg", "empty"),
        ("audio.csv", 11, "audio/silent.flac", "silent"),
        ("audio.csv", 12, "audio/none.wav", "no-samples"),
        ("audio.csv", 13, "audio/absent.wav", "missing"),
        ("audio.csv", 14, "audio/Pica_pica_0.wav", "missing-name"),
        ("audio.csv", 15, None, "missing-file"),
        ("audio.csv", 16, None, "bad-row"),
        ("images.csv", 8, "images/page.jpg", "not-image"),
        ("images.csv", 9, "images/empty.jpg", "empty"),
        ("images.csv", 10, "images/cut.png", "truncated"),
        ("images.csv", 11, "images/noise.png", "undecodable"),
        ("images.csv", 12, "../outside.png", "path-outside"),
        ("images.csv", 13, None, "bad-row"),
    ]
    assert sum(report.reasons.values()) == 15
    assert report.reasons["bad-row"] == 2
    assert check(dataset) == []
    with pytest.raises(DatasetError, match="15 records were rejected") as caught:
        run(strict=True, overwrite=True)
    assert "The dataset is written" in str(caught.value)
    assert Dataset.open(dataset.path).rejected.num_rows == 15


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("../audio/x.wav", "path-outside"),
        ("audio/../../x.wav", "path-outside"),
        ("{src}/audio/Pica_pica_0.wav", "duplicate"),
        ("link.wav", "path-outside"),
        ("linked/x.wav", "path-outside"),
        ("loop.wav", "unreadable"),
        ("pipe.wav", "missing"),
        ("audio", "missing"),
        ("audio/Pica_pica_0.wav/x", "missing"),
        ("x" * 3000, "unreadable"),
        ("a\x00b.wav", "path-outside"),
    ],
)
def test_paths_stay_within_the_folder(
    src: Path, run: Callable[..., tuple[ImportReport, Dataset]], tmp_path: Path, file: str, reason: str
) -> None:
    outside = tmp_path / "outside"
    write_sound(outside / "x.wav", song(1, 8000), 8000)
    (src / "link.wav").symlink_to(outside / "x.wav")
    (src / "linked").symlink_to(outside)
    (src / "loop.wav").symlink_to("loop.wav")
    os.mkfifo(src / "pipe.wav")
    append(src / "audio.csv", f"{file.format(src=src)},Pica pica,,,,,,,,")
    report, _ = run()
    assert report.audio == 6
    assert report.reasons == {reason: 1}


def test_files_of_other_names_are_found_and_noted(
    src: Path, run: Callable[..., tuple[ImportReport, Dataset]]
) -> None:
    table = (src / "audio.csv").read_text()
    (src / "audio.csv").write_text(table.replace("audio/Pica_pica_0.wav", "Audio\\pica_pica_0.WAV"))
    append(src / "audio.csv", "audio/Pica_pica_9.wav,Pica pica,,,,,,,,")
    report, dataset = run()
    assert (report.audio, report.reasons) == (6, {"missing": 1})
    paths = {Path(path).name for path in dataset.audio["path"].to_pylist()}
    assert "Pica_pica_0.wav" in paths
    (note,) = (note for note in report.notes if "another name" in note)
    assert note.startswith("audio.csv: a file has another name than the table gives")
    assert r"1 of 7 rows; the first is 'Audio\\pica_pica_0.WAV', which is 'audio/Pica_pica_0.wav', in line" in note
    detail = dataset.rejected["detail"].to_pylist()[0]
    assert detail.startswith("there is no such file. Did you mean 'audio/Pica_pica_")


def test_a_link_within_the_folder_is_followed(src: Path, run: Callable[..., tuple[ImportReport, Dataset]]) -> None:
    (src / "pool").mkdir()
    write_sound(src / "pool" / "x.wav", song(1, 8000, seed=77), 8000)
    (src / "audio" / "x.wav").symlink_to(src / "pool" / "x.wav")
    append(src / "audio.csv", "./audio//x.wav,Pica pica,,,,,,,,")
    report, dataset = run()
    assert report.audio == 7
    assert dataset.locate(dataset.audio["path"][-1].as_py()) == src / "audio" / "x.wav"


def test_numbers_dates_and_places(src: Path, run: Callable[..., tuple[ImportReport, Dataset]]) -> None:
    header = ("file", "scientific_name", "latitude", "longitude", "recorded_at", "duration_s")
    stems = [name.replace(" ", "_") for name in SPECIES]
    rows = [
        (f"audio/{stems[0]}_0.wav", "Pica pica", "52.5", "-13.4", "2019-05-03T06:15", "1"),
        (f"audio/{stems[0]}_1.wav", "Pica pica", "NA", "", "03/05/2019", ""),
        (f"audio/{stems[1]}_0.wav", "Rana temporaria", "91", "0", "2019", ""),
        (f"audio/{stems[1]}_1.wav", "Rana temporaria", "0", "nan", "2019", ""),
        (f"audio/{stems[2]}_0.wav", "Vulpes vulpes", "52,5", "0", "2019", ""),
        (f"audio/{stems[2]}_1.wav", "Vulpes vulpes", "0", "0", "2019", "ten"),
    ]
    write_rows(src / "audio.csv", rows, header)
    report, dataset = run()
    rows = dataset.audio.to_pylist()
    assert [(row["latitude"], row["longitude"]) for row in rows] == [
        *((52.5, -13.4), (None, None), (None, None), (0, None), (52.5, 0), (0, 0)),
    ]
    assert [row["recorded_at"] for row in rows] == ["2019-05-03T06:15", None, "2019", "2019", "2019", "2019"]
    assert report.reasons == {}
    assert report.notes == (
        (
            "audio.csv: recorded_at is left empty where it is not ISO 8601 (such as 2019-05-03T06:15), "
            "1 of 6 rows; the first is '03/05/2019' in line 3"
        ),
        (
            "audio.csv: latitude and longitude are both left empty where one of them is no place in degrees, "
            "1 of 6 rows; the first is latitude '91' in line 4"
        ),
        (
            "audio.csv: start_s or duration_s is no number of seconds, "
            "1 of 6 rows; the first is duration_s 'ten' in line 7"
        ),
    )


def test_spans_within_files(src: Path, run: Callable[..., tuple[ImportReport, Dataset]]) -> None:
    file = "audio/Pica_pica_0.wav"  # lasts 1 s
    rows = [
        (
            file,
            "Pica pica",
            "0",
            "0.25",
            "30",
            "0.25",
        ),  # start_s says where in the source recording the file was cut
        (file, "Pica pica", "0.25", "", "30", ""),
        (file, "Rana temporaria", "0.5", "0.75", "", ""),
        (file, "Pica pica", "0.5", "1.2", "", ""),
        (file, "Pica pica", "1", "", "", ""),
        (file, "Pica pica", "0.5", "0.5", "", ""),
        (file, "Pica pica", "-1", "0.5", "", ""),
        (file, "Pica pica", "0", "0.25", "", ""),
    ]
    write_rows(src / "audio.csv", rows, ("file", "scientific_name", "begin_s", "end_s", "start_s", "duration_s"))
    report, dataset = run()
    got = [(row["taxon_id"], row["start_s"], row["end_s"], row["duration_s"]) for row in dataset.audio.to_pylist()]
    assert got == [("pica_pica", 0, 0.25, 1), ("pica_pica", 0.25, 1, 1), ("rana_temporaria", 0.5, 0.75, 1)]
    assert len(set(dataset.audio["id"].to_pylist())) == 3
    assert set(dataset.audio["group_id"].to_pylist()) == {f"file:{file}"}
    assert report.reasons == {"span-outside": 2, "bad-number": 2, "duplicate": 1}
    assert check(dataset) == []


def test_a_span_that_has_only_an_end_is_not_guessed(src: Path, tmp_path: Path) -> None:
    """``start_s`` beside ``end_s`` may mean the file or the recording it was cut from: the user has to say."""
    rows = [("audio/Pica_pica_0.wav", "Pica pica", "0.5", "0.75")]
    write_rows(src / "audio.csv", rows, ("file", "scientific_name", "start_s", "end_s"))
    assert "--column begin_s=start_s" in refused(src, tmp_path)
    import_folder(src, out=tmp_path / "ds", columns={"begin_s": "start_s"}, progress=False)
    (row,) = Dataset.open(tmp_path / "ds").audio.to_pylist()
    assert (row["start_s"], row["end_s"]) == (0.5, 0.75)


def test_duplicates_within_a_taxon_keep_the_first(
    src: Path, run: Callable[..., tuple[ImportReport, Dataset]]
) -> None:
    shutil.copy(src / "audio" / "Pica_pica_0.wav", src / "audio" / "again.wav")
    append(src / "audio.csv", "audio/again.wav,pica pica,,,,,,,,", "audio/Pica_pica_0.wav,Pica pica,,,,,,,,")
    report, dataset = run()
    assert report.audio == 6
    assert [(row["row"], row["reason"], row["detail"]) for row in dataset.rejected.to_pylist()] == [
        (8, "duplicate", "the same bytes as audio/Pica_pica_0.wav in audio.csv line 2"),
        (9, "duplicate", "the same bytes as audio/Pica_pica_0.wav in audio.csv line 2"),
    ]


def test_the_same_bytes_under_two_species_are_all_left_out(
    src: Path, run: Callable[..., tuple[ImportReport, Dataset]]
) -> None:
    shutil.copy(src / "images" / "Pica_pica_0.png", src / "images" / "fox.png")
    append(src / "images.csv", "images/fox.png,Vulpes vulpes,,,,,,,,")
    report, dataset = run()
    assert report.images == 5
    assert [(row["row"], row["reason"], row["detail"]) for row in dataset.rejected.to_pylist()] == [
        (2, "ambiguous", "the same bytes are also Vulpes vulpes in images.csv line 8"),
        (8, "ambiguous", "the same bytes are also Pica pica in images.csv line 2"),
    ]


def test_rows_that_disagree_about_a_lineage(src: Path, run: Callable[..., tuple[ImportReport, Dataset]]) -> None:
    write_sound(src / "audio" / "x.wav", song(1, 8000, seed=50), 8000)
    append(src / "audio.csv", "audio/x.wav,Pica  pica,,Aves,Passeriformes,Laridae,,,,")
    report, dataset = run()
    assert dataset.taxonomy["pica_pica"].family == "Corvidae"
    assert report.notes == (
        "Pica pica: family is Corvidae in 4 rows, Laridae in 1 (audio.csv line 8); Corvidae is kept",
    )


def test_two_columns_are_enough(src: Path, run: Callable[..., tuple[ImportReport, Dataset]]) -> None:
    for table, suffix in (("audio", "wav"), ("images", "png")):
        names = ("Pica pica", "Rana temporaria")
        rows = [(f"{table}/{name.replace(' ', '_')}_0.{suffix}", name) for name in names]
        write_rows(src / f"{table}.csv", rows, ("file", "scientific_name"))
    report, dataset = run()
    assert [taxon.genus for taxon in dataset.taxonomy.values()] == ["Pica", "Rana"]
    assert {taxon.rank for taxon in dataset.taxonomy.values()} == {Rank.SPECIES}
    assert report.notes == ("genus: taken from the scientific name for 2 taxa, which have none in any row",)
    assert dataset.audio["group_id"].to_pylist() == [
        "file:audio/Pica_pica_0.wav",
        "file:audio/Rana_temporaria_0.wav",
    ]


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-8"), (",", "utf-8-sig"), ("|", "utf-8")]
)
def test_separators_and_byte_order_marks(
    src: Path, run: Callable[..., tuple[ImportReport, Dataset]], delimiter: str, encoding: str
) -> None:
    rows = [("audio/Pica_pica_0.wav", "Pica pica", "Élster; crow, black|white\tbird")]
    header = ("file", "scientific_name", "common_name")
    write_rows(src / "audio.csv", rows, header, delimiter=delimiter, encoding=encoding)
    report, _dataset = run()
    assert (report.audio, report.rejected) == (1, 0)
    assert "Élster; crow, black|white\tbird" in report.notes[0]


def test_columns_by_other_names(src: Path, run: Callable[..., tuple[ImportReport, Dataset]]) -> None:
    rows = [("audio/Pica_pica_0.wav", "Pica pica", "x")]
    write_rows(src / "audio.csv", rows, ("path", "species", "scientific_name"))
    report, dataset = run(columns={"file": "path", "scientific_name": "species"})  # images.csv has the usual names
    assert (report.audio, report.images) == (1, 6)
    assert report.ignored_columns == ("audio.csv: scientific_name",)
    assert dataset.info["made"]["columns"] == {"file": "path", "scientific_name": "species"}


def test_copied_media_make_a_dataset_that_moves(src: Path, tmp_path: Path) -> None:
    report = import_folder(src, out=tmp_path / "a" / "ds", copy=True, progress=False)
    assert report.audio == 6
    shutil.rmtree(src)
    moved = (tmp_path / "a" / "ds").rename(tmp_path / "moved")
    dataset = Dataset.open(moved)
    assert dataset.audio["path"][0].as_py() == "media/audio/Pica_pica_0.wav"
    assert check(dataset, hashes=True) == []


# --- folders that cannot become a dataset


def refused(src: Path, tmp_path: Path, **options: object) -> str:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DatasetError) as caught:
        import_folder(src, out=options.pop("out", tmp_path / "deep" / "er" / "ds"), progress=False, **options)
    assert sorted(tmp_path.rglob("*")) == before  # nothing is left behind, not even directories
    return str(caught.value)


def test_wrong_places(src: Path, tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "no", tmp_path)
    assert "is not a folder" in refused(src / "audio.csv", tmp_path)
    (tmp_path / "empty").mkdir()
    message = refused(tmp_path / "empty", tmp_path)
    assert "is empty. Give a folder that has recordings or photographs in it" in message
    assert "holds the folder" in refused(src, tmp_path, out=tmp_path, overwrite=True)
    assert "holds the folder" in refused(src, tmp_path, out=src, overwrite=True)
    assert "is not a dataset" in refused(src, tmp_path, out=src / "audio", overwrite=True)
    assert "already exists" in refused(src, tmp_path, out=src / "audio")
    assert "is not a directory" in refused(src, tmp_path, out=src / "audio.csv" / "ds")


def test_a_table_that_is_there_has_to_hold_something(src: Path, tmp_path: Path) -> None:
    write_rows(src / "images.csv", [], HEADER)
    assert "images.csv has no rows, so it names no photograph" in refused(src, tmp_path)
    write_rows(src / "images.csv", [("images/none.png", "Pica pica", *[""] * 8)], HEADER)
    message = refused(src, tmp_path)
    assert "no photograph of " in message
    assert "(1 missing)" in message
    assert "in line 2: images/none.png: there is no such file" in message


@pytest.mark.parametrize(("kept", "counts"), [("audio", (6, 0)), ("images", (0, 6))])
def test_one_table_alone_is_a_dataset_and_what_it_lacks_is_said(
    src: Path, run: Callable[..., tuple[ImportReport, Dataset]], kept: str, counts: tuple[int, int]
) -> None:
    (gone,) = {"audio", "images"} - {kept}
    (src / f"{gone}.csv").unlink()
    report, dataset = run()
    assert (report.audio, report.images) == counts
    (note,) = report.notes
    assert f"no {gone}.csv names them: --write-csv writes it" in note
    assert check(dataset) == []
    shutil.rmtree(src / gone)
    report, _ = run(overwrite=True)
    assert "--write-csv" not in report.notes[0]
    assert "trains on them and their names" in report.notes[0]


def test_columns_that_are_not_there(src: Path, tmp_path: Path) -> None:
    write_rows(src / "audio.csv", [("audio/Pica_pica_0.wav", "Pica pica")], ("file", "species"))
    message = refused(src, tmp_path)
    assert "audio.csv: there is no column 'scientific_name'. Columns: file, species" in message
    assert "If these are meant, give --column scientific_name=species" in message
    message = refused(src, tmp_path, columns={"scientific_name": "spezies"})
    assert (
        "neither table has a column 'spezies'. Did you mean 'species'? Columns of audio.csv: file, species"
        in message
    )
    write_rows(src / "audio.csv", [("audio/Pica_pica_0.wav", "Pica pica")], ("file", "what"))
    assert "--column scientific_name=COLUMN" in refused(src, tmp_path)
    make_folder(src)
    assert "neither table" in refused(src, tmp_path, columns={"license": "licence"})
    assert "Did you mean 'license'" in refused(src, tmp_path, columns={"licence": "license"})
    (src / "audio.csv").write_bytes(b"file,scientific_name,file\n")
    assert "the column 'file' occurs 2 times" in refused(src, tmp_path)


def test_an_existing_dataset_is_replaced_only_on_request(
    src: Path, run: Callable[..., tuple[ImportReport, Dataset]]
) -> None:
    _, dataset = run()
    (dataset.path / "embeddings" / "starter").mkdir(parents=True)
    (dataset.path / "bench").mkdir()
    with pytest.raises(DatasetError, match="already exists"):
        run()
    append(src / "audio.csv", "audio/none.wav,Pica pica,,,,,,,,")
    report, dataset = run(overwrite=True)
    assert report.rejected == 1
    assert (dataset.path / "embeddings" / "starter").is_dir()
    assert not (dataset.path / "bench").exists()


def test_unusual_files_are_used_and_noted(src: Path, run: Callable[..., tuple[ImportReport, Dataset]]) -> None:
    path = write_sound(src / "audio" / "x.mp3", song(2, 44100, seed=5), 44100)
    path.write_bytes(path.read_bytes() + HTML * 30)
    append(src / "audio.csv", "audio/x.mp3,Pica pica,,,,,,,,")
    report, dataset = run()
    assert report.audio == 7
    assert report.notes[0].startswith("audio/x.mp3: ")
    assert "an HTML page" in report.notes[0]
    assert dataset.info["made"]["notes"] == list(report.notes)


@pytest.mark.slow
def test_the_field_sample(shared_data: Path, tmp_path: Path) -> None:
    report = import_folder(shared_data / "field-sample", out=tmp_path / "ds", progress=False)
    assert (report.audio, report.images, report.taxa, report.rejected) == (402, 488, 180, 0)
    assert report.notes == ()
    dataset = Dataset.open(tmp_path / "ds")
    classes = {
        rank: len(dataset.taxonomy.members(Rank.CLASS, rank)) for rank in dataset.taxonomy.names(Rank.CLASS)
    }
    assert classes == {"Aves": 156, "Amphibia": 14, "Insecta": 5, "Mammalia": 5}
    assert len(dataset.taxonomy.names(Rank.FAMILY)) == 57
    assert len(set(dataset.audio["group_id"].to_pylist())) == 249  # recordings the 402 clips were cut from
    assert check(dataset) == []
