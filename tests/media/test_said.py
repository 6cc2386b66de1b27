"""What files say of themselves: real WAV and JPEG files with the headers of recorders and cameras."""

from __future__ import annotations

import shutil
import time
from datetime import datetime
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import ExifTags, Image

from biovita.errors import BiovitaError, MediaError
from biovita.media.packed_files import PackedFile
from biovita.media.said import Said, begin_of, said_of_picture, said_of_sound
from biovita.sources.licenses import normalise_license
from support.recorder_files import bext, wamd, write_recorder_wav
from support.sound_files import HTML, song, write_sound

at = datetime.fromisoformat
SILENCE = np.zeros(80)
MOTH = "Recorded at 04:10:00 03/05/2021 (UTC) by AudioMoth 24A04F085FDF1787 at medium gain while battery was 3.6V"
METER = wamd({1: "SM4BAT-FS", 2: "S4U01234", 4: "CAVE", 5: "2021-05-03 04:10:00", 6: "WGS84,42.5,N,71.25,W"})
BEXT = bext("Avisoft-RECORDER", "2021-05-03", "04:10:00")


def guano(timestamp: str, *more: str) -> str:
    return "\n".join(["GUANO|Version:1.0", f"Timestamp:{timestamp}", "Make:Titley", "Serial:7", *more])


def wav(path: Path, **chunks: object) -> Path:
    return write_recorder_wav(path, SILENCE, 8000, **chunks)


def test_every_source_in_its_order(tmp_path: Path) -> None:
    chunks = {"guano": guano("2021-05-03T04:10:00+02:00"), "icmt": MOTH, "wamd": METER, "bext": BEXT}
    expected = {
        "guano": ("GUANO", "Titley 7"),
        "icmt": ("the AudioMoth comment", "Open Acoustic Devices AudioMoth 24A04F085FDF1787"),
        "wamd": ("the Wildlife Acoustics header", "Wildlife Acoustics SM4BAT-FS S4U01234"),
        "bext": ("the BWF header", "Avisoft-RECORDER"),
    }
    while chunks:
        said = said_of_sound(wav(tmp_path / "MOOR_20210503_041000.wav", **chunks))
        source, recorder = expected[next(iter(chunks))]
        assert said.begin_local == at("2021-05-03 04:10:00")
        assert (said.sources["begin_local"], said.sources["recorder"], said.recorder) == (source, source, recorder)
        assert (said.latitude, said.site) == ((42.5, "CAVE") if "wamd" in chunks else (None, "MOOR"))
        chunks.pop(next(iter(chunks)))
    said = said_of_sound(wav(tmp_path / "MOOR_20210503_041000.wav"))
    assert said == Said(
        at("2021-05-03 04:10:00"),
        site="MOOR",
        sources={"begin_local": "the file name", "site": "the file name"},
    )


def test_a_conflict_is_noted(tmp_path: Path) -> None:
    path = wav(tmp_path / "20210503_031000.wav", guano=guano("2021-05-03T04:10:00+02:00"))
    said = said_of_sound(path)
    assert (said.begin_local, said.utc_offset_min) == (at("2021-05-03 04:10:00"), 120)
    assert said.notes == (
        "GUANO says 2021-05-03T04:10:00+02:00 and the file name 2021-05-03 03:10:00: GUANO is taken",
    )


def test_conflicts_of_place_and_site(tmp_path: Path) -> None:
    named = tmp_path / "HEATH_20210503_041000_[+42.5-71.2].wav"
    said = said_of_sound(wav(named, wamd=METER))
    assert (said.site, said.longitude) == ("CAVE", -71.25)
    meter = "the Wildlife Acoustics header"
    assert said.notes == (
        f"{meter} says 42.5 -71.25 and the file name 42.5 -71.2: {meter} is taken",
        f"{meter} says site CAVE and the file name site HEATH: {meter} is taken",
    )


def test_the_same_moment_in_two_zones_is_no_conflict(tmp_path: Path) -> None:
    said = said_of_sound(wav(tmp_path / "20210503_021000Z.wav", guano=guano("2021-05-03T04:10:01+02:00")))
    assert (said.utc_offset_min, said.notes) == (120, ())


