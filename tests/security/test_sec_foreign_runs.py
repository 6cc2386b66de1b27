"""Embeddings, runs and training directories that someone else made: read plainly, and nothing of others is touched."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file

from biovita.benchmark import benchmark_from_split
from biovita.benchmark.item_vectors import benchmark_items, item_vectors
from biovita.benchmark.layout import write_benchmark
from biovita.benchmark.reader import read_benchmark
from biovita.dataset import split_dataset
from biovita.embedding import Vectors
from biovita.errors import BiovitaError, DatasetError
from biovita.modality import Modality
from biovita.model import describe
from support.bench_cases import write_small
from support.forked import finish, start
from support.hostile import run_many
from support.tiny_training import write_tiny, write_towers


def lance_table(columns: dict[str, Any], metadata: str) -> Callable[[Path], object]:
    table = pa.table(columns).replace_schema_metadata({b"biovita": metadata})
    return lambda folder: lance.write_dataset(table, str(folder / "text.lance"))


@pytest.mark.slow
def test_embeddings_of_every_odd_kind_are_plain_errors_of_embed(tmp_path: Path) -> None:
    write_small(tmp_path / "small", taxa=4, per_species=1)
    info = describe("starter").encoders[Modality.TEXT]
    made = json.dumps(
        {"tower": info.name, "revision": info.revision, "dim": info.dim, "preprocessing": info.preprocessing}
    )

    def vectors(dim: int) -> pa.Array:
        return pa.FixedSizeListArray.from_arrays(pa.array(np.ones(2 * dim, np.float32)), dim)

    def failed(**columns: list[Any]) -> Callable[[Path], object]:
        return lambda folder: pq.write_table(pa.table(columns), folder / "failed.parquet")

    def spoiled(folder: Path) -> None:
        lance_table({"id": ["a", "b"], "vector": vectors(info.dim)}, made)(folder)
        for file in (folder / "text.lance" / "data").iterdir():
            file.write_bytes(b"x" * file.stat().st_size)

    cases: list[Callable[[Path], object]] = [
        lambda folder: (folder / "failed.parquet").write_bytes(b"PAR1 nothing"),
        failed(a=[1]),
        failed(modality=["video"], id=["a"], reason=["x"], detail=["x"]),
        failed(modality=[[1]], id=[{"a": 1}], reason=[None], detail=[2.5]),
        lance_table({"x": [1]}, made),
        lance_table({"id": [1, 2], "vector": vectors(info.dim)}, made),
        lance_table({"id": [[1], [2]], "vector": vectors(info.dim)}, made),
        lance_table({"id": ["a", None], "vector": vectors(info.dim)}, made),
        lance_table({"id": ["a", "b"]}, made),
        lance_table({"id": ["a", "b"], "vector": vectors(3)}, made),
        lance_table({"id": ["a", "b"], "vector": vectors(3)}, "[" * 100_000),
        lance_table({"id": ["a", "b"], "vector": vectors(3)}, '{"tower": 1}'),
        lambda folder: (folder / "text.lance").write_text("x"),
        spoiled,
    ]
    commands = []
    for number, make in enumerate(cases):
        place = tmp_path / f"case{number}"
        shutil.copytree(tmp_path / "small", place)
        (place / "embeddings" / "starter").mkdir(parents=True)
        make(place / "embeddings" / "starter")
        commands.append(["embed", str(place), "--modality", "text", "--device", "cpu"])
    said = "".join(run_many(tmp_path, commands, mib=2600))
    assert said.lower().count("remove it") == len(cases)


class Words:
    """A model of others."""

    name = "words"

    def embed_texts(self, items: list[str]) -> np.ndarray:
        return np.array([[len(item), 1.0] for item in items])


def benchmark_of(tmp_path: Path) -> Path:
    dataset = write_tiny(tmp_path / "tiny", species=8, unseen=3)
    split_dataset(dataset, unseen=3, seed=3, held_out=0.4)
    return write_benchmark(benchmark_from_split(dataset), tmp_path / "bench")


def score_texts(bench: Path, out: Path) -> Mapping[Modality, Vectors]:
    benchmark = read_benchmark(bench)
    items = benchmark_items(benchmark, [Modality.TEXT], benchmark.ids(Modality.TEXT))
    return item_vectors(Words(), items, None, out / "vectors", name="words", progress=False).vectors


@pytest.mark.slow
def test_vectors_that_a_benchmark_brings_are_plain_errors_of_a_run(tmp_path: Path) -> None:
    bench = benchmark_of(tmp_path)
    whole = score_texts(bench, tmp_path / "whole")
    made = {"tower": "words text", "revision": "", "dim": 2, "preprocessing": ""}
    ids, two = ["a", "b"], pa.FixedSizeListArray.from_arrays(pa.array(np.ones(4, np.float32)), 2)
    cases: list[Callable[[Path], object]] = [
        lambda folder: (folder / "text.lance").write_text("x"),
        lance_table({"id": ids, "vector": two}, "[" * 100_000),
        lance_table({"id": ids, "vector": two}, json.dumps({**made, "dim": "2"})),
        lance_table({"id": ids, "vector": two}, json.dumps({**made, "dim": 10**12})),
        lance_table({"id": [1, 2], "vector": two}, json.dumps(made)),
        lance_table({"id": ids, "vector": ["x", "y"]}, json.dumps(made)),
        lance_table({"x": [1]}, json.dumps(made)),
    ]
    for number, make in enumerate(cases):
        place = tmp_path / f"case{number}" / "vectors"
        place.mkdir(parents=True)
        make(place)
        with pytest.raises(BiovitaError, match=r"text\.lance"):
            score_texts(bench, place.parent)
    odd = tmp_path / "old" / "vectors"
    odd.mkdir(parents=True)
    for name in ("text.npy", "text.ids.json", "model.json"):
        (odd / name).write_text("[" * 100_000)
    again = score_texts(bench, odd.parent)
    assert list(again[Modality.TEXT].ids) == list(whole[Modality.TEXT].ids)


@pytest.mark.slow
def test_a_run_leads_nowhere_else(tmp_path: Path) -> None:
    bench = benchmark_of(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    for name in ("scores", "ranks", "page"):
        (home / name).write_text("mine")
    files, folders, tables = (tmp_path / name for name in ("files", "folders", "tables"))
    for place in (files, folders, tables / "vectors"):
        place.mkdir(parents=True)
    (files / "scores.csv").symlink_to(home / "scores")
    (files / "ranks.parquet").symlink_to(home / "ranks")
    (files / "report.html").symlink_to(home / "page")
    (folders / "vectors").symlink_to(home)
    (tables / "vectors" / "text.lance").symlink_to(home)
    run_many(tmp_path, [["bench", "run", bench, "--model", "random:8", "--out", files]], code=0)
    for place in (folders, tables):
        with pytest.raises(DatasetError, match="is a link"):
            score_texts(bench, place)
    assert {file.name: file.read_text() for file in home.iterdir()} == dict.fromkeys(
        ("scores", "ranks", "page"), "mine"
    )


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with towers, a dataset and a run that has ended."""
    home = tmp_path_factory.mktemp("begun")
    write_towers(home / "towers")
    write_tiny(home / "tiny")
    train(home, home / "run")
    return home


