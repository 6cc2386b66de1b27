"""An archive whose commands are killed again and again, or run side by side: nothing is twice, and nothing is lost."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import biovita
from biovita import Archive
from biovita.modality import MEDIA
from biovita.retrieval.search_space import search_spaces
from support.aligned_stub import ALIGNED, know_stubs
from support.forked import finish, start
from support.surveys import write_survey

KILLS = int(os.environ.get("BIOVITA_KILLS", "3"))  # of each command
pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")]


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_survey(tmp_path_factory.mktemp("survey") / "all", sounds=40, pictures=40)


def content(place: Path) -> dict[str, object]:
    """Return what an archive holds, whatever the order in which it came."""
    archive = Archive.open(place)
    found: dict[str, object] = {}
    for name in ("recordings", "photographs", "deployments", "left_out"):
        rows = archive.table(name)
        found[name] = rows.sort_by(
            [(column, "ascending") for column in ("id", "path") if column in rows.column_names][:1]
        )
    for space in search_spaces(archive):
        for modality in MEDIA:
            table = space.table(modality).to_table().sort_by("id")
            found[f"searched {modality}"] = table
    return found


def same(first: dict[str, object], second: dict[str, object]) -> bool:
    assert first.keys() == second.keys()
    for name, one in first.items():
        other = second[name]
        assert isinstance(one, pa.Table)
        assert isinstance(other, pa.Table)
        assert one.equals(other), name
    return True


def killed(command: list[str], said: Path, seed: int) -> None:
    """Run a command until it ends by itself, having killed it a few times."""
    rng = np.random.default_rng(seed)
    kills = 0
    while True:
        process = start(command, said, {"STUB_SECONDS": "0.01"}, know_stubs)
        if kills < KILLS:
            process.join(float(rng.uniform(0.1, 1.2)))
            if process.is_alive():
                process.kill()
                process.join()
                kills += 1
                continue
        assert finish(process) == 0, said.read_text()
        return


def test_killed_commands_end_as_those_that_were_left_alone(survey: Path, tmp_path: Path) -> None:
    alone = biovita.create_archive(tmp_path / "alone", model=[ALIGNED])
    biovita.add_to_archive(alone, [survey], progress=False)
    disturbed = biovita.create_archive(tmp_path / "disturbed", model=[ALIGNED])
    killed(["archive", "add", str(disturbed), str(survey)], tmp_path / "said", 0)
    assert same(content(alone), content(disturbed))
    killed(["archive", "refresh", str(disturbed)], tmp_path / "said", 1)
    assert same(content(alone), content(disturbed))
    biovita.drop_from_archive(alone, site=["pond"])
    killed(["archive", "drop", str(disturbed), "--site", "pond"], tmp_path / "said", 2)
    assert same(content(alone), content(disturbed))


def test_two_that_add_at_once_both_arrive(survey: Path, tmp_path: Path) -> None:
    place = biovita.create_archive(tmp_path / "archive", model=[ALIGNED])
    processes = [
        start(["archive", "add", str(place), str(survey / part)], tmp_path / part, {}, know_stubs)
        for part in ("pond", "hill", "camera")
    ]
    for process, part in zip(processes, ("pond", "hill", "camera"), strict=True):
        assert finish(process) == 0, (tmp_path / part).read_text()
    info = biovita.archive_info(place)
    assert (info.recordings, info.photographs) == (40, 40)
    assert info.searched[ALIGNED]["rows"] == {"audio": 160, "image": 40}
    assert sorted(Path(each).name for each in info.places) == ["camera", "hill", "pond"]
