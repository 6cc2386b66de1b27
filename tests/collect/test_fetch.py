from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from biovita.collect.fetch import Wanted, fetch_all
from biovita.collect.hosts import check_address, check_ip
from biovita.collect.ledger import Entry, Ledger
from biovita.collect.plan import Fetching
from biovita.errors import DatasetError, MediaError
from biovita.sources.web import retry_after
from support.media_servers import MediaServer, Resource, media_server

CONTENT = bytes(range(256)) * 2000
FAST = {"per_second": 1000.0, "allow_private": True, "tries": 4, "timeout_s": 5.0}


@pytest.fixture
def server() -> Iterator[MediaServer]:
    with media_server() as running:
        yield running


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger.sqlite")
    yield made
    made.close()


def fetch(
    server: MediaServer, ledger: Ledger, tmp_path: Path, paths: list[str], **how: object
) -> dict[str, bytes]:
    got: dict[str, bytes] = {}

    async def finish(item: Wanted, part: Path) -> None:
        got[item.key] = part.read_bytes()
        ledger.put(Entry(item.key, item.url, "ready", path=item.key))

    wanted = [Wanted(path.strip("/").replace("/", "_"), server.url(path)) for path in paths]
    settings = Fetching.model_validate({**FAST, **how})
    fetch_all(wanted, ledger, tmp_path / "parts", settings, finish, contact="a@b.c", backoff_s=0.01)
    return got


def state(ledger: Ledger, key: str) -> tuple[str, str | None]:
    entry = ledger.get(key)
    assert entry is not None
    return entry.state, entry.reason


@pytest.mark.parametrize(
    "fails", [(), (500, 503), (429,), ("cut",), ("hang-up",), ("cut", "cut", "cut"), (429, "cut", 502)]
)
def test_a_file_comes_whole_whatever_goes_wrong_before(
    server: MediaServer, ledger: Ledger, tmp_path: Path, fails: tuple[int | str, ...]
) -> None:
    server.resources["/a"] = Resource(CONTENT, fails=fails)
    assert fetch(server, ledger, tmp_path, ["/a"]) == {"a": CONTENT}
    assert server.asked["/a"] == len(fails) + 1
    (agent,) = server.agents
    assert agent.startswith("biovita/")
    assert "a@b.c" in agent


def test_a_cut_download_goes_on_where_it_stopped(server: MediaServer, ledger: Ledger, tmp_path: Path) -> None:
    server.resources["/a"] = Resource(CONTENT, fails=("cut",) * 9)
    assert fetch(server, ledger, tmp_path, ["/a"], tries=3) == {}
    assert state(ledger, "a") == ("failed", "unreachable")
    assert (tmp_path / "parts" / "a").read_bytes() == CONTENT[: len(CONTENT) * 7 // 8]
    server.resources["/a"].fails = ()
    assert fetch(server, ledger, tmp_path, ["/a"]) == {"a": CONTENT}


def test_a_host_that_asks_for_a_long_pause_is_left_alone(
    server: MediaServer, ledger: Ledger, tmp_path: Path
) -> None:
    server.resources["/a"] = Resource(status=503, headers={"Retry-After": "3600"})
    server.resources["/b"] = Resource(CONTENT)
    assert fetch(server, ledger, tmp_path, ["/a", "/b"], at_once=1) == {}
    assert state(ledger, "a") == state(ledger, "b") == ("failed", "unreachable")
    assert server.asked == {"/a": 1}


def test_a_server_that_drips_is_given_up(server: MediaServer, ledger: Ledger, tmp_path: Path) -> None:
    server.resources["/a"] = Resource(CONTENT, fails=("drip",))
    assert fetch(server, ledger, tmp_path, ["/a"], timeout_s=0.3) == {"a": CONTENT}
    assert server.asked["/a"] == 2


@pytest.mark.parametrize(("ranges", "etag"), [(False, True), (True, False)])
def test_without_ranges_or_a_validator_a_download_starts_again(
    server: MediaServer, ledger: Ledger, tmp_path: Path, ranges: bool, etag: bool
) -> None:
    server.resources["/a"] = Resource(CONTENT, fails=("cut",), ranges=ranges, etag=etag)
    assert fetch(server, ledger, tmp_path, ["/a"]) == {"a": CONTENT}


def test_a_file_that_changes_in_between_is_not_mixed(server: MediaServer, ledger: Ledger, tmp_path: Path) -> None:
    server.resources["/a"] = Resource(CONTENT, fails=("cut",))
    fetch(server, ledger, tmp_path, ["/a"], tries=1)
    server.resources["/a"] = Resource(CONTENT[::-1])
    assert fetch(server, ledger, tmp_path, ["/a"]) == {"a": CONTENT[::-1]}


def test_a_part_that_is_whole_already_is_not_asked_for_again(
    server: MediaServer, ledger: Ledger, tmp_path: Path
) -> None:
    server.resources["/a"] = Resource(CONTENT)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a").write_bytes(CONTENT)
    ledger.put(Entry("a", server.url("/a"), "started", total=len(CONTENT), validator='"x"'))
    assert fetch(server, ledger, tmp_path, ["/a"]) == {"a": CONTENT}
    assert server.asked["/a"] == 0


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        (Resource(status=404), "gone"),
        (Resource(status=410), "gone"),
        (Resource(status=403), "refused"),
        (Resource(status=302, headers={"Location": "file:///etc/passwd"}), "bad-address"),
        (Resource(status=302, headers={"Location": "ftp://example.org/x"}), "bad-address"),
        (Resource(status=302), "refused"),
        (Resource(status=302, headers={"Location": "/a"}), "too-many-redirects"),
        (Resource(CONTENT), "too-large"),
        (Resource(CONTENT, length=False), "too-large"),
    ],
)
def test_what_is_refused_for_good_is_written_down_and_not_asked_for_twice(
    server: MediaServer, ledger: Ledger, tmp_path: Path, resource: Resource, reason: str
) -> None:
    server.resources["/a"] = resource
    assert fetch(server, ledger, tmp_path, ["/a"], max_bytes=1000) == {}
    assert state(ledger, "a") == ("rejected", reason)
    assert server.asked["/a"] == (6 if reason == "too-many-redirects" else 1)
    assert not (tmp_path / "parts" / "a").exists()


