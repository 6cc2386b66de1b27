from __future__ import annotations

import csv
import gzip
import json
import logging
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from biovita.dataset.schema import REJECTED
from biovita.errors import DatasetError
from biovita.sources import answers, inaturalist_api, xeno_canto
from biovita.sources.inaturalist import Inaturalist
from biovita.sources.inaturalist_api import InaturalistApi, InaturalistExport
from biovita.sources.registry import SOURCES
from biovita.sources.release import Release
from biovita.sources.source import RECORDS, Source
from biovita.sources.xeno_canto import XenoCanto
from biovita.values import iso_date, media_kind, seconds

TAXA = (
    "taxon_id\tancestry\trank_level\trank\tname\tactive\n"
    "1\t48460\t70\tkingdom\tAnimalia\ttrue\n3\t48460/1\t50\tclass\tAves\ttrue\n"
    "8\t48460/1/3\t30\tfamily\tCorvidae\ttrue\n9\t48460/1/3/8\t20\tgenus\tPica\ttrue\n"
    "10\t48460/1/3/8/9\t10\tspecies\tPica pica\ttrue\n"
)
U = "00000000-0000-4000-8000-00000000000{}"


def read(source: Source) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    records: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    for batch in source.batches():
        assert batch.records.schema == RECORDS
        assert batch.rejected.schema == REJECTED
        records += batch.records.to_pylist()
        rejected += batch.rejected.to_pylist()
    return records, rejected


