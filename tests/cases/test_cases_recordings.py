"""Recordings of public reports: lengths that headers state wrongly, and what the encoder hears."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from biovita.sources.folder import import_folder
from support.cases import inputs_of


def imported(case: str, tmp_path: Path) -> tuple[dict[str, float], dict[str, str], tuple[str, ...]]:
    """Return the seconds of each recording that is used, the reason of each that is not, and the notes."""
    report = import_folder(inputs_of(case, tmp_path), out=tmp_path / "ds")
    used = pq.read_table(tmp_path / "ds/audio.parquet").to_pylist()
    rejected = pq.read_table(tmp_path / "ds/rejected.parquet").to_pylist()
    return (
        {Path(row["path"]).name: row["duration_s"] for row in used},
        {Path(row["path"]).name: row["reason"] for row in rejected},
        report.notes,
    )


def test_f06_flac_of_unknown_or_misstated_length(tmp_path: Path) -> None:
    used, rejected, notes = imported("F06", tmp_path)
    assert rejected == {}
    for name in ("unknown.flac", "doubled.flac", "halved.flac"):
        assert used[name] == pytest.approx(3.0)
        assert sum(name in note and "3.00 s are there and used" in note for note in notes) == 1


def test_f07_wav_that_nobody_finished(tmp_path: Path) -> None:
    used, rejected, notes = imported("F07", tmp_path)
    assert rejected == {}
    for name in ("data0_riff36.wav", "half.wav"):
        assert used[name] == pytest.approx(3.0)
        assert sum(name in note and "are there and used" in note for note in notes) == 1


def test_f08_what_is_heard_is_silence(tmp_path: Path) -> None:
    used, rejected, notes = imported("F08", tmp_path)
    assert rejected == {"dc_only.wav": "silent"}
    assert {"opposite_phase.wav", "bat_45khz.wav"} <= set(used)
    assert any("opposite_phase.wav" in note and "channel 1 is heard in its place" in note for note in notes)
    assert any("bat_45khz.wav" in note and "lies at 45 to 45 kHz" in note for note in notes)
