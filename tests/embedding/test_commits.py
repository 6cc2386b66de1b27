"""Many small commits: what they cost, what they leave on the disk, and what a kill in any of them leaves."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest

from biovita.embedding import LanceStore, LanceTable, lance_table, read
from biovita.embedding.made import Made
from biovita.embedding.store import COLUMNS, WHOLE

MADE = Made("tower", "1", 64, "as it is")


def rows(*ids: str) -> pa.Table:
    columns = {name: pa.nulls(len(ids), COLUMNS.field(name).type) for name in COLUMNS.names}
    columns |= {"id": pa.array(ids), "window": pa.array([WHOLE] * len(ids), pa.int32())}
    return pa.table(columns, schema=COLUMNS)


def commit(table: LanceTable, number: int, count: int = 10) -> None:
    rng = np.random.default_rng(number)
    ids = [f"item {number}-{each}" for each in range(count)]
    table.commit(rows(*ids), rng.standard_normal((count, 64), dtype=np.float32), MADE)


def sizes(path: Path) -> dict[Path, int]:
    return {file: file.stat().st_size for file in path.rglob("*") if file.is_file()}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pieces and what they are joined to small, in the proportion that they have."""
    monkeypatch.setattr(lance_table, "_PIECES", 8)
    monkeypatch.setattr(lance_table, "_PIECE_ROWS", 80)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_the_last_commits_cost_what_the_first_did(tmp_path: Path) -> None:
    """Told by bytes written and files left; `benchmarks/vector_commits.py` takes the time."""
    table = LanceStore(tmp_path).table("audio")
    written, seen, files = [], {}, []
    for number in range(240):
        commit(table, number)
        now = sizes(table.path)
        written.append(sum(size for file, size in now.items() if seen.get(file) != size))
        files.append(len(now))
        seen = now
    first, last = sum(written[8:40]), sum(written[-32:])
    assert last <= 2 * first
    assert (
        max(files[-8:]) <= 240 / 8 + 4 * 8 + 8
    )  # a piece, a version and a transaction a commit since the last joining
    table.tidy()
    needed = 240 * 10 * 64 * 4
    assert sum(sizes(table.path).values()) <= 1.2 * needed
    assert len(list((table.path / "_versions").glob("*.manifest"))) <= 2
    assert len(table.snapshot()) == 2400


@pytest.mark.usefixtures("small")
def test_rows_that_come_again_leave_nothing_behind(tmp_path: Path) -> None:
    table = LanceStore(tmp_path).table("audio")
    for number in range(60):
        commit(table, number % 6)
    table.tidy()
    assert len(table.snapshot()) == 60
    assert sum(sizes(table.path).values()) <= 1.2 * 60 * 64 * 4 + 8192  # the last for what a table says of itself
    assert len(lance.dataset(str(table.path)).get_fragments()) == 1


def test_a_reader_of_a_version_that_is_removed_reads_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = LanceStore(tmp_path).table("audio")
    commit(table, 0)
    commit(table, 1)
    snapshots = []
    snapshot = LanceTable.snapshot

    def overtaken(self: LanceTable) -> object:
        """Give a snapshot, after the first of which another writer tidies up."""
        found = snapshot(self)
        snapshots.append(found)
        if len(snapshots) == 1:
            commit(LanceStore(tmp_path).table("audio"), 2)
            LanceStore(tmp_path).table("audio").tidy()
        return found

    monkeypatch.setattr(LanceTable, "snapshot", overtaken)
    found, vectors = read(table)
    assert len(snapshots) == 2
    assert len(found) == len(vectors) == 30


def test_a_version_with_a_tag_stays(tmp_path: Path) -> None:
    table = LanceStore(tmp_path).table("audio")
    commit(table, 0)
    lance.dataset(str(table.path)).tags.create("published", 1)
    commit(table, 1)
    table.tidy()
    assert lance.dataset(str(table.path), version="published").count_rows() == 10
    assert len(table.snapshot()) == 20


LOOP = """
import sys
sys.path.insert(0, {here!r})
from pathlib import Path
from test_commits import commit, lance_table
from biovita.embedding import LanceStore

lance_table._PIECES, lance_table._PIECE_ROWS = 3, 60
table = LanceStore(Path({out!r})).table("audio")
number = {start}
while True:
    commit(table, number)
    print(number, flush=True)
    number += 1
    if number % 10 == 0:
        table.tidy()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_a_kill_at_any_moment_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    out, start, rng = tmp_path / "vectors", 0, random.Random(0)
    for _ in range(4):
        code = LOOP.format(here=str(Path(__file__).parent), out=str(out), start=start)
        run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert run.stdout is not None
        run.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.4))
        os.kill(run.pid, signal.SIGKILL)
        said = [start, *map(int, run.stdout.read().split())]
        run.wait()
        table = LanceStore(out).table("audio")
        found, vectors = read(table)
        ids = found["id"].to_pylist()
        assert len(set(ids)) == len(ids)
        last = max(int(each.split()[1].split("-")[0]) for each in ids)
        assert last in {said[-1], said[-1] + 1}  # the last one may not have come to say so
        assert set(ids) == {f"item {number}-{each}" for number in range(last + 1) for each in range(10)}
        np.testing.assert_array_equal(
            vectors[ids.index(f"item {last}-0")], np.random.default_rng(last).standard_normal(64, dtype=np.float32)
        )
        start = last  # which comes again
    table.tidy()
    assert sum(sizes(table.path).values()) <= 1.2 * len(ids) * 64 * 4 + 8192