def open_data(folder: Path, photos: str, observations: str, *, compress: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    tables = {
        "photos": "photo_uuid\tphoto_id\tobservation_uuid\tobserver_id\textension\tlicense\t"
        "width\theight\tposition\n" + photos,
        "observations": "observation_uuid\tobserver_id\tlatitude\tlongitude\tpositional_accuracy\ttaxon_id\t"
        "quality_grade\tobserved_on\n" + observations,
        "taxa": TAXA,
        "observers": "observer_id\tlogin\tname\n5\tann\tAnn O'Dell\n6\tbob\tNone\n",
    }
    for name, content in tables.items():
        if compress:
            (folder / f"{name}.csv.gz").write_bytes(gzip.compress(content.encode()))
        else:
            (folder / f"{name}.csv").write_text(content)
    return folder


PHOTOS = (
    f"a\t100\t{U.format(1)}\t5\tjpg\tCC-BY-NC\t2048\t1536\t0\n"
    f"b\t101\t{U.format(1)}\t6\tjpeg\tCC0\t300\t200\t1\n"
    f"c\t102\t{U.format(9)}\t5\tjpg\tCC-BY\t10\t10\t0\n"
    f"d\tnot a number\t{U.format(1)}\t5\tjpg\tCC-BY\t10\t10\t0\n"
    f"e\t103\t{U.format(2)}\t5\tjpg\tCC-BY\t10\t10\t0\n"
    f"f\t104\t{U.format(3)}\t5\tjpg\tCC-BY\t10\t10\t0\n"
)
OBSERVATIONS = (
    f"{U.format(1)}\t5\t50.5\t7.25\t\t10\tresearch\t2020-05-01\n"
    f"{U.format(2)}\t5\t\t\t\t\tcasual\t\n"
    f"{U.format(3)}\t5\t1\t2\t\t77\tresearch\t2020-05-01\n"
)


def test_every_source_follows_the_protocol(tmp_path: Path) -> None:
    for kind, made in SOURCES.items():
        source = made(path=tmp_path / "x") if kind != "inaturalist" else made(path="x")
        assert isinstance(source, Source), kind
        assert source.kind == kind


@pytest.mark.parametrize("compress", [False, True])
def test_open_data_become_records_and_each_other_row_has_a_reason(tmp_path: Path, compress: bool) -> None:
    folder = open_data(tmp_path / "open", PHOTOS, OBSERVATIONS, compress=compress)
    records, rejected = read(Inaturalist(path=str(folder)))
    first, second = sorted(records, key=lambda row: row["source_id"])
    assert first["url"] == "https://inaturalist-open-data.s3.amazonaws.com/photos/100/large.jpg"
    assert (first["width"], first["height"]) == (1024, 768)
    assert [first[rank] for rank in ("name", "kingdom", "class", "family", "genus")] == [
        "Pica pica", "Animalia", "Aves", "Corvidae", "Pica",
    ]  # fmt: skip
    assert first["attribution"] == "(c) Ann O'Dell, some rights reserved (CC BY-NC)"
    assert (first["observer"], first["license"], first["quality"]) == ("ann", "CC-BY-NC", "research")
    assert (first["latitude"], first["longitude"], first["recorded_at"]) == (50.5, 7.25, "2020-05-01")
    assert (first["row"], second["row"]) == (2, 3)
    assert second["attribution"] == "(c) bob, no rights reserved (CC0)"
    assert (second["width"], second["height"]) == (300, 200)  # never enlarged
    reasons = {(row["row"], row["reason"]) for row in rejected}
    assert {(4, "no-observation"), (5, "not-as-described")} <= reasons
    assert Counter(row["reason"] for row in rejected) == {
        "no-observation": 1, "not-as-described": 1, "no-name": 1, "unknown-taxon": 1,
    }  # fmt: skip
    assert "photo_id" in next(row["detail"] for row in rejected if row["reason"] == "not-as-described")


def test_open_data_are_read_by_the_same_reader(tmp_path: Path) -> None:
    stated = ["CC-BY-NC", "cc by 4.0", "CC-BY but ask me first", ""]
    photos = "".join(PHOTOS.splitlines(keepends=True)[0].replace("CC-BY-NC", each) for each in stated)
    for number, _ in enumerate(stated):
        photos = photos.replace("a\t100\t", f"{number}\t{number}\t", 1)
    records, _ = read(Inaturalist(path=str(open_data(tmp_path / "open", photos, OBSERVATIONS))))
    found = {int(row["source_id"]): (row["license"], row["attribution"]) for row in records}
    assert found == {
        0: ("CC-BY-NC", "(c) Ann O'Dell, some rights reserved (CC BY-NC)"),
        1: ("CC-BY-4.0", "(c) Ann O'Dell, some rights reserved (cc by 4.0)"),
        2: (None, "(c) Ann O'Dell, all rights reserved (CC BY but ask me first)"),
        3: (None, "(c) Ann O'Dell, all rights reserved"),
    }


def test_vernacular_names_come_from_the_taxonomy_archive(tmp_path: Path, shared_data: Path) -> None:
    names = shared_data / "formats/inaturalist-taxonomy/VernacularNames-english.csv"
    folder = open_data(tmp_path / "open", PHOTOS, OBSERVATIONS)
    (folder / "taxa.csv").write_text(TAXA + "7\t48460/1/3\t10\tspecies\tAramus guarauna\ttrue\n")
    (folder / "observations.csv").write_text(
        (folder / "observations.csv").read_text().replace("\t10\tres", "\t7\tres")
    )
    records, _ = read(Inaturalist(path=str(folder), vernaculars=names))
    assert {row["vernacular"] for row in records} == {"Limpkin"}


def test_the_published_heads_are_read_to_the_last_row(shared_data: Path, tmp_path: Path) -> None:
    """Two of the 50 observations have an empty column too many; the heads of taxa and photos do not overlap."""
    folder = shared_data / "formats/inaturalist-open-data"
    records, rejected = read(Inaturalist(path=str(folder)))
    assert not records
    assert Counter(row["reason"] for row in rejected) == {"unknown-taxon": 50}
    with (folder / "observations.csv").open() as file:
        rows = list(csv.reader(file, delimiter="\t"))[1:]
    dates = {row[0]: row[-1] or None for row in rows}
    for name in ("photos", "observations", "observers"):
        shutil.copy(folder / f"{name}.csv", tmp_path / f"{name}.csv")
    wanted = {row[5] for row in rows}
    made = "".join(f"{taxon}\t48460/1/3/9\t10\tspecies\tPica x{taxon}\ttrue\n" for taxon in wanted)
    (tmp_path / "taxa.csv").write_text(TAXA + made)
    records, rejected = read(Inaturalist(path=str(tmp_path)))
    assert (len(records), len(rejected)) == (50, 0)
    assert all(row["recorded_at"] == dates[row["group"]] for row in records)
    with (folder / "photos.csv").open() as file:
        photos = {row["photo_id"]: row for row in csv.DictReader(file, delimiter="\t")}
    for row in records:
        given = photos[row["source_id"]]
        assert (row["group"], row["license_given"]) == (given["observation_uuid"], given["license"])
        assert row["url"].endswith(f"/{given['photo_id']}/large.{given['extension']}")


def test_a_missing_table_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"has no photos\.csv\.gz"):
        read(Inaturalist(path=str(tmp_path)))
    folder = open_data(tmp_path / "open", "", "")
    (folder / "taxa.csv").write_text("taxon_id,ancestry,rank,name\n")
    with pytest.raises(DatasetError, match=r"taxa\.csv, line 1: lacks the column\(s\) taxon_id"):
        read(Inaturalist(path=str(folder)))
    (folder / "taxa.csv").unlink()
    (folder / "taxa.csv.gz").write_bytes(gzip.compress(TAXA.encode())[:40])
    with pytest.raises(DatasetError, match=r"taxa\.csv\.gz cannot be read"):
        read(Inaturalist(path=str(folder)))


