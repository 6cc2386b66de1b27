"""Web APIs that answer without measure, without end, or with what was sent to them in confidence."""

from __future__ import annotations

import gzip
import html
import json
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from support.hostile import Outcome, python
from support.odd_servers import Answer, OddServer, answer_of, dripping, odd_server

KEY = "c0ffee/+s3cret&key=1<"
RECORDING = {"id": "1", "gen": "Pica", "sp": "pica", "file": "https://x.org/1.mp3", "lic": "//cc.org/by/4.0/"}
# The commands are those of the command line; the address of the API and the pauses between requests are the test's.
CHILD = """
import sys
from biovita.cli.app import main
from biovita.sources import answers, inaturalist_api, xeno_canto

kind, address, tries, *plans = sys.argv[1:]
answers.PAUSE_S, answers.TRIES = 0.001, int(tries)
for plan in plans:
    for module in (inaturalist_api, xeno_canto):
        module.API = f"{address}/{plan.rpartition('/')[2].removesuffix('.toml')}"
    try:
        main([*kind.split(), plan])
    except SystemExit as ended:
        print("ended", plan.rpartition("/")[2], ended.code, flush=True)
"""


def page(number: object = 1, last: object = 1, **rest: Any) -> bytes:
    return json.dumps({"recordings": [RECORDING], "page": number, "numPages": last, **rest}).encode()


def bomb(mebibytes: int) -> bytes:
    """Return gzip of very many zeros, made piece by piece."""
    made = zlib.compressobj(1, zlib.DEFLATED, 31)
    parts = [made.compress(b"0" * (1 << 20)) for _ in range(mebibytes)]
    return b"".join([*parts, made.flush()])


def plans(folder: Path, names: list[str], kind: str = "xeno_canto") -> list[Path]:
    query = 'query = "grp:birds"' if kind == "xeno_canto" else 'query = { taxon_id = "3" }'
    found = []
    for name in names:
        plan = folder / f"{name}.toml"
        plan.write_text(f'name = "x"\n[[sources]]\nkind = "{kind}"\n{query}\ncache = "cache-{name}"\n')
        found.append(plan)
    return found


def asked(server: OddServer, files: list[Path], *, limits: str = "", tries: int = 1, **bounds: Any) -> Outcome:
    env = {"XENO_CANTO_KEY": KEY}
    outcome = python(CHILD, f"data plan {limits}".strip(), server.url(""), tries, *files, env=env, **bounds)
    assert "Traceback" not in outcome.said, outcome.said
    assert outcome.code == 0, outcome.said
    return outcome


def codes(outcome: Outcome) -> dict[str, int]:
    lines = [line.split() for line in outcome.out.splitlines() if line.startswith("ended ")]
    return {name.removesuffix(".toml"): int(code) for _, name, code in lines}


