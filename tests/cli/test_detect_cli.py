"""``biovita bench detect`` on runs of ``biovita identify``, with a network that costs nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import biovita
from biovita.cli import main
from biovita.identification import scoring
from support.sound_files import song, write_sound
from support.stub_listener import stub_encoder

RATE = 16_000
LISTED = ("Turdus merula", "Parus major", "Erithacus rubecula")


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings, and beside it a run whose events are its annotations, too."""
    place = tmp_path_factory.mktemp("detect")
    (place / "sounds" / "north").mkdir(parents=True)
    for number, name in enumerate(("a", "b")):
        write_sound(place / "sounds" / f"{name}.wav", song(12 + 6 * number, RATE), RATE)
    write_sound(place / "sounds" / "north" / "c.wav", song(9, RATE), RATE)
    (place / "list.txt").write_text("\n".join(LISTED))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "load_encoder", stub_encoder)
        found = biovita.identify(
            [place / "sounds"],
            out=place / "run",
            taxa=place / "list.txt",
            threshold=0.001,
            rank="species",
            formats=["raven"],
            progress=False,
        )
    assert len(found.events) >= 4
    assert len(set(found.events["path"].to_pylist())) == 3
    return place


def run(*arguments: object) -> int | str | None:
    with pytest.raises(SystemExit) as stopped:
        main([str(each) for each in arguments])
    return stopped.value.code


def tables(survey: Path) -> Path:
    (found,) = survey.glob("run/**/*.selections.txt")
    return found


def edited(survey: Path, out: Path, change: Any) -> Path:
    """Write the table with other rows."""
    with tables(survey).open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    kept = change(rows)
    with out.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(kept)
    return out


def detect(survey: Path, annotations: Path, *more: object) -> tuple[object, ...]:
    place = survey / "sounds"
    asked = ("--annotations", annotations, "--format", "raven", "--run", survey / "run", "--threshold", "0.001")
    return ("bench", "detect", place, *asked, *more)


def test_a_run_that_found_all_that_was_annotated_is_right(
    survey: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*detect(survey, tables(survey), "--out", tmp_path / "out")) == 0
    shown = capsys.readouterr()
    assert "in 3 recordings of 0.01 hours, at a threshold of 0.001" in shown.out
    overlap = next(line.split() for line in shown.out.splitlines() if line.startswith("overlap"))
    number = overlap[1]
    assert int(number) >= 4
    assert overlap == ["overlap", number, number, number, "100.0", "100.0", "100.0"]
    assert shown.out.splitlines()[-1] == str(tmp_path / "out" / "detection.html")
    names = {"detection.html", "detection.json", "taxa.csv", "curve.csv"}
    assert {file.name for file in (tmp_path / "out").iterdir()} == names
    kept = json.loads((tmp_path / "out" / "detection.json").read_text())
    assert kept["made"]["run"] == "run"
    assert kept["made"]["name"] == "starter"
    assert kept["made"]["hop_s"] == 1.5