def test_redirects_are_followed(server: MediaServer, ledger: Ledger, tmp_path: Path) -> None:
    server.resources["/old"] = Resource(status=301, headers={"Location": "new?x=1"})
    server.resources["/new"] = Resource(CONTENT)
    assert fetch(server, ledger, tmp_path, ["/old"]) == {"old": CONTENT}


def test_private_addresses_are_refused_by_name_and_number(
    server: MediaServer, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.resources["/a"] = Resource(CONTENT)
    assert fetch(server, ledger, tmp_path, ["/a"], allow_private=False) == {}
    assert state(ledger, "a") == ("rejected", "private-address")

    async def look_up(self: object, host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", look_up)
    monkeypatch.setattr(server, "url", lambda path: f"http://innocent.example:{server.server_port}{path}")
    assert fetch(server, ledger, tmp_path, ["/b"], allow_private=False) == {}
    assert state(ledger, "b") == ("rejected", "private-address")
    assert not server.asked


@pytest.mark.parametrize(
    "number",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "100.64.0.1", "::1", "fe80::1", "fc00::1",
     "::ffff:127.0.0.1", "0.0.0.0", "224.0.0.1"],
)  # fmt: skip
def test_numbers_that_are_not_public(number: str) -> None:
    with pytest.raises(MediaError, match="private"):
        check_ip(number, "x.org")


def test_addresses() -> None:
    check_ip("93.184.216.34", "x.org")
    assert check_address("HTTPS://X.org/a") == "x.org"
    for address in (
        "file:///etc/passwd",
        "gopher://x.org",
        "http://",
        "http://a:b@x.org/",
        "http://[::1",
        "x.org/a",
    ):
        with pytest.raises(MediaError) as error:
            check_address(address)
        assert error.value.reason == "bad-address"


def test_one_host_is_asked_at_its_pace(server: MediaServer, ledger: Ledger, tmp_path: Path) -> None:
    for number in range(6):
        server.resources[f"/{number}"] = Resource(b"x")
    start = asyncio.new_event_loop().time()
    fetch(server, ledger, tmp_path, [f"/{number}" for number in range(6)], per_second=20.0)
    assert asyncio.new_event_loop().time() - start >= 5 / 20.0


def test_retry_after() -> None:
    assert retry_after({"retry-after": "7"}) == 7.0
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


def test_the_ledger_settles_what_a_kill_left_between_row_and_rename(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    parts = tmp_path / "parts"
    parts.mkdir()
    for key, content in (("a", b"whole"), ("b", b"cut")):
        (parts / key).write_bytes(content)
        ledger.put(Entry(key, "u", "ready", path=f"media/{key}", sha256="x", bytes=5, info={"n": 1}))
    ledger.put(Entry("c", "u", "ready", path="media/c", sha256="x", bytes=5))
    ledger.close()
    again = Ledger(tmp_path / "ledger.sqlite")
    again.settle(tmp_path, parts)
    assert (tmp_path / "media/a").read_bytes() == b"whole"
    kept = again.get("a")
    assert kept is not None
    assert kept.info == {"n": 1}
    assert again.get("b") is None
    assert again.get("c") is None
    again.close()
    (tmp_path / "other").write_bytes(b"no database at all, but text that goes on for a while" * 20)
    with pytest.raises(DatasetError, match="is not a ledger"):
        Ledger(tmp_path / "other")
