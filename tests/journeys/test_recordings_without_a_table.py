"""Thirty recordings in folders, and no table: to a dataset, a model of recordings and names, and its scores."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import biovita
from support.shell import Shell
from support.sound_files import song, write_sound

FOLDERS = {  # as people name them; and what is meant
    "birds/Paridae/Parus major": "Parus major",
    "birds/Paridae/blue_tits/Cyanistes_caeruleus": "Cyanistes caeruleus",
    "birds/Eurasian Wren": "Troglodytes troglodytes",
    "birds/004.Common_Chaffinch": "Fringilla coelebs",
    "other animals/insects/GRYLLUS CAMPESTRIS": "Gryllus campestris",
    "other animals/frogs/rana-temporaria": "Rana temporaria",
}
EACH = 5
UNSEEN = 2


def write_recordings(root: Path) -> Path:
    for number, folder in enumerate(FOLDERS):
        for take in range(EACH):
            name = f"morning {take}.flac" if take % 2 else f"site {take}/2024051{take}_0{take}1500.wav"
            write_sound(root / folder / name, song(1.2, 22_050, seed=700 + 10 * number + take), 22_050)
    (root / "notes.docx").write_bytes(b"PK")
    return root


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_from_recordings_in_folders_to_a_trained_model_and_its_scores(tmp_path: Path) -> None:
    recordings = write_recordings(tmp_path / "field work 2024")
    calls, model, bench = (tmp_path / name for name in ("calls", "model", "calls-bench"))
    shell = Shell(tmp_path)
    imported = shell.run("data", "import", "folder", recordings, "--out", calls)
    assert (imported["audio"], imported["images"], imported["taxa"]) == (len(FOLDERS) * EACH, 0, len(FOLDERS))
    assert imported["rejected"] == 0
    assert {group["where"]: group["taxon"] for group in imported["names"]} == {
        f"{folder}/": taxon for folder, taxon in FOLDERS.items()
    }
    assert any("recordings alone" in note for note in imported["notes"])
    assert shell.run("data", "check", calls) == []
    dataset = biovita.Dataset.open(calls)
    times = [time for time in dataset.audio["recorded_at"].to_pylist() if time]
    assert sorted(set(times)) == ["2024-05-10T00:15:00", "2024-05-12T02:15:00", "2024-05-14T04:15:00"]
    assert len(set(dataset.audio["group_id"].to_pylist())) == len(FOLDERS) * EACH
    split = shell.run("data", "split", calls, "--unseen", str(UNSEEN))
    assert split["unseen_species"] == UNSEEN
    parts = shell.run("embed", calls, "--model", "starter", "--device", "cpu")["parts"]
    assert {part["modality"] for part in parts if part["new"]} == {"audio", "text"}
    few = ("--set", "steps=4", "weights.names=0")  # the names that BirdNET knows would take a minute to encode
    trained = shell.run("train", "starter/stage1", "--data", calls, "--out", model, "--device", "cpu", *few)
    assert trained["last_loss"] > 0
    assert sorted(biovita.describe(model).encoders) == ["audio", "text"]
    shell.run("bench", "build", calls, "--out", bench)
    results = shell.run("bench", "run", bench, "--model", model, "--device", "cpu")
    rows = results["scores"]
    assert {row["direction"] for row in rows} == {"A2T", "T2A"}
    assert {row["part"] for row in rows} == {"seen", "unseen"}
    assert all(math.isfinite(row["accuracy"]) for row in rows)
