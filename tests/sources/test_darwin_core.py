from __future__ import annotations

import collections
import struct
import zipfile
from pathlib import Path

import pytest
from dwca import read as dwca

from biovita.csv_records import BrokenRow
from biovita.errors import DatasetError
from biovita.sources.darwin_core import DarwinCore
from biovita.sources.darwin_core_archive import ArchiveRow, open_archive
from biovita.sources.darwin_core_meta import parse_meta

OF_GBIF = {"0009886-250127130748423.zip"}  # python-dwca-reader takes its quotes for such that enclose
BROKEN = {"dwca-invalid-simple-toomuch.zip", "dwca-invalid-simple-two.zip"}
CORE = "<core rowType='occurrence' {how}><files><location>{file}</location></files>{body}</core>"
FIELDS = (
    '<id index="0"/><field index="1" term="http://rs.tdwg.org/dwc/terms/scientificName"/>'
    '<field index="2" term="http://rs.tdwg.org/dwc/terms/locality"/>'
)


def archives(shared_data: Path) -> list[Path]:
    found = sorted((shared_data / "formats" / "darwin-core").rglob("*.zip"))
    assert len(found) == 25
    return found


def make(path: Path, meta: str, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        if meta:
            file.writestr("meta.xml", f'<archive xmlns="http://rs.tdwg.org/dwc/text/">{meta}</archive>')
        for name, content in files.items():
            file.writestr(name, content)
    return path


def rows_of(path: Path) -> list[ArchiveRow | BrokenRow]:
    with open_archive(path) as archive:
        return list(archive.rows(archive.meta.core))


def test_the_real_archives_give_what_the_defining_reader_gives(shared_data: Path) -> None:
    compared = 0
    for path in archives(shared_data):
        if path.name in BROKEN | OF_GBIF:
            continue
        with open_archive(path) as ours, dwca.DwCAReader(str(path)) as theirs:
            pairs = [(ours.meta.core, list(theirs))]
            pairs += [
                (file, list(other.iter_rows()))
                for file, other in zip(ours.meta.extensions, theirs.extension_files, strict=True)
            ]
            for file, expected in pairs:
                got = list(ours.rows(file))
                if path.name == "dwca-orphaned-rows.zip" and file is ours.meta.extensions[1]:
                    assert got.pop() == BrokenRow(
                        6, "too-many-columns", "the row has 5 columns, and most rows have 4"
                    )
                    assert expected.pop().data["http://rs.tdwg.org/dwc/terms/vernacularName"] == ""
                assert not [row for row in got if isinstance(row, BrokenRow)], path.name
                assert [row.data for row in got] == [row.data for row in expected], path.name
                ids = [row.id if hasattr(row, "id") else row.core_id for row in expected]
                assert [row.id for row in got] == ids, path.name
                compared += len(got)
    assert compared == 1796 - 91 - 1


def test_quotes_of_a_download_of_gbif_are_text(shared_data: Path) -> None:
    for name in OF_GBIF:
        path = shared_data / "formats" / "darwin-core" / name
        with zipfile.ZipFile(path) as file:
            lines = file.read(file.namelist()[0]).decode().removesuffix("\n").split("\n")
        header, *rows = [line.split("\t") for line in lines]
        assert [[*row.data.values()] for row in rows_of(path)] == rows
        assert [*rows_of(path)[0].data] == header
        assert sum(cell.startswith('"') for row in rows for cell in row) == 5


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_the_broken_archives_are_refused_with_what_they_hold(shared_data: Path, name: str) -> None:
    with pytest.raises(DatasetError, match=f"{name}: has no meta.xml.*random_file"):
        rows_of(shared_data / "formats" / "darwin-core" / "edge-cases" / name)


def test_media_of_the_extension_become_records_and_the_rest_is_explained(shared_data: Path) -> None:
    source = DarwinCore(path=shared_data / "formats/darwin-core/0000066-140928181241064.zip", name="GBIF")
    batches = list(source.batches())
    records = [row for batch in batches for row in batch.records.to_pylist()]
    reasons = collections.Counter(r for batch in batches for r in batch.rejected["reason"].to_pylist())
    assert len(records) == 210  # of 215 rows of multimedia.txt, five have no identifier
    assert reasons == {"no-address": 5, "no-media": 256}
    first = records[0]
    assert first["name"] == "Colletes Latreille, 1802"
    assert (first["modality"], first["rank"], first["family"]) == ("image", "genus", "Colletidae")
    assert (first["license"], first["recorded_at"], first["country"]) == ("CC-BY-4.0", "1961-07-06", "MX")
    assert (first["file"], first["row"], first["source"]) == ("multimedia.txt", 2, "GBIF")
    assert {row["license"] for row in records} == {"CC-BY-4.0", "ARR"}


def test_a_simple_download_without_addresses_gives_a_reason_for_each_row(shared_data: Path) -> None:
    source = DarwinCore(path=shared_data / "formats/darwin-core/0009886-250127130748423.zip")
    (batch,) = source.batches()
    assert batch.records.num_rows == 0
    assert batch.rejected.num_rows == 91
    assert set(batch.rejected["reason"].to_pylist()) == {"no-media"}
    assert batch.rejected["row"].to_pylist() == list(range(2, 93))
    assert sum("states StillImage" in detail for detail in batch.rejected["detail"].to_pylist()) == 14


def test_rows_of_an_extension_that_belong_to_nothing_are_listed(tmp_path: Path) -> None:
    media = (
        '<extension rowType="http://rs.gbif.org/terms/1.0/Multimedia" fieldsTerminatedBy="\\t">'
        '<files><location>m.txt</location></files><coreid index="0"/>'
        '<field index="1" term="http://purl.org/dc/terms/identifier"/></extension>'
    )
    core = CORE.format(how='fieldsTerminatedBy="\\t"', file="o.txt", body=FIELDS)
    path = make(
        tmp_path / "a.zip",
        core + media,
        {"o.txt": b"1\tPica pica\tBonn\n", "m.txt": b"1\thttps://x.org/a.mp3\n9\thttps://x.org/b.mp3\n"},
    )
    (batch,) = DarwinCore(path=path).batches()
    assert batch.records["url"].to_pylist() == ["https://x.org/a.mp3"]
    assert batch.records["modality"].to_pylist() == ["audio"]
    (rejected,) = batch.rejected.to_pylist()
    assert (rejected["file"], rejected["row"], rejected["reason"]) == ("m.txt", 2, "orphan")


@pytest.mark.parametrize(
    ("how", "content"),
    [
        ('fieldsTerminatedBy=";" fieldsEnclosedBy="" linesTerminatedBy="\\r\\n"',
         b"1;Pica pica;Bonn\r\n2;Parus major;\r\n"),
        ('fieldsTerminatedBy="|" linesTerminatedBy="\\r"', b'1|"Pica pica"|Bonn\r2|Parus major|\r'),
        ('fieldsTerminatedBy="&#9;" fieldsEnclosedBy=""', b"1\tPica pica\tBonn\n2\tParus major\t"),
        ('fieldsTerminatedBy="::" fieldsEnclosedBy=""', b"1::Pica pica::Bonn\n2::Parus major::\n"),
        ('encoding="UTF-16"', "1,Pica pica,Bonn\n2,Parus major,\n".encode("utf-16")),
        ('ignoreHeaderLines="2"', b"# made today\nid,name,place\n1,Pica pica,Bonn\n2,Parus major,\n"),
        ('fieldsEnclosedBy="\'"', b"1,'Pica pica','Bonn'\n2,Parus major,\n"),
    ],
)  # fmt: skip
def test_odd_separators_ends_and_encodings(tmp_path: Path, how: str, content: bytes) -> None:
    path = make(tmp_path / "a.zip", CORE.format(how=how, file="o.txt", body=FIELDS), {"o.txt": content})
    rows = rows_of(path)
    assert [[*row.data.values()] for row in rows] == [["Pica pica", "Bonn"], ["Parus major", ""]]
    assert [row.id for row in rows] == ["1", "2"]


def test_a_quoted_field_may_hold_separators_ends_of_lines_and_quotes(tmp_path: Path) -> None:
    content = b'1,"Pica pica","a, ""b""\nc"\n2,Parus major,5" off\n3,"Open,x\n4,Sitta europaea,z\n'
    path = make(tmp_path / "a.zip", CORE.format(how="", file="o.txt", body=FIELDS), {"o.txt": content})
    rows = rows_of(path)
    assert [row.line for row in rows] == [1, 3, 4, 5]
    assert [*rows[0].data.values()] == ["Pica pica", 'a, "b"\nc']
    assert [*rows[1].data.values()] == ["Parus major", '5" off']
    assert isinstance(rows[2], BrokenRow)
    assert rows[2].reason == "not-csv"
    assert [*rows[3].data.values()] == ["Sitta europaea", "z"]


def test_a_short_row_is_rejected_with_its_line(tmp_path: Path) -> None:
    core = CORE.format(how='ignoreHeaderLines="1"', file="o.txt", body=FIELDS)
    path = make(tmp_path / "a.zip", core, {"o.txt": b"id,name,place\n1,Pica pica\n2,Parus major,x\n"})
    short, good = rows_of(path)
    assert short == BrokenRow(2, "too-few-columns", "the row has 2 columns, and the table has 3")
    assert good.line == 3


@pytest.mark.parametrize(
    ("meta", "files", "message"),
    [
        (CORE.format(how="", file="../../etc/passwd", body=FIELDS), {}, "not a file within the archive"),
        (CORE.format(how="", file="/etc/passwd", body=FIELDS), {}, "not a file within the archive"),
        (CORE.format(how="", file="https://x.org/o.txt", body=FIELDS), {}, "not a file within the archive"),
        (CORE.format(how="", file="o.txt", body=FIELDS), {}, "has no such file"),
        (CORE.format(how='encoding="utf-99"', file="o.txt", body=FIELDS), {}, "unknown encoding 'utf-99'"),
        (CORE.format(how="", file="o.txt", body='<field index="x" term="t"/>'), {}, "index of <field> is 'x'"),
        (CORE.format(how="", file="o.txt", body='<field term="t"/>'), {}, "neither an index nor a default"),
        ("", {"meta.xml": b"<archive><core>"}, "not well-formed XML: .* line 1"),
        ("", {"meta.xml": b"<archive/>"}, "with one <core>"),
        ("", {"meta.xml": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'},
         "line 1: declares a document type"),
        (CORE.format(how='encoding="UTF-32"', file="o.txt", body=FIELDS), {"o.txt": b"\xff\xfe\0\0\0\xff\xff\xff"},
         "o.txt, line 1: is not utf-32"),
        (CORE.format(how='fieldsTerminatedBy="::"', file="o.txt", body=FIELDS), {"o.txt": b"1"},
         "one character each"),
    ],
)  # fmt: skip
def test_what_is_broken_is_said_with_file_and_line(
    tmp_path: Path, meta: str, files: dict[str, bytes], message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        rows_of(make(tmp_path / "a.zip", meta, files))


def test_entities_are_refused_before_they_grow() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY x "' + b"x" * 1000 + b'"><!ENTITY y "' + b"&x;" * 1000 + b'">]><a>&y;</a>'
    with pytest.raises(DatasetError, match="document type"):
        parse_meta(bomb, "meta.xml")


def test_a_member_that_would_unpack_to_far_more_is_refused(tmp_path: Path) -> None:
    core = CORE.format(how="", file="o.txt", body=FIELDS)
    path = make(tmp_path / "a.zip", core, {"o.txt": b"\n" * (65 << 20)})
    with pytest.raises(DatasetError, match="would unpack from"):
        rows_of(path)


def test_a_damaged_zip_is_an_error_with_its_name(tmp_path: Path) -> None:
    core = CORE.format(how="", file="o.txt", body=FIELDS)
    content = b"".join(b"%d,Pica pica,%d\n" % (i, i * 7919) for i in range(5000))
    path = make(tmp_path / "a.zip", core, {"o.txt": content})
    damaged = bytearray(path.read_bytes())
    damaged[4000:4200] = b"\x00" * 200
    path.write_bytes(damaged)
    with pytest.raises(DatasetError, match=r"o\.txt(, line \d+:)? is (damaged|not utf-8)"):
        rows_of(path)
    path.write_bytes(b"PK no zip at all")
    with pytest.raises(DatasetError, match="neither a ZIP file nor a table"):
        rows_of(path)


def test_a_directory_and_a_bare_table_are_read_as_well(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    core = CORE.format(how="", file="o.txt", body=FIELDS)
    (folder / "meta.xml").write_text(f'<archive xmlns="http://rs.tdwg.org/dwc/text/">{core}</archive>')
    (folder / "o.txt").write_text("1,Pica pica,Bonn\n")
    assert [row.id for row in rows_of(folder)] == ["1"]
    table = tmp_path / "simple.csv"
    table.write_text(
        "gbifID\tscientificName\tassociatedMedia\n7\tPica pica\thttps://x.org/a.jpg|https://x.org/b.wav\n"
    )
    (batch,) = DarwinCore(path=table).batches()
    assert batch.records["source_id"].to_pylist() == ["7/1", "7/2"]
    assert batch.records["modality"].to_pylist() == ["image", "audio"]
    assert set(batch.records["group"].to_pylist()) == {"7"}


def test_a_link_out_of_a_directory_is_not_followed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "archive", tmp_path / "secret.txt"
    folder.mkdir()
    outside.write_text("1,secret,x\n")
    (folder / "o.txt").symlink_to(outside)
    core = CORE.format(how="", file="o.txt", body=FIELDS)
    (folder / "meta.xml").write_text(f'<archive xmlns="http://rs.tdwg.org/dwc/text/">{core}</archive>')
    with pytest.raises(DatasetError, match="leads out of the archive"):
        rows_of(folder)


def test_a_member_without_a_name_is_passed_over(tmp_path: Path) -> None:
    core = '<core rowType="Occurrence"><files><location>o.txt</location></files><id index="0"/></core>'
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("meta.xml", f'<archive xmlns="http://rs.tdwg.org/dwc/text/">{core}</archive>')
        file.writestr("o.txt", "id\n1\n")
        file.writestr("q", "x")
    content = (tmp_path / "a.zip").read_bytes()
    end = content.rindex(b"PK\x01\x02")  # the entry of the last member, whose name becomes an extra field of it
    entry = bytearray(content[end:])
    entry[28:32], entry[46:47] = struct.pack("<HH", 0, 1), b"\0"
    (tmp_path / "a.zip").write_bytes(content[:end] + entry)
    (batch,) = DarwinCore(path=tmp_path / "a.zip").batches()
    assert batch.rejected["row"].to_pylist() == [1, 2]
