"""Traits of files and of a run: what is asked, what is answered, and that a run is read as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

import biovita
from biovita.dataset import write_table
from biovita.dataset.schema import TRAITS
from biovita.errors import BiovitaError, DatasetError
from biovita.predicting_traits import TraitPrediction
from biovita.trait_labels import LABELS
from biovita.trait_prediction.prediction_rows import PREDICTED, UNTOLD
from support.commands import run_command
from support.eared_model import know_eared
from support.folders import make_folder, write_image
from support.sound_files import song, write_sound

ANIMALS = {
    f"Novus species{letter}": (f"Common {letter}", "Aves", "Ordo", f"Familia{letter}", "Novus")
    for letter in "abcdefgh"
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a dataset of eight species: every other one is nocturnal, and one is polar."""
    made = biovita.import_folder(make_folder(tmp_path / "src", 2, ANIMALS), out=tmp_path / "data", progress=False)
    taxa = sorted(biovita.Dataset.open(tmp_path / "data").taxonomy)
    assert made is not None
    rows = [
        {"taxon_id": taxon_id, "label": label, "value": value, "source": "test"}
        for number, taxon_id in enumerate(taxa)
        for label, value in (("nocturnal", number % 2 == 0), ("polar", number == 0))
    ]
    write_table(pa.Table.from_pylist(rows, schema=TRAITS), tmp_path / "data" / "traits.parquet")
    return tmp_path / "data"


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """Return a folder with recordings of two sites, one of them with a clock whose zone is stated, and a photograph."""
    place = tmp_path / "asked"
    write_sound(place / "pond" / "20240517_220000.wav", song(4, 8000, seed=1), 8000)
    write_sound(place / "pond" / "20240518_120000.wav", song(4, 8000, seed=2), 8000)
    write_sound(place / "wood" / "20240517_230000.wav", song(4, 8000, seed=3), 8000)
    write_image(place / "pond" / "picture.png", 7)
    return place


@pytest.fixture
def predict(data: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TraitPrediction]:
    """Return what asks the model that costs nothing."""
    know_eared("eared", monkeypatch.setitem)

    def ask(*paths: Path, **options: object) -> TraitPrediction:
        return biovita.predict_traits(paths, data=[data], progress=False, **options)  # type: ignore[arg-type]

    return ask


