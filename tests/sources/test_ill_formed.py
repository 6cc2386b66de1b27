"""One ill-formed record costs that record: nodes of real answers and cells of real tables are deleted and changed."""

from __future__ import annotations

import copy
import csv
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from biovita.errors import DatasetError
from biovita.sources import inaturalist_api, xeno_canto
from biovita.sources.darwin_core import DarwinCore
from biovita.sources.folder_source import Folder
from biovita.sources.inaturalist import Inaturalist
from biovita.sources.inaturalist_api import InaturalistApi, InaturalistExport
from biovita.sources.release import Release
from biovita.sources.source import Source
from biovita.sources.xeno_canto import XenoCanto

# What stands in the place of a value; of a list its members in a list of their own come to that.
OTHERS: list[Any] = [
    None,
    "x",
    7,
    -1.5,
    True,
    [],
    [None],
    [[{}]],
    {},
    {"x": []},
    "http://[",
    "http://x:y/z",
    10**30,
]
CELLS = ["", "x", "http://[", "-1", "1e999", "NA", "2020-13-45", "\u2028", "'", "{}"]


def changed(value: Any, *, others: int = len(OTHERS)) -> Iterator[Any]:
    """Yield copies of a value of JSON, each with one node deleted or of another kind; ``others`` kinds a node."""
    number = 0

    def at(node: Any) -> Iterator[Any]:
        nonlocal number
        for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            without = copy.copy(node)
            del without[key]
            yield without
            instead = [OTHERS[(number + each) % len(OTHERS)] for each in range(others)]
            number += others
            deeper = list(at(node[key]))
            for each in [None, *instead, *deeper]:
                with_ = copy.copy(node)
                with_[key] = each
                yield with_

    return at(value)


def rows_of(source: Source) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    batches = list(source.batches())
    return (
        [row for batch in batches for row in batch.records.to_pylist()],
        [row for batch in batches for row in batch.rejected.to_pylist()],
    )


def without_row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "row"}


def held(monkeypatch: pytest.MonkeyPatch, module: Any, field: str, items: list[Any]) -> None:
    """Let a source find one saved answer with these items."""
    monkeypatch.setattr(module, "saved_answers", lambda _: [("a.json", {field: items})])