@pytest.mark.parametrize(
    ("name", "offset", "notes"),
    [
        ("20210503_041000+0200.wav", 120, 0),  # the same local time: its zone is that of the header
        ("20210503_021000Z.wav", 120, 1),  # UTC: the difference is the zone
        ("20210503_031000+0200.wav", None, 1),  # another moment
        ("20210503_013700Z.wav", None, 1),
        ("20210503_041000.wav", None, 0),
    ],
)
def test_a_zone_that_another_source_states(tmp_path: Path, name: str, offset: int | None, notes: int) -> None:
    said = said_of_sound(wav(tmp_path / name, bext=BEXT))
    assert (said.begin_local, said.utc_offset_min) == (at("2021-05-03 04:10:00"), offset)
    assert len(said.notes) == notes


def test_the_time_zone_that_is_given_is_of_clocks_that_state_none(tmp_path: Path) -> None:
    path = wav(tmp_path / "20210503_041000.wav")
    said = said_of_sound(path, timezone="Europe/Berlin")
    assert (said.utc_offset_min, said.sources["utc_offset_min"]) == (120, "the time zone that was given")
    assert said_of_sound(path, timezone="-03:30").utc_offset_min == -210
    assert said_of_sound(wav(tmp_path / "20211031_023000.wav"), timezone="Europe/Berlin").notes == (
        "2021-10-31 02:30:00 comes twice in Europe/Berlin, when the clocks go back: the first, +02:00 is taken",
    )


def test_the_zone_of_the_file_is_kept_against_the_one_that_is_given(tmp_path: Path) -> None:
    path = wav(tmp_path / "20210503_041000.WAV", icmt=MOTH)
    said = said_of_sound(path, timezone="Europe/Berlin")
    assert (said.utc_offset_min, said.sources["utc_offset_min"]) == (0, "the AudioMoth comment")
    assert len(said.notes) == 1
    assert "Europe/Berlin" in said.notes[0]
    assert said_of_sound(path, timezone="Africa/Accra").notes == ()
    with pytest.raises(BiovitaError, match="Europe/Berlin"):
        said_of_sound(path, timezone="Europe/Belrin")


@pytest.mark.parametrize("day", ["1970-01-01", "1980-01-06", "2000-01-01"])
def test_clocks_that_nobody_set(tmp_path: Path, day: str) -> None:
    path = wav(tmp_path / "20210503_041000.wav", guano=guano(f"{day}T00:04:11Z", "Loc Position:0.0 0.0"))
    said = said_of_sound(path)
    assert (said.begin_local, said.utc_offset_min, said.latitude) == (at("2021-05-03 04:10:00"), None, None)
    assert [day in note or "0, 0" in note for note in said.notes] == [True, True]


def test_begin_within_a_recording(tmp_path: Path) -> None:
    said = said_of_sound(wav(tmp_path / "20210503_235930+0200.wav"))
    assert begin_of(said, 45.5) == (at("2021-05-04 00:00:15.500"), 120)
    slow = said_of_sound(wav(tmp_path / "x.wav", guano=guano("2021-05-03T04:10:00", "TE:10")))
    assert begin_of(slow, 45) == (at("2021-05-03 04:10:04.500"), None)
    assert begin_of(said_of_sound(wav(tmp_path / "y.wav")), 45) is None


def test_comments_that_survive_the_conversion_to_flac(tmp_path: Path) -> None:
    plain = write_sound(tmp_path / "plain.flac", song(1, 8000), 8000)
    for key, text, source in (
        ("comment", MOTH, "the AudioMoth comment"),
        ("guano", guano("2021-05-03T04:10:00+00:00"), "GUANO"),
        ("RecordingStart", "2021-05-03T04:10:00+0000", "the Frontier Labs comment"),
    ):
        path = tmp_path / "x.flac"
        _with_tags(plain, path, {key: text, "copyright": "A. Bee, CC BY-NC 4.0"})
        said = said_of_sound(path)
        assert (said.begin_local, said.utc_offset_min) == (at("2021-05-03 04:10:00"), 0)
        assert said.sources["begin_local"] == source
        assert (said.license, said.attribution) == ("CC BY-NC 4.0", "A. Bee, CC BY-NC 4.0")
        assert normalise_license(said.license) == "CC-BY-NC-4.0"


