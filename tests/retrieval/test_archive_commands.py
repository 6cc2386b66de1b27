"""An archive from its making to its end: files come, move, change and go; it is searched, and exported."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import biovita
from biovita import Archive, Dataset, search
from biovita.errors import BiovitaError, DatasetError
from biovita.modality import Modality
from biovita.retrieval import update_archive
from biovita.retrieval.search_space import search_spaces
from support.aligned_stub import ALIGNED, OTHER, Reader
from support.sound_files import write_sound
from support.surveys import RATE, tones, write_survey


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    return write_survey(tmp_path / "survey")


@pytest.fixture
def archive(survey: Path, tmp_path: Path) -> Path:
    place = biovita.create_archive(tmp_path / "archive", model=[ALIGNED])
    biovita.add_to_archive(place, [survey], progress=False)
    return place


def searched(place: Path, modality: Modality = Modality.AUDIO) -> pa.Table:
    [space] = search_spaces(Archive.open(place))
    return space.table(modality).to_table(columns=["id", "media_id", "start_s", "site", "month", "hour", "taxa"])


def paths(place: Path) -> dict[str, str]:
    """Return the media of an archive: the name of each file by its id."""
    tables = [Archive.open(place).table(name) for name in ("recordings", "photographs")]
    return {
        row["id"]: Path(row["path"]).name for table in tables for row in table.select(["id", "path"]).to_pylist()
    }


def test_a_folder_can_be_searched(survey: Path, archive: Path) -> None:
    info = biovita.archive_info(archive)
    assert (info.recordings, info.photographs, info.sites) == (6, 5, 3)
    assert info.searched[ALIGNED]["rows"] == {"audio": 24, "image": 5}  # of 7 s: windows from 0, 1.5, 3 and 4.5 s
    found = search(archive, audio=[f"{survey / 'hill' / '2.wav'}@0-3"], want=["audio"], k=3)
    assert Path(found.hits["path"][0].as_py()).name == "2.wav"
    assert found.hits.num_rows == 3
    assert len(set(found.hits["path"].to_pylist())) == 3, "of each recording the best alone"
    [best] = search(archive, image=[survey / "camera" / "3.png"], want=["images"], k=1).to_pandas()["path"]
    assert Path(best).name == "3.png"
    assert search(archive, text=["anything"], k=100).to_polars().shape[0] == 11


def test_a_part_of_a_recording_is_asked_for_behind_an_at(survey: Path, archive: Path) -> None:
    file = survey / "hill" / "4.wav"
    hit = search(archive, audio=[f"{file}@3-6"], group="none", want=["audio"], k=1).hits.to_pylist()[0]
    assert (Path(hit["path"]).name, hit["start_s"], hit["end_s"]) == ("4.wav", 3.0, 6.0)
    assert hit["similarity"] == pytest.approx(1, abs=2e-3)


def test_pages_follow_one_another(survey: Path, archive: Path) -> None:
    query = {"audio": [survey / "hill" / "0.wav"], "group": "none"}
    whole = search(archive, k=29, **query).hits["id"].to_pylist()  # type: ignore[arg-type]
    pages = [search(archive, k=10, skip=skip, **query).hits for skip in (0, 10, 20)]  # type: ignore[arg-type]
    assert [name for page in pages for name in page["id"].to_pylist()] == whole
    assert len(set(whole)) == 29
    assert pages[1]["place"].to_pylist() == list(range(11, 21))


def test_filters_leave_what_they_say(survey: Path, archive: Path) -> None:
    ask = {"audio": [survey / "hill" / "0.wav"], "group": "none", "k": 100, "want": ["audio"]}
    assert set(search(archive, site=["pond"], **ask).hits["site"].to_pylist()) == {"pond"}  # type: ignore[arg-type]
    found = search(archive, month="2-4", **ask)  # type: ignore[arg-type]
    assert {Path(path).name for path in found.hits["path"].to_pylist()} == {"1.wav", "3.wav"}
    assert "3 recordings state no time or no time zone" in found.notes[0]
    assert len(search(archive, hours="5-6", **ask).hits) == 4  # type: ignore[arg-type]
    assert len(search(archive, since="2024-04-01", until="2024-04-17", **ask).hits) == 4  # type: ignore[arg-type]
    assert len(search(archive, box=(8.25, 47, 9, 48), **ask).hits) == 8  # type: ignore[arg-type]
    assert len(search(archive, where="sample_rate = 8000 AND site = 'hill'", **ask).hits) == 12  # type: ignore[arg-type]
    assert len(search(archive, where="duration_s > 8", **ask).hits) == 0  # type: ignore[arg-type]
    with pytest.raises(BiovitaError, match="refused"):
        search(archive, where="id IN (SELECT 1)", **ask)  # type: ignore[arg-type]


def test_what_is_there_is_neither_taken_nor_encoded_twice(survey: Path, archive: Path) -> None:
    before = searched(archive)
    shutil.copy(survey / "hill" / "0.wav", survey / "hill" / "copy.wav")
    write_sound(survey / "hill" / "new.wav", tones(4, 99), RATE)
    done = biovita.add_to_archive(archive, [survey], progress=False)
    assert done.taken_in is not None
    assert (done.taken_in.new, done.taken_in.same, done.taken_in.twice) == (1, 11, 1)
    assert done.models[0].embedded[Modality.AUDIO].new == 1
    assert done.models[0].filled[Modality.AUDIO].written == 2
    assert done.left_out == {"duplicate": 1}
    assert set(before["id"].to_pylist()) < set(searched(archive)["id"].to_pylist())


def test_a_file_that_moved_is_known_by_its_content(
    survey: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.move(survey / "pond", survey / "lake")
    done = biovita.refresh_archive(archive, progress=False)
    assert done.taken_in is not None
    assert (done.taken_in.new, done.taken_in.moved) == (0, 3)
    assert done.models[0].embedded[Modality.AUDIO].new == 0
    assert set(searched(archive)["site"].to_pylist()) == {"hill", "lake"}
    monkeypatch.setattr(update_archive, "fill_media", None)  # nothing is asked of it
    assert len(search(archive, text=["x"], where="path LIKE '%/lake/%'", k=50, want=["audio"]).hits) == 3


def test_a_file_with_other_content_takes_the_place_of_what_it_was(survey: Path, archive: Path) -> None:
    gone = next(name for name, path in paths(archive).items() if path == "0.wav")
    write_sound(survey / "hill" / "0.wav", tones(3, 50), RATE)
    done = biovita.refresh_archive(archive, progress=False)
    assert done.taken_in is not None
    assert (done.taken_in.new, done.taken_in.changed) == (1, 1)
    assert gone not in searched(archive)["media_id"].to_pylist()
    assert len(searched(archive)) == 21


def test_what_is_dropped_is_gone_and_files_stay(survey: Path, archive: Path) -> None:
    (survey / "hill" / "0.wav").unlink()
    assert biovita.archive_info(archive).missing == 1
    assert any("1 media are not there" in note for note in biovita.refresh_archive(archive, progress=False).notes)
    dropped = biovita.drop_from_archive(archive, missing=True).dropped
    assert dropped is not None
    assert (dropped.recordings, dropped.photographs) == (1, 0)
    biovita.drop_from_archive(archive, [survey / "camera" / "0.png"], site=["pond"])
    assert sorted(paths(archive).values()) == ["1.png", "2.png", "2.wav", "3.png", "4.png", "4.wav"]
    assert set(searched(archive)["site"].to_pylist()) == {"hill"}
    assert len(searched(archive, Modality.IMAGE)) == 4
    assert (survey / "pond" / "1.wav").is_file()
    vectors = next((archive / "embeddings").glob("*/image.lance"))
    import lance

    assert lance.dataset(str(vectors)).count_rows() == 4
    with pytest.raises(DatasetError, match="neither an id, nor a path"):
        biovita.drop_from_archive(archive, ["nowhere"])


def test_models_lie_side_by_side(survey: Path, archive: Path) -> None:
    biovita.add_to_archive(archive, model=[OTHER], progress=False)
    assert set(biovita.archive_info(archive).searched) == {ALIGNED, OTHER}
    file = survey / "hill" / "2.wav"
    assert search(archive, audio=[file], model=OTHER).model == OTHER
    assert search(archive, audio=[file]).model == ALIGNED
    biovita.drop_from_archive(archive, model=[ALIGNED])
    assert search(archive, audio=[file]).model == OTHER
    with pytest.raises(BiovitaError, match="only model"):
        biovita.drop_from_archive(archive, model=[OTHER])


def test_columns_of_a_table_can_be_asked_for(survey: Path, archive: Path, tmp_path: Path) -> None:
    table = tmp_path / "more.csv"
    table.write_text("path,habitat,nets\nhill/2.wav,meadow,3\npond/1.wav,reed,12\nnowhere.wav,sea,1\n", "utf-8")
    done = biovita.add_to_archive(archive, columns=[table], progress=False)
    assert "1 rows name no file of the archive, the first 'nowhere.wav'" in done.notes[0]
    found = search(archive, text=["x"], where="habitat = 'reed' OR nets < 4", k=50)
    assert {Path(path).name for path in found.hits["path"].to_pylist()} == {"1.wav", "2.wav"}
    table.write_text("path,sha256\nhill/2.wav,1\n", "utf-8")
    with pytest.raises(DatasetError, match="a column sha256 of its own"):
        biovita.add_to_archive(archive, columns=[table], progress=False)


def test_labels_are_found_by_their_groups_and_exported(
    survey: Path, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "labels.txt"
    table.write_text(
        "Begin File\tFile Offset (s)\tBegin Time (s)\tEnd Time (s)\tSpecies\n"
        "2.wav\t0.0\t0.0\t1.4\tTurdus merula\n3.wav\t4.6\t11.6\t12.2\tParus major\n",
        "utf-8",
    )
    biovita.add_to_archive(archive, annotations=[table], annotation_format="raven", progress=False)
    ask = {"text": ["x"], "group": "none", "k": 50, "want": ["audio"]}
    hits = search(archive, within=["Turdidae"], **ask).hits  # type: ignore[arg-type]
    assert hits["start_s"].to_pylist() == [0.0]
    assert hits["scientific_names"].to_pylist() == [["Turdus merula"]]
    assert hits["labelled_by"].to_pylist() == [["human"]]
    assert len(search(archive, within=["Aves"], **ask).hits) == 3  # type: ignore[arg-type]
    assert len(search(archive, within=["Great Tit"], **ask).hits) == 2  # type: ignore[arg-type]
    with pytest.raises(BiovitaError, match="Did you mean"):
        search(archive, within=["Turdidea"], **ask)  # type: ignore[arg-type]
    taxa = search(archive, taxon=["Parus major"], want=["taxa"]).hits["scientific_names"].to_pylist()
    assert taxa == [["Parus major"], ["Turdus merula"]]
    assert len(search(archive, text=["x"], group="taxon", want=["audio"], k=50).hits) == 2 + 6, (
        "taxa, and what has no label"
    )
    monkeypatch.setattr(Reader, "encode", None)  # no text is encoded twice
    biovita.refresh_archive(archive, progress=False)
    monkeypatch.undo()
    report = biovita.export_archive(archive, out=tmp_path / "dataset")
    assert (report.recordings, report.photographs, report.taxa) == (2, 0, 2)
    dataset = Dataset.open(tmp_path / "dataset")
    rows = dataset.audio.sort_by("start_s").to_pylist()
    assert [(row["taxon_id"], row["start_s"], row["end_s"]) for row in rows] == [
        ("turdus_merula", 0.0, 1.4),
        ("parus_major", 4.6, 5.2),
    ]
    assert dataset.locate(rows[0]["path"]).samefile(survey / "hill" / "2.wav")  # type: ignore[union-attr]
    biovita.add_to_archive(archive, annotations=[table], annotation_format="raven", progress=False)
    assert len(Archive.open(archive).table("labels")) == 2, "the same file again adds nothing"


def test_examples_and_counter_examples_move_the_query(survey: Path, archive: Path) -> None:
    found = search(archive, image=[survey / "camera" / "0.png"], want=["images"], k=5).hits
    ids = found["id"].to_pylist()
    liked = search(archive, like=[ids[1]], unlike=[ids[0]], want=["images"], k=5).hits
    assert not {ids[0], ids[1]} & set(liked["id"].to_pylist()), "what was judged is not answered again"
    away = search(archive, image=[survey / "camera" / "0.png"], unlike=[ids[-1]], want=["images"], k=5).hits
    assert ids[-1] not in away["id"].to_pylist()
    with pytest.raises(BiovitaError, match="has the id 'none'"):
        search(archive, like=["none"])


def test_what_cannot_be_asked_is_said(survey: Path, archive: Path, tmp_path: Path) -> None:
    with pytest.raises(BiovitaError, match="nothing is asked"):
        search(archive)
    with pytest.raises(BiovitaError, match="does not exist"):
        search(archive, audio=["nowhere.wav"])
    with pytest.raises(BiovitaError, match="no taxa that the model"):
        search(archive, audio=[survey / "hill" / "0.wav"], want=["taxa"])
    with pytest.raises(BiovitaError, match="month"):
        search(archive, text=["x"], month="13")
    with pytest.raises(DatasetError, match="is not an archive"):
        search(survey, text=["x"])
    with pytest.raises(DatasetError, match="nothing to search yet"):
        search(biovita.create_archive(tmp_path / "empty", model=[ALIGNED]), text=["x"])
    with pytest.raises(DatasetError, match="not empty"):
        biovita.create_archive(archive)
    with pytest.raises(DatasetError, match="an archive that is kept"):
        biovita.identify([survey], out=archive, overwrite=True, progress=False)


def test_an_archive_of_an_archive_takes_its_vectors_over(archive: Path, tmp_path: Path) -> None:
    other = biovita.create_archive(tmp_path / "other", model=[ALIGNED])
    done = biovita.add_to_archive(other, [archive], progress=False)
    assert done.models[0].copied == {Modality.AUDIO: 30, Modality.IMAGE: 5}, "each recording as a whole, too"
    assert done.models[0].embedded[Modality.AUDIO].new == 0
    assert pc.all(pc.equal(searched(other).sort_by("id")["id"], searched(archive).sort_by("id")["id"])).as_py()
