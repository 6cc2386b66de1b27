"""Real recordings that people annotated, heard by BirdNET: what it is known to find there is found."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pytest

import biovita

# File, species, score to two digits, and a span in which people heard it.
KNOWN = (
    ("survey.flac", "Setophaga virens", 0.90, (0.0, 4.5)),
    ("survey.flac", "Seiurus aurocapilla", 0.95, (3.0, 21.0)),
    ("Recording_1_Segment_07-snippet.wav", "Hylocichla mustelina", 0.67, (0.0, 7.5)),
    ("Recording_1_Segment_07-snippet.wav", "Pipilo erythrophthalmus", 0.61, (1.5, 6.0)),
)


@pytest.mark.slow
def test_what_birdnet_finds_in_annotated_pieces_is_found(shared_data: Path, tmp_path: Path) -> None:
    places = [shared_data / "annotated" / name for name in ("monitor-survey/survey.flac", "powdermill")]
    found = biovita.identify(places, out=tmp_path / "run", model="starter", progress=False)
    for name, species, score, (start, end) in KNOWN:
        mine = found.events.filter(pc.equal(found.events["scientific_name"], species)).to_pylist()
        here = [event for event in mine if Path(event["path"]).name == name]
        assert [round(event["score"], 2) for event in here] == [score]
        assert (here[0]["start_s"], here[0]["end_s"]) == (start, end)
        assert here[0]["evidence"] == "class"
    assert found.left_out.num_rows == 0
