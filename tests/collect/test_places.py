from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biovita.cli.app import main
from biovita.collect import build as building
from biovita.collect.build import BuildReport, build, report_lines
from biovita.collect.plan import read_plan
from biovita.collect.select import select
from biovita.dataset import Dataset
from biovita.dataset.check import check
from biovita.dataset.omitted import count_omitted
from biovita.dataset.schema import OMITTED
from biovita.dataset.summary import summary
from support.collected_media import HTML, observation, picture, sound, write_plan
from support.media_servers import MediaServer, Resource, media_server


@pytest.fixture
def server() -> Iterator[MediaServer]:
    with media_server() as running:
        yield running


def run(plan: Path, out: Path) -> BuildReport:
    return build(plan, out, backoff_s=0.01)


def order_of_choice(plan: Path) -> list[str]:
    with select(read_plan(plan), listing=True) as selection:
        return [row for batch in selection.records() for row in batch.column("source_id").to_pylist()]


def omitted(out: Path) -> dict[str, str]:
    return {row["source_id"]: row["reason"] for row in pq.read_table(out / "omitted.parquet").to_pylist()}


def prepared(server: MediaServer, folder: Path, count: int, rest: str, **values: Any) -> tuple[Path, list[str]]:
    """Return a plan for that many recordings of a species, and their ids in the order of choice."""
    for number in range(1, count + 1):
        server.resources[f"/{number}"] = Resource(sound(number))
    observations = [observation(n, server.url(f"/{n}"), "audio", **values) for n in range(1, count + 1)]
    plan = write_plan(folder, observations, rest)
    return plan, order_of_choice(plan)


@pytest.mark.slow
def test_the_next_candidates_take_the_places_of_what_cannot_be_used(server: MediaServer, tmp_path: Path) -> None:
    plan, order = prepared(server, tmp_path, 10, "[limits]\naudio_per_species = 4\n")
    server.resources[f"/{order[0]}"] = Resource(status=404)
    server.resources[f"/{order[1]}"] = Resource(HTML)
    server.resources[f"/{order[4]}"] = Resource(b"")
    server.resources[f"/{order[5]}"] = Resource(server.resources[f"/{order[2]}"].content)
    out = tmp_path / "data"
    report = run(plan, out)
    dataset = Dataset.open(out)
    assert dataset.audio["source_id"].to_pylist() == [order[at] for at in (2, 3, 6, 7)]
    assert report.rejected == {"duplicate": 1, "empty": 1, "gone": 1, "not-audio": 1}
    assert (report.refilled, report.empty, report.fetched) == (2, {}, 5)
    assert omitted(out) == {order[8]: "over-limit", order[9]: "over-limit"}
    assert report.left_out == count_omitted(dataset) == {"over-limit": 2}
    assert not any(server.asked[f"/{order[at]}"] for at in (8, 9))
    assert "2 files could not be used, and the next candidates took their places" in report_lines(report)
    assert check(dataset, hashes=True) == []
    assert dataset.info["made"]["refilled"] == 2
    again = run(plan, out)
    assert (again.fetched, again.refilled) == (0, 2)


@pytest.mark.slow
def test_places_stay_empty_where_candidates_end(server: MediaServer, tmp_path: Path) -> None:
    plan, order = prepared(server, tmp_path, 5, "[limits]\naudio_per_species = 4\n")
    for at in (0, 2, 4):
        server.resources[f"/{order[at]}"] = Resource(status=404)
    report = run(plan, tmp_path / "data")
    assert (report.audio, report.refilled, report.empty) == (2, 0, {"no-candidate": 2})
    assert "2 places stay empty: 2 no-candidate" in report_lines(report)
    assert "Places that stay empty: 2 no-candidate." in (tmp_path / "data/README.md").read_text()


