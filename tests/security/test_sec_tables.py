"""Foreign tables, archives and answers through the command line: what is good is in, what is not is listed."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.folders import HEADER, make_folder, write_image, write_rows
from support.hostile import biovita, python
from support.hostile_tables import TERM, archive, core, media, plan
from support.sound_files import song, write_sound

MIB = 1 << 20
GOOD = {
    "id": "1", "gen": "Pica", "sp": "pica", "grp": "birds", "file": "https://x.org/1.mp3", "length": "0:10",
    "lic": "https://creativecommons.org/licenses/by/4.0/", "lat": "60.5", "lon": "5.5", "date": "2020-05-01",
}  # fmt: skip
# Runs each command of a list in one process, and prints what each said as a line of JSON.
MANY = """
import contextlib, io, json, sys, traceback
from biovita.cli.app import main
for arguments in json.loads(sys.argv[1]):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code
        except BaseException:
            code = "Traceback"
            traceback.print_exc()
    print(json.dumps([code, out.getvalue()]))
"""


def run_all(commands: list[list[object]], **limits: float) -> list[tuple[object, str]]:
    """Run commands in one watched process, and return what each ended with and said."""
    done = python(MANY, json.dumps([[str(part) for part in command] for command in commands]), **limits)
    said = [json.loads(line) for line in done.out.splitlines()]
    assert len(said) == len(commands), done.said[-3000:]
    return [(code, text) for code, text in said]


def numbers(said: str) -> tuple[int, dict[str, int]]:
    """Return how many items ``data plan --json`` gives, and what it or its sources leave out."""
    found = json.loads(said)
    left: dict[str, int] = {}
    for account in found["sources"]:
        for reason, rows in account["reasons"].items():
            left[reason] = left.get(reason, 0) + rows
    for row in found["left_out"]:
        left[row["reason"]] = left.get(row["reason"], 0) + row["rows"]
    return sum(row["items"] for row in found["given"]), left


def odd_recordings() -> list[Any]:
    """Return recordings of xeno-canto with one odd value each that leaves the rest of use, then hopeless ones."""
    values = ["1:²", "1_0:20", "٣:٢٠", "9" * 4000 + ":1", {}, [], None, 3, True, -1.5, "0:0:0:0", "1:99999999999"]
    usable = [{**GOOD, "id": f"9{n}", "length": value} for n, value in enumerate(values)]
    usable += [
        {**GOOD, "id": "80", "lat": "1_0", "lon": "١"},
        {**GOOD, "id": "81", "lat": 10**400 // 10**395, "lon": "1e400"},
        {**GOOD, "id": "82", "date": "٢٠٢٠-٠١-٠١", "time": {"a": 1}},
        {**GOOD, "id": "83", "grp": ["birds"], "rec": {"a": []}, "en": 5, "q": ["A"]},
    ]
    usable = [{**each, "file": f"https://x.org/{each['id']}.mp3"} for each in usable]  # a file counts once
    hopeless = [
        {**GOOD, "id": "70", "file": "http://["},
        {**GOOD, "id": "71", "gen": "Pi\ud800ca"},
        {**GOOD, "id": "72", "rec": "a\x00b"},
        {**GOOD, "id": "73", "sp": "p" * 2000},
        {**GOOD, "id": {}},
        {**GOOD, "id": "74", "gen": 0.0, "sp": [[]], "file": ["https://x.org/a.mp3"]},
        {**GOOD, "id": "90"},  # stands in the list already
        [], None, "x", 7,
    ]  # fmt: skip
    return [*usable, *hopeless]


def odd_observations() -> list[Any]:
    taxon = {"name": "Pica pica", "rank": "species", "iconic_taxon_name": "Aves"}
    photo = {"id": 1, "url": "https://x.org/photos/1/square.jpg", "license_code": "cc-by"}
    whole = {"id": 1, "uuid": "a", "taxon": taxon, "photos": [photo], "sounds": []}
    usable = [
        {**whole, "photos": [{**photo, "id": 10, "original_dimensions": {"width": 10**20, "height": 3}}]},
        {**whole, "photos": [{**photo, "id": 11, "original_dimensions": [1], "flags": {}}], "user": 3},
        {**whole, "photos": [{**photo, "id": 12}], "taxon": {**taxon, "ancestors": [None, {"rank": []}, 4]}},
        {**whole, "photos": [{**photo, "id": 13}], "location": [[], {}], "uuid": None, "observed_on": {}},
    ]
    for each in usable:
        each["photos"][0]["url"] = (
            f"https://x.org/photos/{each['photos'][0]['id']}/square.jpg"  # a file counts once
        )
    hopeless = [
        {**whole, "taxon": 3}, {**whole, "photos": {}}, {**whole, "photos": [], "sounds": [None]},
        {**whole, "photos": [{**photo, "id": []}]}, {**whole, "photos": [{**photo, "url": {}}]},
        {**whole, "photos": [{**photo, "id": 14, "license_code": "cc-by\udfff"}]}, [], None,
    ]  # fmt: skip
    return [*usable, *hopeless]


def odd_archive(path: Path) -> Path:
    """Write an archive whose rows lie, with two good ones."""
    rows = [
        "1\tPica pica\t", "2\tParus major\thttps://x.org/2.mp3", "1\tPica pica\t", "3\tPica\x00pica\thttps://x.org/3.mp3",
        "4\t" + "n" * 2000 + "\thttps://x.org/4.mp3", "5\tPica pica\thttp://[", "6", "7\tPica pica\t" + "x" * (2 * MIB),
    ]  # fmt: skip
    return archive(
        path,
        core() + media(),
        {"o.txt": "\n".join(rows), "m.txt": "1\thttps://x.org/1.mp3\n99\thttps://x.org/9.mp3\n"},
    )


@pytest.mark.slow
def test_a_bad_record_costs_that_record(tmp_path: Path) -> None:
    (tmp_path / "xc.json").write_text(json.dumps({"recordings": odd_recordings()}))
    (tmp_path / "inat.json").write_text(json.dumps({"results": odd_observations()}))
    odd_archive(tmp_path / "a.zip")
    header = "id,scientific_name,license,image_url,sound_url,latitude\n"
    row = "{},Pica pica,CC-BY,https://x.org/photos/{}/square.jpg,,1_0\n"
    lines = [
        row.format(1, 1),
        '2,"open\n',
        row.format(3, 3),
        f"4,{'x' * (2 * MIB)},,,,\n",
        row.format(5, 5),
        "6 é\n",
    ]
    (tmp_path / "e.csv").write_bytes(
        (header + "".join(lines)).encode() + b"7,Pica p\xffca,CC-BY,https://x.org/a.jpg,,\n"
    )
    sources = [
        (
            "xeno_canto",
            "xc.json",
            16,
            {"no-address": 2, "not-utf8": 1, "bad-value": 2, "no-id": 1, "repeated-id": 1, "not-as-described": 4},
        ),
        (
            "inaturalist_api",
            "inat.json",
            4,
            {"no-address": 2, "not-utf8": 1, "not-as-described": 5},
        ),
        (
            "darwin_core",
            "a.zip",
            2,
            {"repeated-id": 1, "bad-value": 2, "no-address": 1, "orphan": 1, "too-long": 1, "too-few-columns": 1},
        ),
        ("inaturalist_export", "e.csv", 3, {"not-csv": 1, "too-long": 1, "not-as-described": 1, "not-utf8": 1}),
    ]
    commands: list[list[object]] = []
    for kind, file, _, _ in sources:
        target = plan(tmp_path / f"{kind}.toml", {"kind": kind, "path": tmp_path / file})
        commands.append(["data", "plan", target, "--json"])
    for (kind, _, good, reasons), (code, said) in zip(sources, run_all(commands, mib=800), strict=True):
        assert code == 0, (kind, said)
        items, left = numbers(said)
        assert (items, left) == (good, reasons), kind


@pytest.mark.slow
def test_an_archive_makes_no_more_than_it_holds(tmp_path: Path) -> None:
    rows = "".join(f"{n}\tPica pica\thttps://x.org/{n}.mp3\n" for n in range(1000))
    quoted = 'fieldsTerminatedBy=","'
    spaces = b" " * (4 * MIB)  # the method alone is why they are refused
    repeated = "".join(f"<location>{'./' * n}o.txt</location>" for n in range(600))
    long_default = f'<field term="{TERM}recordedBy" default="{"x" * 300_000}"/>'
    empty = f'<field term="{TERM}sex" default=""/>'
    recordist = f'<field index="2" term="{TERM}recordedBy"/>'
    many = {
        "o.txt": "1\tPica pica\t" + "x" * 500_000,
        "m.txt": "".join(f"1\thttps://x.org/{n}.mp3\n" for n in range(3000)),
    }
    name = f'<field index="1" term="{TERM}scientificName"/>'
    same = {"o.txt": "1\tPica pica\t\n" * 3000, "m.txt": many["m.txt"]}
    open_quote = 'a,"' + ("x" * 16_000 + "\n") * 990 + "1,Pica pica,https://x.org/1.mp3\n"
    cases: list[tuple[str, tuple[str, dict[str, Any]], str | tuple[int, dict[str, int]]]] = [
        ("bzip2", (core(), {"o.txt": spaces}), "compressed by the method 12"),
        ("lzma", (core(), {"o.txt": spaces}), "compressed by the method 14"),
        ("locations", (core().replace("<location>o.txt</location>", repeated), {"o.txt": rows}), "names one file as"),
        ("defaults", (core(fields=name + long_default), {"o.txt": rows}), "characters of their defaults"),
        ("fields", (core(fields=name + empty * 2000), {"o.txt": rows}), "has 2,002 fields"),
        ("nested", ("<extension>" * 5000 + "</extension>" * 5000 + core(), {"o.txt": rows}), "names no file"),
        ("endless", (core(), {"o.txt": "x" * (40 * MIB) + "\n" + rows}), (1000, {"too-long": 1})),
        ("columns", (core(), {"o.txt": "\t" * (10 * MIB) + "\n" + rows}), (1000, {})),
        ("quote", (core(how=quoted), {"o.txt": open_quote}), (1, {"not-csv": 1, "too-few-columns": 989})),
        ("ids", (core() + media(), same), (3000, {"repeated-id": 2999})),
        ("media", (core(fields=name + recordist) + media(), many), (536, {"too-much": 1})),
    ]  # fmt: skip
    for encoding in (
        "utf-7",
        "idna",
        "punycode",
        "undefined",
        "unicode_escape",
        "raw_unicode_escape",
        "mbcs",
        "rot13",
    ):
        how = f'fieldsTerminatedBy="\t" encoding="{encoding}"'
        cases.append((encoding, (core(how=how), {"o.txt": rows}), "unknown encoding"))
    methods = {"bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}
    commands: list[list[object]] = []
    for case, (meta, files), _ in cases:
        path = archive(tmp_path / f"{case}.zip", meta, files, methods.get(case, zipfile.ZIP_DEFLATED))
        target = plan(tmp_path / f"{case}.toml", {"kind": "darwin_core", "path": path})
        commands.append(["data", "plan", target, "--json"])
    for (case, _, expected), (code, said) in zip(cases, run_all(commands, mib=900, seconds=150), strict=True):
        if isinstance(expected, str):
            assert code == 1, (case, said[-2000:])
            assert expected in said, (case, said[-2000:])
        else:
            assert code == 0, (case, said[-2000:])
            assert numbers(said) == expected, case


@pytest.mark.slow
def test_tables_that_grow_or_never_end_are_refused_or_cost_a_row(tmp_path: Path) -> None:
    header = b"id,scientific_name,license,image_url\n"
    good = b"1,Pica pica,CC-BY,https://x.org/photos/1/square.jpg\n"
    (tmp_path / "grows.csv.gz").write_bytes(gzip.compress(header + (b"x" * 10_000 + b"\n") * 25_000, 9))
    (tmp_path / "line.csv").write_bytes(header + b"x" * (100 * MIB) + b"\n" + good)
    (tmp_path / "header.csv").write_bytes(b"x," * (50 * MIB))
    (tmp_path / "broken.csv.gz").write_bytes(gzip.compress(header + good)[:40] + b"\xff" * 40)
    plans = {
        file: plan(tmp_path / f"{file}.toml", {"kind": "inaturalist_export", "path": tmp_path / file})
        for file in ("grows.csv.gz", "line.csv", "header.csv", "broken.csv.gz")
    }
    words = pa.DictionaryArray.from_arrays(pa.array([0] * 50_000, pa.int32()), pa.array(["x" * MIB]))
    ranks = ("taxonRank", "kingdom", "phylum", "class", "order", "family", "genus")
    pq.write_table(
        pa.table({"id": words, "scientificName": words, **dict.fromkeys(ranks, pa.array(["x"] * 50_000))}),
        tmp_path / "backbone.parquet",
    )
    taxa = "taxonID\tscientificName\ttaxonRank\n1\tPica pica\tspecies\n"
    with zipfile.ZipFile(tmp_path / "checklist.zip", "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("taxon.tsv", taxa + "\n" * (4 * MIB))
    (tmp_path / "long.tsv").write_text("x" * (60 * MIB))
    (tmp_path / "taxon.tsv").write_text(taxa)
    (tmp_path / "names.csv").write_text("name\nPica pica\n")
    (tmp_path / "cell.csv").write_text('name,accepted_name\n"' + "x" * (2 * MIB))
    (tmp_path / "open.csv").write_text('name,accepted_name\n"Pica pica,\nParus major,\n')
    match, out = ["taxonomy", "match"], tmp_path / "out.csv"
    good_names, backbone = [tmp_path / "names.csv", "--backbone"], tmp_path / "taxon.tsv"
    cases: list[tuple[list[object], str]] = [
        (["data", "plan", plans["grows.csv.gz"]], "more than 250 to 1"),
        (["data", "plan", plans["header.csv"]], "too many columns"),
        (["data", "plan", plans["broken.csv.gz"]], "cannot be read"),
        ([*match, *good_names, tmp_path / "backbone.parquet", "--out", out], "--memory MIB"),
        ([*match, *good_names, tmp_path / "checklist.zip", "--out", out], "compressed by the method 12"),
        ([*match, *good_names, tmp_path / "long.tsv", "--out", out], "line 1: is too long"),
        ([*match, tmp_path / "cell.csv", "--backbone", backbone, "--out", out], "--limit cell=N"),
        ([*match, *good_names, backbone, "--out", out, "--overrides", tmp_path / "cell.csv"], "--limit cell=N"),
        (
            [*match, *good_names, backbone, "--out", out, "--overrides", tmp_path / "open.csv"],
            "a quote is not closed",
        ),
        (["data", "plan", plans["line.csv"], "--json"], ""),
    ]
    for (command, expected), (code, said) in zip(
        cases, run_all([case for case, _ in cases], mib=700, seconds=150), strict=True
    ):
        if expected:
            assert code == 1, (command, said[-2000:])
            assert expected in said, (command, said[-2000:])
        else:
            assert code == 0, (command, said[-2000:])
            assert numbers(said) == (1, {"too-long": 1})


def good_folder(root: Path, count: int) -> Path:
    """Write a folder with recordings and photographs, ``count`` of each."""
    make_folder(root, per_species=1)
    tables: dict[str, list[list[str]]] = {"audio": [], "images": []}
    for n in range(count):
        write_sound(root / "audio" / f"{n}.wav", song(0.1, 8000, seed=n), 8000)
        write_image(root / "images" / f"{n}.png", seed=n)
        for table, file in (("audio", f"audio/{n}.wav"), ("images", f"images/{n}.png")):
            tables[table].append([file, "Pica pica", *[""] * (len(HEADER) - 3), "CC-BY-4.0", "1.5", "", ""])
    for table, rows in tables.items():
        write_rows(root / f"{table}.csv", rows, (*HEADER, "latitude", "begin_s", "recorded_at"))
    return root


def odd_rows(tail: str) -> dict[str, tuple[str, int]]:
    """Return rows that nothing can be made of, by a word on each, with the reason and how many rows they are.

    A latitude that is none costs the place, so of these rows only the file is wrong.
    """
    width = len(HEADER) + 3

    def row(file: str, name: str = "Pica pica", latitude: str = "", begin: str = "") -> str:
        return ",".join([file, name, *[""] * (width - 5), latitude, begin, ""]) + "\n"

    return {
        row(f"a/0.{tail}", latitude="1_0"): ("missing", 1),
        row(f"a/0.{tail}", latitude="١"): ("missing", 1),
        row(f"a/0.{tail}", latitude="1e999"): ("missing", 1),
        row(f"a/0.{tail}", begin="9" * 5000): ("bad-number", 1),
        row("a/" * 200_000 + "x"): ("path-outside", 1),
        row("x" * 300): ("unreadable", 1),
        row("a\0b"): ("path-outside", 1),
        row("../../etc/passwd"): ("path-outside", 1),
        row(f"a/0.{tail}", name="Pica\0pica"): ("bad-name", 1),
        row(f"a/0.{tail}", name="p" * 5000): ("bad-name", 1),
        row(f"a/0.{tail}", name="p" * (2 * MIB)): ("bad-row", 1),
        "x" * (40 * MIB) + "\n": ("bad-row", 1),
        "," * (4 * MIB) + "\n": ("bad-row", 0),  # a row of empty cells is skipped
        'a","\n' * 20_000: ("bad-row", 20_000),
        row("no-such-file"): ("missing", 1),
    }


@pytest.mark.slow
def test_a_folder_with_hostile_rows_gives_all_that_is_good(tmp_path: Path) -> None:
    root = good_folder(tmp_path / "field", 50)
    expected = {"audio.csv": {"ambiguous": 400}, "images.csv": {"not-utf8": 1}}
    for table, tail in (("audio.csv", "wav"), ("images.csv", "png")):
        with (root / table).open("ab") as file:
            for text, (reason, count) in odd_rows(tail).items():
                file.write(text.encode())
                expected[table][reason] = expected[table].get(reason, 0) + count
            if table == "images.csv":
                file.write(b"images/0.png,Pica \xffpica" + b"," * (len(HEADER) + 1) + b"\n")
    write_sound(root / "audio" / "same.wav", song(0.1, 8000, seed=999), 8000)
    with (root / "audio.csv").open("a") as file:
        file.writelines(f"audio/same.wav,Pica pica{n}{',' * (len(HEADER) + 1)}\n" for n in range(400))
    out = tmp_path / "dataset"
    done = biovita("data", "import", "folder", root, "--out", out, mib=1000, seconds=60).succeeded()
    assert "50 recordings and 50 photographs" in done.said
    found: dict[str, dict[str, int]] = {"audio.csv": {}, "images.csv": {}}
    longest = 0
    for row in pq.read_table(out / "rejected.parquet").to_pylist():
        found[row["file"]][row["reason"]] = found[row["file"]].get(row["reason"], 0) + 1
        longest = max(longest, len(row["detail"]))
    assert found == expected
    assert longest < 1100


@pytest.mark.slow
def test_more_broken_rows_than_memory_are_an_error(tmp_path: Path) -> None:
    root = good_folder(tmp_path / "field", 1)
    with (root / "audio.csv").open("a") as file:
        file.write("a\n" * 3_000_000)
    done = biovita(
        "data", "import", "folder", root, "--out", tmp_path / "out", mib=800, env={"BIOVITA_MEMORY": "256"}
    )
    assert "--memory MIB" in done.failed_plainly().err


@pytest.mark.slow
def test_a_build_takes_the_good_source_and_lists_the_rest(tmp_path: Path) -> None:
    good_folder(tmp_path / "field", 3)
    bad = [each for each in odd_recordings() if not isinstance(each, dict) or str(each["id"])[:1] == "7"]
    (tmp_path / "xc.json").write_text(json.dumps({"recordings": [{**GOOD, "id": "70", "gen": "\ud800"}, *bad]}))
    archive(
        tmp_path / "a.zip",
        core(),
        {"o.txt": "1\tPica pica\tx\n2\t" + "n" * (2 * MIB) + "\t\n3\tP\0a\thttps://x.org/a.mp3\n"},
    )
    path = plan(
        tmp_path / "plan.toml",
        {"kind": "folder", "path": tmp_path / "field"},
        {"kind": "xeno_canto", "path": tmp_path / "xc.json"},
        {"kind": "darwin_core", "path": tmp_path / "a.zip"},
    )
    (tmp_path / "field" / "audio.csv").open("a").write(f"audio/0.wav,Parus major{',' * (len(HEADER) + 1)}\n")
    done = biovita("data", "build", path, "--out", tmp_path / "out", "--json", mib=1000).succeeded()
    report = json.loads(done.out)
    assert (report["audio"], report["images"]) == (3, 3), report
    listed = pq.read_table(tmp_path / "out" / "rejected.parquet").to_pylist()
    reasons = [(row["file"], row["row"], row["reason"]) for row in listed]
    assert sorted(reasons) == [
        *(("o.txt", row, reason) for row, reason in ((1, "no-address"), (2, "too-long"), (3, "bad-value"))),
        *(
            ("xc.json", row, reason)
            for row, reason in enumerate(
                ["not-utf8", "no-address", "not-utf8", "bad-value", "bad-value", "no-address"]
                + ["not-as-described"] * 4,
                start=1,
            )
        ),
    ]


_UUID = "6d9e4b1c-0000-4000-8000-00000000000"
_OPEN_DATA = {
    "photos": (
        "photo_id\tobservation_uuid\tobserver_id\textension\tlicense\twidth\theight\n",
        f"1\t{_UUID}1\t1\tjpg\tCC0\t9\t9\n",
    ),
    "observations": (
        "observation_uuid\tlatitude\tlongitude\ttaxon_id\tquality_grade\tobserved_on\n",
        f"{_UUID}1\t1\t2\t5\tresearch\t2020-01-01\n{_UUID}2\t1\t2\t6\tresearch\t2020-01-01\n",
    ),
    "taxa": ("taxon_id\tancestry\trank\tname\n", "5\t1\tspecies\tPica pica\n6\t1\tspecies\tPica nuttalli\n"),
    "observers": ("observer_id\tlogin\tname\n", "1\ta\tA\n"),
}


_CHOSEN = """
import json, sys
from biovita.collect.plan import read_plan
from biovita.collect.accounts import accounts_of
from biovita.collect.select import select
with select(read_plan(sys.argv[1]), listing=True) as found:
    number = sum(batch.num_rows for batch in found.records())
    omitted = sum(batch.num_rows for batch in found.omitted())
    left_out = {row.reason: row.rows for row in found.left_out()}
    assert omitted == sum(left_out.values())
    refused = {why: rows for account in accounts_of(found) for why, rows in account.reasons.items()}
    assert not refused.keys() & left_out.keys()
    print(json.dumps([number, left_out | refused], sort_keys=True))
