"""How plausible taxa are at the place and in the week that recordings state, from BirdNET's range model."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pytest

from biovita.archive.archive_tables import ANNOTATIONS
from biovita.identification.plausible_here import plausible_at, plausible_here
from biovita.identification.range_model import range_of

MAY = datetime(2024, 5, 17, 4, 10)  # noqa: DTZ001 - by the clock of the recorder
ZURICH = {"latitude": 47.38, "longitude": 8.54, "begin_local": MAY}
SYDNEY = {"latitude": -33.87, "longitude": 151.21, "begin_local": MAY}


def annotations(*rows: dict[str, object]) -> pa.Table:
    same = {
        "id": "a",
        "modality": "audio",
        "label": "x",
        "kind": "taxon",
        "presence": "present",
        "rank": "species",
    }
    return pa.Table.from_pylist(
        [{**dict.fromkeys(ANNOTATIONS.names), **same, "taxon_id": "x", **row} for row in rows], ANNOTATIONS
    )


def test_each_row_has_what_the_model_says_of_its_own_place() -> None:
    blackbird, koel = {"scientific_name": "Turdus merula"}, {"scientific_name": "Eudynamys orientalis"}
    table = annotations(
        blackbird | ZURICH,
        koel | ZURICH,
        koel | SYDNEY,
        blackbird | ZURICH | {"begin_local": None},
        blackbird | ZURICH | {"latitude": 147.0},
        {"scientific_name": "Turdidae", "rank": "family"} | ZURICH,
        {"scientific_name": "Nescio nihil"} | ZURICH,
        {"label": "Engine", "kind": "sound", "taxon_id": None, "rank": None} | ZURICH,
    )
    here, away, home, *others = plausible_here(table).to_pylist()
    week = range_of(47.4, 8.5, 19)
    assert here == pytest.approx(week.by_id["turdus_merula"], abs=1e-6)
    assert here > 0.5 > 0.03 > away
    assert home > away
    assert others[:2] == [None, None]
    assert others[2] >= here
    assert others[3:] == [None, None]
    elsewhere = plausible_at(table, range_of(-33.9, 151.2, 19)).to_pylist()
    assert elsewhere[1] == elsewhere[2] == home
    assert elsewhere[0] == elsewhere[3] == elsewhere[4]  # also without a time or a place of its own