def test_object_storage_is_copied_once(tmp_path: Path) -> None:
    store = open_data(tmp_path / "bucket", PHOTOS, OBSERVATIONS, compress=True)
    source = Inaturalist(path=f"file://{store}", cache=tmp_path / "cache")
    assert len(read(source)[0]) == 2
    assert (tmp_path / "cache/photos.csv.gz").read_bytes() == (store / "photos.csv.gz").read_bytes()
    stamp = (tmp_path / "cache/photos.csv.gz").stat().st_mtime_ns
    read(source)
    assert (tmp_path / "cache/photos.csv.gz").stat().st_mtime_ns == stamp
    (store / "taxa.csv.gz").unlink()
    with pytest.raises(DatasetError, match=r"has no taxa\.csv\.gz"):
        read(source)


def test_answers_of_inaturalist(shared_data: Path) -> None:
    records, rejected = read(
        InaturalistApi(path=shared_data / "formats/inaturalist-api/get_observation_with_sounds.json")
    )
    assert not rejected
    assert [row["modality"] for row in records] == ["audio", "image", "image"]
    sound = records[0]
    assert sound["url"] == "https://static.inaturalist.org/sounds/263113.wav?1624793769"
    assert (sound["name"], sound["class"], sound["license"]) == (
        "Pipistrellus pipistrellus",
        "Mammalia",
        "CC0-1.0",
    )
    assert sound["attribution"] == "tomaugust, keine Rechte vorbehalten"
    assert {row["group"] for row in records} == {"1d64616d-3a8e-4197-9930-71090479b6f1"}
    assert records[1]["url"] == "https://inaturalist-open-data.s3.amazonaws.com/photos/139206257/large.png"
    for name, photos in (("get_observation.json", 2), ("get_observations_page1.json", 1)):
        others, rejected = read(InaturalistApi(path=shared_data / "formats/inaturalist-api" / name))
        assert ([row["modality"] for row in others], rejected) == (["image"] * photos, [])
    with pytest.raises(DatasetError, match="has no results"):
        read(InaturalistApi(path=shared_data / "formats/xeno-canto/api_v3_response_1.json"))


def test_website_export(shared_data: Path) -> None:
    path = shared_data / "formats/inaturalist-open-data/website-export.csv"
    records, rejected = read(InaturalistExport(path=path))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(records) == len(rows) == 47
    assert not rejected
    for record, row in zip(records, rows, strict=True):
        assert (record["name"], record["group"]) == (row["scientific_name"], row["id"])
        assert record["latitude"] == float(row["latitude"])
    assert records[0]["url"] == "https://inaturalist-open-data.s3.amazonaws.com/photos/48124507/large.jpeg"


