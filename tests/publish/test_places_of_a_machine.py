"""What goes out with a dataset names no place of the machine that made it, and credits whom the rows credit."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from biovita.collect.build import build
from biovita.dataset import Dataset
from biovita.publish.attribution import shown_path
from biovita.publish.dataset_card import write_papers
from biovita.publish.export import export_hub, export_release
from biovita.publish.shown_plan import shown_plan
from biovita.sources.folder import import_folder
from biovita.verbs import build_benchmark
from support.folders import make_folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Datasets whose media lie in the home folder, so that the tables name them by their whole paths."""
    root = tmp_path_factory.mktemp("machine")
    home = root / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("USERPROFILE", str(home))
        src = make_folder(home / "recordings", 2)
        (root / "plan.toml").write_text(
            f'name = "p"\n[[sources]]\nkind = "folder"\npath = "{src.as_posix()}"\n', encoding="utf-8"
        )
        build(root / "plan.toml", root / "built")
        import_folder(src, out=root / "imported", progress=False)
    return root


@pytest.mark.parametrize("name", ["built", "imported"])
def test_nothing_that_goes_out_names_a_place(made: Path, name: str, tmp_path: Path) -> None:
    dataset = Dataset.open(made / name)
    assert str(made) in dataset.audio["path"][0].as_py(), "else nothing is tested"
    write_papers(dataset, dataset.path)
    export_hub(dataset, tmp_path / "hub", allow_outside=True)
    export_release(dataset, tmp_path / "release", allow_outside=True)
    papers = [dataset.path / file for file in ("README.md", "ATTRIBUTION.csv", "croissant.json")]
    out = [*papers, *(file for file in tmp_path.rglob("*") if file.is_file())]
    assert len(out) > 20
    for file in out:
        assert str(made).encode() not in file.read_bytes(), file
    card = papers[0].read_text(encoding="utf-8")
    assert "12 files do not lie here" in card
    with papers[1].open(encoding="utf-8", newline="") as stream:
        credited = [row["path"] for row in csv.DictReader(stream)]
    (shard,) = (tmp_path / "hub" / "audio").glob("*.parquet")
    named = pq.read_table(shard, columns=["path"])["path"].to_pylist()
    assert set(named) <= set(credited)
    assert len(set(credited)) == 12


def test_a_benchmark_with_its_media_names_no_place(made: Path, tmp_path: Path) -> None:
    from biovita.dataset.split import split_dataset

    split_dataset(made / "imported", unseen=2)
    build_benchmark(made / "imported", out=tmp_path / "bench", media="copy", allow_outside=True)
    for file in (each for each in (tmp_path / "bench").rglob("*") if each.is_file()):
        assert str(made).encode() not in file.read_bytes(), file


def test_a_plan_is_shown_without_places() -> None:
    plan = (
        '[[sources]]\npath = "/home/ann/birds"\n[[sources]]\npath = "C:\\\\Users\\\\ann\\\\frogs"\n'
        '[[sources]]\npath = "here/x"\n'
    )
    shown = tomllib.loads(shown_plan(plan) or "")
    assert [source["path"] for source in shown["sources"]] == [".../birds", ".../frogs", "here/x"]


def test_two_files_of_a_name_stay_two() -> None:
    paths = {
        shown_path(f"/home/ann/{folder}/a.wav", hash_) for folder, hash_ in (("x", "0" * 64), ("y", "1" * 64))
    }
    assert paths == {"outside/000000000000/a.wav", "outside/111111111111/a.wav"}
    assert shown_path("media/a.wav", "0" * 64) == "media/a.wav"


def test_a_folder_in_a_plan_keeps_source_and_id_of_its_rows(made: Path) -> None:
    planned, alone = Dataset.open(made / "built"), Dataset.open(made / "imported")
    for name in ("audio", "images"):
        credited = [
            sorted(zip(*(table[column].to_pylist() for column in ("sha256", "source", "source_id")), strict=True))
            for table in (planned.table(name), alone.table(name))
        ]
        assert credited[0] == credited[1]
        groups = set(planned.table(name)["group_id"].to_pylist())
        assert groups == {f"folder:{group}" for group in alone.table(name)["group_id"].to_pylist()}


def test_a_row_without_a_source_is_of_the_plans_source(tmp_path: Path) -> None:
    src = make_folder(tmp_path / "src", 1)
    for table, source, number in (("audio", "", ""), ("images", "", "7")):
        file = src / f"{table}.csv"
        lines = [line.split(",") for line in file.read_text(encoding="utf-8").splitlines()]
        for line in lines[1:]:
            line[7:9] = [source, number]
        file.write_text("".join(f"{','.join(line)}\n" for line in lines), encoding="utf-8")
    (tmp_path / "plan.toml").write_text(
        'name = "p"\n[[sources]]\nkind = "folder"\npath = "src"\nname = "field"\n', encoding="utf-8"
    )
    build(tmp_path / "plan.toml", tmp_path / "out")
    dataset = Dataset.open(tmp_path / "out")
    assert dataset.info["name"] == "p"
    assert set(dataset.audio["source"].to_pylist()) == set(dataset.images["source"].to_pylist()) == {"field"}
    assert all(number.startswith("audio/") for number in dataset.audio["source_id"].to_pylist())
    assert set(dataset.images["source_id"].to_pylist()) == {"7"}
