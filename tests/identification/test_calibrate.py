from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from biovita.archive.archive_tables import ANNOTATIONS, CANDIDATES, WINDOWS
from biovita.errors import BiovitaError
from biovita.identification.calibrate import calibrate, write_calibrated
from biovita.identification.calibration import read_calibration
from biovita.identification.question import Question
from biovita.modality import Modality

QUESTION = Question("stub", "r1", Modality.AUDIO, "g1", "c1", "mono", 3.0, 3.0)
RECORDINGS, WINDOWS_EACH = 20, 20


def filled(schema: pa.Schema, rows: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist([{**dict.fromkeys(schema.names), **row} for row in rows], schema)


@pytest.fixture(scope="module")
def run() -> tuple[pa.Table, pa.Table, pa.Table, pa.Table]:
    """Recordings of 20 windows, two candidates each, that call as often as the square of their score."""
    draws = np.random.default_rng(0)
    windows, annotations = [], []
    for recording in range(RECORDINGS):
        for window in range(WINDOWS_EACH):
            scores = draws.random(2)
            windows.append(
                {"media_id": str(recording), "start_s": 3.0 * window, "end_s": 3.0 * window + 3, "floor": 0.0}
                | {"candidates": [0, 1], "scores": scores.tolist(), "evidence": [1, 1]}
            )
            for candidate in np.flatnonzero(draws.random(2) < scores**2):
                name = ("Parus major", "Turdus merula")[candidate]
                annotations.append(
                    {"id": f"{len(annotations)}", "media_id": str(recording), "modality": "audio", "label": name}
                    | {"scientific_name": name, "kind": "taxon", "rank": "species", "presence": "present"}
                    | {"start_s": 3.0 * window + 0.5, "end_s": 3.0 * window + 2.5}
                )
    annotations.append(annotations[0] | {"label": "Nonesuch", "scientific_name": "Nonesuch", "id": "last"})
    candidates = [
        {"taxon_id": "a", "scientific_name": "Parus major", "common_name": "=Great Tit", "genus": "Parus"},
        {"taxon_id": "b", "scientific_name": "Turdus merula", "genus": "Turdus"},
    ]
    media = {"id": [str(each) for each in range(RECORDINGS)]}
    media |= {"path": media["id"], "group_id": [None] * RECORDINGS}
    kinds = {"rank": "species", "kind": "taxon", "listed": False, "evidence": ["class"]}
    return (
        filled(WINDOWS, windows),
        filled(CANDIDATES, [each | kinds for each in candidates]),
        filled(ANNOTATIONS, annotations),
        pa.table(media, pa.schema([("id", pa.string()), ("path", pa.string()), ("group_id", pa.string())])),
    )


def test_probabilities_are_the_shares_of_windows_with_a_call(
    run: tuple[pa.Table, pa.Table, pa.Table, pa.Table], tmp_path: Path
) -> None:
    found = calibrate(*run, QUESTION, precision=0.7)
    assert found.calibration.n == 2 * RECORDINGS * WINDOWS_EACH
    assert found.calibration.groups == RECORDINGS
    asked = np.array([0.3, 0.6, 0.9])
    np.testing.assert_allclose(found.calibration.probability(asked), asked**2, atol=0.1)
    assert found.left_out == ("1 label(s) are of no candidate: Nonesuch.",)
    everything, *own = found.thresholds
    assert everything.threshold is not None
    # above a score t lies the mean (1 + t + t^2) / 3 of its square: 0.7 from 0.66 on
    assert everything.threshold == pytest.approx(0.66, abs=0.1)
    assert [found.names[row.candidate][0] for row in own if row.candidate is not None] == [
        "Parus major",
        "Turdus merula",
    ]
    file, table = write_calibrated(found, tmp_path / "new")
    assert read_calibration(file) == found.calibration
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["scientific_name"] for row in rows] == ["", "Parus major", "Turdus merula"]
    assert rows[1]["common_name"] == "'=Great Tit"  # no formula
    assert float(rows[0]["threshold"]) == everything.threshold


def test_a_run_without_calls_is_refused(run: tuple[pa.Table, pa.Table, pa.Table, pa.Table]) -> None:
    windows, candidates, annotations, media = run
    with pytest.raises(BiovitaError, match="too few labels to calibrate on: 5 right answers"):
        calibrate(windows, candidates, annotations.slice(0, 5), media, QUESTION)