def train(home: Path, run: Path) -> None:
    """Run the command in a process of its own, and assert that it ends well."""
    said = run.with_name("said")
    code = finish(start(training(home, run), said))
    assert code == 0, said.read_text()
    assert "Traceback" not in said.read_text()


def training(home: Path, out: Path) -> list[str]:
    settings = (
        "audio_model=none pairs.at_most=4 pairs.at_least=2 validate_epochs=0 phases.atc.epochs=1 "
        "phases.atc.batch_size=6 checkpoint_steps=1"
    )
    return [
        *("train", "paper/stage1", "--data", str(home / "tiny"), "--out", str(out), "--device", "cpu"),
        *("--set", *settings.split(), f"model={home / 'towers'}"),
    ]


def restate(run: Path, **state: Any) -> Path:
    """Leave the newest checkpoint of a run alone, with other fields and hashes that are right; return it."""
    *old, last = sorted((run / "checkpoints").iterdir())
    for each in old:
        shutil.rmtree(each)
    content = json.loads((last / "state.json").read_text())
    content["state"] |= state
    content["state_sha256"] = hashlib.sha256(json.dumps(content["state"], sort_keys=True).encode()).hexdigest()
    for name in content["files"]:
        content["files"][name] = hashlib.sha256((last / name).read_bytes()).hexdigest()
    (last / "state.json").write_text(json.dumps(content))
    return last


MIDDLE = {"done": False, "phase": 0, "epoch": 0, "step": 1, "batch": 1, "total": 1}


def weights(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def edit(run: Path) -> None:
        file = restate(run) / "weights.safetensors"
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file)
        restate(run)

    return edit


def optimiser(content: Any) -> Callable[[Path], object]:
    def edit(run: Path) -> None:
        torch.save(content, restate(run) / "optimiser.pt")
        restate(run, **MIDDLE)

    return edit


