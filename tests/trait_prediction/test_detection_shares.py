from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest

from biovita.archive.archive_tables import ANNOTATIONS
from biovita.errors import BiovitaError
from biovita.hours import Hours, hours_of
from biovita.trait_prediction.detection_shares import count_detections, shares_of_detections
from biovita.trait_prediction.prediction_rows import DETECTION_SHARES
from biovita.trait_prediction.species_labels import SpeciesLabels

ABOUT = pa.table(
    [["one", "two"], ["/a.wav", "/b.wav"], [None, "pond"], ["audio", "audio"]],
    schema=pa.schema([DETECTION_SHARES.field(number) for number in range(4)]),
)
KNOWN = SpeciesLabels({"novus primus": {"insectivore": True}, "novus secundus": {"insectivore": False}}, False)


def detection(name: str | None, begin: str | None = "2024-05-17T22:59", **changes: object) -> dict[str, object]:
    row = {
        "id": f"{name}{begin}",
        "modality": "audio",
        "label": name or "x",
        "taxon_id": name,
        "scientific_name": name,
    }
    row |= {"rank": "species", "kind": "taxon", "presence": "present"}
    moment = None if begin is None else datetime.fromisoformat(begin)
    return row | {"begin_local": moment, "utc_offset_min": 120, **changes}


def table(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=ANNOTATIONS)


def test_hours_go_over_midnight_and_end_before_the_last() -> None:
    assert [hour for hour in range(24) if hour in hours_of("20-5")] == [0, 1, 2, 3, 4, 20, 21, 22, 23]
    assert [hour for hour in range(24) if hour in hours_of(" 6 - 8 ")] == [6, 7]
    assert hours_of("20-24") == Hours(20, 0)
    for odd in ("20", "5-5", "0-24", "25-3", "night", "-1-3", "20:00-5:00"):
        with pytest.raises(BiovitaError, match="Write them as 20-5"):
            hours_of(odd)


def test_what_does_not_count_is_counted() -> None:
    rows = table(
        detection("Novus primus"),
        detection("Novus primus", "2024-05-17T12:00"),
        detection("Novus primus", None),
        detection("Novus primus", utc_offset_min=None),
        detection("Novus primus", presence="absent"),
        detection(None, kind="sound"),
    )
    everything = count_detections(rows, None)
    assert len(everything.rows) == 4
    assert everything.not_counted == {"not said to be present": 1, "of no taxon": 1}
    night = count_detections(rows, hours_of("20-5"))
    assert len(night.rows) == 1
    assert night.not_counted == {
        "not said to be present": 1,
        "of no taxon": 1,
        "without a time": 1,
        "with a clock whose zone is not known": 1,
        "in other hours": 1,
    }
    assert len(night.rows) + sum(night.not_counted.values()) == len(rows)


def test_shares_are_of_the_detections_whose_label_is_known() -> None:
    rows = table(
        *(detection(name) for name in ("Novus primus", "Novus primus", "Novus secundus", "Ignotus sum")),
        detection("Novus", rank="genus"),
    )
    found = shares_of_detections(rows, np.zeros(5, np.int64), ABOUT, KNOWN)
    assert found.schema == DETECTION_SHARES
    assert set(found["media_id"].to_pylist()) == {"one"}
    by_label = {row["label"]: row for row in found.to_pylist()}
    row = by_label["insectivore"]
    assert (row["detections"], row["known"], row["having"]) == (5, 3, 2)
    assert row["share"] == pytest.approx(2 / 3)
    assert (by_label["polar"]["known"], by_label["polar"]["share"]) == (0, None)


def test_without_a_detection_there_are_no_rows() -> None:
    assert len(shares_of_detections(table(), np.empty(0, np.int64), ABOUT, KNOWN)) == 0
