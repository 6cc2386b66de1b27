"""Files found by names that differ a little from those on the disk."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biovita.named_files import NamedFiles

NFC = unicodedata.normalize("NFC", "Gr\u00fcnspecht \u00e9t\u00e9.wav")
NFD = unicodedata.normalize("NFD", NFC)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("place").resolve() / "Field 2024"
    for name in (
        *(NFD, "Rec/Night/b 1.wav", "XC77.wav", "100%.wav", "a%20b.wav", "c d.wav", "twice.wav", "Twice.wav"),
        *("deep/er/only here.jpg", "rec2/x.wav", "x.wav"),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    (root / "empty").mkdir()
    return root


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (NFC, NFD),
        (NFC.upper(), NFD),
        ("rec\\night\\B 1.WAV", "Rec/Night/b 1.wav"),
        (".\\Rec\\Night\\b%201.wav", "Rec/Night/b 1.wav"),
        ("xc77.WAV", "XC77.wav"),
        (' "XC77.wav" ', "XC77.wav"),
        ("\u201eXC77.wav\u201c", "XC77.wav"),
        ("100%25.wav", "100%.wav"),
        ("A%20b.wav", "a%20b.wav"),
        ("c%20d.wav", "c d.wav"),
        ("%63%20d.wav", "c d.wav"),
        ("C:\\Users\\me\\field\\rec\\night\\b 1.wav", "Rec/Night/b 1.wav"),
        ("\\\\server\\share\\rec2\\x.wav", "rec2/x.wav"),
        ("/home/someone/data/rec2/x.wav", "rec2/x.wav"),
        ("file:///D:/other/x.wav", "x.wav"),
        ("~/somewhere/rec2/x.wav", "rec2/x.wav"),
        ("field 2024/xc77.wav", "XC77.wav"),
        ("twice.wav", "twice.wav"),
        ("TWICE.wav", None),  # two can be meant
        ("other/XC77.wav", None),  # another folder's, for all that is known
        ("only here.jpg", None),
        ("empty", None),
        ("../XC77.wav", None),
        ("C:\\..\\XC77.wav", None),
        ("%2e%2e/Field 2024/XC77.wav", None),
        ("%ff.wav", None),
        ("a%00.wav", None),
        ("", None),
        ("~", None),
    ],
)
def test_the_one_file_that_can_be_meant(root: Path, name: str, found: str | None) -> None:
    assert NamedFiles(root).find(name) == (None if found is None else root / found)


def test_a_whole_path_of_this_machine_is_that_file_or_none(root: Path) -> None:
    other = root.parent / "elsewhere/XC77.wav"
    other.parent.mkdir()
    other.write_bytes(b"y")
    files = NamedFiles(root)
    assert files.find(str(other)) is None
    assert files.find(str(root / "rec2/x.wav")) == root / "rec2/x.wav"
    other.unlink()
    assert files.find(str(other)) == root / "XC77.wav"  # of another machine, as it is not here


def test_the_nearest_name_is_told(root: Path) -> None:
    files = NamedFiles(root)
    assert files.nearest("only here.jpg") == ". Did you mean 'deep/er/only here.jpg'?"
    assert files.nearest("XC78.wav") == ". Did you mean 'XC77.wav'?"
    assert files.nearest("nothing of the kind") == ""


def test_each_folder_is_listed_once_and_hints_end(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import biovita.named_files as module

    listed: list[Path] = []
    real = module.os.listdir
    monkeypatch.setattr(module.os, "listdir", lambda folder: listed.append(folder) or real(folder))
    files = NamedFiles(root)
    for number in range(300):
        files.find(f"rec\\night\\{number}.wav")
    assert len(listed) == 3
    assert sum(bool(files.nearest("XC78.wav")) for _ in range(300)) == 100


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40))
def test_nothing_outside_is_found_and_nothing_fails(root: Path, name: str) -> None:
    found = NamedFiles(root).find(name)
    assert found is None or (found.is_file() and found.is_relative_to(root))