@pytest.mark.slow
def test_spares_are_kept_and_used_up(server: MediaServer, tmp_path: Path) -> None:
    plan, order = prepared(server, tmp_path, 30, "[limits]\naudio_per_species = 1\n")
    assert len(order) == 21
    for number in range(1, 31):
        server.resources[f"/{number}"] = Resource(status=404)
    report = run(plan, tmp_path / "data")
    assert (report.audio, report.refilled, report.empty) == (0, 0, {"spares-used": 1})
    assert sum(server.asked.values()) == 21
    assert len(omitted(tmp_path / "data")) == 9


@pytest.mark.slow
def test_what_a_server_does_not_answer_keeps_its_place(server: MediaServer, tmp_path: Path) -> None:
    plan, order = prepared(server, tmp_path, 6, "[limits]\naudio_per_species = 3\n")
    server.resources[f"/{order[1]}"] = Resource(sound(int(order[1])), fails=(500,) * 6)
    report = run(plan, tmp_path / "data")
    assert (report.audio, report.refilled, report.empty, report.unfinished) == (2, 0, {}, 1)
    report = run(plan, tmp_path / "data")
    assert (report.audio, report.refilled, report.unfinished) == (3, 0, 0)
    assert Dataset.open(tmp_path / "data").audio["source_id"].to_pylist() == order[:3]


@pytest.mark.slow
def test_a_budget_in_bytes_bounds_what_takes_a_place(server: MediaServer, tmp_path: Path) -> None:
    """Lengths are stated, sizes estimated from them: the next candidate is too large, the one after it is not asked."""
    plan = write_plan(
        tmp_path, [], '[budget]\nbytes = 400_000\n[[sources]]\nkind = "xeno_canto"\npath = "xc.json"\n'
    )
    lengths = dict.fromkeys(range(1, 8), "0:10")

    def describe() -> list[str]:
        recordings = [
            {"id": str(n), "gen": "Pica", "sp": "pica", "file": server.url(f"/{n}"), "length": length,
             "lic": "//creativecommons.org/licenses/by/4.0/", "rec": "Ann"}
            for n, length in lengths.items()
        ]  # fmt: skip
        (tmp_path / "xc.json").write_text(json.dumps({"recordings": recordings}))
        return order_of_choice(plan)

    order = describe()
    for number in lengths:
        server.resources[f"/{number}"] = Resource(sound(number, seconds=9.9))
    server.resources[f"/{order[0][2:]}"] = Resource(status=404)
    lengths[int(order[2][2:])] = "0:20"
    assert describe() == order
    report = run(plan, tmp_path / "data")
    assert (report.audio, report.empty) == (1, {"budget": 1})
    assert omitted(tmp_path / "data") == dict.fromkeys(order[2:], "over-budget")
    lengths[int(order[2][2:])] = "0:10"
    describe()
    report = run(plan, tmp_path / "other")
    assert (report.audio, report.refilled, report.empty) == (2, 1, {})


def test_the_same_bytes_under_another_species_open_places_of_both(server: MediaServer, tmp_path: Path) -> None:
    """A spare that takes a place has the bytes of a photograph that was taken already: both go."""
    server.resources |= {f"/{n}": Resource(picture(n)) for n in range(1, 9)}
    observations = [
        observation(n, server.url(f"/{n}"), "image", "Pica pica" if n < 5 else "Parus major") for n in range(1, 9)
    ]
    plan = write_plan(tmp_path, observations, "[limits]\nimages_per_species = 3\n")
    order = order_of_choice(plan)
    server.resources[f"/{order[1]}"] = Resource(status=404)
    server.resources[f"/{order[3]}"] = server.resources[f"/{order[4]}"]
    report = run(plan, tmp_path / "data")
    assert report.rejected == {"ambiguous": 2, "gone": 1}
    assert Dataset.open(tmp_path / "data").images["source_id"].to_pylist() == [order[at] for at in (0, 2, 5, 6, 7)]
    assert (report.refilled, report.empty) == (1, {"no-candidate": 1})


