"""``biovita data build`` into a directory from elsewhere: it writes and deletes nowhere else, and nothing of others."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from biovita.collect.build import build
from support.collected_media import observation, picture, sound, write_plan
from support.hostile_data import commands, digest
from support.media_servers import Resource, media_server

_PRECIOUS = "years of work\n"
_KEY = "0123456789abcdef0123"
_INFO = json.dumps({"width": 32, "height": 24, "phash": "0" * 16})


def _row(out: Path, **values: object) -> None:
    """Put a row into the ledger as someone else may have written it."""
    row = {"key": _KEY, "url": "http://x.org/1", "state": "ready", "path": f"media/image/01/{_KEY}.jpg",
           "sha256": "0" * 64, "bytes": len(_PRECIOUS), "info": _INFO, **values}  # fmt: skip
    with sqlite3.connect(out / ".collect/ledger.sqlite") as ledger:
        names = ", ".join(row)
        ledger.execute(f"insert into items ({names}) values ({', '.join('?' * len(row))})", list(row.values()))
    ledger.close()


def _linked(name: str, *, below: str = "") -> Callable[[Path, Path], None]:
    """Return what makes something of the dataset a link to the reader's folder, or to a file in it."""

    def make(out: Path, home: Path) -> None:
        place = out / name
        if place.is_dir():
            shutil.rmtree(place)
        place.unlink(missing_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(home / below)

    return make


def _part(out: Path, home: Path) -> None:
    """Make a ledger that has a part renamed onto a file of the reader's."""
    (out / ".collect/parts").mkdir(exist_ok=True)
    (out / ".collect/parts" / _KEY).write_text("X" * len(_PRECIOUS))
    _row(out, path=str(home / "gone.txt"))


def _script(text: str) -> Callable[[Path, Path], None]:
    """Return what runs SQL in the ledger."""

    def make(out: Path, _: Path) -> None:
        with sqlite3.connect(out / ".collect/ledger.sqlite") as ledger:
            ledger.executescript(text)
        ledger.close()

    return make


_ENDLESS = "with recursive n(x) as (select 1 union all select x + 1 from n) select x from n"
_SWAPPED = "(select info from items other where other.key <> items.key)"
_REFUSED: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "media": (_linked("media"), "is a link"),
    "folder": (_linked("media/audio"), "is a link"),
    "card": (_linked("card"), "is a link"),
    "work": (_linked(".collect/next"), "is a link"),
    "parts": (_linked(".collect/parts"), "is a link"),
    "lock": (_linked(".collect/lock", below="precious.txt"), "is a link"),
    "ledger": (_linked(".collect/ledger.sqlite", below="precious.txt"), "is a link"),
    "dots": (lambda out, home: _row(out, path=f"../{home.name}/precious.txt"), "was not written by a build"),
    "other": (lambda out, home: _row(out, path="media/notes.txt"), "was not written by a build"),
    "key": (lambda out, home: _row(out, key=f"../../{home.name}/precious.txt"), "was not written by a build"),
    "state": (lambda out, home: _row(out, state="odd"), "was not written by a build"),
    "type": (lambda out, home: _row(out, path=b"\xff"), "was not written by a build"),
    "info": (lambda out, home: _row(out, info='{"phash": 3}'), "was not written by a build"),
    "deep": (lambda out, home: _row(out, info="[" * 100_000), "was not written by a build"),
    "view": (
        _script(
            "alter table items rename to was; create view items as select hex(x) as key, '' as url, 'ready' as state, "
            "null as total, null as validator, null as path, null as sha256, null as bytes, null as info, "
            f"null as reason, null as detail from ({_ENDLESS})"
        ),
        "was not written by a build",
    ),
    "trigger": (
        _script(
            f"create trigger t after insert on items begin insert into items select * from ({_ENDLESS}); end; "
            "delete from items"
        ),
        "was not written by a build",
    ),
    "column": (_script("alter table items add column more text"), "was not written by a build"),
    "found": (_script("update items set state = 'rejected', info = null"), "was not written by a build"),
    "hash": (lambda out, home: _row(out, sha256="xyz"), "was not written by a build"),
}
_DONE: dict[str, Callable[[Path, Path], None]] = {
    "absolute": lambda out, home: _row(out, path=str(home / "precious.txt")),
    "part": _part,
    "kinds": _script(
        f"create temp table swapped as select key, {_SWAPPED} as info from items; update items set "
        "info = (select info from swapped where swapped.key = items.key)"
    ),
    "own": lambda out, home: (out / "media/notes.txt").write_text(_PRECIOUS) and None,
}