def state_of(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_files_are_told_with_evidence_and_what_is_not_told_is_listed(
    predict: Callable[..., TraitPrediction], asked: Path, tmp_path: Path
) -> None:
    found = predict(asked, model="eared", out=tmp_path / "rows.csv", threshold=0.5)
    assert found.rows.schema == PREDICTED
    assert set(found.rows["label"].to_pylist()) <= set(LABELS)
    night = [row for row in found.rows.to_pylist() if row["label"] == "nocturnal"]
    assert len(night) == 4
    assert {row["modality"] for row in night} == {"audio", "image"}
    assert all(0 <= row["score"] <= 1 and row["nearest_taxon"].startswith("Novus") for row in night)
    assert {row["media"] for row in night} == {1}
    first = [row for row in found.evidence.to_pylist() if (row["label"], row["place"]) == ("nocturnal", 1)]
    assert {row["nearest_media"] for row in first} == {row["nearest_media"] for row in night}
    assert {row["license"] for row in first} == {"CC0-1.0"}
    assert all(Path(row["nearest_path"]).is_file() for row in first)
    assert found.untold.schema == UNTOLD
    reasons = {(row["way"], row["label"]): row["reason"] for row in found.untold.to_pylist()}
    assert reasons["probe", "polar"] == "few-species"
    assert reasons["texts", "nocturnal"] == "no-space"
    assert pacsv.read_csv(tmp_path / "rows.csv").num_rows == len(found.rows)
    assert (found.to_arrow(), found.written) == (found.rows, tmp_path / "rows.csv")
    assert found.to_pandas().shape == found.rows.shape


def test_a_run_is_asked_without_listening_and_stays_as_it_is(
    predict: Callable[..., TraitPrediction],
    data: Path,
    asked: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "run"
    biovita.identify([asked], out=run, model="eared", gallery=[data], threshold=0.5, progress=False)
    before = state_of(run)
    predict(run)
    monkeypatch.setattr("support.stub_listener.StubListener.load", None)
    monkeypatch.setattr("support.eared_model._Eye.load", None)
    found = predict(run, by="site", ways=["candidates", "probe"])
    assert state_of(run) == before
    sites = {(row["modality"], row["site"]): row["media"] for row in found.rows.to_pylist()}
    assert sites["audio", "pond"] == 2
    assert sites["audio", "wood"] == 1
    assert set(found.by_way["way"].to_pylist()) <= {"candidates", "probe"}
    with pytest.raises(BiovitaError, match="has its own model"):
        predict(run, model="starter")


def test_hours_count_where_the_zone_is_known(
    predict: Callable[..., TraitPrediction], data: Path, asked: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    biovita.identify([asked], out=run, model="eared", gallery=[data], threshold=0.1, progress=False)
    unknown = predict(run, hours="20-5")
    assert not len(unknown.detections.filter(pa.compute.equal(unknown.detections["modality"], "audio")))
    assert any("zone is not known" in note for note in unknown.notes)
    biovita.identify(
        [asked], out=run, model="eared", gallery=[data], threshold=0.1, timezone="+02:00", progress=False
    )
    night, everything = (predict(run, hours=hours).detections.to_pylist() for hours in ("20-5", None))
    heard = {Path(row["path"]).name for row in night if row["modality"] == "audio"}
    assert heard == {"20240517_220000.wav", "20240517_230000.wav"}
    assert len(everything) > len(night)
    assert all(row["known"] <= row["detections"] and row["having"] <= row["known"] for row in everything)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"data": []}, "Give a dataset with traits: --data DATASET"),
        ({"ways": ["text"]}, "Did you mean 'texts'"),
        ({"by": "sites"}, "Did you mean 'site'"),
        ({"hours": "night"}, "Write them as 20-5"),
        ({"out": "rows.xlsx"}, "ends in .csv or .parquet"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_opened(options: dict[str, object], said: str) -> None:
    with pytest.raises(BiovitaError, match=said):
        biovita.predict_traits(["nowhere"], **{"data": ["nowhere"], **options})  # type: ignore[arg-type]


def test_a_dataset_without_traits_is_refused_with_what_to_do(
    predict: Callable[..., TraitPrediction], data: Path, asked: Path
) -> None:
    (data / "traits.parquet").unlink()
    with pytest.raises(DatasetError, match="biovita traits import"):
        predict(asked / "wood", model="eared")


def test_the_command_prints_a_table_or_json(
    predict: Callable[..., TraitPrediction], data: Path, asked: Path
) -> None:
    words = ("traits", "predict", asked / "wood", "--data", data, "--model", "eared", "--way", "candidates,probe")
    done = run_command(*words)
    assert done.code == 0
    assert done.out.split("\n")[0].split()[:3] == ["where", "group", "label"]
    assert "20240517_230000.wav" in done.out
    assert "few-species" in done.err
    found = run_command(*words, "--json").json()
    assert {"rows", "by_way", "evidence", "detections", "untold", "left_out", "notes"} <= set(found)
    assert np.isfinite([row["score"] for row in found["rows"]]).all()


def test_the_command_prints_the_share_of_detections_of_each_site(
    predict: Callable[..., TraitPrediction], data: Path, asked: Path
) -> None:
    words = ("traits", "predict", asked, "--data", data, "--model", "eared", "--threshold", "0.1", "--by", "site")
    printed = run_command(*words).out.splitlines()
    (head,) = [number for number, line in enumerate(printed) if line.startswith("site ")]
    columns = ("site", "modality", "group", "label", "detections with it", "known", "of all", "share %")
    assert " ".join(printed[head].split()) == " ".join(columns)
    rows = [line.split() for line in printed[head + 1 :]]
    assert {row[0] for row in rows} == {"pond", "wood"}
    assert all(int(row[4]) <= int(row[5]) <= int(row[6]) and row[7].isdigit() for row in rows)
