"""Detection histories against a plain re-statement: for each site and day, was anything recorded, and heard?"""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from biovita.archive.archive_tables import ANNOTATIONS, DEPLOYMENTS, RECORDINGS
from biovita.archive.detection_histories import detection_histories, write_detection_histories
from biovita.archive.media_tables import MediaTables
from biovita.errors import DatasetError
from support.annotation_cases import WREN, events, file_row, heard, seen, table

EVE = datetime(2026, 4, 30, 22, 0)  # noqa: DTZ001
HOUR = 3600.0


def recording(
    name: str, deployment: str | None, begin: datetime | None, hours: float, **more: Any
) -> dict[str, Any]:
    more = {"duration_s": hours * HOUR, "sample_rate": 48000, "channels": 1, **more}
    return file_row(name, Path("/x"), deployment_id=deployment, begin_local=begin, **more)


def archive(rows: list[dict[str, Any]]) -> MediaTables:
    deployments = [{"id": "d1", "site": "Ridge"}, {"id": "d2", "site": "Ridge"}, {"id": "d3", "site": None}]
    return MediaTables(table(RECORDINGS, rows), deployments=table(DEPLOYMENTS, deployments))


def event(number: int, name: str, start: float, **more: Any) -> dict[str, Any]:
    return heard(
        number, "a.wav", start, start + 3, media_id=f"id-{name}", path=f"/x/{name}", begin_local=None, **more
    )


def test_a_night_counts_for_both_of_its_days() -> None:
    media = archive([recording("a.wav", "d1", EVE, 8.0), recording("b.wav", "d3", EVE, 1.0)])
    rows = [event(1, "a.wav", 1.9 * HOUR), event(2, "a.wav", 2.0 * HOUR, **WREN)]  # before midnight, and at it
    found = detection_histories(table(ANNOTATIONS, rows), media)
    assert found.effort.to_pylist() == [
        {"site": "Ridge", "day": date(2026, 4, 30), "hours": 2.0},
        {"site": "Ridge", "day": date(2026, 5, 1), "hours": 6.0},
        {"site": "d3", "day": date(2026, 4, 30), "hours": 1.0},
    ]
    assert found.taxa == ("Troglodytes troglodytes", "Turdus merula")
    assert found.detected.tolist() == [[False, True, False], [True, False, False]]
    assert found.table["detected"].to_pylist() == [0, 1, 0, 1, 0, 0]


def test_effort_is_what_is_listened_to_once_for_all_channels() -> None:
    part = {"start_s": HOUR, "end_s": 2.5 * HOUR}
    rows = [recording("a.wav", "d1", EVE, 8.0, channel=channel, **part) for channel in (1, 2)]
    found = detection_histories(ANNOTATIONS.empty_table(), archive([*rows, recording("b.wav", "d2", EVE, 1.0)]))
    assert found.effort["hours"].to_pylist() == [2.0, 0.5]  # two recorders at one site add up
    assert found.taxa == ()


def test_what_says_nothing_is_counted() -> None:
    media = archive(
        [
            recording("a.wav", "d1", EVE, 1.0),
            recording("b.wav", "d1", None, 1.0),
            recording("c.wav", None, EVE, 1.0),
        ]
    )
    rows = [
        event(1, "a.wav", 1.0, presence="uncertain"),
        event(2, "a.wav", 1.0, presence="absent"),
        event(3, "a.wav", 1.0, scientific_name=None),
        event(4, "a.wav", 1.0, kind="sound"),
        event(5, "b.wav", 1.0),
        event(6, "c.wav", 1.0),
        seen(7, "p1.jpg"),
    ]
    found = detection_histories(table(ANNOTATIONS, rows), media)
    assert found.not_counted == {
        "not said to be present": 2,
        "of no taxon": 2,
        "of no site or day": 2,
        "of a photograph": 1,
    }
    assert [(row["path"], row["reason"]) for row in found.left_out.to_pylist()] == [
        ("/x/b.wav", "no-time"),
        ("/x/c.wav", "no-site"),
    ]
    assert not found.detected.size


def test_it_is_what_a_plain_count_finds() -> None:
    draw = random.Random(17)
    rows = []
    for number in range(60):
        begin = EVE + timedelta(seconds=draw.randrange(10 * 86400))
        rows.append(recording(f"{number}.wav", draw.choice(["d1", "d3"]), begin, draw.choice([0.5, 3.0, 30.0])))
    picked = [draw.choice(rows) for _ in range(200)]
    starts = [draw.uniform(0, row["duration_s"]) for row in picked]
    names = [draw.choice(["Aus bus", "Cus dus", "Eus fus"]) for _ in picked]
    given = [
        event(at, Path(row["path"]).name, start, scientific_name=name)
        for at, (row, start, name) in enumerate(zip(picked, starts, names, strict=True))
    ]
    found = detection_histories(table(ANNOTATIONS, given), archive(rows))

    site = {"d1": "Ridge", "d3": "d3"}
    minutes: dict[tuple[str, date], set[tuple[str, int]]] = {}
    for row in rows:
        for minute in range(round(row["duration_s"] / 60)):
            moment = row["begin_local"] + timedelta(minutes=minute, seconds=30)
            minutes.setdefault((site[row["deployment_id"]], moment.date()), set()).add((row["id"], minute))
    heard_at = {
        (name, site[row["deployment_id"]], (row["begin_local"] + timedelta(seconds=start)).date())
        for row, start, name in zip(picked, starts, names, strict=True)
    }
    read = found.table.to_pylist()
    cells = {(row["site"], row["day"]) for row in read}
    assert cells >= set(minutes)  # a day with less than half a minute may be in ours alone
    assert {(row["scientific_name"], row["site"], row["day"]) for row in read if row["detected"]} == heard_at
    for row in read:
        assert row["hours"] == pytest.approx(len(minutes.get((row["site"], row["day"]), ())) / 60, abs=0.1)


def test_tables_for_occupancy_models(tmp_path: Path) -> None:
    media = archive(
        [
            recording("a.wav", "d1", EVE, 8.0),
            recording("b.wav", "d3", EVE, 1.0),
            recording("c.wav", None, EVE, 1.0),
        ]
    )
    found = detection_histories(table(ANNOTATIONS, [event(1, "a.wav", 3 * HOUR)]), media)
    files = write_detection_histories(found, tmp_path / "out")
    read = pd.read_csv(tmp_path / "out/taxa/Turdus_merula.csv", index_col="site")
    assert read.columns.tolist() == ["2026-04-30", "2026-05-01"]
    assert read.loc["Ridge"].tolist() == [0, 1]
    assert read.loc["d3"].isna().tolist() == [False, True]
    assert pd.read_csv(tmp_path / "out/effort.csv", index_col="site").loc["Ridge"].tolist() == [2.0, 6.0]
    assert len(pd.read_csv(tmp_path / "out/detections.csv")) == 3
    assert pd.read_csv(tmp_path / "out/left-out.csv")["reason"].tolist() == ["no-site"]
    assert len(files) == 4
    with pytest.raises(DatasetError, match="already exists"):
        write_detection_histories(found, tmp_path / "out")


def test_nothing_recorded_is_a_history(tmp_path: Path) -> None:
    files = write_detection_histories(detection_histories(events(), MediaTables()), tmp_path / "out")
    assert [file.read_text() for file in files] == ["scientific_name,site,day,detected,hours\n", "site\n"]
