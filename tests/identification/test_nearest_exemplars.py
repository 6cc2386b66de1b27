"""Answers beside the labelled recordings that are nearest to them, with a network that costs nothing."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import biovita
from biovita.archive.archive import Archive
from biovita.errors import DatasetError
from biovita.identification import gallery as gallery_module
from biovita.identification import scoring
from biovita.identification.kept_exemplars import kept_exemplars
from biovita.modality import Modality
from support.sound_files import song, write_sound
from support.stub_listener import DIM, StubListener, stub_encoder

RATE = 8_000


@pytest.fixture(autouse=True)
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "load_encoder", stub_encoder)
    monkeypatch.setattr(gallery_module, "centre_of", lambda _: np.full(DIM, 1.5, np.float32))


def labelled(folder: Path) -> Path:
    for place, name in enumerate(("Turdus merula", "Parus major")):
        for number in range(3):
            sound = song(3, RATE, seed=7 * place + number) * (1 + number)
            write_sound(folder / name / f"XC{place}{number}111.wav", sound / np.abs(sound).max(), RATE)
    return folder


def test_answers_name_the_nearest_and_so_does_the_run_without_a_network(tmp_path: Path) -> None:
    gallery, run = labelled(tmp_path / "gallery"), tmp_path / "run"
    heard = write_sound(tmp_path / "a.wav", song(9, RATE, seed=3), RATE)
    same = tmp_path / "XC00111.wav"  # of one group with the first blackbird
    same.write_bytes((gallery / "Turdus merula" / "XC00111.wav").read_bytes())
    asked = {"threshold": 0.05, "rank": "species", "progress": False, "formats": ["csv"]}
    names = tmp_path / "list.txt"
    names.write_text("Turdus merula\nParus major\nCorvus corax\n")
    found = biovita.identify([heard, same], out=run, gallery=[gallery], taxa=names, **asked)
    events = found.events.to_pylist()
    named = {row["scientific_name"] for row in events if row["nearest_audio"] is not None}
    assert named
    assert named <= {"Turdus merula", "Parus major"}
    assert {row["nearest_image"] for row in events} == {None}

    tower = StubListener(0.5)
    exemplars = kept_exemplars(run)[Modality.AUDIO]
    for row in events:
        if row["nearest_audio"] is None:
            assert row["scientific_name"] not in {"Turdus merula", "Parus major"}
            continue
        whole = song(9, RATE, seed=3) if row["path"] == str(heard) else read_sound(same)
        begin = round(row["best_start_s"] * RATE)
        window = np.zeros(3 * RATE, np.float32)
        window[: len(whole[begin : begin + 3 * RATE])] = whole[begin : begin + 3 * RATE, 0]
        asked_at = exemplars.directed(tower.encode_windows([window]))[0]
        of = [
            place
            for place, path in enumerate(exemplars.rows["path"].to_pylist())
            if row["scientific_name"] in path
        ]
        cosines = exemplars.directions[of] @ asked_at
        ids = exemplars.rows["id"].take(of).to_pylist()
        ours = ids.index(row["nearest_audio"])
        assert cosines[ours] >= cosines.max() - 1e-3
    assert set(found.exemplars["id"].to_pylist()) == {row["nearest_audio"] for row in events} - {None}
    with (run / "exports" / "exemplars.csv").open(encoding="utf-8") as stream:
        assert {row["id"] for row in csv.DictReader(stream)} == set(found.exemplars["id"].to_pylist())

    scoring.load_encoder = None  # type: ignore[assignment] - no network runs any more
    again = biovita.identify(run=run, taxa=names, **asked)
    assert again.events["nearest_audio"].equals(found.events["nearest_audio"])
    families = biovita.identify(run=run, taxa=names, **(asked | {"rank": "family"}))
    thrushes = [row for row in families.events.to_pylist() if row["label"] == "Turdidae"]
    assert all(row["nearest_audio"].startswith("Turdus merula/") for row in thrushes)


def read_sound(path: Path) -> np.ndarray:
    import soundfile

    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def test_exemplars_that_are_no_more_asked_for_go(tmp_path: Path) -> None:
    gallery, run = labelled(tmp_path / "gallery"), tmp_path / "run"
    heard = write_sound(tmp_path / "a.wav", song(3, RATE), RATE)
    biovita.identify([heard], out=run, gallery=[gallery], progress=False)
    rows = run / "exemplars.parquet"
    assert rows.is_file()
    (run / "exemplars.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(DatasetError, match=r"does not fit exemplars\.parquet"):
        biovita.identify(run=run, progress=False)
    biovita.identify([heard], out=run, progress=False)
    assert not rows.exists()
    assert Archive.open(run).table("annotations")["nearest_audio"].null_count == len(
        Archive.open(run).table("annotations")
    )
