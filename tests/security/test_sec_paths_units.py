"""Tables of cases for names of files, the door of what is published, and the ledger's places."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from biovita.collect.ledger import Entry, Ledger, own_path
from biovita.dataset.outgoing import Outgoing, bytes_of, copied, is_outside
from biovita.errors import DatasetError
from biovita.filenames import FileNames, contained, file_name, is_path, safe_suffix
from biovita.files import open_regular
from biovita.hashing import sha256_of
from biovita.modality import Modality
from biovita.sql import sql_file
from support.hostile_data import digest, media

_KEY = "0123456789abcdef0123"
_ODD = [
    "", ".", "..", " ", "/", "a/b", "a\\b", "../x", "/etc/passwd", ".hidden", "x.", "x ", " x", "a\0b", "a\nb",
    "a\x1b[2J", "a\u202eb", "a\u200bb", "\ud800", "CON", "con", "Con.txt", "nul .x", "COM1", "com\xb9", "LPT9.wav",
    "conin$", "a:b", "C:x", "a*", "a?", "<x>", "a|b", '"', "x" * 300, "\N{LATIN SMALL LETTER E WITH ACUTE}" * 200,
    "U\u0308nal", "\U0001f98a" * 99,
]  # fmt: skip


@pytest.mark.parametrize("text", _ODD)
def test_an_odd_name_becomes_one_safe_component(text: str, tmp_path: Path) -> None:
    name = file_name(text)
    assert name != text
    assert 0 < len(name.encode()) <= 120
    assert file_name(name) == name  # it is a name itself
    assert not name.startswith(".")
    assert not name.endswith((".", " "))
    (tmp_path / name).write_text("x")
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "text",
    ["Parus major", "xc-123", "parus_major", "XC123", "birds.v2", "\xdcnal", "0", "a" * 120, "aux1", "comm"],
)
def test_a_real_name_stays(text: str) -> None:
    assert file_name(text) == text


def test_odd_names_differ_on_every_file_system() -> None:
    texts = [
        *_ODD,
        *(text.upper() for text in _ODD),
        "A",
        "a",
        "\xc4",
        "A\u0308",
        "\xe4",
        "a_b",
        "_",
        "stra\xdfe",
        "STRASSE",
    ]
    names = FileNames()
    given = {text: names.of(text) for text in texts}
    assert given == {text: names.of(text) for text in texts}
    assert len({name.casefold() for name in given.values()}) == len(given)
    fresh = FileNames()
    assert [fresh.new("xc", "xc-1", suffix=".wav") for _ in range(2)] == ["xc.wav", "xc-1.wav"]
    assert fresh.new("XC", "xc-1", suffix=".wav") not in {"xc.wav", "xc-1.wav", "XC.wav"}
    assert fresh.new("xc", suffix=".png") == "xc.png"


def test_endings_and_paths() -> None:
    names = ("a.wav", "a.FLAC", "a", ".wav", "a.w/v", "a.\u202egpj", "a." + "x" * 40, "a.")
    assert [safe_suffix(name) for name in names] == [".wav", ".FLAC", "", "", "", "", "", ""]
    assert file_name("a?b.wav").endswith(".wav")
    paths = ("media/a b.wav", "/x/\xa0.wav", "", ".", "/", "a/..", "a\0", "a\tb", "a\u2066b", "\udcff", "x" * 256)
    assert [is_path(path) for path in paths] == [True, True, *[False] * 9]
    assert sql_file(Path("/a*/b?[1]/it's")) == "'/a[*]/b[?][[]1]/it''s'"


def test_a_place_is_within_its_root_with_links_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "in").symlink_to(".")
    (root / "out").symlink_to("..")
    (root / "loop").symlink_to("loop")
    assert contained(root, root / "in/x") == root / "in/x"
    for place in (root / "out/x", root / "../x", tmp_path, root / "loop", root / "a\0"):
        with pytest.raises(DatasetError):
            contained(root, place)
    assert not is_outside(root, root / "in/x")
    assert is_outside(root, root / "out/x")
    assert is_outside(root, root / "a\0")


def test_what_is_no_file_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for place in (tmp_path / "pipe", tmp_path / "zero", tmp_path):
        for read in (open_regular, sha256_of):
            with pytest.raises(DatasetError, match="not a regular file"):
                read(place)


@pytest.mark.parametrize("link", [False, True])
def test_a_link_and_a_copy_hold_the_bytes_that_are_stated(link: bool, tmp_path: Path) -> None:
    (sound,), (picture,) = media(tmp_path, 1)
    file = Outgoing(sound, Modality.AUDIO, digest(sound))
    copied(file, tmp_path / "out/a.wav", link=link)
    assert (tmp_path / "out/a.wav").read_bytes() == bytes_of(file) == sound.read_bytes()
    assert sound.stat().st_nlink == 1 + link
    for other in (Outgoing(sound, Modality.AUDIO, "0" * 64), Outgoing(picture, Modality.AUDIO, digest(picture))):
        with pytest.raises(DatasetError):
            copied(other, tmp_path / "out/b", link=link)
        assert not (tmp_path / "out/b").exists()
    assert sound.is_file()


@pytest.mark.parametrize(
    ("path", "holds"),
    [
        (f"media/image/01/{_KEY}.jpg", True),
        (f".collect/originals/01/{_KEY}.wav", True),
        (f"media/image/02/{_KEY}.jpg", False),
        (f"media/image/01/{_KEY[::-1]}.jpg", False),
        (f"media/image/01/../01/{_KEY}.jpg", False),
        (f"media/image/01/{_KEY}", False),
        (f"media/image/01/{_KEY}.jp/g", False),
        (f"/media/image/01/{_KEY}.jpg", False),
        ("dataset.toml", False),
    ],
)
def test_each_entry_has_a_place_of_its_own(path: str, holds: bool, tmp_path: Path) -> None:
    assert own_path(Entry(_KEY, "u", "ready", path=path)) is holds
    ledger = Ledger(tmp_path / "ledger.sqlite")
    info = {"width": 32, "height": 24, "phash": "0" * 16}
    ledger.put(Entry(_KEY, "u", "ready", path=path, sha256="0" * 64, bytes=1, info=info))
    if holds or path.startswith("/"):  # an absolute one was at hand, and is never written or removed
        ledger.require_own()
    else:
        with pytest.raises(DatasetError, match="was not written by a build"):
            ledger.require_own()
    ledger.close()
