"""Runs of identify over folders of real files, with a network that costs nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

import biovita
from biovita.archive import register
from biovita.archive.archive import Archive
from biovita.errors import BiovitaError, DatasetError
from biovita.hashing import sha256_of
from biovita.identification import scoring
from support.recorder_files import write_recorder_wav
from support.sound_files import song, write_sound
from support.stub_listener import stub_encoder

RATE = 16_000


@pytest.fixture(autouse=True)
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "load_encoder", stub_encoder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A site with a GUANO header, one with a time in its name, one with two channels, and what cannot be used."""
    place = tmp_path / "survey"
    (place / "north").mkdir(parents=True)
    guano = "GUANO|Version: 1.0\nTimestamp: 2024-05-17T04:10:00+02:00\nLoc Position: 47.5 8.7\n"
    write_recorder_wav(place / "north" / "a.wav", song(12, RATE)[:, 0], RATE, guano=guano)
    write_sound(place / "north" / "20240517_051000.flac", song(7, RATE), RATE)
    write_sound(place / "two.wav", np.tile(song(5, RATE), (1, 2)), RATE)
    shutil.copy(place / "two.wav", place / "zz_copy.wav")
    (place / "broken.wav").write_bytes(b"RIFF\x10\x00\x00\x00WAVEfmt ")
    (place / "empty.mp3").write_bytes(b"")
    (place / "notes.txt").write_text("nothing")
    return place


def test_scores_of_media_that_are_not_named_again_are_gone(folder: Path, tmp_path: Path) -> None:
    biovita.identify([folder], out=tmp_path / "run", progress=False)
    archive = Archive.open(tmp_path / "run")
    shutil.copy(
        archive.file("windows"), archive.file("photograph_scores")
    )  # as if photographs had been named, too
    found = biovita.identify([folder / "north"], out=tmp_path / "run", progress=False)
    assert not archive.file("photograph_scores").exists()
    assert {Path(path).name for path in found.events["path"].to_pylist()} <= {"a.wav", "20240517_051000.flac"}