def test_every_node_of_an_observation(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = shared_data / "formats/inaturalist-api/get_observation_with_sounds.json"
    (sound,) = json.loads(file.read_text(encoding="utf-8"))["results"]
    odd = [*changed(sound, others=1), {**sound, "sounds": None, "photos": []}, {**sound, "taxon": "Parus major"}]
    assert len(odd) > 1000
    items = [each for bad in odd for each in (bad, sound)]
    held(monkeypatch, inaturalist_api, "results", items)
    records, rejected = rows_of(InaturalistApi(path=Path("a.json")))
    held(monkeypatch, inaturalist_api, "results", [sound])
    expected = [without_row(row) for row in rows_of(InaturalistApi(path=Path("a.json")))[0]]
    found = Counter(row["row"] for row in [*records, *rejected])
    good = [row for row in records if row["row"] % 2 == 0]
    assert [without_row(row) for row in good] == expected * len(odd)
    for number, bad in enumerate(odd):
        media = sum(len(given) if isinstance(given, list) else given is not None for given in _media(bad))
        named = isinstance(bad.get("taxon"), dict) and isinstance(bad["taxon"].get("name"), (str, int, float))
        assert found[2 * number + 1] == (max(media, 1) if named else 1), bad
    assert {row["reason"] for row in rejected} >= {"no-name", "no-media", "no-address", "not-as-described"}


def _media(observation: dict[str, Any]) -> tuple[Any, Any]:
    return observation.get("sounds"), observation.get("photos")


@pytest.mark.parametrize("name", ["api_v2_recordings_4.json", "api_v3_response_1.json"])
def test_every_node_of_a_recording(shared_data: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    recordings = json.loads((shared_data / "formats/xeno-canto" / name).read_text(encoding="utf-8"))["recordings"]
    sound = recordings[-1]
    odd = list(changed(sound))
    held(monkeypatch, xeno_canto, "recordings", [each for bad in odd for each in (bad, sound)])
    records, rejected = rows_of(XenoCanto(path=Path("a.json")))
    held(monkeypatch, xeno_canto, "recordings", [sound])
    ((expected,), ()) = rows_of(XenoCanto(path=Path("a.json")))
    assert sorted(row["row"] for row in [*records, *rejected]) == list(range(1, 2 * len(odd) + 1))
    good = [without_row(row) for row in records if row["row"] % 2 == 0]
    assert good == [without_row(expected)] * len(odd)
    assert {row["reason"] for row in rejected} >= {"no-id", "no-name", "no-address"}


@pytest.mark.parametrize("field", ["results", "recordings"])
@pytest.mark.parametrize("other", [None, "x", 7, {}, "absent"])
def test_an_answer_without_its_list_is_an_error_that_names_the_file(
    tmp_path: Path, field: str, other: Any
) -> None:
    (tmp_path / "a.json").write_text(json.dumps({} if other == "absent" else {field: other}))
    source = InaturalistApi(path=tmp_path) if field == "results" else XenoCanto(path=tmp_path)
    with pytest.raises(DatasetError, match=rf"a\.json: has no {field}"):
        rows_of(source)


def table(rows: list[list[str]], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def garbled(row: list[str], *, first: int = 0, cells: list[str] = CELLS) -> list[list[str]]:
    """Return copies of a row, each with one cell of another kind; those before ``first`` stay."""
    return [[*row[:place], cell, *row[place + 1 :]] for place in range(first, len(row)) for cell in cells]


def check_rows(source: Source, rows: int) -> set[str]:
    """Hold that each row is a record or rejected, and that the last, a sound one, is a record; return the reasons."""
    records, rejected = rows_of(source)
    seen = {row["row"] for row in [*records, *rejected]}
    assert seen == set(range(2, rows + 2))
    assert rows + 1 in {row["row"] for row in records}
    return {row["reason"] for row in rejected}


def test_every_cell_of_an_export_of_inaturalist(shared_data: Path, tmp_path: Path) -> None:
    with (shared_data / "formats/inaturalist-open-data/website-export.csv").open(
        encoding="utf-8", newline=""
    ) as file:
        header, *rows = list(csv.reader(file))
    row = next(row for row in rows if row[header.index("image_url")] and row[header.index("license")])
    odd = garbled(row)
    (tmp_path / "e.csv").write_bytes(table([header, *odd, row]))
    reasons = check_rows(InaturalistExport(path=tmp_path / "e.csv"), len(odd) + 1)
    assert reasons == {"no-name", "no-media"}


def test_every_cell_of_an_export_of_r(shared_data: Path, tmp_path: Path) -> None:
    with (shared_data / "formats/xeno-canto/warbler-export-400.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    row = next(row for row in rows if row[header.index("Genus")] not in {"Sonus", "Mystery"})
    odd = garbled(row)
    (tmp_path / "w.csv").write_bytes(table([header, *odd, row]))
    assert check_rows(XenoCanto(path=tmp_path / "w.csv"), len(odd) + 1) >= {"no-address"}


def test_every_cell_of_a_release(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    header = ["file_name", "scientific_name", "download_url", "com", "class", "license", "source", "recording_id"]
    row = ["a/1.mp3", "Pica pica", "https://x.org/1.mp3", "Magpie", "Aves", "CC BY 4.0", "xeno-canto", "1"]
    (tmp_path / "train/metadata.csv").write_bytes(table([header, *garbled(row), row]))
    assert check_rows(Release(path=tmp_path), len(garbled(row)) + 1) == {"no-name", "no-address"}
    (tmp_path / "train/metadata.csv").write_bytes(table([header]))
    row = ["https://x.org/1.jpg", "Pica pica", "CC0"]
    (tmp_path / "train/image_urls.csv").write_bytes(table([["url", "species", "license"], *garbled(row), row]))
    assert check_rows(Release(path=tmp_path), len(garbled(row)) + 1) == {"no-name", "no-address"}


def test_every_cell_of_a_folder(tmp_path: Path) -> None:
    header = ["file", "scientific_name", "common_name", "url", "license", "recorded_at", "latitude", "class"]
    row = ["a.wav", "Pica pica", "Magpie", "https://x.org/1.mp3", "CC BY 4.0", "2020-05-01", "50.5", "Aves"]
    (tmp_path / "a.wav").touch()
    (tmp_path / "audio.csv").write_bytes(table([header, *garbled(row), row]))
    reasons = check_rows(Folder(path=tmp_path), len(garbled(row)) + 1)
    assert reasons == {"missing", "missing-file", "missing-name", "bad-name"}


def test_every_cell_of_an_archive(shared_data: Path, tmp_path: Path) -> None:
    """Each row of the core has an id and a medium of its own, so that what a cell costs can be seen."""
    with zipfile.ZipFile(shared_data / "formats/darwin-core/0000066-140928181241064.zip") as archive:
        meta = archive.read("meta.xml").decode()
        core, media = (archive.read(name).decode().splitlines() for name in ("occurrence.txt", "multimedia.txt"))
    medium = next(line for line in media[1:] if "http" in line).split("\t")
    row = next(line for line in core if line.startswith(f"{medium[0]}\t")).split("\t")
    rows, mediums = garbled(row, first=1, cells=CELLS[:3]), garbled(medium, first=1)
    rows += [row] * (len(mediums) + 1)
    mediums = [medium] * (len(rows) - len(mediums) - 1) + mediums + [medium]
    ids = [str(number) for number in range(len(rows))]
    folder = tmp_path / "a"
    folder.mkdir()
    kept = re.sub(r"<extension\b(?:(?!multimedia).)*?</extension>", "", meta, flags=re.DOTALL)
    (folder / "meta.xml").write_text(kept)
    for name, head, all_ in (("occurrence.txt", core[0], rows), ("multimedia.txt", media[0], mediums)):
        lines = ["\t".join([id_, *cells[1:]]) for id_, cells in zip(ids, all_, strict=True)]
        (folder / name).write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    for name in re.findall(r"<location>(.*?)</location>", kept):
        (folder / name).touch()
    records, rejected = rows_of(DarwinCore(path=folder))
    found = Counter(
        row["row"] for row in [*records, *rejected] if row["file"] in {"occurrence.txt", "multimedia.txt"}
    )
    assert set(found) == set(range(2, len(rows) + 2))
    assert max(found.values()) == 1
    assert len(records) > len(rows) * 0.9
    assert records[-1]["row"] == len(rows) + 1
    assert {row["reason"] for row in rejected} >= {"no-name", "no-address"}


def test_every_cell_of_open_data(shared_data: Path, tmp_path: Path) -> None:
    """The published heads do not overlap: one photograph is joined to its observation and a taxon."""
    lines = {}
    for name in ("photos", "observations", "observers", "taxa"):
        text = (shared_data / f"formats/inaturalist-open-data/{name}.csv").read_text(encoding="utf-8")
        lines[name] = [line.split("\t") for line in text.splitlines()]
    photos, observations = lines["photos"], lines["observations"]
    observation = next(row for row in observations[1:] if len(row) == len(observations[0]))
    observation[observations[0].index("taxon_id")] = lines["taxa"][1][0]
    photos[1][photos[0].index("observation_uuid")] = observation[0]
    lines["photos"] = [photos[0], *garbled(photos[1]), photos[1]]
    for name, rows in lines.items():
        (tmp_path / f"{name}.csv").write_text("\n".join("\t".join(row) for row in rows) + "\n", encoding="utf-8")
    records, rejected = rows_of(Inaturalist(path=str(tmp_path)))
    assert len(records) + len(rejected) == len(lines["photos"]) - 1
    assert Counter(row["source_id"] for row in records)[photos[1][photos[0].index("photo_id")]] > len(CELLS)
    assert {row["reason"] for row in rejected} == {"no-observation", "not-as-described"}
