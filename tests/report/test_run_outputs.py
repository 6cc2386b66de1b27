"""What a run writes beside its tables: speech left out, detection histories, exemplars."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import biovita
from biovita.identification import scoring
from biovita.report.run_outputs import EXPORTS, HISTORIES
from biovita.towers.encoder import Classes
from support.sound_files import song, write_sound
from support.stub_listener import StubListener

RATE = 8_000
VOICE_HZ, VOICE_BAND = 3_250, 12


class PersonHearing(StubListener):
    """Hears a person in a tone of 3,250 Hz."""

    def cutting(self, overlap: float = 0.0) -> PersonHearing:
        return PersonHearing(overlap)

    def classes(self) -> Classes:
        found = super().classes()
        (voice,) = [number for number, names in enumerate(found.names) if names[0] == "Human vocal"]
        weights = found.weights.copy()
        weights[voice] = 0
        weights[voice, VOICE_BAND] = 4
        return replace(found, weights=weights)


@pytest.fixture(autouse=True)
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "load_encoder", lambda *_: PersonHearing())


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    sound = song(18, RATE)
    spoken = slice(9 * RATE, 11 * RATE)
    sound[spoken, 0] += 0.5 * np.sin(2 * np.pi * VOICE_HZ * np.arange(2 * RATE) / RATE)
    return write_sound(tmp_path / "north" / "20240517_041000.wav", sound, RATE)


def cut_out(folder: Path) -> list[tuple[str, float, float]]:
    with (folder / "segments.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [(Path(row["source"]).name, float(row["start_s"]), float(row["end_s"])) for row in rows]


def spoken(span: tuple[str, float, float], recording: Path) -> bool:
    name, start, end = span
    return name == recording.name and start < 11 and end > 9


def test_nothing_that_is_cut_out_or_shown_has_a_person_in_it(recording: Path, tmp_path: Path) -> None:
    run, quiet, all_ = tmp_path / "run", tmp_path / "quiet", tmp_path / "all"
    asked = {"threshold": 0.3, "rank": "species", "within": ["Paridae"], "report": True, "progress": False}
    other = write_sound(tmp_path / "south" / "alone.wav", song(6, RATE, seed=1), RATE)
    plain = biovita.identify([recording, other], out=run, segments=all_, **asked)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "a person is heard in 1 pieces of 1 recordings" in plain.notes
    assert "A person is heard in 1 piece of 1 recording." in page
    assert "are not shown" not in page
    assert any(spoken(span, recording) for span in cut_out(all_))

    dropped = biovita.identify(run=run, segments=quiet, drop_speech=True, **asked)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Nothing that overlaps them is shown or played." in page
    assert "with a human voice in or beside them are not shown" in page
    assert any("for a person is heard there" in note for note in dropped.notes)
    spans = cut_out(quiet)
    assert other.name in {name for name, *_ in spans}
    assert not [span for span in spans if spoken(span, recording)]


def test_histories_are_written_by_site_and_day(recording: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    found = biovita.identify(
        [recording], out=run, histories=True, rank="species", within=["Paridae"], progress=False
    )
    folder = run / EXPORTS / HISTORIES
    with (folder / "detections.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {(row["site"], row["day"]) for row in rows} == {("north", "2024-05-17")}
    taxa = found.events.filter([kind == "taxon" for kind in found.events["kind"].to_pylist()])
    assert {row["scientific_name"] for row in rows} == set(taxa["scientific_name"].to_pylist())
    assert folder / "detections.csv" in found.written
