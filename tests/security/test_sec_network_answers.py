"""Servers that answer what they should not, or never: a build goes on, and says what became of each file."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from support.collected_media import observation, picture, sound, write_plan
from support.hostile import biovita
from support.odd_servers import Answer, OddServer, answer_of, dripping, odd_server

MANY = "9" * 5000
WAV = sound(1)


def redirect(location: bytes, status: str = "302 Found") -> bytes:
    return answer_of(b"", b"Location: " + location, status=status)


def busy(retry_after_: bytes) -> bytes:
    return answer_of(b"", b"Retry-After: " + retry_after_, status="503 Service Unavailable")


def part_of(content_range: str, body: bytes = WAV) -> bytes:
    return answer_of(body, f"Content-Range: {content_range}", status="206 Partial Content")


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
# Refused for good, each with its reason.
REFUSED: dict[str, tuple[bytes, str]] = {
    "bracket": (redirect(b"http://["), ""),
    "bracket-301": (redirect(b"//[", "301 Moved Permanently"), ""),
    "scheme-file": (redirect(b"file:///etc/passwd"), "bad-address"),
    "scheme-ftp": (redirect(b"ftp://x.org/a"), "bad-address"),
    "scheme-odd": (redirect(b"javascript:alert(1)"), ""),
    "user": (redirect(b"http://me:pass@127.0.0.1/"), "bad-address"),
    "port": (redirect(b"http://127.0.0.1:99999/"), ""),
    "port-text": (redirect(b"http://127.0.0.1:x/"), ""),
    "host-long": (redirect(b"http://" + b"a" * 300 + b".example/"), ""),
    "host-odd": (redirect("http://ex\u2100mple..org/".encode()), ""),
    "host-bytes": (redirect(b"http://\xff\xfe/\xff"), ""),
    "controls": (redirect(b"http://127.0.0.1/\x01\x7f"), ""),
    "nowhere": (answer_of(b"", status="302 Found"), "refused"),
    "no-content": (b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", "refused"),
    "teapot": (answer_of(b"", status="418 I'm a teapot"), "refused"),
    "range-304": (answer_of(b"", status="304 Not Modified", length=False), "refused"),
    "length-wrong-large": (answer_of(b"x", "Content-Length: 99999999999999999", length=False), "too-large"),
}
# Perhaps better another time.
FAILED: dict[str, bytes] = {
    "range-digits": part_of(f"bytes 0-{MANY}/{MANY}"),
    "range-backwards": part_of("bytes 9-1/5"),
    "range-other-digits": part_of("bytes \u0660-\u0661/\u0662"),
    "range-none": answer_of(WAV, status="206 Partial Content"),
    "range-elsewhere": part_of("bytes 7-8/9", b"xy"),
    "retry-year": busy(b"Fri, 01 Jan 9999999999999999999999 00:00:00 GMT"),
    "retry-date": busy(b"Fri, 99 Foo 2020 99:99:99 +9999999999"),
    "retry-zone": busy(b"Mon, 01 Jan 0001 00:00:00 +2359"),
    "retry-text": busy(b", \xff\x00"),
    "length-digits": answer_of(b"x", f"Content-Length: {MANY}", length=False),
    "length-other-digits": answer_of(b"x", "Content-Length: \u00b2", length=False),
    "length-twice": answer_of(b"x", "Content-Length: 1", "Content-Length: 2", length=False),
    "cut": answer_of(WAV)[:-10],
    "chunk-size": CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n",
    "chunk-huge": CHUNKED + b"f" * 400 + b"\r\nabc",
    "chunk-cut": CHUNKED + b"ff\r\nabc",
    "nothing": b"",
    "no-http": b"\x00\xff" * 100,
    "status-digits": b"HTTP/1.1 99999999 OK\r\n\r\n",
    "header-large": answer_of(b"x", "X: " + "y" * 300_000),
    "header-zero": answer_of(b"x", b"X: a\x00b"),
}
FINE: dict[str, bytes] = {
    "etag-bytes": answer_of(sound(2), b'ETag: "\xff\xfe"', b"Last-Modified: \xe9"),
    "etag-text": answer_of(sound(3), 'ETag: "\u00e9\u2100"'.encode()),
    "cookies": answer_of(sound(4), b"Set-Cookie: \xff=\xff; expires=Fri, 01 Jan 99999999 00:00:00 GMT; domain=[;"),
    "type": answer_of(sound(5), b"Content-Type: \xff; charset=\xff\xfe"),
}


def plan_of(folder: Path, server: OddServer, paths: list[str], fetching: str) -> Path:
    records = [observation(number, server.url(path), "audio") for number, path in enumerate(paths, start=10)]
    plan = write_plan(folder, records)
    plan.write_text(plan.read_text() + fetching)
    return plan


def reasons(out: Path) -> dict[str, tuple[str, str]]:
    rows = pq.read_table(out / "rejected.parquet").to_pylist()
    return {Path(row["path"]).name: (row["reason"], row["detail"]) for row in rows}


@pytest.mark.slow
def test_no_answer_ends_a_build(tmp_path: Path) -> None:
    answers: dict[str, Answer] = {f"/{name}": answer for name, (answer, _) in REFUSED.items()}
    answers |= {f"/{name}": answer for name, answer in (FAILED | FINE).items()}
    cut = answer_of(WAV, b'ETag: "\xff"', "Set-Cookie: a=" + "b" * 4000)[:-100]
    tries = iter((cut, answer_of(WAV, b'ETag: "\xff"')))
    # An ETag that cannot be sent back does not stop a second try.
    answers["/twice"] = lambda connection: connection.sendall(next(tries))
    with odd_server(answers) as server:
        plan = plan_of(tmp_path, server, list(answers), "tries = 2\ntimeout_s = 20.0\n")
        plan.write_text('contact = "Jos\u00e9 \\u0007"\n' + plan.read_text(), encoding="utf-8")
        done = biovita("data", "build", plan, "--out", tmp_path / "out", "--json", seconds=40).succeeded()
        assert not any(b"\r\ncookie:" in each.lower() for each in server.heard)
    report = json.loads(done.out)
    assert report["audio"] == len(FINE) + 1
    found = reasons(tmp_path / "out")
    assert found.keys() == REFUSED.keys() | FAILED.keys()
    for name, (_, reason) in REFUSED.items():
        assert found[name][0] == reason or not reason, (name, found[name])
    assert {name: found[name][0] for name in FAILED} == dict.fromkeys(FAILED, "unreachable")
    assert report["unfinished"] == sum(reason == "unreachable" for reason, _ in found.values())
    assert all(detail for _, detail in found.values())


HELD: dict[str, Answer] = {
    "/continue": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "/flood": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 4000, pause=0.02),
    "/header": dripping(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    "/headers": dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "/silence": dripping(b"", b""),
    "/extension": dripping(CHUNKED + b"1\r\nx\r\n1;", b"e"),
    "/trailer": dripping(CHUNKED + b"1\r\nx\r\n0\r\n", b"X: y\r\n"),
    "/body": dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x"),
    "/steady": dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", b"x" * 20_000),
}


@pytest.mark.slow
def test_no_server_holds_workers_without_end(tmp_path: Path) -> None:
    with odd_server({**HELD, "/good": answer_of(picture(1))}) as server:
        plan = plan_of(tmp_path, server, list(HELD), "tries = 1\ntimeout_s = 2.0\n")
        content = json.loads((tmp_path / "answers.json").read_text())
        content["results"].append(observation(99, server.url("/good"), "image"))
        (tmp_path / "answers.json").write_text(json.dumps(content))
        plan.write_text(plan.read_text().replace("at_once = 16", f"at_once = {len(HELD)}"))
        done = biovita(
            "--limit", "request=4", "data", "build", plan, "--out", tmp_path / "out", "--json", seconds=40
        ).succeeded()
    report = json.loads(done.out)
    assert (report["images"], report["unfinished"]) == (1, len(HELD))
    assert {reason for reason, _ in reasons(tmp_path / "out").values()} == {"unreachable"}