REFUSED: dict[str, tuple[bytes, str]] = {
    "page-text": (answer_of(page("x", 5)), "not numbers"),
    "pages-endless": (answer_of(b'{"recordings": [], "page": 1, "numPages": 1e400}'), "not numbers"),
    "page-list": (answer_of(page([1], {"a": 2})), "not numbers"),
    "page-digits": (
        answer_of(b'{"recordings": [], "page": ' + b"9" * 5000 + b"}"),
        "is not JSON that biovita reads",
    ),
    "deep": (answer_of(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "nested deeper"),
    "other": (answer_of(b"[1, 2]"), "is not a JSON object but a list"),
    "bytes": (answer_of(b'{"a": "\xff\xfe"}'), "is not text in UTF-8"),
    "cut": (answer_of(b'{"a": '), "is not JSON"),
    "html": (answer_of(b"<html>\x1b[2J\x07</html>"), "is not JSON"),
    "bracket": (answer_of(b"", "Location: http://[", status="302 Found"), ""),
    "teapot": (answer_of(b"\xff\xfe", status="418 I'm a teapot"), "refuses (418)"),
    "error-shape": (answer_of(b'{"error": [1], "message": {"a": 2}}', status="400 Bad"), "refuses (400)"),
    "no-gzip": (answer_of(b"abc", "Content-Encoding: gzip"), "cannot be unpacked"),
    "brotli": (answer_of(b"abc", "Content-Encoding: br"), "was not asked for"),
    "repeated": (answer_of(page(1, 5)), "same page twice"),
    "retry": (
        answer_of(b"", "Retry-After: Fri, 01 Jan 99999999999999999999 00:00:00 GMT", status="503 No"),
        "did not answer",
    ),
}
RESULTS: dict[str, bytes] = {
    "results-number": answer_of(b'{"results": 7}'),
    "results-text": answer_of(b'{"results": "' + b"x" * 200 + b'"}'),
    "results-odd": answer_of(json.dumps({"results": [{"id": "x"}] * 200}).encode()),
    "results-null": answer_of(json.dumps({"results": [None] * 200}).encode()),
}


@pytest.mark.slow
def test_answers_of_another_shape_are_refused_with_a_reason(tmp_path: Path) -> None:
    answers: dict[str, Answer] = {f"/{name}": answer for name, (answer, _) in REFUSED.items()}
    half = json.dumps({**RECORDING, "rec": "A\ud800nn", "file": "https://x.org/\udfff"}).encode()
    whole = json.dumps({**RECORDING, "id": "2", "lic": "CC BY 4.0"}).encode()
    answers["/half"] = answer_of(b'{"recordings": [' + half + b", " + whole + b"]}")  # of characters
    with odd_server(answers) as server:
        outcome = asked(server, plans(tmp_path, [*REFUSED, "half"]), seconds=40)
    assert codes(outcome) == {**dict.fromkeys(REFUSED, 1), "half": 0}, outcome.said
    messages = [line for line in outcome.err.splitlines() if line.startswith("biovita: ")]
    assert len(messages) == len(REFUSED)
    for message, (name, (_, said)) in zip(messages, REFUSED.items(), strict=True):
        assert said in message, (name, message)
    assert "\x1b" not in outcome.said
    kept = {file.parts[-3] for file in tmp_path.glob("cache-*/*/*.json")}
    assert kept == {
        "cache-half",
        "cache-repeated",
    }  # what cannot be used is asked for again; and a first page is one
    with odd_server({f"/{name}": answer for name, answer in RESULTS.items()}) as server:
        outcome = asked(server, plans(tmp_path, list(RESULTS), "inaturalist_api"), seconds=40)
    assert codes(outcome) == dict.fromkeys(RESULTS, 1), outcome.said


@pytest.mark.slow
def test_size_and_number_of_answers_are_limited(tmp_path: Path) -> None:
    count = iter(range(1, 10**9))

    def endless(connection: Any) -> None:
        connection.sendall(answer_of(page(next(count), 10**9)))

    zeros = bomb(200)
    flood = answer_of(b'{"a": "', length=False) + b"x" * (4 << 20)
    answers: dict[str, Answer] = {
        "/gzip": answer_of(zeros, "Content-Encoding: gzip"),
        "/twice": answer_of(gzip.compress(zeros, 1), "Content-Encoding: gzip, gzip"),
        "/plain": dripping(flood, b"x" * (1 << 20), pause=0.0),
        "/lists": answer_of(b'{"a": [' + b"[]," * 7_000_000 + b"[]]}"),
        "/pages": endless,
    }
    with odd_server(answers) as server:
        files = plans(tmp_path, [name[1:] for name in answers])
        outcome = asked(
            server, files, limits="--limit pages=5 --limit answer=33000000 --memory 256", seconds=60, mib=440
        )
    assert codes(outcome) == {name[1:]: 1 for name in answers}, outcome.said
    assert outcome.err.count("--limit answer=N") == 2, outcome.err
    assert outcome.err.count("--memory MIB") == 1, outcome.err
    assert outcome.err.count("--limit pages=N") == 1, outcome.err
    assert server.asked["/pages"] == 5


@pytest.mark.slow
def test_no_api_holds_a_command_without_end(tmp_path: Path) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    answers: dict[str, Answer] = {
        "/continue": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        "/headers": dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        "/extension": dripping(chunked + b"1;", b"e"),
        "/body": dripping(b"HTTP/1.1 200 OK\r\n\r\n{", b" "),
    }
    with odd_server(answers) as server:
        files = plans(tmp_path, [name[1:] for name in answers])
        outcome = asked(server, files, limits="--limit request=1", seconds=20)
    assert codes(outcome) == {name[1:]: 1 for name in answers}, outcome.said
    assert outcome.err.count("the server takes too long") == len(answers)


@pytest.mark.slow
def test_a_key_that_a_server_repeats_is_written_nowhere(tmp_path: Path) -> None:
    forms = [KEY, quote(KEY), quote(KEY, safe=""), quote_plus(KEY), html.escape(KEY), quote(KEY, safe="").lower()]
    echo = {
        **RECORDING,
        "lic": "CC BY 4.0",
        "rmk": " ".join(forms),
        "file": f"https://x.org/1?k={quote_plus(KEY)}",
        KEY: [KEY],
    }
    headers = (f"Location: https://x.org/?{quote_plus(KEY)}", f"X-Key: {quote(KEY)}")
    refusal = json.dumps({"error": KEY, "message": forms}).encode()
    answers = {
        "/taken": answer_of(json.dumps({"recordings": [echo]}).encode(), *headers),
        "/error": answer_of(json.dumps({"recordings": [], "error": KEY, "message": forms}).encode(), *headers),
        "/refused": answer_of(refusal, *headers, status="403 Forbidden"),
        "/moved": answer_of(refusal, *headers, status="302 Found"),
        "/text": answer_of(" ".join(forms).encode(), *headers),
    }
    with odd_server(answers) as server:
        outcome = asked(server, plans(tmp_path, [name[1:] for name in answers]), seconds=40)
        assert all(quote_plus(KEY).encode() in request for request in server.heard)  # it was sent
    assert codes(outcome) == {name[1:]: int(name != "/taken") for name in answers}, outcome.said
    pages = [file.read_text() for file in tmp_path.glob("cache-*/*/*.json")]
    assert len(pages) == 2
    for text in [outcome.said, *pages]:
        plain = text.replace("\\", "").lower()
        assert not [form for form in forms if form.lower() in plain], plain
        assert "c0ffee" not in plain