def test_xeno_canto_versions_agree_on_fields(shared_data: Path) -> None:
    (v3,), _ = read(XenoCanto(path=shared_data / "formats/xeno-canto/api_v3_response_1.json"))
    assert (v3["source_id"], v3["name"], v3["class"]) == ("XC254462", "Passerina amoena", "Aves")
    assert (v3["latitude"], v3["longitude"], v3["duration_s"]) == (43.6571, -103.4143, 253.0)
    assert (v3["license"], v3["quality"], v3["recorded_at"]) == ("CC-BY-SA-4.0", "A", "2015-06-23T07:17")
    v2, rejected = read(XenoCanto(path=shared_data / "formats/xeno-canto/api_v2_recordings_4.json"))
    assert not rejected
    assert [row["longitude"] for row in v2] == [-57.5145, -48.0278, -55.8333333333, -80.9961]
    assert v2[3]["url"] == "https://xeno-canto.org/143610/download"
    assert v2[3]["license"] == "CC-BY-NC-SA-3.0"
    with pytest.raises(DatasetError, match="client_error: Missing or invalid 'key'"):
        read(XenoCanto(path=shared_data / "formats/xeno-canto/api_v3_error.json"))


def test_export_of_r(shared_data: Path) -> None:
    path = shared_data / "formats/xeno-canto/warbler-export-400.csv"
    records, rejected = read(XenoCanto(path=path))
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    soundscapes = [row for row in rows if row["Genus"] in {"Sonus", "Mystery", "Identity"}]
    assert (len(records), len(rejected)) == (len(rows) - len(soundscapes), len(soundscapes)) == (334, 43)
    by_id = {f"XC{row['Recording_ID']}": row for row in rows}
    for record in records:
        row = by_id[record["source_id"]]
        assert record["observer"] == " ".join(row["Recordist"].split())
        assert record["name"] == f"{row['Genus']} {row['Specific_epithet']}"
        minutes, seconds_ = row["Length"].split(":")[-2:]
        assert record["duration_s"] % 3600 == int(minutes) * 60 + int(seconds_)
    lines = path.read_text().splitlines()
    assert all(lines[record["row"] - 1].startswith(record["source_id"][2:]) for record in records)


class _Handler(BaseHTTPRequestHandler):
    script: list[tuple[int, dict[str, str], str]]
    asked: list[dict[str, list[str]]]

    def do_GET(self) -> None:
        self.asked.append(parse_qs(urlsplit(self.path).query))
        status, headers, body = self.script.pop(0)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body.encode()))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - of the base class
        pass


