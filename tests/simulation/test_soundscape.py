"""Soundscapes: that what the truth says is to be heard, is; when, where and how loud."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from biovita.archive.archive_tables import ANNOTATIONS
from biovita.dataset import Dataset
from biovita.errors import BiovitaError
from biovita.simulation.active_part import active_part, band_level
from biovita.simulation.backgrounds import BackgroundTrack, background_files
from biovita.simulation.soundscape import SoundscapeReport, SoundscapeSettings, write_soundscape
from biovita.sources.folder import import_folder
from support.folders import write_image

RATE = 16_000
SPECIES = {"Parus major": 4000.0, "Strix aluco": 800.0, "Sylvia atricapilla": 2500.0}


def burst(hertz: float, start_s: float, end_s: float, length_s: float, seed: int) -> np.ndarray:
    """Return a tone with an even level within faint noise."""
    time = np.arange(round(length_s * RATE)) / RATE
    tone = 0.3 * np.sin(2 * np.pi * hertz * time) * ((time >= start_s) & (time < end_s))
    return (tone + 0.001 * np.random.default_rng(seed).standard_normal(len(time))).astype(np.float32)


@pytest.fixture(scope="module")
def fauna(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("clips")
    rows = []
    for number, (name, hertz) in enumerate(SPECIES.items()):
        for take in range(2 if name != "Strix aluco" else 1):
            file = f"{name.replace(' ', '_')}_{take}.wav"
            soundfile.write(folder / file, burst(hertz, 1.0, 1.0 + 0.5 * (number + 1), 4.0, take), RATE)
            rows.append(
                [file, name, name.split()[0], "xeno-canto", f"XC{number}{take}", "CC-BY-4.0", "A. Recordist"]
            )
    with (folder / "audio.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [["file", "scientific_name", "genus", "source", "source_id", "license", "attribution"], *rows]
        )
    write_image(folder / "tit.png")
    (folder / "images.csv").write_text("file,scientific_name,genus\ntit.png,Parus major,Parus\n")
    return Dataset.open(import_folder(folder, out=folder / "dataset", workers=1, progress=False).dataset)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quiet")
    for number in range(4):
        noise = 0.01 * np.random.default_rng(100 + number).standard_normal(6 * RATE)
        soundfile.write(folder / f"b{number}.flac", noise, RATE)
    return folder


def settings(**more: Any) -> SoundscapeSettings:
    return SoundscapeSettings(
        **{"hours": 3 / 60, "file_minutes": 2, "events": 15, "rate": RATE, "seed": 3, **more}
    )


def made(fauna: Dataset, quiet: Path, out: Path, **more: Any) -> SoundscapeReport:
    chosen = {key: more.pop(key) for key in ("loudest", "overwrite") if key in more}
    return write_soundscape(fauna, settings(**more), backgrounds=quiet, out=out, progress=False, **chosen)


@pytest.fixture(scope="module")
def report(fauna: Dataset, quiet: Path, tmp_path_factory: pytest.TempPathFactory) -> SoundscapeReport:
    return made(fauna, quiet, tmp_path_factory.mktemp("sound") / "scape")


def test_a_call_is_found_where_it_is() -> None:
    found = active_part(burst(3000.0, 1.0, 1.8, 5.0, 0), RATE, 6.0)
    assert found is not None
    assert found.start / RATE == pytest.approx(0.95, abs=0.04)
    assert found.stop / RATE == pytest.approx(1.85, abs=0.04)
    assert (found.low_hz, found.high_hz) == (pytest.approx(2673, abs=10), pytest.approx(3367, abs=10))
    assert found.level == pytest.approx(0.3 / np.sqrt(2) * np.sqrt(0.8 / 0.9), rel=0.05)


def test_notes_near_each_other_are_one_call_and_the_strongest_is_taken() -> None:
    calls = burst(3000.0, 1.0, 1.2, 8.0, 0) + burst(3000.0, 1.5, 1.7, 8.0, 1) + burst(3000.0, 5.0, 5.3, 8.0, 2)
    found = active_part(calls, RATE, 6.0)
    assert found is not None
    assert (found.start / RATE, found.stop / RATE) == (
        pytest.approx(0.95, abs=0.04),
        pytest.approx(1.75, abs=0.04),
    )


def test_a_call_that_goes_on_is_cut_and_silence_has_none() -> None:
    found = active_part(burst(3000.0, 0.0, 9.0, 9.0, 0), RATE, 2.0)
    assert found is not None
    assert found.stop - found.start == 2 * RATE
    assert active_part(np.zeros(RATE, np.float32), RATE, 2.0) is None


def test_the_level_of_a_band_is_that_of_the_tones_in_it() -> None:
    time = np.arange(RATE) / RATE
    tones = 0.5 * np.sin(2 * np.pi * 1000 * time) + 0.1 * np.sin(2 * np.pi * 3000 * time)
    assert band_level(tones, RATE, 900, 1100) == pytest.approx(0.5 / np.sqrt(2))
    assert band_level(tones, RATE, 2000, 4000) == pytest.approx(0.1 / np.sqrt(2))


def test_any_part_of_a_track_is_the_same_whatever_else_is_made(quiet: Path) -> None:
    files = background_files(quiet, None)
    track = BackgroundTrack(files, 60 * RATE, RATE, 7)
    whole = track.part(0, 60 * RATE)
    edges = [0, 5, 70_000, 81_000, 81_001, 500_000, 60 * RATE]
    other = BackgroundTrack(files, 60 * RATE, RATE, 7)
    parts = [other.part(start, stop) for start, stop in pairwise(edges)][::-1]
    assert np.array_equal(whole, np.concatenate(parts[::-1]))
    seconds = np.sqrt((whole.reshape(60, RATE) ** 2).mean(axis=1))
    assert seconds.min() > 0.009, "it fades nowhere"
    assert seconds.max() < 0.011
    again = BackgroundTrack(files, 60 * RATE, RATE, 8).part(0, 60 * RATE)
    assert not np.array_equal(whole, again)


def test_long_backgrounds_are_cut_and_others_resampled(tmp_path: Path) -> None:
    long = 0.1 * np.random.default_rng(0).standard_normal(150 * 8000)
    soundfile.write(tmp_path / "long.wav", long, 8000)
    track = BackgroundTrack(background_files([tmp_path / "long.wav"], None), 100 * RATE, RATE, 0)
    assert np.sqrt((track.part(0, 100 * RATE) ** 2).mean()) == pytest.approx(0.1, rel=0.1)


def test_what_is_heard_is_what_the_truth_says(report: SoundscapeReport, quiet: Path, fauna: Dataset) -> None:
    truth = pq.read_table(report.out / "truth.parquet", schema=ANNOTATIONS).to_pylist()
    with (report.out / "events.csv").open() as stream:
        events = list(csv.DictReader(stream))
    assert len(truth) == len(events) == report.events == 15
    assert (report.files, report.hours) == (("SIM_20260501_050000.flac", "SIM_20260501_050200.flac"), 3 / 60)
    track = BackgroundTrack(background_files(quiet, None), 180 * RATE, RATE, 3)
    begin = 0
    for file in report.files:
        samples, rate = soundfile.read(report.out / file, dtype="float32")
        assert rate == RATE
        behind = track.part(begin, begin + len(samples))
        calls = samples - behind
        for row, event in zip(truth, events, strict=True):
            if row["path"] != file:
                continue
            span = slice(round(row["start_s"] * RATE), round(row["end_s"] * RATE))
            levels = [band_level(each[span], RATE, row["low_hz"], row["high_hz"]) for each in (calls, behind)]
            assert 20 * np.log10(levels[0] / levels[1]) == pytest.approx(float(event["snr_db"]), abs=0.5)
            assert row["low_hz"] <= SPECIES[row["label"]] <= row["high_hz"]
            assert event["scientific_name"] == row["scientific_name"] == row["label"]
            assert (event["license"], event["attribution"]) == ("CC-BY-4.0", "A. Recordist")
            assert row["end_s"] <= len(samples) / RATE
        for row in truth:
            if row["path"] == file:
                calls[round(row["start_s"] * RATE) : round(row["end_s"] * RATE)] = 0
        assert np.abs(calls).max() < 2e-5, "nothing is heard that the truth does not have"
        begin += len(samples)
    later = next(row for row in truth if row["path"] == report.files[1])
    assert (later["begin_local"] - datetime(2026, 5, 1, 5, 2)).total_seconds() == pytest.approx(later["start_s"])  # noqa: DTZ001


@pytest.mark.parametrize("at_once", [1, 2])
def test_calls_keep_their_distance(fauna: Dataset, quiet: Path, tmp_path: Path, at_once: int) -> None:
    report = made(fauna, quiet, tmp_path / "out", events=45, at_once=at_once)
    rows = pq.read_table(report.out / "truth.parquet").to_pylist()
    for row in rows:
        others = [other for other in rows if other is not row and other["path"] == row["path"]]
        meeting = [other for other in others if other["start_s"] <= row["start_s"] < other["end_s"]]
        assert len(meeting) < at_once
        same = [other for other in others if other["label"] == row["label"] and other["start_s"] >= row["start_s"]]
        assert all(other["start_s"] - row["end_s"] >= 6.0 for other in same)
    counts = [sum(row["label"] == name for row in rows) for name in SPECIES]
    assert counts == [15, 15, 15]


def test_raven_opens_the_table_of_each_recording(report: SoundscapeReport) -> None:
    rows = []
    for file in report.files:
        with (report.out / f"{Path(file).stem}.Table.1.selections.txt").open() as stream:
            mine = list(csv.DictReader(stream, delimiter="\t"))
        assert {row["Begin Path"] for row in mine} == {file}
        rows += [(file, float(row["Begin Time (s)"]), row["Annotation"]) for row in mine]
    truth = pq.read_table(report.out / "truth.parquet").to_pylist()
    assert rows == [(row["path"], pytest.approx(row["start_s"], abs=1e-4), row["label"]) for row in truth]


def test_the_same_seed_gives_the_same_bytes(
    report: SoundscapeReport, fauna: Dataset, quiet: Path, tmp_path: Path
) -> None:
    made(fauna, quiet, tmp_path / "again")
    for file in report.out.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes(), file.name
    made(fauna, quiet, tmp_path / "again", seed=4, overwrite=True)
    assert (report.out / "events.csv").read_bytes() != (tmp_path / "again/events.csv").read_bytes()


def test_backgrounds_in_which_something_calls_are_left_out_and_named(
    fauna: Dataset, quiet: Path, tmp_path: Path
) -> None:
    scores = {"b0.flac": 0.25, "b1.flac": 0.24, "b2.flac": 0.0, "b3.flac": 0.9}
    made(fauna, quiet, tmp_path / "out", events=3, loudest=lambda path: scores[path.name])
    said = json.loads((tmp_path / "out/soundscape.json").read_text())
    assert [each["file"] for each in said["backgrounds"]] == ["b1.flac", "b2.flac"]
    assert [each["reason"] for each in said["backgrounds_left_out"]] == [
        "not-quiet: something in it scores 0.25, and 0.25 is too much",
        "not-quiet: something in it scores 0.90, and 0.25 is too much",
    ]
    assert said["quiet_below"] == 0.25
    with pytest.raises(BiovitaError, match=r"none of 4 backgrounds can be used. b0.flac: not-quiet"):
        made(fauna, quiet, tmp_path / "none", loudest=lambda path: 1.0)
    assert not (tmp_path / "none").exists()


def test_backgrounds_that_cannot_be_read_are_named(tmp_path: Path, quiet: Path) -> None:
    short = tmp_path / "short.wav"
    soundfile.write(short, np.random.default_rng(0).normal(0, 0.1, RATE), RATE)
    (tmp_path / "text.wav").write_text("no sound")
    found = background_files([quiet / "b0.flac", short, tmp_path / "text.wav"], None)
    assert [(each.left_out or "used").split(":")[0] for each in found] == ["used", "too-short", "not-audio"]


def test_what_is_held_out_shares_no_recording_with_what_is_heard(
    fauna: Dataset, quiet: Path, tmp_path: Path
) -> None:
    report = made(fauna, quiet, tmp_path / "out", hold_out=True, events=6)
    assert report.species == ("Parus major", "Sylvia atricapilla")
    with (report.out / "events.csv").open() as stream:
        heard = {row["item"] for row in csv.DictReader(stream)}
    groups = dict(zip(*(fauna.audio[name].to_pylist() for name in ("id", "group_id")), strict=True))
    assert len(heard) == len(report.left_for_gallery) == 2
    assert not {groups[item] for item in heard} & {groups[item] for item in report.left_for_gallery}


def test_species_are_drawn_or_named(fauna: Dataset, quiet: Path, tmp_path: Path) -> None:
    assert len(made(fauna, quiet, tmp_path / "a", species=2, events=2).species) == 2
    assert made(fauna, quiet, tmp_path / "b", species=["Strix aluco"], events=2).species == ("Strix aluco",)
    with pytest.raises(BiovitaError, match="Strix aluco: not among the 2 species that have two recordings"):
        made(fauna, quiet, tmp_path / "c", species=["Strix aluco"], hold_out=True)
    with pytest.raises(BiovitaError, match=r"species is 4\. .* has 3 species"):
        made(fauna, quiet, tmp_path / "c", species=4)


def test_a_call_is_no_louder_than_half_of_full_scale(fauna: Dataset, quiet: Path, tmp_path: Path) -> None:
    report = made(fauna, quiet, tmp_path / "out", events=3, snr_db=(90.0, 90.0), at_once=1)
    assert report.lowered == 3
    assert report.clipped == 0
    samples = np.concatenate([soundfile.read(report.out / file)[0] for file in report.files])
    assert 0.5 < np.abs(samples).max() < 0.6
    with (report.out / "events.csv").open() as stream:
        assert max(float(row["snr_db"]) for row in csv.DictReader(stream)) < 60


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"hours": 0}, "hours is 0"),
        ({"snr_db": (5.0, 1.0)}, "snr_db is 5 to 1"),
        ({"events": 0}, "events is 0"),
        ({"rate": 100}, "rate is 100"),
        ({"at_once": 0}, "at_once is 0"),
        ({"file_minutes": -1}, "file_minutes is -1"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(BiovitaError, match=message):
        settings(**wrong)


def test_calls_that_find_no_room_are_refused(fauna: Dataset, quiet: Path, tmp_path: Path) -> None:
    with pytest.raises(BiovitaError, match="500 events do not find room"):
        made(fauna, quiet, tmp_path / "out", events=500)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_birdnet_tells_a_quiet_background_from_one_with_birds(shared_data: Path) -> None:
    from biovita.simulation.quiet import birdnet_listener

    loudest = birdnet_listener()
    folder = shared_data / "background"
    assert loudest(folder / "S4A03895_20190522_003000.flac") < 0.25
    assert loudest(folder / "S4A03895_20190522_221500.flac") > 0.9
