"""What the commands of an archive and of search print, and the files that they write."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from support.aligned_stub import ALIGNED, stubs_known
from support.commands import run_command
from support.surveys import write_survey


@pytest.fixture(scope="module", autouse=True)
def model() -> Iterator[None]:
    with stubs_known():
        yield


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_survey(tmp_path_factory.mktemp("cli") / "survey")


@pytest.fixture(scope="module")
def archive(survey: Path) -> Path:
    place = survey.parent / "archive"
    printed = run_command("archive", "create", place, survey, "--model", ALIGNED)
    assert printed.code == 0, printed
    assert printed.out.splitlines() == [
        f"archive: {place}",
        "media: 11 new, 0 known",
        f"{ALIGNED}: embedded 6 recordings, 5 photographs; rows that are searched: 24 of audio, 5 of image",
    ]
    return place


def test_info_says_what_there_is(archive: Path) -> None:
    printed = run_command("archive", "info", archive)
    assert "6 recordings, 0.01 hours; 5 photographs; 3 sites; 0 taxa" in printed.out
    assert "labels: none" in printed.out
    found = json.loads(run_command("archive", "info", archive, "--json").out)
    assert found["searched"] == {ALIGNED: {"rows": {"audio": 24, "image": 5}, "index": {}}}
    assert (found["recordings"], found["missing"]) == (6, 0)


def test_hits_are_a_table_json_or_a_file(survey: Path, archive: Path, tmp_path: Path) -> None:
    ask = ("search", archive, "--audio", f"{survey / 'pond' / '1.wav'}@0-3", "--want", "audio", "-k", 2)
    printed = run_command(*ask)
    head, first, _ = printed.out.splitlines()
    assert head.split() == ["score", "what", "where", "site", "when", "labels", "id"]
    assert first.split()[:6] == ["1", first.split()[1], "sound", "1.wav", "0:00.0", "pond"]
    found = json.loads(run_command(*ask, "--json", "--month", 2).out)
    assert [Path(hit["path"]).name for hit in found["hits"]] == ["1.wav"]
    assert "3 recordings state no time or no time zone" in found["notes"][0]
    for file in (tmp_path / "hits.csv", tmp_path / "hits.parquet"):
        assert f"written: {file}" in run_command(*ask, "--out", file).out
    rows = list(csv.DictReader((tmp_path / "hits.csv").open(encoding="utf-8")))
    assert [row["id"] for row in rows] == pq.read_table(tmp_path / "hits.parquet")["id"].to_pylist()
    assert run_command("search", archive, "--text", "x", "--site", "nowhere").out == "nothing is found\n"


def test_what_is_wrong_with_an_option_is_said(archive: Path) -> None:
    for option, value, said in (
        ("--box", "1,2,3", "WEST,SOUTH,EAST,NORTH"),
        ("--recall", "all", "or exact"),
        ("--weight", "text", "KIND=NUMBER"),
        ("--weight", "smell=1", "kind of query"),
        ("--hours", "25", "20-5"),
        ("-k", "0", "1 to 10,000"),
        ("--recall", "2", "share from 0 to 1"),
    ):
        printed = run_command("search", archive, "--text", "x", option, value)
        assert printed.code in {1, 2}
        assert said in " ".join(printed.err.split()), (option, printed.err)


def test_adding_dropping_and_exporting_say_what_they_did(survey: Path, archive: Path, tmp_path: Path) -> None:
    printed = run_command("archive", "add", archive, survey / "pond")
    assert "media: 0 new, 3 known" in printed.out
    printed = run_command("archive", "refresh", archive, "--json")
    assert json.loads(printed.out)["taken_in"]["same"] == 11
    printed = run_command("archive", "export", archive, "--out", tmp_path / "dataset")
    assert printed.code == 1
    assert "no label by which a person says" in printed.err
    labels = tmp_path / "labels.txt"
    labels.write_text("0.5\t1.5\tParus major\n", encoding="utf-8")
    recording = survey / "hill" / "2.wav"
    labels = labels.rename(tmp_path / "2.txt")
    printed = run_command("archive", "add", archive, "--annotations", labels, "--format", "audacity")
    assert printed.code == 0, printed
    printed = run_command("archive", "export", archive, "--out", tmp_path / "dataset")
    assert "1 recordings and 0 photographs of 1 taxa" in printed.out
    printed = run_command("archive", "drop", archive, recording)
    assert "dropped: 1 recordings, 0 photographs, 1 labels" in printed.out
