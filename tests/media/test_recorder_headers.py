"""Headers as firmware writes them, letter by letter."""

from __future__ import annotations

import struct
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biovita.media.recorder_headers import audiomoth, broadcast_wave, guano, song_meter, tags
from support.recorder_files import bext, wamd

at = datetime.fromisoformat

MINI = """GUANO|Version:1.0
Firmware Version:1.1
Make:Wildlife Acoustics, Inc.
Model:Song Meter Mini
Serial:SMA00646
WA|Song Meter|Prefix:MOOR-3
WA|Song Meter|Audio settings:[{"rate":24000,"gain":18}]
Length:300.000
Original Filename:SMA00646_20201017_130500.wav
Timestamp:2020-10-17 13:05:00+1:00
Loc Position:54.75656 -1.59106
Temperature Int:21.25
Samplerate:24000
"""
SPECIFIED = """GUANO|Version:  1.0

Timestamp:  2012-03-29T03:58:01.25+04:00
Note:  Timestamp: never
TE: 10
Make:  Pettersson
Model:  D1000X
Loc Position:  37.1878016 -86.1057312
PET|Gain:  80
"""


def test_guano_of_a_song_meter_mini() -> None:
    said = guano(MINI)
    assert (said.begin_local, said.utc_offset_min) == (at("2020-10-17 13:05:00"), 60)
    assert (said.latitude, said.longitude) == (54.75656, -1.59106)
    assert (said.make, said.model, said.serial) == ("Wildlife Acoustics, Inc.", "Song Meter Mini", "SMA00646")
    assert (said.site, said.gain, said.time_expansion, said.notes) == ("MOOR-3", "18 dB", None, ())


def test_guano_of_the_specification() -> None:
    said = guano(SPECIFIED)
    assert (said.begin_local, said.utc_offset_min) == (at("2012-03-29 03:58:01.250000"), 240)
    assert (said.gain, said.time_expansion, said.make) == ("80", 10.0, "Pettersson")


@pytest.mark.parametrize(
    ("line", "offset"),
    [("Timestamp:2020-10-17T13:05:00", None), ("Timestamp:2020-10-17T13:05Z", 0)],
)
def test_zones_of_guano(line: str, offset: int | None) -> None:
    said = guano(line)
    assert (said.begin_local, said.utc_offset_min) == (at("2020-10-17 13:05:00"), offset)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("Timestamp:yesterday 5 pm", "'yesterday 5 pm'"),
        ("Timestamp:2020-13-17T13:05:00", "2020-13-17"),
        ("Timestamp:2020-10-17T13:05:00+25:00", "25:00"),
        ("Timestamp:9999-12-31T23:59:59Z", "9999"),
        ("Loc Position:97.1 10", "97.1 10"),
        ("Loc Position:here", "here"),
    ],
)
def test_what_is_unreadable_in_guano_is_noted_and_not_used(line: str, says: str) -> None:
    said = guano(f"GUANO|Version:1.0\n{line}\n")
    assert (said.begin_local, said.latitude) == (None, None)
    assert len(said.notes) == 1
    assert says in said.notes[0]


@pytest.mark.parametrize(
    ("comment", "offset", "serial", "gain"),
    [
        ("(UTC) by AudioMoth 24A04F085FDF1787 at gain setting 2 while battery state was 3.6V", 0, True, "2"),
        ("by AudioMoth 24A04F085FDF1787 at gain setting 2 while battery state was < 3.6V", None, True, "2"),
        ("(UTC-2) by AudioMoth 24A04F085FDF1787 at medium gain setting while battery state", -120, True, "medium"),
        ("(UTC+5:30) by AudioMoth 24A04F085FDF1787 at low-medium gain while battery was", 330, True, "low-medium"),
        ("(UTC-0:30) by AudioMoth 24A04F085FDF1787 at high gain while battery was 4.1V and", -30, True, "high"),
        ("(UTC) by AudioMoth 24A04F085FDF1787 using external microphone at high gain while", 0, True, "high"),
        ("(UTC) during deployment 001A2B3C4D5E6F70 at low gain while battery was 3.7V", 0, False, "low"),
    ],
)
def test_comments_of_audiomoth(comment: str, offset: int | None, serial: bool, gain: str) -> None:
    said = audiomoth(f"Recorded at 19:17:30 25/02/2018 {comment}")
    assert said is not None
    assert (said.begin_local, said.utc_offset_min) == (at("2018-02-25 19:17:30"), offset)
    assert (said.serial, said.gain) == ("24A04F085FDF1787" if serial else None, gain)
    assert said.site == (None if serial else "001A2B3C4D5E6F70")


