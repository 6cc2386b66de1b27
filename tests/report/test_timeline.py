from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from biovita.archive.archive_tables import DEPLOYMENTS
from biovita.report.taxa_found import found_taxa, named, other_sounds
from biovita.report.timeline import by_day, by_hour, by_site, strips
from support.found_events import events_of, recordings_of

DAY = datetime.fromisoformat("2026-05-03T00:00")


def heard(hour: float, name: str = "Pica pica", **more: object) -> dict:
    return {"media_id": "r", "scientific_name": name, "begin_local": DAY + timedelta(hours=hour), **more}


def recorded(hour: float, hours: float, name: str = "r", **more: object) -> dict:
    return {"id": name, "begin_local": DAY + timedelta(hours=hour), "duration_s": 3600 * hours, **more}


def numbers(row) -> dict[int, int]:
    return {place: cell.count for place, cell in enumerate(row.cells) if cell.count}


def effort(row) -> list[int]:
    return [place for place, cell in enumerate(row.cells) if cell.recorded]


def test_an_hour_without_events_differs_from_one_that_was_not_recorded():
    found = named(events_of(heard(22.99), heard(23.0), heard(24.5), heard(24.6)))
    days = by_day(found, recordings_of(recorded(22.5, 3.0)))
    assert [row.label for row in days.rows] == ["2026-05-03", "2026-05-04"]
    assert [numbers(row) for row in days.rows] == [{22: 1, 23: 1}, {0: 2}]
    assert [effort(row) for row in days.rows] == [[22, 23], [0, 1]]


def test_a_recording_that_ends_on_the_hour_does_not_reach_into_the_next():
    days = by_day(
        named(events_of()),
        recordings_of(recorded(5.0, 1.0), recorded(9.0, 9.0, "part", start_s=3600.0, end_s=7200.0)),
    )
    assert effort(days.rows[0]) == [5, 10]


def test_of_a_long_season_a_row_is_several_days():
    found = named(events_of(*(heard(24.0 * day) for day in range(200))))
    days = by_day(found, recordings_of())
    assert days.step == 4
    assert len(days.rows) == 50
    assert {sum(numbers(row).values()) for row in days.rows} == {4}


def test_days_far_apart_are_single_rows():
    days = by_day(named(events_of(heard(0), heard(24 * 3000))), recordings_of())
    assert [row.label for row in days.rows] == ["2026-05-03", "2034-07-20"]
    assert days.step == 1


def test_without_times_there_is_no_grid():
    found = named(events_of({"media_id": "r", "scientific_name": "Pica pica", "start_s": 1.0, "end_s": 2.0}))
    assert by_day(found, recordings_of({"id": "r"})) is None
    assert by_hour(found, recordings_of({"id": "r"}), found_taxa(found)) is None


def test_hours_of_the_day_are_counted_over_days_with_what_was_recorded():
    found = named(
        events_of(
            heard(5),
            heard(29),
            heard(53),
            heard(6, "Strix aluco"),
            {"media_id": "r", "scientific_name": "Bufo bufo"},
        )
    )
    hours = by_hour(found, recordings_of(recorded(5, 1.5), recorded(29, 1.0, "s")), found_taxa(found))
    assert [(row.label, numbers(row)) for row in hours.rows] == [("Pica pica", {5: 3}), ("Strix aluco", {6: 1})]
    assert (hours.hours[5], hours.hours[6], hours.hours[7]) == (2.0, 0.5, 0.0)
    assert hours.rows[1].cells[6].share == 1.0


def test_sites_state_how_long_they_were_recorded():
    deployments = pa.Table.from_pylist([{"id": "d1", "site": "Creek"}, {"id": "d2", "site": "Ridge"}], DEPLOYMENTS)
    recordings = recordings_of(
        recorded(0, 2.0, "a", deployment_id="d1"), recorded(0, 1.0, "b", deployment_id="d1"), recorded(0, 4.0, "c")
    )
    found = named(events_of(heard(0, site="Creek"), heard(1, site="Creek"), heard(1)))
    sites = by_site(found, recordings, deployments, found_taxa(found))
    assert sites.columns == ("Creek",)
    assert sites.hours == (3.0,)
    assert numbers(sites.rows[0]) == {0: 2}
    assert by_site(named(events_of(heard(0))), recordings_of(recorded(0, 1.0)), deployments, []) is None


def test_along_a_file_spans_that_touch_are_one_bar():
    spans = [(0.0, 3.0), (1.5, 4.5), (50.0, 51.0), (99.9, 140.0)]
    found = named(
        events_of(*({"media_id": "r", "scientific_name": "Pica pica", "start_s": a, "end_s": b} for a, b in spans))
    )
    (strip,) = strips(found, recordings_of({"id": "r", "duration_s": 100.0}), found_taxa(found))
    (row,) = strip.rows
    assert row.events == 4
    bars = [(bar.left, bar.left + bar.width) for bar in row.bars]
    assert np.allclose(bars, [(0, 4.5), (50, 51), (99.9, 100)], atol=100 / 240)
    assert [mark.text for mark in strip.marks] == [str(10 * mark) for mark in range(11)]
    assert strip.unit == "s"


def test_many_recordings_are_drawn_where_they_state_no_time():
    rows = [recorded(0, 1.0, f"t{number}") for number in range(20)] + [{"id": "u"}]
    events = [
        {"media_id": row["id"], "scientific_name": "Pica pica", "start_s": 1.0, "end_s": 2.0} for row in rows
    ]
    found = named(events_of(*events))
    assert [strip.file for strip in strips(found, recordings_of(*rows), found_taxa(found))] == ["u.wav"]


def test_taxa_are_told_from_other_sounds_and_from_what_is_absent():
    events = events_of(
        heard(5, score=0.4, plausibility=0.01, site="Creek"),
        heard(3, score=0.9, plausibility=0.02, site="Ridge", probability=0.3),
        heard(4, modality="image", score=0.2),
        heard(4, presence="absent"),
        {"media_id": "r", "label": "Engine", "kind": "sound", "score": 0.8},
        {"media_id": "s", "label": "Engine", "kind": "sound", "score": 0.5},
        {"media_id": "s", "label": "Rain", "kind": "background", "score": 0.5},
        {"media_id": "s", "label": "flight call", "kind": "class", "score": 0.5, "plausibility": None},
    )
    magpie, call = found_taxa(named(events))
    assert (magpie.key, magpie.events, magpie.photographs, magpie.sites) == ("Pica pica", 2, 1, 2)
    assert (magpie.first, magpie.last) == (DAY + timedelta(hours=3), DAY + timedelta(hours=5))
    assert round(magpie.best, 3) == 0.4  # a probability takes the place of its score
    assert magpie.unexpected
    assert (call.key, call.is_class, call.unexpected) == ("flight call", True, False)
    (engine,) = other_sounds(events)
    assert (engine.label, engine.events, engine.recordings, round(engine.best, 2)) == ("Engine", 2, 2, 0.8)