@pytest.mark.slow
def test_a_build_writes_and_deletes_nothing_of_others(tmp_path: Path) -> None:
    plan_folder = tmp_path / "plan"
    plan_folder.mkdir()
    (plan_folder / "a.wav").write_bytes(sound(1))
    (plan_folder / "p.jpg").write_bytes(picture(1))
    (plan_folder / "audio.csv").write_text("file,scientific_name,license\na.wav,Pica pica,CC0\n")
    (plan_folder / "images.csv").write_text("file,scientific_name,license\np.jpg,Pica pica,CC0\n")
    plan = plan_folder / "plan.toml"
    plan.write_text('name = "made"\n[[sources]]\nkind = "folder"\npath = "."\n')
    build(plan, tmp_path / "good")
    (tmp_path / "good/media").mkdir(exist_ok=True)
    homes = {}
    for name in (*_REFUSED, *_DONE):
        home, out = tmp_path / f"home-{name}", tmp_path / f"out-{name}"
        home.mkdir()
        (home / "precious.txt").write_text(_PRECIOUS)
        shutil.copytree(tmp_path / "good", out)
        (_REFUSED[name][0] if name in _REFUSED else _DONE[name])(out, home)
        homes[name] = home
    said = commands(tmp_path, *(["data", "build", plan, "--out", tmp_path / f"out-{name}"] for name in homes))
    for name, home in homes.items():
        assert [file.name for file in home.iterdir()] == ["precious.txt"], name
        assert (home / "precious.txt").read_text() == _PRECIOUS, name
    for name, each in zip(homes, said, strict=True):
        if name in _REFUSED:
            each.refused(_REFUSED[name][1], "emove")
        else:
            each.succeeded("1 clips, 1 photographs")
    assert (tmp_path / "out-own/media/notes.txt").read_text() == _PRECIOUS
    said[list(homes).index("own")].succeeded(
        "1 files in media/ were not fetched for this dataset and were left alone: media/notes.txt"
    )


@pytest.mark.slow
def test_an_update_removes_what_it_fetched_and_leaves_the_rest(tmp_path: Path) -> None:
    with media_server() as server:
        server.resources |= {"/1": Resource(sound(1)), "/2": Resource(sound(2)), "/3": Resource(picture(3))}
        server.resources["/4"] = Resource(picture(4))
        kinds = {1: "audio", 4: "image", 2: "audio", 3: "image"}
        observations = [observation(n, server.url(f"/{n}"), kind) for n, kind in kinds.items()]
        out, home = tmp_path / "out", tmp_path / "home"
        build(write_plan(tmp_path / "plan", observations), out, backoff_s=0.01)
        fetched = {file: digest(file) for file in (out / "media").rglob("*") if file.is_file()}
        assert len(fetched) == 4
        home.mkdir()
        (home / "precious.txt").write_text(_PRECIOUS)
        (out / "media/audio/mine.wav").write_bytes(sound(9))
        linked, gone = (
            next(file for file, sha256 in fetched.items() if sha256 == digest_of(content))
            for content in (sound(1), picture(4))
        )
        linked.unlink()
        linked.symlink_to(home / "precious.txt")  # a link in the place of a file that goes
        plan = write_plan(tmp_path / "plan", observations[2:])
        (said,) = commands(tmp_path, ["data", "build", plan, "--out", out])
    said.succeeded("1 clips, 1 photographs", "2 files in media/", "left alone", "media/audio/mine.wav")
    assert {file.name for file in (out / "media").rglob("*") if file.is_file()} == {
        "mine.wav",
        *(file.name for file in fetched if file != gone),
    }
    assert (home / "precious.txt").read_text() == _PRECIOUS


@pytest.mark.slow
def test_a_cache_that_came_with_a_plan_leads_nowhere_else(tmp_path: Path, shared_data: Path) -> None:
    tables, home = tmp_path / "tables", tmp_path / "home"
    tables.mkdir()
    home.mkdir()
    (home / "precious.txt").write_text(_PRECIOUS)
    for table in ("photos", "observations", "taxa", "observers"):
        content = (shared_data / f"formats/inaturalist-open-data/{table}.csv").read_bytes()
        (tables / f"{table}.csv.gz").write_bytes(gzip.compress(content))
    given = []
    for name, link in {"part": ".photos.csv.gz.part", "file": "photos.csv.gz"}.items():
        folder = tmp_path / name
        (folder / "cache").mkdir(parents=True)
        (folder / "cache" / link).symlink_to(home / "precious.txt")
        source = f'kind = "inaturalist"\npath = "{tables.as_uri()}"\ncache = "cache"\n'
        (folder / "plan.toml").write_text(f'name = "made"\n[[sources]]\n{source}')
        given.append(["data", "plan", folder / "plan.toml"])
    part, file = commands(tmp_path, *given)
    part.refused("0 items", "the plan gives nothing. iNaturalist: 50 unknown-taxon")  # of the heads of the tables
    file.refused("photos.csv.gz is a link", "Remove it")
    assert (home / "precious.txt").read_text() == _PRECIOUS


def digest_of(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()