def test_every_record_of_a_wanted_taxon_is_somewhere(
    server: MediaServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    observations = []
    for number in range(1, 41):
        modality = "audio" if number % 2 else "image"
        server.resources[f"/{number}"] = Resource(sound(number) if number % 2 else picture(number))
        species = ("Pica pica", "Parus major", "Rana temporaria", "Pica sp.")[number // 2 % 4]
        one = observation(number, server.url(f"/{number}"), modality, species)
        one["sounds" if number % 2 else "photos"][0]["license_code"] = "cc-by-nd" if number % 7 == 0 else "cc-by"
        one["quality_grade"] = "casual" if number % 11 == 0 else "research"
        one["observed_on"] = "1999-01-01" if number % 13 == 0 else "2020-05-01"
        observations.append(one)
    server.resources["/1"] = Resource(status=404)
    plan = write_plan(
        tmp_path, observations,
        '[taxa]\nspecies = ["Pica pica", "Parus major", "Nonsensia fictiva"]\n[limits]\naudio_per_species = 2\n'
        'images_per_species = 3\n[quality]\ninaturalist = ["research"]\n[dates]\nfirst = 2000-01-01\n',
    )  # fmt: skip
    out = tmp_path / "data"
    run(plan, out)
    dataset = Dataset.open(out)
    listed = omitted(out)
    rejected = [Path(row["path"]).name for row in dataset.rejected.to_pylist()]
    used = [*dataset.audio["source_id"].to_pylist(), *dataset.images["source_id"].to_pylist()]
    wanted = {str(n) for n in range(1, 41) if n // 2 % 4 != 2}
    assert sorted([*listed, *rejected, *used]) == sorted(wanted)
    rows = {row["source_id"]: row for row in pq.read_table(out / "omitted.parquet").to_pylist()}
    assert set(listed.values()) >= {"license", "quality", "date", "over-limit", "name-undetermined"}
    assert (rows["6"]["name"], rows["6"]["taxon_id"]) == ("Pica sp.", None)
    assert (rows["35"]["reason"], rows["35"]["detail"]) == ("license", "cc-by-nd")
    assert (rows["11"]["reason"], rows["11"]["detail"]) == ("quality", "casual")
    assert dataset.info["made"]["not_listed"] == {"other-taxon": 10}
    assert dataset.info["made"]["missing"] == ["Nonsensia fictiva"]
    assert dataset.info["counts"]["omitted"] == len(listed)
    counts = summary(dataset)
    assert sum(counts.omitted.values()) == len(listed)
    with pytest.raises(SystemExit):
        main(["data", "show", str(out)])
    said = capsys.readouterr().out
    assert f"{len(listed)} omitted by the plan:" in said
    assert "10 not asked for by the plan, and counted only: 10 other-taxon" in said
    assert "Listed in the plan, but found in no source: Nonsensia fictiva." in (out / "README.md").read_text()
    assert check(dataset, hashes=True) == []
    pq.write_table(pq.read_table(out / "omitted.parquet").slice(1), out / "omitted.parquet")
    (problem,) = check(Dataset.open(out))
    assert str(problem) == (
        f"dataset.toml: states {len(listed)} rows of omitted, and omitted.parquet has {len(listed) - 1} [counts]"
    )
    (out / "omitted.parquet").write_bytes(b"PAR1 no")
    (problem,) = check(Dataset.open(out))
    assert (problem.code, problem.table) == ("schema", "omitted")


@pytest.mark.parametrize("group_rows", [1, 5, 100])
def test_the_omitted_records_are_written_in_parts_of_one_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group_rows: int
) -> None:
    """So the bytes of the file depend on its rows alone, and they need not fit into memory."""
    monkeypatch.setattr(building, "_PART_ROWS", 4)
    columns = {name: [f"{name} {number}" for number in range(15)] for name in OMITTED.names}
    table = pa.table(columns).cast(OMITTED)
    pq.write_table(table.slice(0, 11), tmp_path / "listed.parquet", row_group_size=group_rows)
    reader = building._omitted(tmp_path / "listed.parquet", table.slice(11))
    batches = list(reader)
    assert [batch.num_rows for batch in batches] == [4, 4, 4, 3]
    assert pa.Table.from_batches(batches).equals(table)