def test_a_deployment_and_the_artist_name_the_audiomoth() -> None:
    comment = (
        "Recorded at 19:17:30 25/02/2018 (UTC) during deployment 001A2B3C4D5E6F70 at low gain while battery was"
    )
    said = audiomoth(comment, "AudioMoth 24A04F085FDF1787")
    assert said is not None
    assert (said.serial, said.site) == ("24A04F085FDF1787", "001A2B3C4D5E6F70")


@pytest.mark.parametrize("comment", [None, "", "Recorded at home", "Recorded at 19:17:30 25/02/2018 by me"])
def test_comments_of_others_are_none_of_audiomoth(comment: str | None) -> None:
    assert audiomoth(comment) is None


def test_the_header_of_a_song_meter() -> None:
    records = {1: "SM4BAT-FS\0", 2: "S4U01234", 3: "2.2.1", 4: "CAVE", 5: "2014-04-02 22:59:14-05:00"}
    said = song_meter(wamd({**records, 6: "WGS84,42.5,N,71.25,W,120", 13: b"RIFF\0\0", 15: b"\x0a\0", 999: "new"}))
    assert (said.begin_local, said.utc_offset_min) == (at("2014-04-02 22:59:14"), -300)
    assert (said.latitude, said.longitude, said.site) == (42.5, -71.25, "CAVE")
    assert (said.model, said.serial, said.time_expansion, said.notes) == ("SM4BAT-FS", "S4U01234", 10.0, ())


def test_a_song_meter_without_zone_and_with_the_last_place() -> None:
    said = song_meter(wamd({5: "2014-04-02 22:59:14.500", 20: "WGS84,-42.5,71.25", 15: b"\x01\0"}))
    assert (said.begin_local, said.utc_offset_min) == (at("2014-04-02 22:59:14.500000"), None)
    assert (said.latitude, said.longitude, said.time_expansion) == (-42.5, 71.25, None)


def test_a_header_of_another_version_is_not_read() -> None:
    said = song_meter(wamd({1: "SM9"}).replace(struct.pack("<HIH", 0, 2, 1), struct.pack("<HIH", 0, 2, 7)))
    assert said.model is None
    assert "version 1" in said.notes[0]


def test_broadcast_wave() -> None:
    said = broadcast_wave(bext("Avisoft-RECORDER USGH", "2016-02-17", "19:45:16"))
    assert (said.begin_local, said.utc_offset_min, said.model) == (
        at("2016-02-17 19:45:16"),
        None,
        "Avisoft-RECORDER USGH",
    )
    assert broadcast_wave(bext("", "2016_02_17", "19.45.16")).begin_local == at("2016-02-17 19:45:16")
    assert broadcast_wave(bext("", "", "")).notes == ()
    assert broadcast_wave(bext("", "0000-00-00", "00:00:00")).notes == ()
    assert broadcast_wave(b"short").begin_local is None


def test_tags_of_other_formats() -> None:
    frontier = {"recordingstart": "2021-10-04T20:00:00+1000", "sensorlocation": "-27.3888+152.8808"}
    (said,) = tags({**frontier, "sensoruid": "00015998", "channelgain": "40dB"})
    assert (said.begin_local, said.utc_offset_min) == (at("2021-10-04 20:00:00"), 600)
    assert (said.latitude, said.longitude, said.serial, said.gain) == (-27.3888, 152.8808, "00015998", "40dB")
    assert [each.source for each in tags({"comment": MINI, "artist": "A. Bee"})] == ["GUANO", "its tags"]
    (owned,) = tags({"copyright": "2015 A. Bee // Creative Commons BY-NC-SA 4.0", "date": "2021-05-03 04:10:00"})
    assert (owned.license, owned.attribution) == (
        "CC BY-NC-SA 4.0",
        "2015 A. Bee // Creative Commons BY-NC-SA 4.0",
    )
    assert owned.begin_local is None


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.text(max_size=80))
def test_anything_else_is_read_without_an_error(content: bytes, text: str) -> None:
    song_meter(wamd({5: text, 6: text, 15: content[:1]}) + content)
    broadcast_wave(content)
    said = guano(f"Timestamp:{text}\nLoc Position:{text}\nTE:{text}\nWA|Song Meter|Audio settings:{text}")
    assert said.begin_local is None
    tags({"comment": text, "artist": text, "recordingstart": text, "copyright": text})
