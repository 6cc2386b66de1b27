from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from PIL import Image

from biovita.archive.segments import SEGMENT_COLUMNS, write_segments
from biovita.errors import DatasetError
from support.found_events import events_of, photographs_of, recordings_of
from support.sound_files import song, write_sound

RATE = 24_000


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    for name, channels in (("one", 1), ("two", 2)):
        write_sound(folder / f"{name}.wav", song(10.0, RATE, channels), RATE)
    return folder


def event(start: float = 4.0, end: float = 6.0, media: str = "one", **more: object) -> dict:
    return {
        "media_id": media,
        "path": f"{media}.wav",
        "scientific_name": "Pica pica",
        "start_s": start,
        "end_s": end,
        "score": 0.75,
        "best_start_s": start,
        **more,
    }


def recordings(folder: Path):
    one = {"id": "one", "path": str(folder / "one.wav"), "license": "CC0-1.0", "attribution": "=A. Person"}
    return recordings_of(one, {"id": "two", "path": "two.wav", "dataset": str(folder), "channels": 2})


def listed(out: Path) -> list[dict]:
    with (out / "segments.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_segment_holds_the_samples_of_its_event_and_its_margin(sounds, tmp_path):
    report = write_segments(
        events_of(event(media="two")), recordings(sounds), photographs_of(), tmp_path / "cut", margin_s=0.5
    )
    assert (report.taxa, report.written, report.left_out.num_rows) == (1, 1, 0)
    cut, rate = soundfile.read(tmp_path / "cut/Pica pica/0.750_two_3.50-6.50.flac", always_2d=True)
    whole, _ = soundfile.read(sounds / "two.wav", always_2d=True)
    assert (rate, cut.shape[1]) == (RATE, 2)
    assert np.array_equal(cut, whole[84_000:156_000])


@pytest.mark.parametrize(
    ("start", "end", "length", "expected"),
    [
        (0.1, 1.0, None, (0.0, 1.5)),
        (9.0, 10.0, None, (8.5, 10.0)),
        (4.0, 5.0, 3.0, (3.0, 6.0)),
        (0.0, 1.0, 3.0, (0.0, 3.0)),
        (9.5, 10.0, 3.0, (7.0, 10.0)),
        (1.0, 9.0, 3.0, (5.0, 8.0)),  # longer than asked for: from its best window on
        (4.0, 5.0, 30.0, (0.0, 10.0)),
    ],
)
def test_a_segment_stays_within_its_recording(sounds, tmp_path, start, end, length, expected):
    found = events_of(event(start, end, best_start_s=5.0 if end == 9.0 else start))
    write_segments(found, recordings(sounds), photographs_of(), tmp_path, length_s=length)
    (row,) = listed(tmp_path)
    assert (float(row["start_s"]), float(row["end_s"])) == expected
    assert soundfile.info(tmp_path / row["file"]).frames == round((expected[1] - expected[0]) * RATE)


def test_the_list_says_where_each_is_from(sounds, tmp_path):
    begin = datetime.fromisoformat("2026-05-01T23:59:59.750")
    found = events_of(event(begin_local=begin, utc_offset_min=-300, site="Creek", revision="1"))
    write_segments(found, recordings(sounds), photographs_of(), tmp_path)
    (row,) = listed(tmp_path)
    assert tuple(row) == SEGMENT_COLUMNS
    assert row["begin"] == "2026-05-01T23:59:59.250-05:00"  # half a second before the event
    assert row["attribution"] == "'=A. Person"  # no formula in a spreadsheet
    assert (row["license"], row["site"], row["by"]) == ("CC0-1.0", "Creek", "starter")


def test_no_segment_overlaps_a_voice_and_the_next_best_is_cut(sounds, tmp_path):
    found = events_of(event(2, 3, score=0.9), event(5, 6, score=0.8), event(8, 9, score=0.7))
    speech = {"one": np.array([[3.4, 5.2]])}  # within the first one's margin, and within the second
    report = write_segments(found, recordings(sounds), photographs_of(), tmp_path, per_taxon=1, speech=speech)
    assert report.spoken_over == 2
    assert [row["score"][:3] for row in listed(tmp_path)] == ["0.7"]


def test_what_cannot_be_cut_is_listed_and_the_rest_is_cut(sounds, tmp_path):
    gone = recordings_of(
        {"id": "gone", "path": str(tmp_path / "gone.wav")},
        {"id": "short", "path": str(sounds / "one.wav"), "duration_s": 90.0},
    )
    found = events_of(event(), event(media="gone"), event(20, 21, media="short"), event(media="nowhere"))
    report = write_segments(
        found, pa.concat_tables([recordings(sounds), gone]), photographs_of(), tmp_path / "cut"
    )
    assert report.written == 1
    reasons = dict(zip(report.left_out["path"].to_pylist(), report.left_out["reason"].to_pylist(), strict=True))
    assert reasons == {"gone.wav": "missing", "short.wav": "span-outside", "nowhere.wav": "unknown-recording"}


def test_the_same_events_give_the_same_files_again(sounds, tmp_path):
    found = events_of(
        event(), event(4.001, 6.001), event(scientific_name="../Pica"), event(scientific_name="pica PICA")
    )
    before = {}
    for _ in range(2):
        write_segments(found, recordings(sounds), photographs_of(), tmp_path)
        after = {file.relative_to(tmp_path): file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        assert (
            len(after) == 5
        )  # two of one name to the hundredth of a second, and no two folders that differ by case
        assert not before or before == after
        before = after
    assert len({file.parent.name.casefold() for file in after}) == 4  # the list lies in the folder itself


def test_a_link_in_the_folder_is_not_followed(sounds, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut/Pica pica").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="link"):
        write_segments(events_of(event()), recordings(sounds), photographs_of(), tmp_path / "cut")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_rate_that_flac_cannot_hold_gives_wav(tmp_path):
    samples = song(0.5, 750_000)
    write_sound(tmp_path / "bat.wav", samples, 750_000)
    bat = recordings_of(
        {"id": "bat", "path": str(tmp_path / "bat.wav"), "duration_s": 0.5, "sample_rate": 750_000}
    )
    write_segments(events_of(event(0.1, 0.2, "bat")), bat, photographs_of(), tmp_path / "cut", margin_s=0)
    (row,) = listed(tmp_path / "cut")
    assert row["file"].endswith(".wav")
    assert soundfile.info(tmp_path / "cut" / row["file"]).samplerate == 750_000


def test_of_a_photograph_the_box_is_cut(tmp_path):
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[30:45, 20:60] = (200, 40, 10)
    Image.fromarray(pixels).save(tmp_path / "trap.png")
    photographs = photographs_of({"id": "p", "path": str(tmp_path / "trap.png")})
    shown = {
        "modality": "image",
        "media_id": "p",
        "scientific_name": "Vulpes vulpes",
        "score": 0.5,
        "path": "trap.png",
    }
    found = events_of(shown | {"box": [0.25, 0.5, 0.5, 0.25]}, shown, shown | {"box": [0.5, 0.5, 0.9, 0.1]})
    report = write_segments(found, recordings_of(), photographs, tmp_path / "cut")
    with Image.open(tmp_path / "cut/Vulpes vulpes/0.500_trap_box-250-500-500-250.jpg") as crop:
        assert crop.size == (40, 15)
        assert np.abs(np.asarray(crop).astype(int) - (200, 40, 10)).max() < 12
    with Image.open(tmp_path / "cut/Vulpes vulpes/0.500_trap.jpg") as whole:
        assert whole.size == (80, 60)
    assert report.left_out["reason"].to_pylist() == ["box-outside"]


def test_no_events_give_an_empty_list(tmp_path):
    report = write_segments(events_of(), recordings_of(), photographs_of(), tmp_path)
    assert (report.taxa, report.written) == (0, 0)
    assert listed(tmp_path) == []


@pytest.mark.parametrize("options", [{"length_s": 0.0}, {"length_s": float("nan")}, {"per_taxon": 0}])
def test_settings_that_make_no_sense_are_refused(tmp_path, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        write_segments(events_of(), recordings_of(), photographs_of(), tmp_path, **options)