def test_a_folder_becomes_an_archive_with_answers(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    found = biovita.identify([folder], out=out, threshold=0.3, progress=False)
    archive = Archive.open(out)
    recordings = archive.table("recordings").sort_by("path").to_pylist()
    assert [Path(row["path"]).name for row in recordings] == ["20240517_051000.flac", "a.wav", "two.wav"]
    assert [str(row["begin_local"]) for row in recordings] == [
        "2024-05-17 05:10:00",
        "2024-05-17 04:10:00",
        "None",
    ]
    assert [row["utc_offset_min"] for row in recordings] == [None, 120, None]
    assert (recordings[1]["latitude"], recordings[1]["longitude"]) == (47.5, 8.7)
    assert set(archive.table("deployments")["site"].to_pylist()) == {"north", "survey"}
    reasons = dict(zip(found.left_out["path"].to_pylist(), found.left_out["reason"].to_pylist(), strict=True))
    assert {Path(path).name: reason for path, reason in reasons.items()} == {
        "zz_copy.wav": "duplicate",
        "broken.wav": "truncated",
        "empty.mp3": "empty",
    }
    # Windows of 3 s, half overlapping: 12 s give 7, 7 s give 4 (the last from 4.5 s), 5 s give 3 (from 3 s, 2 s long).
    counts = found.windows["media_id"].value_counts().to_pylist()
    assert sorted(each["counts"] for each in counts) == [3, 4, 7]
    assert pc.max(found.windows["end_s"]).as_py() == 12
    assert len(found.events)
    events = found.events.to_pylist()
    assert {event["by"] for event in events} == {"starter"}
    timed = [event for event in events if event["path"].endswith("a.wav")]
    assert all(event["begin_local"].hour == 4 and event["utc_offset_min"] == 120 for event in timed)
    assert {Path(event["path"]).name for event in events} <= {Path(row["path"]).name for row in recordings}
    assert any("1 .txt" in note for note in found.notes)
    assert found.written == ()
    assert found.to_pandas().shape[0] == len(found.events)
    assert found.to_polars().shape[0] == len(found.events)
    assert json.loads((out / "run.json").read_text())["windows"] == {"audio": 14}


def test_the_same_call_does_nothing_twice_and_takes_what_is_new(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    first = biovita.identify([folder], out=out, threshold=0.3, progress=False)
    assert first.record["embedded"]["audio"] == {"new": 3, "kept": 0, "failed": 0}
    hashed: list[Path] = []

    def hashing(path: Path) -> str:
        hashed.append(path)
        return sha256_of(path)

    monkeypatch.setattr(register, "sha256_of", hashing)
    again = biovita.identify([folder], out=out, threshold=0.3, progress=False)
    assert again.record["embedded"]["audio"] == {"new": 0, "kept": 3, "failed": 0}
    assert {path.name for path in hashed} <= {"zz_copy.wav"}
    assert again.windows.equals(first.windows)
    assert again.events.drop_columns(["made_at"]).equals(first.events.drop_columns(["made_at"]))
    write_sound(folder / "new.wav", song(4, RATE)[::-1], RATE)
    more = biovita.identify([folder], out=out, threshold=0.3, progress=False)
    assert more.record["embedded"]["audio"] == {"new": 1, "kept": 3, "failed": 0}


def test_other_questions_are_answered_from_the_scores(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = biovita.identify([folder], out=out, threshold=0.3, progress=False)
    scoring.load_encoder = None  # type: ignore[assignment] - no network runs any more
    higher = biovita.identify(run=out, threshold=0.6, rank="species", progress=False)
    taxa = first.events.filter(pc.equal(first.events["rank"], "species"))
    assert 0 < len(higher.events) < len(taxa)
    assert pc.min(higher.events["score"]).as_py() >= 0.6
    families = biovita.identify(run=out, threshold=0.3, rank="family", progress=False)
    ranks = families.events.filter(pc.equal(families.events["kind"], "taxon"))["rank"].to_pylist()
    assert set(ranks) - {"species"} == {"family"}  # a species stands for itself where its family is not known
    within = biovita.identify(run=out, threshold=0.3, within=["Anura"], progress=False)
    orders = dict(zip(*(within.candidates[name].to_pylist() for name in ("taxon_id", "order")), strict=True))
    named = [taxon for taxon in within.events["taxon_id"].to_pylist() if taxon in orders]
    assert {orders[taxon] for taxon in named} == {"Anura"}
    with pytest.raises(
        BiovitaError, match=r"cannot be answered from this run.*Set a threshold of 0\.0\d+ or more"
    ):
        biovita.identify(run=out, threshold=0.01, progress=False)
    assert biovita.identify(run=out, threshold=1.0, progress=False).events.num_rows == 0


def test_a_question_that_cannot_be_answered_is_refused_before_anything_is_heard(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "embed_media", None)  # whoever listens fails
    with pytest.raises(BiovitaError, match=r"--within Avis: .*Did you mean 'Aves'"):
        biovita.identify([folder], out=tmp_path / "run", within=["Avis"], progress=False)
    with pytest.raises(BiovitaError, match=r"common\.csv"):
        biovita.identify(
            [folder], out=tmp_path / "run", names=tmp_path / "common.csv", language="de", progress=False
        )


def test_a_low_threshold_is_answered_for_it_is_known_beforehand(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    found = biovita.identify([folder], out=out, threshold=0.02, rank="species", progress=False)
    assert pc.min(found.events["score"]).as_py() < 0.05
    assert biovita.identify(run=out, threshold=0.02, rank="species", progress=False).events.equals(found.events)


def test_the_record_says_what_was_asked_last(folder: Path, tmp_path: Path) -> None:
    out, names = tmp_path / "run", tmp_path / "list.txt"
    names.write_text("Turdus merula\n")
    biovita.identify([folder], out=out, threshold=0.3, progress=False)
    first = json.loads((out / "run.json").read_text())
    assert (first["answered"]["taxa"], first["answered"]["threshold"]) == (None, 0.3)
    biovita.identify(run=out, threshold=0.5, taxa=names, within=["Aves"], rank="genus", progress=False)
    again = json.loads((out / "run.json").read_text())
    said = again.pop("answered")
    assert said["taxa"] == {"file": str(names), "sha256": sha256_of(names)}
    assert (said["within"], said["threshold"], said["rank"]) == (["Aves"], 0.5, "genus")
    assert said["left_out"]["not-listed"] > 6_000
    del first["answered"]
    assert again == first


def test_a_list_keeps_all_scores_of_what_it_names(folder: Path, tmp_path: Path) -> None:
    names = tmp_path / "list.txt"
    names.write_text("Turdus merula\nEurasian Wren\nNescio nihil\n")
    found = biovita.identify([folder], out=tmp_path / "run", taxa=names, threshold=0.01, progress=False)
    taxa = pc.equal(found.candidates["kind"], "taxon")
    listed = found.candidates.filter(pc.and_(found.candidates["listed"], taxa))["scientific_name"].to_pylist()
    assert sorted(listed) == ["Troglodytes troglodytes", "Turdus merula"]
    species = found.events.filter(pc.equal(found.events["kind"], "taxon"))["scientific_name"].to_pylist()
    assert set(species) <= {
        "Turdus merula",
        "Troglodytes troglodytes",
        "Turdus",
        "Troglodytes",
        "Turdidae",
        "Troglodytidae",
    }
    assert any("Nescio nihil" in note for note in found.notes)
    with pytest.raises(DatasetError, match="Nescio nihil"):
        biovita.identify([folder], out=tmp_path / "other", taxa=names, strict=True, progress=False)


def test_what_would_mix_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    biovita.identify([folder], out=out, progress=False)
    with pytest.raises(BiovitaError, match=r"overlap was 0\.5, now 0\.0"):
        biovita.identify([folder], out=out, overlap=0.0, progress=False)
    fresh = biovita.identify([folder], out=out, overlap=0.0, overwrite=True, progress=False)
    assert fresh.record["embedded"]["audio"]["new"] == 3
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.doc").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(DatasetError, match="is not empty and no run of biovita"):
            biovita.identify([folder], out=full, overwrite=overwrite, progress=False)
    assert (full / "thesis.doc").read_text() == "years of work"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"week": 3}, "a date or week is of use with a place only"),
        ({"treshold": 0.3}, "Did you mean 'threshold'"),
        ({"overlap": 1.5}, "the overlap is 1.5"),
        ({"rank": "tribe"}, "unknown rank 'tribe'"),
        ({"formats": ["ravn"]}, "Did you mean 'raven'"),
        ({"threshold": 0.0}, "the threshold is 0"),
        ({"channel": 0}, "the channel is 0"),
        ({"within": ["Avs"]}, "Did you mean 'Aves'"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(
    folder: Path, tmp_path: Path, options: dict[str, object], said: str
) -> None:
    with pytest.raises(BiovitaError, match=said):
        biovita.identify([folder], out=tmp_path / "run", progress=False, **options)  # type: ignore[arg-type]


def test_nothing_to_hear_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.txt.bak").write_text("x")
    with pytest.raises(DatasetError, match=r"no recording and no photograph is in .*1 files in folders.*1 \.bak"):
        biovita.identify([tmp_path], progress=False)
    (tmp_path / "a.wav").write_bytes(b"")
    with pytest.raises(DatasetError, match="none of the files that were named can be used: 1 empty"):
        biovita.identify([tmp_path], out=tmp_path / "out", progress=False)


def test_channels_and_bands_are_heard_apart(tmp_path: Path) -> None:
    low, high = song(6, RATE), np.sin(2 * np.pi * 7000 * np.arange(6 * RATE) / RATE)[:, None] * 0.3
    write_sound(tmp_path / "a.wav", np.concatenate([low, high.astype(np.float32)], axis=1), RATE)
    each = biovita.identify(
        [tmp_path / "a.wav"], out=tmp_path / "each", channel="all", threshold=0.2, progress=False
    )
    assert sorted(Archive.open(tmp_path / "each").table("recordings")["channel"].to_pylist()) == [1, 2]
    first, second = each.windows["media_id"].unique().to_pylist()
    assert (first[:20], first[20:], second[20:]) == (second[:20], "#1", "#2")
    assert each.windows["scores"][0] != each.windows["scores"][3]
    slow = biovita.identify(
        [tmp_path / "a.wav"], out=tmp_path / "slow", band=(1000, None), expand=4, threshold=0.2, progress=False
    )
    assert slow.record["window_s"] == 0.75
    assert pc.max(slow.windows["end_s"]).as_py() == 6
    assert len(slow.windows) == 1 + round((6 - 0.75) / 0.375)
