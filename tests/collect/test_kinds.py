"""Media of which neither type, format nor address tells what they are: their first bytes do."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from biovita.collect.preview import preview
from biovita.values import media_kind, says_a_kind
from support.collected_media import HTML, build_soon, picture, sound
from support.media_servers import MediaServer, Resource, media_server

MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + bytes(2000)


@pytest.fixture
def server() -> Iterator[MediaServer]:
    with media_server() as running:
        yield running


def write_archive(folder: Path, addresses: dict[str, str], rest: str = "") -> Path:
    """Write a table with an occurrence an address, and its plan; an address stands under its type."""
    with (folder / "occurrence.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["occurrenceID", "scientificName", "class", "license", "associatedMedia"])
        for number, (address, name) in enumerate(addresses.items()):
            table.writerow([f"o{number}", name, "Aves", "CC0", address])
    plan = folder / "plan.toml"
    plan.write_text(
        'name = "made"\n[[sources]]\nkind = "darwin_core"\npath = "occurrence.csv"\n'
        "[fetching]\nallow_private = true\nper_second = 10000.0\ntries = 1\n" + rest
    )
    return plan


def test_first_bytes_decide_and_are_asked_for_once(server: MediaServer, tmp_path: Path) -> None:
    contents = {"/1": sound(1), "/2": picture(2), "/3": HTML, "/4": MP4}
    server.resources |= {path: Resource(content) for path, content in contents.items()}
    server.resources["/hop"] = Resource(status=302, headers={"location": "/5"})
    server.resources["/5"] = Resource(picture(3), ranges=False)
    names = dict.fromkeys(("/1", "/2", "/3", "/4", "/hop", "/gone"), "Parus major") | {"/other": "Pica"}
    plan = write_archive(tmp_path, {server.url(path): name for path, name in names.items()})
    told = preview(plan)
    assert {row.reason: row.rows for row in told.left_out} == {"not-a-species": 1, "untold": 6}
    assert told.notes[-1].startswith("6 media are untold")
    assert not server.asked

    report = build_soon(plan, tmp_path / "data")
    assert (report.audio, report.images, report.fetched) == (1, 2, 3)
    assert report.left_out == {"no-sound-or-photograph": 2, "not-a-species": 1, "untold": 1}
    listed = pq.read_table(tmp_path / "data" / "omitted.parquet").to_pylist()
    assert sorted((row["reason"], row["modality"]) for row in listed) == [
        ("no-sound-or-photograph", "neither"),
        ("no-sound-or-photograph", "neither"),
        ("not-a-species", "untold"),
        ("untold", "untold"),
    ]
    assert server.asked["/other"] == 0
    asked = dict(server.asked)
    assert build_soon(plan, tmp_path / "data").fetched == 0
    assert dict(server.asked) == asked


def test_a_few_bytes_of_a_few_media_are_asked_for(server: MediaServer, tmp_path: Path) -> None:
    """Where a plan limits a species, as many are asked for as it has places and spares; of a file its first bytes."""
    addresses = {server.url(f"/{number}"): "Parus major" for number in range(50)}
    server.resources |= {f"/{number}": Resource(sound(number)) for number in range(50)}
    plan = write_archive(tmp_path, addresses, "[limits]\naudio_per_species = 2\nimages_per_species = 0\n")
    report = build_soon(plan, tmp_path / "data")
    assert (report.audio, report.left_out) == (2, {"over-limit": 20, "untold": 28})
    assert sum(server.whole.values()) == 2


@pytest.mark.parametrize(
    ("type_", "format_", "address", "told"),
    [
        ("a note", None, "https://x.org/media/81", False),
        (None, None, "https://x.org/media/81?size=large", False),
        ("Sound; StillImage", None, "https://x.org/81", False),
        ("MovingImage", None, "https://x.org/81", True),
        (None, "text/html", "https://x.org/81", True),
        (None, None, "https://x.org/81.mp3", True),
    ],
)
def test_what_says_a_kind(type_: str | None, format_: str | None, address: str, told: bool) -> None:
    assert says_a_kind(type_, format_, address) == told
    if media_kind(type_, format_, address) is not None:
        assert told
