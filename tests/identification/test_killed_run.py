"""A run that is killed again and again, and one that nobody disturbs: the same tables."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from biovita.archive.archive import SCORES, Archive
from biovita.embedding.lance_table import LanceTable
from biovita.embedding.store import read
from support.forked import finish, start
from support.sound_files import song, write_sound
from support.stub_listener import listen_with_stub

RATE = 8_000
FILES = int(os.environ.get("BIOVITA_KILLED_FILES", "200"))  # 10,000, killed ten times, take minutes
KILLS = int(os.environ.get("BIOVITA_KILLS", "2"))


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("survey")
    rng = np.random.default_rng(0)
    for number in range(FILES):
        samples = song(float(rng.uniform(1, 8)), RATE, seed=number)
        write_sound(place / f"{number % 7}" / f"{number:05d}.wav", samples, RATE)
    whole = next(place.rglob("*.wav")).read_bytes()
    broken = {
        "empty.wav": b"",
        "cut.wav": whole[: len(whole) // 2],
        "page.mp3": b"<!doctype html><html></html>",
        "text.flac": b"not sound at all",
        "picture.ogg": b"\x89PNG\r\n\x1a\n" + bytes(64),
    }
    for name, content in broken.items():
        (place / name).write_bytes(content)
    return place


def command(survey: Path, out: Path) -> list[str]:
    return ["identify", str(survey), "--out", str(out), "--threshold", "0.6", "--json"]


def tables(out: Path) -> dict[str, pa.Table]:
    archive = Archive.open(out)
    names = ["recordings", "deployments", "left_out", "candidates", SCORES["audio"]]  # type: ignore[index]
    found = {name: archive.table(name) for name in names}
    found["annotations"] = archive.table("annotations").drop_columns(["made_at"])
    [place] = (out / "embeddings").iterdir()
    rows, vectors = read(LanceTable(place / "audio.lance"))
    order = np.lexsort((rows["window"].to_numpy(), rows["id"].to_numpy(zero_copy_only=False).astype(str)))
    found["vectors"] = rows.take(pa.array(order)).append_column(
        "hash", pa.array([v.tobytes() for v in vectors[order]])
    )
    return found


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_it_ends_in_the_tables_of_one_that_was_left_alone(survey: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    whole = start(command(survey, tmp_path / "whole"), said, first=listen_with_stub)
    assert finish(whole) == 0, said.read_text()
    rng = np.random.default_rng(1)
    disturbed, killed = tmp_path / "disturbed", 0
    for _ in range(10 * KILLS):
        process = start(command(survey, disturbed), said, first=listen_with_stub)
        if killed < KILLS:
            process.join(float(rng.uniform(0.3, 2.0)))
        if killed < KILLS and process.is_alive():
            process.kill()
            process.join()
            killed += 1
            continue
        assert finish(process) == 0, said.read_text()
        if killed == KILLS:
            break
    want, found = tables(tmp_path / "whole"), tables(disturbed)
    assert want["recordings"].num_rows == FILES
    assert sorted(want["left_out"]["reason"].to_pylist()) == [
        "empty",
        "not-audio",
        "not-audio",
        "not-audio",
        "truncated",
    ]
    for name, table in want.items():
        assert found[name].equals(table), name


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_ctrl_c_leaves_a_usable_result(survey: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    said = tmp_path / "said"
    slow = {"STUB_SECONDS": "0.2"}  # for four files: there is time to stop it
    process = start(command(survey, out), said, slow, listen_with_stub)
    while not any((out / "embeddings").glob("*/audio.lance/_versions/*")):
        assert process.is_alive(), said.read_text()
        time.sleep(0.01)
    os.kill(process.pid or 0, signal.SIGINT)
    assert finish(process) == 130, said.read_text()
    assert "What was done until then is answered; the same command goes on" in said.read_text()
    windows = Archive.open(out).table(SCORES["audio"])  # type: ignore[index]
    assert 0 < len(windows.column("media_id").unique()) < FILES
    assert len(Archive.open(out).table("annotations"))