"""


def _open_data(folder: Path, **bodies: str) -> Path:
    """Write iNaturalist's tables, and a plan that reads them."""
    folder.mkdir()
    for table, (header, body) in _OPEN_DATA.items():
        with gzip.open(folder / f"{table}.csv.gz", "wt", compresslevel=1) as file:
            file.write(header + bodies.get(table, body))
    made = folder / "plan.toml"
    made.write_text(
        'name = "made"\n[[sources]]\nkind = "inaturalist"\npath = "."\n[fetching]\ntries = 1\ntimeout_s = 1.0\n'
    )
    return made


@pytest.mark.slow
def test_tables_of_inaturalist_neither_multiply_nor_take_more_than_is_set(tmp_path: Path) -> None:
    bad = _open_data(tmp_path / "bad", photos=("x" * 100 + "\t" + "y" * 100 + "\n") * 450_000)
    long = "6\t" + "1/" * 400_000 + "1\tspecies\tPica nuttalli\n" + "1\t\tgenus\t" + "p" * 1_000_000 + "\n"
    good = _OPEN_DATA["taxa"][1].partition("\n")[0] + "\n"
    for name, (made, arguments) in {
        "bad": (bad, ["--memory", 128]),
        "long": (_open_data(tmp_path / "long", taxa=good + long), []),
    }.items():
        outcome = biovita(*arguments, "data", "plan", made, seconds=60, mib=2000)
        if name == "bad":
            assert "640 MiB of memory" in outcome.failed_plainly().err
            assert "--memory" in outcome.err
        else:
            assert "1 items" in outcome.succeeded().out
    row = _OPEN_DATA["photos"][1]
    other = row.replace("1\t", "2\t", 1)
    photos = row * 20_000 + other + other.replace(f"{_UUID}1", f"{_UUID}2")
    made = _open_data(tmp_path / "many", photos=photos)
    done = python(_CHOSEN, made, seconds=60)
    assert json.loads(done.succeeded().out) == [1, {"ambiguous": 2, "duplicate": 19_999}]
