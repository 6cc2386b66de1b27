"""A second import of a folder looks into the files that have changed; files of the same bytes are decoded once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from biovita.dataset import Dataset
from biovita.sources import inspect
from biovita.sources.folder import ImportReport, import_folder
from biovita.sources.inspected_files import NAME
from support.folders import append, make_folder, write_image
from support.sound_files import HTML

TABLES = ("audio.parquet", "images.parquet", "taxa.parquet", "rejected.parquet", "dataset.toml")
LONG_AGO = 10**18
Work = dict[str, list[str]]


@pytest.fixture
def src(tmp_path: Path) -> Path:
    """Six recordings and six photographs, which were written long ago."""
    made = make_folder(tmp_path / "src")
    for file in sorted(made.rglob("*.*")):
        os.utime(file, ns=(LONG_AGO, LONG_AGO))
    return made


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Note which files are hashed and which are decoded."""
    done: Work = {"hashed": [], "decoded": []}

    def noted(name: str, what: str) -> None:
        function = getattr(inspect, name)

        def call(path: Path) -> object:
            done[what].append(path.name)
            return function(path)

        monkeypatch.setattr(inspect, name, call)

    noted("sha256_of", "hashed")
    noted("probe_audio", "decoded")
    noted("probe_image", "decoded")
    return done


@pytest.fixture
def run(src: Path, tmp_path: Path, work: Work) -> Callable[[], ImportReport]:
    """Import again, counting from nothing."""

    def imported() -> ImportReport:
        for names in work.values():
            names.clear()
        return import_folder(src, out=tmp_path / "ds", overwrite=True, progress=False)

    return imported


def tables(dataset: Path) -> dict[str, bytes]:
    return {name: (dataset / name).read_bytes() for name in TABLES}


def test_what_has_not_changed_is_neither_hashed_nor_decoded(
    tmp_path: Path, run: Callable[[], ImportReport], work: Work
) -> None:
    first = run()
    assert (first.unchanged, len(work["hashed"]), len(work["decoded"])) == (0, 12, 12)
    made = tables(tmp_path / "ds")
    second = run()
    assert (second.unchanged, work) == (12, {"hashed": [], "decoded": []})
    assert tables(tmp_path / "ds") == made
    (tmp_path / "ds").rename(tmp_path / "elsewhere")
    assert run().unchanged == 0


def test_what_has_changed_is(src: Path, tmp_path: Path, run: Callable[[], ImportReport], work: Work) -> None:
    run()
    write_image(src / "images" / "Pica_pica_0.png", seed=77)
    os.utime(src / "images" / "Pica_pica_1.png")
    (src / "audio" / "Pica_pica_0.wav").rename(src / "audio" / "renamed.wav")
    table = src / "audio.csv"
    table.write_text(table.read_text().replace("audio/Pica_pica_0.wav", "audio/renamed.wav"))
    report = run()
    assert report.unchanged == 9
    assert sorted(work["hashed"]) == ["Pica_pica_0.png", "Pica_pica_1.png", "renamed.wav"]
    assert work["decoded"] == ["Pica_pica_0.png"]
    anew = import_folder(src, out=tmp_path / "anew", progress=False)
    assert (anew.audio, anew.images) == (report.audio, report.images)
    for name in ("audio", "images"):
        assert Dataset.open(tmp_path / "anew").table(name).equals(Dataset.open(tmp_path / "ds").table(name))


def test_a_file_that_had_just_been_written_is_hashed(
    src: Path, run: Callable[[], ImportReport], work: Work
) -> None:
    os.utime(src / "images" / "Pica_pica_0.png")
    run()
    assert run().unchanged == 11
    assert work == {"hashed": ["Pica_pica_0.png"], "decoded": []}


def test_what_could_not_be_used_is_looked_at_again(src: Path, run: Callable[[], ImportReport], work: Work) -> None:
    (src / "images" / "page.jpg").write_bytes(HTML)
    append(src / "images.csv", "images/page.jpg,Pica pica,,,,,,,,")
    assert run().reasons == {"not-image": 1}
    assert run().reasons == {"not-image": 1}
    assert work["decoded"] == ["page.jpg"]


def test_other_limits_and_damaged_lists_let_all_be_looked_at(
    tmp_path: Path, run: Callable[[], ImportReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    monkeypatch.setenv("BIOVITA_LIMIT_PIXELS", "1000000")
    assert run().unchanged == 0
    assert run().unchanged == 12
    (tmp_path / "ds" / NAME).write_bytes(b"PAR1 and no more")
    assert run().unchanged == 0


def test_one_picture_under_many_names_is_decoded_once_and_told_in_a_line(
    src: Path, tmp_path: Path, work: Work
) -> None:
    rows = []
    for number in range(40):
        shutil.copy(src / "images" / "Pica_pica_0.png", src / "images" / f"copy {number}.png")
        rows.append(f"images/copy {number}.png,{'Pica pica' if number % 2 else 'Vulpes vulpes'},,,,,,,,")
    append(src / "images.csv", *rows)
    report = import_folder(src, out=tmp_path / "ds", workers=1, progress=False)
    assert report.reasons == {"ambiguous": 41}
    assert sum(name == "Pica_pica_0.png" or name.startswith("copy") for name in work["decoded"]) == 1
    details = Dataset.open(tmp_path / "ds").rejected["detail"].to_pylist()
    assert details[0] == "the same bytes are also Vulpes vulpes in images.csv line 8, and 39 more"
    assert details[1:3] == [
        "the same bytes are also Pica pica in images.csv line 2, and 39 more",
        "the same bytes are also Vulpes vulpes in images.csv line 8, and 39 more",
    ]
