"""Names as recorders, cameras and collections give them, and names that only look like them."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePath

import pytest

from biovita.media.name_patterns import named

at = datetime.fromisoformat

AT = at("2021-05-03 04:10:00")


@pytest.mark.parametrize(
    ("name", "offset", "site"),
    [
        ("20210503_041000.WAV", None, None),
        ("20210503_041000Z.wav", 0, None),
        ("20210503_041000+0200.wav", 120, None),
        ("SWIFT07_20210503_041000-0500.wav", -300, "SWIFT07"),
        ("20210503_041000T.WAV", None, None),  # AudioMoth, triggered
        ("PLOT-7_20210503_041000.wav", None, "PLOT-7"),
        ("PLOT_A_20210503_041000.wav", None, "PLOT_A"),  # a site, and no channel
        ("PLOT_7_20210503_041000_000.wav", None, "PLOT_7"),  # Wildlife Acoustics, triggered
        ("PLOT7_0+1_20210503_041000.wav", None, "PLOT7"),  # SM3, microphones
        ("PLOT7_20210503$041000.wac.wav", None, "PLOT7"),  # SM2
        ("20210503T041000+1000_REC.flac", 600, None),  # Frontier Labs
        ("S20210503T041000.967337-0300_E20210503T042000.967350-0300_-12.34567+78.98102.wav", -180, None),
        ("birds-2021-05-03_04-10.flac", None, "birds"),  # Arbimon
        ("StationA__CAM1__2021-05-03__04-10-00(1).JPG", None, "StationA"),  # camtrapR
        ("20210503041000.jpg", None, None),
        ("IMG_20210503_041000.jpg", None, None),
        ("PXL_20210503_041000123.jpg", 0, None),
        ("Voice 2021.05.03 04.10.00.m4a", None, None),
    ],
)
def test_times_and_sites(name: str, offset: int | None, site: str | None) -> None:
    said = named(PurePath(name))
    assert (said.begin_local, said.utc_offset_min, said.site) == (AT, offset, site)


@pytest.mark.parametrize(
    "name",
    [
        "20210503_0410.wav",  # may be a running number
        "20211303_041000.wav",
        "20210503_256000.wav",
        "120210503_041000.wav",
        "20210503_0410001.wav",
        "20210503.wav",
        "12345678.wav",
        "5a93c2f0.wav",  # AudioMoths write capitals
        "RCNX0001.JPG",
        "DSC_0001.jpg",
        "XC820302-Noctilio_leporinus-2013.01.08-CL00088_A_15.wav",  # a date alone
        "",
    ],
)
def test_names_that_state_no_time(name: str) -> None:
    said = named(PurePath(name))
    assert (said.begin_local, said.utc_offset_min, said.site) == (None, None, None)


def test_an_offset_that_no_clock_has_is_none() -> None:
    said = named(PurePath("20210503_041000-9900.wav"))
    assert (said.begin_local, said.utc_offset_min) == (AT, None)


def test_seconds_since_1970_are_utc() -> None:
    said = named(PurePath("5A930F4A.WAV"))
    assert (said.begin_local, said.utc_offset_min) == (at("2018-02-25 19:32:26"), 0)


def test_numbers_of_recorders_before_the_time() -> None:
    moth = named(PurePath("24E144085F256DF6_20210503_041000.WAV"))
    assert (moth.model, moth.serial, moth.site) == ("AudioMoth", "24E144085F256DF6", None)
    meter = named(PurePath("S4A03895_20190522_000000.flac"))
    assert (meter.make, meter.serial, meter.site) == ("Wildlife Acoustics", "S4A03895", "S4A03895")


def test_a_place_in_brackets() -> None:
    said = named(PurePath("20210621T205706-0300_REC_[-12.3456+78.9012].flac"))
    assert (said.latitude, said.longitude, said.utc_offset_min) == (-12.3456, 78.9012, -180)
    unbracketed = named(PurePath("S20210503T041000.9673-0300_E20210503T042000.9673-0300_-12.5+78.25.wav"))
    assert (unbracketed.latitude, unbracketed.longitude) == (-12.5, 78.25)
    assert named(PurePath("20210621T205706_[-92.0+78.9].flac")).latitude is None


@pytest.mark.parametrize(
    ("name", "number", "taxon"),
    [
        ("XC123456 - Eurasian Wren - Troglodytes troglodytes.mp3", "XC123456", "Troglodytes troglodytes"),
        ("XC1 - Wren - Troglodytes troglodytes indigenus.mp3", "XC1", "Troglodytes troglodytes indigenus"),
        ("XC510934-Rhea americana_espinilho_1241.mp3", "XC510934", None),
        ("XC229053-Greater Rhea B 3.mp3", "XC229053", None),
        ("XC123 - Soundscape.mp3", "XC123", None),
        ("ML123456.mp3", "ML123456", None),
        ("ML123456789.jpg", "ML123456789", None),
        ("photos/123/original.jpg", "iNaturalist photo 123", None),
        ("/data/inat/photos/123/medium.jpeg", "iNaturalist photo 123", None),
        ("sounds/77.m4a", "iNaturalist sound 77", None),
        ("myphotos/123/original.jpg", None, None),
        ("XC12b.mp3", None, None),
        ("MLA.mp3", None, None),
    ],
)
def test_numbers_of_collections(name: str, number: str | None, taxon: str | None) -> None:
    said = named(PurePath(name))
    assert (said.source_id, said.taxon_hint) == (number, taxon)


def test_a_download_with_a_time_in_its_name_has_no_site() -> None:
    said = named(PurePath("XC254462-JMJ-20150623-031744-150623_16-USA.mp3"))
    assert (said.source_id, said.begin_local, said.site) == ("XC254462", at("2015-06-23 03:17:44"), None)
