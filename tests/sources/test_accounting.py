"""Every reader: rows in = rows that give records + rejected + skipped, over tables with faults of all kinds."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from biovita.sources.darwin_core import DarwinCore
from biovita.sources.folder_source import Folder
from biovita.sources.inaturalist import Inaturalist
from biovita.sources.inaturalist_api import InaturalistApi, InaturalistExport
from biovita.sources.registry import SOURCES
from biovita.sources.release import Release
from biovita.sources.source import Source
from biovita.sources.xeno_canto import XenoCanto
from sources.test_sources import OBSERVATIONS, PHOTOS, open_data

PHOTO = "https://static.inaturalist.org/photos/{}/medium.jpg"
META = """<archive xmlns="http://rs.tdwg.org/dwc/text/">
<core fieldsTerminatedBy="," ignoreHeaderLines="1" rowType="Occurrence"><files><location>o.txt</location></files>
<id index="0"/><field index="1" term="scientificName"/><field index="2" term="associatedMedia"/></core>
<extension fieldsTerminatedBy="," ignoreHeaderLines="1" rowType="http://rs.gbif.org/terms/1.0/Multimedia"><files>
<location>m.txt</location></files><coreid index="0"/><field index="1" term="identifier"/></extension></archive>"""


def faulty(header: str, good: Callable[[int], str], drawn: random.Random) -> tuple[bytes, int]:
    """Return a table of good rows, broken ones and empty ones, and how many rows it has."""
    columns = header.count(",") + 1
    kinds = [
        good,
        good,
        lambda _: "," * (columns - 1),
        lambda number: good(number) + ",one,too,many",
        lambda number: good(number).replace(",", ',"', 1),
        lambda number: good(number).replace("Pica", "Pic\xe4"),
        lambda number: good(number).replace("Pica pica", "").replace("Pica", ""),
        lambda _: "x",
        lambda number: good(number).replace("https", "gopher"),
        lambda number: good(number).replace("Pica", "Pi\u2028ca"),
    ]
    count = drawn.randrange(1, 30)
    lines = [header, *(drawn.choice(kinds)(number) for number in range(count))]
    content = "\n".join(lines) + "\n"
    # a byte that is not UTF-8 beside characters that are
    return content.encode().replace("ä".encode(), b"\xe4"), count


def tables_of(kind: str, folder: Path, drawn: random.Random) -> tuple[Source, int]:
    """Return a source of faulty tables, and how many rows they have."""
    if kind == "xeno_canto":
        content, count = faulty("id,gen,sp,file,rmk", lambda n: f"{n},Pica,pica,https://x.org/{n},ü", drawn)
        (folder / "xc.csv").write_bytes(content)
        return XenoCanto(path=folder / "xc.csv"), count
    if kind == "inaturalist_export":
        content, count = faulty(
            "id,scientific_name,image_url", lambda n: f"{n},Pica pica,{PHOTO.format(n)}", drawn
        )
        (folder / "inat.csv").write_bytes(content)
        return InaturalistExport(path=folder / "inat.csv"), count
    if kind == "darwin_core":
        content, count = faulty("id,name,media", lambda n: f"{n},Pica pica,https://x.org/{n}.jpg", drawn)
        media, more = faulty("id,address", lambda n: f"{1000 + n},https://x.org/{n}-2.jpg", drawn)
        for name, text in (("meta.xml", META.encode()), ("o.txt", content), ("m.txt", media)):
            (folder / name).write_bytes(text)
        return DarwinCore(path=folder), count + more
    if kind == "folder":
        content, count = faulty(
            "file,scientific_name,url", lambda n: f"{n}.wav,Pica pica,https://x.org/{n}", drawn
        )
        (folder / "audio.csv").write_bytes(content)
        return Folder(path=folder), count
    (folder / "train").mkdir()
    content, count = faulty(
        "file_name,scientific_name,download_url", lambda n: f"{n}.wav,Pica pica,https://x.org/{n}", drawn
    )
    images, more = faulty("url,species", lambda n: f"https://x.org/{n}.jpg,Pica pica", drawn)
    (folder / "train/metadata.csv").write_bytes(content)
    (folder / "train/image_urls.csv").write_bytes(images)
    return Release(path=folder), count + more


def places_of(source: Source) -> tuple[set[tuple[str, int]], int, int]:
    """Return the rows that gave records or were rejected, and how many were read and skipped."""
    places: set[tuple[str, int]] = set()
    read = skipped = 0
    for batch in source.batches():
        for part in (batch.records, batch.rejected):
            places |= set(zip(part["file"].to_pylist(), part["row"].to_pylist(), strict=True))
        read += sum(table.rows for table in batch.tables)
        skipped += sum(table.skipped for table in batch.tables)
    return places, read, skipped


@pytest.mark.parametrize("kind", ["xeno_canto", "inaturalist_export", "darwin_core", "folder", "release"])
def test_each_row_of_a_faulty_table_is_a_record_or_rejected_or_skipped(tmp_path: Path, kind: str) -> None:
    for seed in range(12):
        folder = tmp_path / str(seed)
        folder.mkdir()
        source, rows = tables_of(kind, folder, random.Random(seed))
        places, read, skipped = places_of(source)
        assert read == rows, seed
        assert read == len(places) + skipped, seed


def test_a_row_of_the_core_whose_media_are_in_an_extension_is_read_and_gives_them(tmp_path: Path) -> None:
    (tmp_path / "meta.xml").write_text(META)
    (tmp_path / "o.txt").write_text("id,name,media\n1,Pica pica,\n2,Parus major,\n")
    (tmp_path / "m.txt").write_text(
        "id,address\n1,https://x.org/1.jpg\n1,https://x.org/2.jpg\n3,https://x.org/3.jpg\n"
    )
    places, read, skipped = places_of(DarwinCore(path=tmp_path))
    assert (read, skipped) == (5, 0)
    assert places == {
        ("m.txt", 2),
        ("m.txt", 3),
        ("m.txt", 4),
        ("o.txt", 3),
    }  # and line 2 of o.txt names the first two


@pytest.mark.parametrize(("made", "field"), [(XenoCanto, "recordings"), (InaturalistApi, "results")])
def test_each_element_of_an_answer_is_counted(tmp_path: Path, made: type, field: str) -> None:
    elements = [None, {}, [], "x", {"id": 1, "gen": "Pica", "taxon": {"name": "Pica"}}]
    (tmp_path / "answer.json").write_text(json.dumps({field: elements}))
    places, read, skipped = places_of(made(path=tmp_path / "answer.json"))
    assert (read, len(places), skipped) == (5, 5, 0)


def test_each_line_of_the_photographs_of_open_data_is_counted(tmp_path: Path) -> None:
    import duckdb

    folder = open_data(tmp_path / "data", PHOTOS.replace("\nc\t", "\n\nc\t"), OBSERVATIONS)
    source = Inaturalist(path=str(folder))
    with duckdb.connect() as connection:
        views = source.views(connection, tmp_path)
        (table,) = views.tables
        ((records,),) = connection.sql(f"select count(*) from {views.records} where problem is null").fetchall()
        ((rejected,),) = connection.sql(f"select count(*) from {views.rejected}").fetchall()
        reasons = {
            reason for (reason,) in connection.sql(f"select distinct problem from {views.records}").fetchall()
        }
    assert (table.rows, table.skipped) == (7, 1)
    assert table.rows == records + rejected + table.skipped
    assert reasons - {None} == set(views.problems)


def test_no_source_is_left_out_of_these_tests() -> None:
    assert set(SOURCES) == {
        *("xeno_canto", "inaturalist_export", "inaturalist_api", "darwin_core", "folder", "release", "inaturalist")
    }