@pytest.mark.parametrize("kind", ["mp3", "ogg", "m4a"])
def test_tags_of_other_formats(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    _with_tags(write_sound(tmp_path / f"plain.{kind}", song(1, 8000), 8000), path, {"comment": MOTH})
    assert said_of_sound(path).begin_local == at("2021-05-03 04:10:00")


def _with_tags(source: Path, target: Path, tags: dict[str, str]) -> None:
    """Copy the sound of a file without encoding it again, and give it tags."""
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        stream = written.add_stream_from_template(read.streams.audio[0])
        written.metadata.update(tags)
        stream.metadata.update(tags)
        for packet in read.demux(read.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                written.mux(packet)


def picture(path: Path, exif: dict[int, object], place: dict[int, object] | None = None, **general: str) -> Path:
    image = Image.new("RGB", (8, 8))
    data = image.getexif()
    for name, text in general.items():
        data[ExifTags.Base[name]] = text
    data.get_ifd(ExifTags.IFD.Exif).update(exif)
    data.get_ifd(ExifTags.IFD.GPSInfo).update(place or {})
    image.save(path, exif=data.tobytes())  # TIFF does not take the object whole
    return path


TAKEN = {36867: "2021:05:03 06:10:00"}
PLACE = {1: "S", 2: (12.0, 30.0, 36.0), 3: "E", 4: (130.0, 45.0, 0.0)}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif(tmp_path: Path, suffix: str) -> None:
    exif = {**TAKEN, 36881: "+09:30", 37521: "25", 42033: "B7"}
    general = {"Make": "Canon", "Model": "Canon EOS 7D", "Copyright": "A. Bee (CC BY 4.0)", "Artist": "A. Bee"}
    said = said_of_picture(picture(tmp_path / f"x.{suffix}", exif, PLACE, **general))
    assert (said.begin_local, said.utc_offset_min) == (at("2021-05-03 06:10:00.250"), 570)
    assert (said.latitude, said.longitude) == (pytest.approx(-12.51), 130.75)
    assert (said.recorder, said.license, said.attribution) == (
        "Canon EOS 7D B7",
        "CC BY 4.0",
        "A. Bee (CC BY 4.0)",
    )
    assert said.notes == ()


@pytest.mark.parametrize(
    ("utc", "offset"), [((4.0, 9.0, 40.0), 120), ((0.0, 40.0, 12.0), 330), ((4.0, 0.0, 0.0), None)]
)
def test_a_zone_from_the_time_of_satellites(tmp_path: Path, utc: tuple[float, ...], offset: int | None) -> None:
    said = said_of_picture(picture(tmp_path / "x.jpg", TAKEN, {**PLACE, 7: utc, 29: "2021:05:03"}))
    assert (said.begin_local, said.utc_offset_min) == (at("2021-05-03 06:10:00"), offset)
    assert len(said.notes) == 1
    stated = said_of_picture(picture(tmp_path / "y.jpg", {**TAKEN, 36881: "-05:00"}, {7: utc, 29: "2021:05:03"}))
    assert (stated.utc_offset_min, stated.notes) == (-300, ())


def test_pictures_with_a_name_and_without_exif(tmp_path: Path) -> None:
    path = tmp_path / "PXL_20210503_041000123.jpg"
    Image.new("RGB", (8, 8)).save(path)
    assert said_of_picture(path).sources == {"begin_local": "the file name", "utc_offset_min": "the file name"}
    said = said_of_picture(picture(path, TAKEN))
    assert (said.begin_local, said.utc_offset_min) == (at("2021-05-03 06:10:00"), 120)


@pytest.mark.parametrize(
    ("exif", "place"),
    [
        ({36867: "0000:00:00 00:00:00"}, {}),
        ({36867: "    :  :     :  :  "}, {1: "N", 2: (1.0, 2.0, 3.0)}),
        ({36867: "2000:01:01 00:00:00"}, {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}),
        ({36867: "spring"}, {1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}),
        ({}, {2: (1.0, 2.0, 3.0), 4: (1.0, 2.0, 3.0)}),
    ],
)
def test_exif_that_states_nothing(tmp_path: Path, exif: dict[int, object], place: dict[int, object]) -> None:
    said = said_of_picture(picture(tmp_path / "x.jpg", exif, place))
    assert (said.begin_local, said.latitude, said.longitude) == (None, None, None)


def test_files_of_packed_media(tmp_path: Path) -> None:
    content = wav(tmp_path / "a.wav", bext=BEXT).read_bytes()
    packed = PackedFile("media.lance", 0, "photos/12/original.wav", len(content), content)
    said = said_of_sound(packed)
    assert (said.begin_local, said.source_id) == (at("2021-05-03 04:10:00"), "iNaturalist photo 12")


def test_files_that_are_not_there_or_not_media(tmp_path: Path) -> None:
    for said_of in (said_of_sound, said_of_picture):
        with pytest.raises(MediaError, match="no such file"):
            said_of(tmp_path / "20210503_041000.wav")
        page = tmp_path / "20210503_041000.html"
        page.write_bytes(HTML)
        assert said_of(page).begin_local == at("2021-05-03 04:10:00")  # to decode it is refused elsewhere


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_no_damage_raises_anything_else(tmp_path: Path) -> None:
    """Cut at every byte of the headers, and with every third replaced."""
    whole = {
        "x.wav": wav(
            tmp_path / "a.wav", guano=guano("2021-05-03T04:10:00+02:00"), icmt=MOTH, wamd=METER, first=True
        ),
        "x.jpg": picture(tmp_path / "a.jpg", {**TAKEN, 36881: "+09:30"}, {**PLACE, 7: (4.0, 9.0, 40.0)}),
    }
    for name, source in whole.items():
        data, path = source.read_bytes(), tmp_path / name
        said_of = said_of_sound if name == "x.wav" else said_of_picture
        cut = [data[:length] for length in range(1, min(len(data), 600))]
        changed = [data[:n] + bytes([data[n] ^ 0xFF]) + data[n + 1 :] for n in range(0, min(len(data), 600), 3)]
        for damaged in (*cut, *changed):
            path.write_bytes(damaged)
            began = time.process_time()
            assert isinstance(said_of(path), Said)
            assert time.process_time() - began < 1
    for name in ("x.flac", "x.mp3", "x.ogg", "x.m4a"):
        path = write_sound(tmp_path / name, song(1, 8000), 8000)
        data = path.read_bytes()
        for length in range(1, 400, 40):
            path.write_bytes(data[:length])
            assert isinstance(said_of_sound(path), Said)


def test_real_recordings_of_bats(shared_data: Path) -> None:
    folder = shared_data / "annotated/whombat-bats"
    said = said_of_sound(folder / "XC826198-Carollia_sowelli-2013.02.15-CL00829.wav")
    assert (said.begin_local, said.utc_offset_min) == (at("2013-02-15 19:50:21"), None)
    assert (said.recorder, said.source_id, said.notes) == ("Avisoft-RECORDER", "XC826198", ())
    read = 0
    for path in sorted(folder.glob("*.wav")):
        with av.open(str(path)) as file:  # FFmpeg reads bext chunks too
            date, clock = (file.metadata.get(name) for name in ("date", "creation_time"))
        assert said_of_sound(path).begin_local == (None if date is None else at(f"{date} {clock}"))
        read += date is not None
    assert read == 7
    silent = said_of_sound(folder / "XC820302-Noctilio_leporinus-2013.01.08-CL00088_A_15.wav")
    assert silent == Said(source_id="XC820302", sources={"source_id": "the file name"})


def test_a_day_of_real_soundscapes(shared_data: Path, tmp_path: Path) -> None:
    found = sorted((shared_data / "background").glob("*.flac"))
    said = [said_of_sound(path, timezone="Europe/Paris") for path in found]
    minutes = [(each.begin_local - at("2019-05-22")).total_seconds() / 60 for each in said if each.begin_local]
    assert minutes == [15 * number for number in range(96)]
    assert {(each.utc_offset_min, each.site, each.recorder, each.notes) for each in said} == {
        (120, "S4A03895", "Wildlife Acoustics S4A03895", ())
    }
    shutil.copy(found[0], tmp_path / "renamed.flac")
    assert said_of_sound(tmp_path / "renamed.flac") == Said()
