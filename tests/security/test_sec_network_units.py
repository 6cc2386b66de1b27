"""Cases of what the tests of the network look at from outside, one by one."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from biovita.collect.hosts import check_ip
from biovita.collect.ledger import stated_address
from biovita.collect.plan import as_understood, read_plan
from biovita.errors import DatasetError, MediaError
from biovita.publish.shown_plan import shown_plan
from biovita.redact import redacted, redacted_column
from biovita.sources.json_files import parse_answer
from biovita.sources.web import number_in, retry_after
from biovita.storage import for_lance, storage_address

MANY = "9" * 5000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7.0), (" 7 ", 7.0), ("", None), ("soon", None), ("-1", None), ("1.5", None), ("\u00b2", None),
        ("9" * 22, 2592000.0), (MANY, 2592000.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Fri, 01 Jan 9999 00:00:00 GMT", 2592000.0), ("Fri, 01 Jan 99999999999 00:00:00 GMT", None),
        ("Fri, 01 Jan 2020 00:00:00 +99999999999999", None), (",", None), ("\u0661", None),
    ],
)  # fmt: skip
def test_retry_after_of_every_kind(value: str, expected: Any) -> None:
    assert retry_after({"retry-after": value}) == expected


def test_numbers_in_headers() -> None:
    given = ("0", "12", "", "-1", "1 ", "\u00b2", "\u0661", "9" * 18, "9" * 19, MANY)
    expected = [0, 12, None, None, None, None, None, 10**18 - 1, None, None]
    assert [number_in(each) for each in given] == expected


PRIVATE = (
    "127.0.0.1", "10.0.0.1", "0.0.0.0", "169.254.169.254", "100.64.0.1", "224.0.0.1",
    "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%lo",
    "fc00::1", "fec0::1", "ff02::1", "4000::1", "2001:db8::1",
    "3fff::1", "100::1", "::ffff:127.0.0.1", "::ffff:0:127.0.0.1", "::127.0.0.1",
    "::8.8.8.8", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::8.8.8.8",
    "64:ff9b:1:0:7f:0:100:0", "2002:7f00:1::", "2002:a00:1::1",
    "2002:a9fe:a9fe::", "2001:0:7f00:1::1", "2001:0:808:808:0:0:80ff:fffe", "2600::5efe:127.0.0.1",
    "2600::200:5efe:10.0.0.1",
)  # fmt: skip
PUBLIC = (
    "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::200e",
    "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
    "2600::5efe:8.8.8.8",
)  # fmt: skip


@pytest.mark.parametrize("number", PRIVATE)
def test_numbers_that_are_not_public(number: str) -> None:
    with pytest.raises(MediaError, match="private"):
        check_ip(number, "x.org")


@pytest.mark.parametrize("number", PUBLIC)
def test_numbers_that_are_public(number: str) -> None:
    check_ip(number, "x.org")


def test_addresses_of_object_storage() -> None:
    for address in ("s3://b", "s3://b.c-d_e/x y/\u00fc.lance", "s3://anonymous@b/x", "gs://b/x", "file:///x"):
        assert storage_address(address) == address
    for address in (
        *(
            "s3://",
            "s3:///x",
            "s3://b?a=b",
            "s3://b#a",
            "s3://k:s@b",
            "s3://k@b",
            "s3://b:80/x",
            "S3://b",
            "s3://b\n/x",
        ),
        *(
            "s3://b%3fa=b/x",
            "s3://anonymous@k@b",
            "gs://k:s@b",
            "file://host/x",
            "az://c/x",
            "memory://x",
            "https://x",
        ),
        *("s3+ddb://b/x?ddbTableName=a", "s3://-b", "s3://[::1]/x", "s3://b\\@c/x"),
    ):
        with pytest.raises(DatasetError, match="Give s3://bucket/path"):
            storage_address(address)
    assert Path(for_lance("s3:bucket/x")[0]).is_absolute()


@pytest.mark.parametrize(
    "text",
    [
        "https://x.org/@user/a", "https://www.flickr.com/photos/1@N01/", "http://[::1]:80/a@b", "http://x.org:80/a@b",
        "mail a@b.c, see http://x.org", "s3://anonymous@bucket/a@b", "https://api.gbif.org/v1/o?taxonKey=5&datasetKey=a",
        "max_tokens=77 seed=1", "https://x.org/a?keyword=song&page=2&id=3&signal=x", "\ud800 \x00", "",
        "(c) Ann, some rights reserved (CC BY), https://x.org/1", "https://x.org/a?key=***&page=2 s3://***@b",
    ],
)  # fmt: skip
def test_what_holds_no_secret_stays(text: str) -> None:
    assert redacted(text) == text
    assert stated_address(text) == text


def test_a_secret_is_hidden_and_its_address_still_known() -> None:
    one, other = (stated_address(f"https://x.org/a?key={key}") for key in ("a", "b"))
    assert one.startswith("https://x.org/a?key=***#sha256-")
    assert one != other
    assert stated_address(one) == one
    assert redacted("'https://x.org/?api_key=abc': no") == "'https://x.org/?api_key=***': no"
    column = pa.array(["https://x.org/?sig=a", None, "7", ""])
    assert redacted_column(column).to_pylist() == ["https://x.org/?sig=***", None, "7", ""]


@pytest.mark.slow
def test_hiding_takes_time_in_proportion() -> None:
    count = 1 << 15
    for piece in (
        "a",
        "//",
        "//a:",
        "a=b&",
        "/a:",
        "%25",
        "'",
        "key='",
        "eyJ",
        "eyJaaaaaaaa.",
        "-eyJaaaaaaaa",
        "a:/",
        "bearer ",
        "@",
        "[=",
    ):
        began = time.process_time()
        redacted(piece * count)
        assert time.process_time() - began < 1.5, piece


def test_a_plan_as_understood_is_the_same_plan(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(
        '# secret\nname = "x"\ncontact = "a@b.c"\nseed = 7\n[[sources]]\nkind = "inaturalist_api"\n'
        'query = { taxon_id = "3" }\ncache = "../cache"\ncontact = "a@b.c"\n[[sources]]\nkind = "inaturalist"\n'
        'path = "s3://anonymous@b"\ncache = "/tmp/c"\n[taxa]\nbackbone = "b/c.parquet"\n[places]\n'
        "boxes = [[1, 2, 3.5, 4]]\n[dates]\nfirst = 2020-01-02\n[traits]\navonet = 'a.csv'\n[fetching]\ntries = 2\n"
    )
    plan = read_plan(file)
    text = as_understood(plan, tmp_path)
    shown = shown_plan(file.read_text()) or ""
    assert tomllib.loads(shown) == tomllib.loads(text.replace('"/tmp/c"', '".../c"'))
    assert "/tmp/c" not in shown
    assert "a@b.c" not in text
    assert str(tmp_path) not in text
    (tmp_path / "again.toml").write_text(text)
    again = read_plan(tmp_path / "again.toml")
    assert as_understood(again, tmp_path) == text
    source = plan.sources[0].model_copy(update={"contact": None})
    assert again == plan.model_copy(update={"contact": None, "sources": (source, *plan.sources[1:])})


def test_plans_that_are_no_plans(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text("a = " + "[" * 100_000)
    with pytest.raises(DatasetError, match="too deep"):
        read_plan(file)
    assert shown_plan(file.read_text()) is None
    assert shown_plan("not = [toml") is None
    source = '[[sources]]\nkind = "folder"\npath = "."\n'
    for text, said in {
        f'name = "x"\nseed = {"9" * 5000}\n{source}': "more than 64 bits",
        f'name = "x"\nseed = 0x{"f" * 5000}\n{source}': "more than 64 bits",
        f'name = "x"\n{source}[clips]\nseconds = 0.01\n': r"clips\.seconds: .* 0\.1\. The plan gives 0\.01",
        f'name = "x"\n{source * 200}': "sources: .* at most 100 items",
    }.items():
        file.write_text(text)
        with pytest.raises(DatasetError, match=said) as caught:
            read_plan(file)
        assert len(str(caught.value)) < 1000
    file.write_text('name = "x"\n[[sources]]\nkind = "xeno_canto"\npath = "s3://me:secret@b/x.csv"\n')
    with pytest.raises(DatasetError, match=r"sources\.path: 's3:/\*\*\*@b/x\.csv' is an address"):
        read_plan(file)


def test_json_is_weighed_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOVITA_MEMORY", "64")
    monkeypatch.setenv("BIOVITA_LIMIT_ANSWER", str(20 << 20))
    assert parse_answer(b'{"a": "' + b"x" * (19 << 20) + b'"}', "here")["a"].startswith("x")
    with pytest.raises(DatasetError, match="at most 20,971,520 bytes"):
        parse_answer(b" " * (21 << 20), "here")
    for piece in (b"[],", b"{},", b'{"":0},', b"0.5,"):
        with pytest.raises(DatasetError, match="MiB of memory"):
            parse_answer(b'{"a": [' + piece * 1_500_000 + b"0]}", "here")
    assert parse_answer(b'\xef\xbb\xbf{"a\\ud800": ["\\udfff", "\\ud83d\\ude00"]}', "here") == {
        "a\ud800": ["\udfff", "\U0001f600"]
    }
