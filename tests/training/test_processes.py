"""Two processes that train together, each with whole towers or with a share of them."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from safetensors.torch import load_file

from biovita.dataset import Dataset
from biovita.errors import BiovitaError, DatasetError, ModelError
from biovita.model import load_model
from biovita.training import TowersRecipe
from support.forked import METHOD
from support.small_runs import losses, run_tiny, tiny_recipe, without_chance
from support.tiny_training import read_log, write_tiny

HALVES = {"phases.warmup.batch_size": 3, "phases.full.batch_size": 3}
LINEAGE = {"text.features": ["lineage"], "phases.atc.adapter.learning_rate": 0.01}
WAYS = {None: ("plain", "in turns"), 1: ("plain", "sharded")}  # by items that a tower takes


def _join(rank: int, port: int, *, chance: bool = False) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    if not chance:
        without_chance()


def _leave() -> None:
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def _in_two_processes(worker: Callable[..., None], *arguments: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.start_processes(worker, args=(port, *arguments), nprocs=2, start_method=METHOD)


def _worker(rank: int, port: int, towers: str, data: str, out: str) -> None:
    _join(rank, port)
    run_tiny(tiny_recipe(2, Path(towers), **HALVES), Dataset.open(Path(data)), Path(out), start=Path(towers))
    _leave()


@pytest.mark.slow
def test_two_processes_train_as_one(towers: Path, dataset: Dataset, plain: Path, tmp_path: Path) -> None:
    _in_two_processes(_worker, str(towers), str(dataset.path), str(tmp_path / "two"))
    assert losses(read_log(tmp_path / "two")) == pytest.approx(losses(read_log(plain)), abs=2e-5)
    first, second = (load_model(path / "last", "cpu") for path in (plain, tmp_path / "two"))
    torch.testing.assert_close(
        first.towers["audio"].adapter.weight, second.towers["audio"].adapter.weight, rtol=1e-3, atol=2e-5
    )


def _knowing_worker(rank: int, port: int, towers: str, data: str, out: str) -> None:
    _join(rank, port)
    for name, settings in (("two", {}), ("sharded", {"sharded": True, "chunk": 1})):
        chosen = tiny_recipe(1, Path(towers), **LINEAGE, **settings, **{"phases.atc.batch_size": 3})
        run_tiny(chosen, Dataset.open(Path(data)), Path(out) / name)
    _leave()


@pytest.mark.slow
def test_two_processes_train_the_map_of_lineage_as_one(
    towers: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_chance(monkeypatch.setattr)
    run_tiny(tiny_recipe(1, towers, **LINEAGE), dataset, tmp_path / "one")
    _in_two_processes(_knowing_worker, str(towers), str(dataset.path), str(tmp_path))
    learned = {
        name: load_file(tmp_path / name / "last" / "model.safetensors")["text_facts.weight"]
        for name in ("one", "two", "sharded")
    }
    assert learned["one"].abs().max() > 0.01
    for name in ("two", "sharded"):
        assert losses(read_log(tmp_path / name)) == pytest.approx(losses(read_log(tmp_path / "one")), abs=2e-5)
        torch.testing.assert_close(learned[name], learned["one"], rtol=1e-3, atol=2e-5)


def _stopping_worker(rank: int, port: int, towers: str, data: str, bad: str, out: str) -> None:
    _join(rank, port, chance=True)
    place, start = Path(out), Path(towers)
    chosen = tiny_recipe(2, start, checkpoint_steps=2, **HALVES)
    run_tiny(chosen, Dataset.open(Path(data)), place / "whole", start=start)
    for stop in (2, 7, None):
        run_tiny(chosen, Dataset.open(Path(data)), place / "parts", start=start, stop_after=stop)
    many = {"undecodable": 0.1, "phases.atc.batch_size": 3}
    with pytest.raises(DatasetError, match="2 of 18 audio training items cannot be decoded"):
        run_tiny(tiny_recipe(1, start, **many), Dataset.open(Path(bad)), place / "failing")
    (place / f"heard-{rank}").touch()
    _leave()


@pytest.mark.slow
def test_two_processes_go_on_as_if_never_stopped_and_count_failures_together(
    towers: Path, dataset: Dataset, tmp_path: Path
) -> None:
    bad = write_tiny(tmp_path / "bad")
    for name in ("t0-0", "t0-1"):  # each process is given one of them
        (bad.path / "media" / f"{name}.wav").write_text("<html>not found</html>")
    _in_two_processes(_stopping_worker, str(towers), str(dataset.path), str(bad.path), str(tmp_path))
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("whole", "parts")]
    assert losses(list(map(json.loads, logs[0]))) == losses(list(map(json.loads, logs[1])))
    files = [tmp_path / name / "last" / "model.safetensors" for name in ("whole", "parts")]
    assert files[0].read_bytes() == files[1].read_bytes(), "with dropout and batch norms in training mode"
    assert sorted(path.name for path in tmp_path.glob("heard-*")) == ["heard-0", "heard-1"]


def _sharding_worker(rank: int, port: int, towers: str, data: str, out: str) -> None:
    _join(rank, port)
    dataset = Dataset.open(Path(data))
    for chunk in (None, 1):
        settings = {**HALVES, "validate_epochs": int(chunk is None), "checkpoint_steps": 2, "chunk": chunk}
        plain, sharded = (tiny_recipe(2, Path(towers), **settings, sharded=shared) for shared in (False, True))
        ways: dict[str, list[tuple[TowersRecipe, int | None]]] = {
            "plain": [(plain, None)],
            "sharded": [(sharded, None)],
            "in turns": [(sharded, 3), (sharded, 5), (plain, 7), (sharded, None)],
        }
        for name in WAYS[chunk]:
            for chosen, stop in ways[name]:
                run_tiny(chosen, dataset, Path(out) / str(chunk) / name, start=Path(towers), stop_after=stop)
    _leave()


@pytest.mark.slow
def test_sharded_towers_train_as_whole_ones(towers: Path, tmp_path: Path) -> None:
    dataset = write_tiny(tmp_path / "data", unseen=2)
    _in_two_processes(_sharding_worker, str(towers), str(dataset.path), str(tmp_path))
    for chunk, (first, *others) in WAYS.items():
        place = tmp_path / str(chunk)
        plain = read_log(place / first)
        weights = load_file(place / first / "last" / "model.safetensors")
        assert {line["kind"] for line in plain} == ({"step"} if chunk else {"step", "validation"})
        for name in others:
            run = place / name
            log = read_log(run)
            for value in ("loss", "gradient_norm"):
                mine, theirs = losses(log, value), losses(plain, value)
                assert mine[:2] == pytest.approx(theirs[:2], rel=1e-6)
                assert mine == pytest.approx(theirs, rel=1e-5), "what AdamW makes of rounding"
            assert [line["unseen"] for line in log if line["kind"] == "validation"] == [
                line["unseen"] for line in plain if line["kind"] == "validation"
            ]
            for kept in ("last",) if chunk else ("last", "best"):
                assert set(load_file(run / kept / "model.safetensors")) == set(weights)
            last = load_file(run / "last" / "model.safetensors")
            # Softmax does not depend on the keys' biases: their gradients are rounding, which AdamW scales up.
            held = [name for name in weights if not name.endswith("key.bias") and "in_proj_bias" not in name]
            torch.testing.assert_close(
                {name: last[name] for name in held}, {name: weights[name] for name in held}, rtol=1e-5, atol=1e-5
            )


def test_sharding_wants_several_processes_and_what_it_can_share(
    towers: Path, dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="Start several with torchrun"):
        run_tiny(tiny_recipe(1, towers, sharded=True), dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    for other in ({"compiled": True}, {"precision": "fp16"}):
        with pytest.raises(BiovitaError, match=r"sharded = True: .*in fp32 or bf16 only, and not when compiled"):
            tiny_recipe(1, towers, sharded=True, **other)