def test_what_was_missed_and_what_was_wrong_is_counted(
    survey: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        broken = {**rows[0], "File Offset (s)": "", "Begin Time (s)": "early"}
        unknown = {**rows[0], "Annotation": "Aus bus", "Scientific Name": "Aus bus", "Common Name": ""}
        elsewhere = {**rows[0], "Begin Path": "/elsewhere/z.wav", "Begin File": "z.wav"}
        return [*rows[1:], broken, unknown, elsewhere]

    file = edited(survey, tmp_path / "all.txt", change)
    assert run(*detect(survey, file, "--out", tmp_path / "out")) == 0
    shown = capsys.readouterr()
    overlap = next(line.split() for line in shown.out.splitlines() if line.startswith("overlap"))
    annotated, found, right = map(int, overlap[1:4])
    assert (found, right) == (annotated + 1, annotated)
    assert f"rows that are no annotations: 1 no-time; the first: {file}, line {annotated + 2}: " in shown.err
    assert "annotations that are not scored: 1 /elsewhere/z.wav (not-in-run), 1 Aus bus (not-named)" in shown.err

    assert run(*detect(survey, file, "--json")) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["annotations"] == annotated + 2
    assert [row["reason"] for row in said["rejected"]] == ["no-time"]
    assert said["files"]["page"] == str(survey / "run" / "detection" / "detection.html")


def test_only_recordings_that_are_named_count(survey: Path) -> None:
    asked: dict[str, Any] = {"annotations": [tables(survey)], "format": "raven", "run": survey / "run"}
    asked |= {"threshold": 0.001, "out": survey / "part"}
    north = biovita.score_detection(survey / "sounds" / "north", **asked)
    assert north.scores.recordings == 1
    assert north.scores.hours == pytest.approx(9 / 3600)
    assert {(row.reason, Path(row.what).name) for row in north.scores.not_scored} == {
        ("not-in-run", "a.wav"),
        ("not-in-run", "b.wav"),
    }
    assert north.scores.overall[0].f1.value == 1
    one = biovita.score_detection(survey / "sounds" / "north" / "c.wav", **asked)
    assert one.scores.overall == north.scores.overall


def test_parts_and_codes(survey: Path, tmp_path: Path) -> None:
    def change(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        codes = {name: f"C{number}" for number, name in enumerate(LISTED)}
        listed = [row for row in rows if row["Annotation"] in codes]
        return [{**row, "Annotation": codes[row["Annotation"]], "Scientific Name": ""} for row in listed]

    (tmp_path / "tables").mkdir()
    edited(survey, tmp_path / "tables" / "all.txt", change)
    (tmp_path / "codes.csv").write_text(
        "code,scientific_name\n" + "".join(f"c{number},{name}\n" for number, name in enumerate(LISTED))
    )
    (tmp_path / "parts.csv").write_text("path,start_s,end_s\na.wav,,\nnorth/c.wav,0,9\ngone.wav,1,2\n")
    done = biovita.score_detection(
        survey / "sounds",
        annotations=[tmp_path / "tables"],
        format="raven",
        run=survey / "run",
        out=tmp_path / "out",
        threshold=0.001,
        annotated=tmp_path / "parts.csv",
        codes=tmp_path / "codes.csv",
    )
    assert done.scores.recordings == 2
    assert done.scores.hours == pytest.approx((12 + 9) / 3600)
    assert done.scores.overall[0].f1.value == 1
    left = {(row.reason, row.what) for row in done.scores.not_scored}
    assert ("part-not-in-run", "gone.wav") in left
    assert {reason for reason, _ in left} == {"part-not-in-run", "outside"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run": "none"}, "none does not exist: it has no archive.json"),
        ({"format": "ravn"}, "unknown format 'ravn'. Did you mean 'raven'?"),
        ({"annotations": ["*.tables"]}, "no file fits the pattern *.tables"),
        ({"annotations": ["list.text"]}, "list.text does not exist"),
        ({"annotations": ["sounds"]}, "sounds: the folder has no file that ends with .txt or .tsv"),
        ({"annotations": ["list.txt"]}, "list.txt, line 1: "),
        ({"recordings": "run"}, "none of the 3 recordings of the run run is run or lies below it; the first is "),
        ({"recordings": "nowhere"}, "nowhere does not exist"),
        ({"threshold": 0.0}, "threshold is 0. It has to be above 0 and up to 1"),
        ({"least_overlap": 1.5}, "least_overlap is 1.5"),
        ({"onset": -1.0}, "onset is -1"),
        ({"annotated": "codes.csv"}, "codes.csv, line 1: there is no column 'path'"),
        ({"annotated": "late.csv"}, "late.csv, line 2: it begins at 5 s and ends at 4 s"),
        ({"codes": "codes.csv"}, "codes.csv, line 3: the code XX is Parus major here, and Turdus merula above"),
    ],
)
def test_what_cannot_be_used_is_named(
    survey: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(survey)
    Path("codes.csv").write_text("code,scientific_name\nxx,Turdus merula\nXX,Parus major\n")
    Path("late.csv").write_text("path,start_s,end_s\na.wav,5,4\n")
    asked: dict[str, Any] = {"recordings": "sounds", "annotations": [tables(survey)], "format": "raven"}
    with pytest.raises(biovita.BiovitaError) as refused:
        biovita.score_detection(**{**asked, "run": "run", "threshold": 0.001, **change})
    assert message in str(refused.value)


def test_annotations_of_other_recordings_are_refused_with_what_was_looked_for(
    survey: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        return [{**row, "Begin Path": "/x/z.wav", "Begin File": "z.wav"} for row in rows]

    file = edited(survey, tmp_path / "all.txt", change)
    assert run(*detect(survey, file)) == 1
    said = capsys.readouterr().err
    assert "/x/z.wav (not-in-run)" in said
    assert "The recordings are " in said
    assert "a.wav" in said