@contextmanager
def serving(script: list[tuple[int, dict[str, str], str]]) -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    handler = type("Handler", (_Handler,), {"script": script, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api", handler.asked  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


def test_pages_are_asked_for_once_and_the_key_is_written_nowhere(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    page = json.loads((shared_data / "formats/xeno-canto/api_v3_response_1.json").read_text())
    pages = [json.dumps({**page, "page": n, "numPages": 2}) for n in (1, 2)]
    key = "c0ffee-secret-key"
    monkeypatch.setenv(xeno_canto.KEY_VARIABLE, key)
    monkeypatch.setattr(answers, "PAUSE_S", 0.0)
    caplog.set_level(logging.DEBUG)
    script = [(429, {"Retry-After": "0"}, "slow down"), (200, {}, pages[0]), (503, {}, "no"), (200, {}, pages[1])]
    with serving(script) as (address, asked):
        monkeypatch.setattr(xeno_canto, "API", address)
        source = XenoCanto(query="grp:birds", cache=tmp_path)
        assert len(read(source)[0]) == 2
        assert [each["page"] for each in asked if "page" in each] == [["2"], ["2"]]
        assert {each["key"][0] for each in asked} == {key}
        assert len(read(source)[0]) == 2  # from the cache: the script is used up
        refused = json.dumps({"error": "client_error", "message": f"invalid key {key}"})
        script.append((401, {}, refused))
        with pytest.raises(DatasetError, match=r"refuses \(401\): client_error: invalid key \*\*\*") as error:
            read(XenoCanto(query="grp:bats", cache=tmp_path))
    assert key not in str(error.value)
    with pytest.raises(DatasetError, match="the server did not answer in") as error:
        read(XenoCanto(query="grp:frogs", cache=tmp_path))
    assert key not in str(error.value)
    assert "HTTP Request" in caplog.text  # the libraries did log
    assert key not in caplog.text
    assert all(key not in file.read_text() for file in tmp_path.rglob("*") if file.is_file())
    monkeypatch.delenv(xeno_canto.KEY_VARIABLE)
    with pytest.raises(DatasetError, match="XENO_CANTO_KEY"):
        read(source)


def test_inaturalist_is_asked_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def page(first: int, count: int) -> str:
        taxon = {"name": "Pica pica", "rank": "species"}
        sounds = [{"id": 1, "license_code": "cc0", "file_url": "https://x.org/1.m4a"}]
        return json.dumps({"results": [{"id": first + n, "taxon": taxon, "sounds": sounds} for n in range(count)]})

    monkeypatch.setattr(answers, "PAUSE_S", 0.0)
    with serving([(200, {}, page(1, 200)), (200, {}, page(201, 3))]) as (address, asked):
        monkeypatch.setattr(inaturalist_api, "API", address)
        records, _ = read(InaturalistApi(query={"taxon_id": "3", "sounds": "true"}, cache=tmp_path))
    assert len(records) == 203
    assert [each.get("id_above") for each in asked] == [None, ["200"]]
    assert asked[0]["taxon_id"] == ["3"]


@pytest.mark.parametrize("content", ['{"recordings": [1, null]}', '{"results": [1, null]}'])
def test_answers_that_hold_something_else_are_rejected(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    made = XenoCanto if "recordings" in content else InaturalistApi
    records, rejected = read(made(path=tmp_path / "a.json"))
    assert not records
    assert [row["reason"] for row in rejected] == ["not-as-described"] * 2


def test_release_train(tmp_path: Path) -> None:
    train = tmp_path / "train"
    (train / "audio").mkdir(parents=True)
    (train / "audio/a.mp3").write_bytes(b"x")
    (train / "metadata.csv").write_text(
        "file_name,scientific_name,accepted_name,class,order,family,genus,com,source,recording_id,download_url\n"
        "audio/a.mp3,Pica pica x,Pica pica,Aves,Passeriformes,Corvidae,Pica,Eurasian Magpie,xeno-canto,7,\n"
        "audio/b.mp3,Parus major,,Aves,Passeriformes,Paridae,Parus,Great Tit,ASA,8,https://x.org/b.mp3\n"
        "../../etc/passwd,Parus major,,Aves,,,,,ASA,9,\n"
    )
    (train / "image_urls.csv").write_text(
        "species,url\nPica pica,https://x.org/1.jpg\nPica pica,ftp://x.org/2.jpg\n"
    )
    records, rejected = read(Release(path=tmp_path))
    assert [(row["name"], row["group"]) for row in records] == [
        ("Pica pica", "xeno-canto:7"), ("Parus major", "ASA:8"), ("Pica pica", "https://x.org/1.jpg"),
    ]  # fmt: skip
    assert records[0]["path"] == str(train / "audio/a.mp3")
    assert (records[1]["path"], records[1]["url"]) == (None, "https://x.org/b.mp3")
    assert [(row["file"], row["row"], row["reason"]) for row in rejected] == [
        ("metadata.csv", 4, "no-address"), ("image_urls.csv", 3, "no-address"),
    ]  # fmt: skip
    images = tmp_path / "img" / "pica_pica"
    images.mkdir(parents=True)
    (images / "p.jpg").write_bytes(b"x")
    records, _ = read(Release(path=tmp_path, images=tmp_path / "img"))
    assert [row["path"] for row in records if row["modality"] == "image"] == [str(images / "p.jpg")]


def test_release_benchmark_finds_recordings_under_their_other_names(tmp_path: Path) -> None:
    bench = tmp_path / "benchmark"
    (bench / "audio").mkdir(parents=True)
    for name in ("as_indexed.mp3", "asa_77.mp3", "XC5-Pica.mp3"):
        (bench / "audio" / name).write_bytes(name.encode())
    (bench / "audio_index.csv").write_text(
        "id,file_path,species,genus,family,class\n"
        "0,audio/as_indexed.mp3,Pica pica,Pica,Corvidae,Aves\n1,audio/1.mp3,Parus major,Parus,Paridae,Aves\n"
        "2,audio/2.mp3,Pica pica,Pica,Corvidae,Aves\n3,audio/3.mp3,Pica pica,Pica,Corvidae,Aves\n"
    )
    (bench / "metadata.csv").write_text(
        "file_name,scientific_name,recording_id\nx.mp3,Pica pica,1\nupload/XC5-Pica.mp3,Pica pica,5\n"
        "y.mp3,Parus major,77\n"
    )
    (bench / "image_index.csv").write_text("id,file_path,species\n0,images/none.jpg,Pica pica\n")
    records, rejected = read(Release(path=tmp_path, part="benchmark"))
    assert {row["source_id"]: Path(row["path"]).name for row in records} == {
        "0": "as_indexed.mp3", "1": "asa_77.mp3", "2": "XC5-Pica.mp3",
    }  # fmt: skip
    assert [(row["file"], row["row"], row["reason"]) for row in rejected] == [
        ("audio_index.csv", 5, "missing"), ("image_index.csv", 2, "missing"),
    ]  # fmt: skip


def test_values() -> None:
    assert iso_date("2015-00-00") == "2015"
    assert iso_date("0000-00-00") is None
    assert iso_date("2015-06-23", "?") == "2015-06-23"
    assert seconds("1:02:03") == 3723.0
    assert seconds("?") is None


@pytest.mark.parametrize(
    ("type_", "format_", "address", "expected"),
    [
        ("http://purl.org/dc/dcmitype/Sound", None, None, "audio"),
        ("", "audio/mpeg", None, "audio"),
        (None, None, "https://x.org/a.JPG?b=1", "image"),
        # an unknown word decides nothing: format, then address
        ("Specimen", "image/png", None, "image"),
        ("Occurrence", "", "https://x.org/a.mp3", "audio"),
        ("Sound; StillImage", None, "https://x.org/a.flac", "audio"),
        ("Dataset", "application/octet-stream", "https://x.org/a.tif", "image"),
        # swapped and short forms
        ("image/jpeg", "StillImage", None, "image"),
        ("jpg", "Photo", None, "image"),
        ("JPEG", None, None, "image"),
        ("Still Image", None, None, "image"),
        ("still_image", None, None, "image"),
        ("mp3", None, None, "audio"),
        ("audio/x-wav", None, None, "audio"),
        ("audio/mp4", None, None, "audio"),
        ("application/ogg", None, None, "audio"),
        # an address whose name is a parameter
        (None, None, "https://x.org/get?file=a.wav&size=1", "audio"),
        # what is stated to be something else is that
        ("MovingImage", "video/mp4", "https://x.org/a.mp3", None),
        (None, "video/ogg", "https://x.org/a.ogg", None),
        ("Text", None, "https://x.org/a.jpg", None),
        (None, "text/html", "https://x.org/a.jpg", None),
        ("something", "else", "https://x.org/a", None),
        ("something", None, "http://[", None),
    ],
)
def test_what_a_medium_is(
    type_: str | None, format_: str | None, address: str | None, expected: str | None
) -> None:
    assert media_kind(type_, format_, address) == expected
