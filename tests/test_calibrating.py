"""Calibrations of runs over real files, with a network that costs nothing, and the answers that they turn around."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

import biovita
from biovita.errors import BiovitaError, DatasetError
from biovita.identification import scoring
from biovita.identification.calibration import read_calibration
from support.commands import run_command
from support.sound_files import song, write_sound
from support.stub_listener import stub_encoder

RATE = 8_000
SPECIES = ("Turdus merula", "Parus major", "Troglodytes troglodytes")
QUIET = {"progress": False}
TITS = {**QUIET, "within": ["Paridae"], "rank": "species"}  # a few answers of many


@pytest.fixture(autouse=True)
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "load_encoder", stub_encoder)


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("survey")
    for number in range(6):
        write_sound(place / f"{number}.wav", song(6 + number, RATE, seed=number), RATE)
    return place


def test_annotations_of_a_run_make_its_scores_probabilities(survey: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "calibration"
    biovita.identify([survey], out=run, threshold=0.6, formats=["csv"], **TITS)
    (table,) = (run / "exports").glob("*.csv")
    made = biovita.calibrate_run(run=run, annotations=[table], out=out, precision=0.8)
    assert made.made.calibration.groups == 6
    assert read_calibration(made.calibration) == made.made.calibration
    assert "<html" in made.page.read_text(encoding="utf-8")
    assert made.thresholds.is_file()

    plain = biovita.identify(run=run, threshold=0.4, **TITS)
    assert plain.events["probability"].null_count == len(plain.events)
    found = biovita.identify(run=run, threshold=0.4, calibration=made.calibration, **TITS)
    assert found.events["probability"].null_count == 0
    wanted = made.made.calibration.probability(found.events["score"].to_numpy())
    assert found.events["probability"].to_numpy() == pytest.approx(wanted, abs=1e-6)

    # A list at the time of answering changes no score, so the calibration still fits.
    names = tmp_path / "list.txt"
    names.write_text("\n".join(found.events["scientific_name"].drop_null().unique().to_pylist()[:1]))
    some = biovita.identify(run=run, threshold=0.4, taxa=names, calibration=made.calibration, **TITS)
    assert 0 < len(some.events) < len(found.events)
    assert some.events["probability"].null_count == 0

    other = tmp_path / "other"
    biovita.identify([survey], out=other, overlap=0.0, **QUIET)
    with pytest.raises(DatasetError, match="the calibration does not fit this run"):
        biovita.identify(run=other, calibration=made.calibration, **TITS)

    printed = run_command("identify", "--run", run, "--within", "Paridae", "--calibration", made.calibration)
    assert "probability" in printed.out.splitlines()[0]


def test_a_labelled_dataset_is_identified_and_its_labels_compared(tmp_path: Path) -> None:
    source = tmp_path / "source"
    rows = ["file,scientific_name"]
    for number in range(24):
        write_sound(source / f"{number}.wav", song(4, RATE, seed=100 + number), RATE)
        rows.append(f"{number}.wav,{SPECIES[number % 3]}")
    (source / "audio.csv").write_text("\n".join(rows))
    Image.new("RGB", (8, 8)).save(source / "0.png")
    (source / "images.csv").write_text("file,scientific_name\n0.png,Parus major\n")
    biovita.import_folder(source, out=tmp_path / "birds", **QUIET)
    images = tmp_path / "birds" / "images.parquet"
    pq.write_table(pq.read_table(images).slice(0, 0), images)  # the stub does not look
    names = tmp_path / "list.txt"  # so that the scores of what is labelled are kept, small as they are
    names.write_text("\n".join(SPECIES))
    options = [
        "--taxa",
        names,
        "--run",
        tmp_path / "run",
        "--out",
        tmp_path / "out",
        "--kind",
        "logistic",
        "--json",
    ]
    printed = run_command("identify", "calibrate", tmp_path / "birds", *options)
    assert printed.code in {0, None}, printed.err
    said = printed.json()
    assert (said["right"], said["recordings"], said["kind"]) == (24, 24, "logistic")
    # The run that was kept holds the labels: nothing is encoded for another curve.
    scoring.load_encoder = None  # type: ignore[assignment]
    again = biovita.calibrate_run(run=tmp_path / "run", out=tmp_path / "again", kind="logistic")
    assert again.made.calibration.version == said["version"]


def test_what_has_no_labels_is_refused(survey: Path, tmp_path: Path) -> None:
    with pytest.raises(BiovitaError, match="there are no labels"):
        biovita.calibrate_run(out=tmp_path / "out")
    biovita.identify([survey], out=tmp_path / "run", **QUIET)
    with pytest.raises(BiovitaError, match=r"no dataset was taken in. Give --annotations"):
        biovita.calibrate_run(run=tmp_path / "run", out=tmp_path / "out")
    table = tmp_path / "labels.csv"
    table.write_text("path,start_s,end_s,label\n0.wav,0,3,Turdus merula\n")
    with pytest.raises(BiovitaError, match="has no scores of image"):
        biovita.calibrate_run(run=tmp_path / "run", annotations=[table], modality="image", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
