"""Nothing is counted twice, and nothing is lost: rows read, records, what is kept, left out and rejected."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from biovita.collect.build import report_lines
from biovita.collect.preview import preview
from biovita.dataset import Dataset
from biovita.dataset.omitted import count_omitted
from support.collected_media import HTML, build_soon, observation, picture, sound, write_plan
from support.commands import run_command
from support.media_servers import MediaServer, Resource, media_server

XENO_CANTO = (
    "id\tgen\tsp\tfile\tlic\tq\tgrp\n"
    "1\tPica\tpica\t\t//creativecommons.org/licenses/by/4.0/\tA\tbirds\n"
    "2\tPica\tpica\thttps://x.org/2.mp3\tCC BY-ND 4.0\tA\tbirds\n"
    "3\tPica\tpica\thttps://x.org/3.mp3\t//creativecommons.org/licenses/by/4.0/\tE\tbirds\n"
    "\t\t\t\t\t\t\n"
    "4\n"
)
RULES = """
[taxa]
clades = ["Aves"]
[quality]
inaturalist = ["research"]
xeno_canto = ["A"]
[dates]
first = 2000-01-01
[places]
boxes = [[0, 0, 45, 90]]
[limits]
audio_per_species = 9
[clips]
per_recording = 2
seconds = 1.0
[[sources]]
kind = "xeno_canto"
path = "xc.tsv"
[[sources]]
kind = "inaturalist_api"
path = "again.json"
size = "original"
"""


def of_every_kind(server: MediaServer, folder: Path) -> Path:
    """Write a plan whose records meet each fate: kept, left out for each reason, and rejected by source and file."""
    files = {1: sound(1), 2: sound(2, seconds=3.0), 3: HTML, 4: b"", 5: sound(1), 6: picture(6), 7: picture(6)}
    files |= {number: sound(number) for number in (21, 22, 23, 24, 25, 26)}
    for number, content in files.items():
        server.resources[f"/{number}"] = Resource(content)
    server.resources["/8"] = Resource(sound(8), fails=(500,) * 6)

    def made(number: int, modality: str = "audio", **values: object) -> dict[str, object]:
        return observation(number, server.url(f"/{number}"), modality, **values)

    held = made(30)
    held["sounds"][0]["license_code"] = None  # type: ignore[index]
    observations = [
        *(made(number) for number in (1, 2, 3, 4, 5, 8, 21, 22, 23, 24, 25, 26)),
        *(made(number, "image") for number in (6, 7)),
        made(9, "image", species="Parus major"),  # gone: the server has none
        held,
        made(31, quality_grade="casual"),
        made(32, observed_on="1999-05-01"),
        made(33, location="50.5,10.25"),
        made(34, species="Apis mellifera")
        | {"taxon": {"name": "Apis mellifera", "rank": "species", "iconic_taxon_name": "Insecta"}},
        made(35, species="Pica sp."),
        made(36) | {"taxon": None},
        made(1),
    ]
    plan = write_plan(folder, observations, RULES)
    (folder / "again.json").write_text(json.dumps({"results": [made(2), made(6, "image")]}), encoding="utf-8")
    (folder / "xc.tsv").write_text(XENO_CANTO, encoding="utf-8")
    return plan


@pytest.mark.slow
def test_records_are_kept_or_left_out_or_rejected_once(tmp_path: Path) -> None:
    with media_server() as server:
        plan = of_every_kind(server, tmp_path)
        before = preview(plan)
        report = build_soon(plan, tmp_path / "data")
    for sources, left_out, items in (
        (before.sources, sum(row.rows for row in before.left_out), before.items),
        (report.sources, sum(report.left_out.values()), report.kept + sum(report.rejected.values())),
    ):
        assert sum(each.records for each in sources) == left_out + items
        for each in sources:
            assert each.read == each.records + each.rejected + each.skipped
            assert each.rejected == sum(each.reasons.values())
    assert {row.reason for row in before.left_out} >= {
        "license", "quality", "date", "place", "other-taxon", "name-undetermined", "twice", "over-limit",
    }  # fmt: skip
    assert set(report.rejected) == {"not-audio", "empty", "duplicate", "gone", "unreachable"}
    by_source = sum((Counter(each.reasons) for each in report.sources), Counter[str]())
    assert set(by_source) >= {"no-address", "not-as-described", "repeated-id"}
    assert not set(by_source) & {*report.left_out, *report.rejected}, "a row is in one of them"
    dataset = Dataset.open(tmp_path / "data")
    assert Counter(dataset.rejected["reason"].to_pylist()) == by_source + Counter(report.rejected)
    listed = {reason: rows for reason, rows in report.left_out.items() if reason != "other-taxon"}
    assert count_omitted(dataset) == listed
    assert report.audio > report.kept - report.images, "a recording has two clips"
    records = sum(each.records for each in report.sources)
    said = (
        f"{records} records: {report.kept} kept, {sum(report.left_out.values())} left out by the plan, "
        f"{sum(report.rejected.values())} rejected"
    )
    assert said in report_lines(report)
    left_out = sum(row.rows for row in before.left_out)
    shown = run_command("data", "plan", plan)
    assert f"{records} records: {before.items} to take, {left_out} left out\n" in shown.out
    assert (
        "5 rows read, 2 records, 2 rejected (1 no-address, 1 not-as-described), 1 empty rows skipped" in shown.out
    )
