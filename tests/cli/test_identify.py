from __future__ import annotations

from pathlib import Path

import pytest

from biovita.identification import scoring
from support.commands import run_command
from support.sound_files import song, write_sound
from support.stub_listener import stub_encoder

RATE = 16_000


@pytest.fixture(autouse=True)
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "load_encoder", stub_encoder)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    place = tmp_path / "my recordings"
    write_sound(place / "20240517_041000.wav", song(9, RATE), RATE)
    write_sound(place / "b [1].wav", song(4, RATE, seed=3), RATE)
    (place / "cut.wav").write_bytes(b"RIFF")
    return place


def test_a_table_on_the_screen_and_nothing_kept(
    recordings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_command("identify", recordings, "--threshold", "0.5")
    assert done.code == 0
    assert done.out.splitlines()[0].split() == [
        "taxon",
        "common",
        "name",
        "rank",
        "events",
        "photos",
        "best",
        "where",
    ]
    assert len(done.out.splitlines()) > 1
    assert "Nothing was kept. --out DIR keeps the run" in done.err
    assert "model: starter" in done.err
    assert "left out: 1 " in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["my recordings"]


def test_json_is_all_that_is_printed(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = run_command("identify", recordings, "--out", out, "--threshold", "0.5", "--json")
    assert done.code == 0
    found = done.json()
    assert found["path"] == str(out)
    assert found["windows"] == {"audio": 5 + 2}
    assert [Path(each["path"]).name for each in found["left_out"]] == ["cut.wav"]
    first = found["annotations"][0]
    assert {"path", "start_s", "end_s", "label", "score", "by", "revision"} <= set(first)
    assert first["begin_local"].startswith("2024-05-17T04:10:0")


def test_a_run_is_asked_again_and_exported(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run_command("identify", recordings, "--out", out)
    done = run_command(
        "identify", "--run", out, "--threshold", "0.5", "--within", "Aves,Anura", "--format", "raven,csv"
    )
    assert done.code == 0
    for name in ("annotations.selections.txt", "annotations.csv"):
        assert f"written: {out / 'exports' / name}" in done.out
        assert (out / "exports" / name).is_file()
    done = run_command("identify", "--run", out, "--threshold", "1.0")
    assert (done.code, done.out) == (0, "nothing reaches the threshold\n")


def test_a_dry_run_counts_and_stops(recordings: Path) -> None:
    done = run_command("identify", recordings, "--dry-run")
    assert done.code == 0
    assert "3 recordings, 0.00 hours by their headers" in done.out
    assert "1 recordings cannot be read" in done.out
    done = run_command("identify", recordings, "--dry-run", "--json")
    assert done.json() == {
        "recordings": 3,
        "hours": pytest.approx(13 / 3600),
        "photographs": 0,
        "unreadable": 1,
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--place", "47.5"], "--place: '47.5'. Write it as LAT,LON"),
        (["--place", "47.5,8.7", "--week", "60"], "week"),
        (["--band", "low-high"], "--band: 'low-high'. Write it as LOW-HIGH in hertz"),
        (["--band", "9000-1000"], "the band is 9000 to 1000 Hz"),
        (["--channel", "left"], "--channel: 'left'. Give a number from 1 on, mean or all"),
        (["--date", "17.5.2024", "--place", "47.5,8.7"], "the date 17.5.2024 is none"),
        (["--format", "ravn", "--out", "x"], "Did you mean 'raven'"),
        (["--format", "csv"], "Say where they go: --out DIR"),
        (["--taxa", "nowhere.txt"], "nowhere.txt"),
        (["--run", "nowhere"], "a run is answered from alone"),
        (["--timezone", "Europe/Zurch"], "Europe/Zurich"),
        (["--model", "startr"], "Did you mean 'starter'"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_to_do(recordings: Path, words: list[str], said: str) -> None:
    done = run_command("identify", recordings, *words)
    assert done.code in {1, 2}
    assert said in " ".join(done.err.replace("│", " ").split())
    assert "Traceback" not in done.err
    assert done.out == ""


def test_no_path_at_all_is_said(tmp_path: Path) -> None:
    done = run_command("identify")
    assert done.code == 1
    assert "name" in done.err
    done = run_command("identify", "--run", tmp_path)
    assert done.code == 1
    assert "it has no archive.json" in done.err