@pytest.mark.slow
def test_a_run_of_every_odd_kind_is_told_plainly(begun: Path, tmp_path: Path) -> None:
    states: list[dict[str, Any]] = [
        {"x": 1}, {"phase": "a"}, {"phase": -1}, {"total": "x"}, {"batch": 1.5}, {"failures": [["x"]]},
        {"failures": [["video", "a", "b"]]}, {"scaler": [1]}, {"gate": {"x": 1}}, {"best": []},
    ]  # fmt: skip
    cases: list[Callable[[Path], object]] = [
        *(lambda run, state=state: restate(run, **state) for state in states),
        weights(lambda tensors: tensors.update(odd=torch.zeros(3))),
        weights(lambda tensors: tensors.pop(next(iter(tensors)))),
        weights(lambda tensors: tensors.update({next(iter(tensors)): torch.zeros(3, 1, 2)})),
        *map(optimiser, ([1], {"a": 1}, torch.zeros(2), {"state": {}, "param_groups": []})),
        optimiser({"state": {0: {"exp_avg": torch.zeros(1).expand(10**12)}}, "param_groups": []}),
        lambda run: (run / "run.json").write_text("[]"),
    ]
    commands = []
    for number, edit in enumerate(cases):
        run = tmp_path / f"run{number}"
        shutil.copytree(begun / "run", run)
        edit(run)
        commands.append(training(begun, run))
    run_many(tmp_path, commands, mib=2600)


@pytest.mark.slow
def test_a_log_of_every_odd_kind_costs_its_lines(begun: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(begun / "run", run)
    good = (run / "log.jsonl").read_text()
    odd = [
        '{"kind": "step", "total": 0}',
        '{"kind": [], "total": 0}',
        '{"kind": "validation", "total": 1, "seen": 7}',
    ]
    odd += [good.splitlines()[0].replace('"weights": ', '"weights": 7, "more": ')]
    odd += [good.splitlines()[0].replace('"loss": ', '"loss": "x", "more": ')]
    (run / "log.jsonl").write_text("\n".join(odd) + "\n" + good)
    restate(run, **MIDDLE)
    train(begun, run)
    assert len((run / "log.jsonl").read_text().splitlines()) == len(good.splitlines())
    (run / "log.jsonl").unlink()
    train(begun, run)


@pytest.mark.slow
def test_a_run_that_links_elsewhere_is_not_gone_on_with(begun: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for number in range(3):
        (home / f"step-{number:08d}").mkdir(parents=True)
        (home / f"step-{number:08d}" / "mine").write_text("mine")
    commands = []
    for name in ("checkpoints", "tensorboard", ".last.part", "checkpoints/step-00000000", "best"):
        run = tmp_path / name.replace("/", "-").lstrip(".")
        shutil.copytree(begun / "run", run)
        restate(run, **MIDDLE)
        shutil.rmtree(run / name, ignore_errors=True)
        (run / name).symlink_to(home)
        commands += [training(begun, run), [*training(begun, run), "--overwrite"]]
    said = run_many(tmp_path, commands, mib=2600)
    assert all("is a link to" in each for each in said[:-1])
    assert len(list(home.glob("step-*/mine"))) == len(list(home.iterdir())) == 3


@pytest.mark.slow
def test_a_start_of_other_towers_or_an_odd_bias_is_told_plainly(tmp_path: Path) -> None:
    split_dataset(write_small(tmp_path / "small"), unseen=8, seed=3, held_out=0.4)
    towers = {
        str(modality): {"name": info.name, "revision": info.revision, "dim": info.dim}
        for modality, info in describe("starter").encoders.items()
    }
    configs: list[dict[str, Any]] = [
        {"towers": {name: ref for name, ref in towers.items() if name != "audio"}},
        {"towers": {**towers, "audio": {**towers["audio"], "dim": 3}}},
        {"towers": {**towers, "audio": towers["image"]}},
        *({"record": {"logit_bias": bias}} for bias in ("x", {}, 10**400, True)),
    ]
    commands = []
    for number, changes in enumerate(configs):
        model = tmp_path / f"model{number}"
        model.mkdir()
        config = {"name": "x", "dim": 64, "logit_scale": 10.0, "towers": towers, "record": {}, **changes}
        (model / "config.json").write_text(json.dumps(config))
        commands.append(
            [
                *("train", "starter/stage2", "--data", str(tmp_path / "small")),
                *("--out", str(tmp_path / "out"), "--start", str(model), "--set", "dim=64", "text.features=none"),
            ]
        )
    said = run_many(tmp_path, commands)
    assert "was trained without recordings" in said[0]
    assert all("was not trained on the towers of" in each for each in said[1:3])
    assert all("record.logit_bias has to be a number" in each for each in said[3:-1])


@pytest.mark.slow
def test_ranks_of_tasks_that_there_are_not_are_not_compared(tmp_path: Path) -> None:
    row = {"query": "a", "correct": "x", "retrieved": "x", "rank": 1, "candidates": 2, "offered": "0"}
    task = {"part": "seen", "direction": "A2T", "level": "species"}
    many = [{**row, **task, "part": f"p{number}"} for number in range(20_000)]
    cases = {
        "many": many,
        "direction": [{**row, **task, "direction": "X2Y"}],
        "level": [{**row, **task, "level": "z"}],
    }
    for name, rows in cases.items():
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{name}.parquet")
    files = [str(tmp_path / f"{name}.parquet") for name in cases]
    said = run_many(tmp_path, [["bench", "compare", file, file] for file in files])
    assert "20,000 parts" in said[0]
    assert all("there is no " in each for each in said[1:3])
