"""Training small real towers through the published stages."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as mp
from safetensors import safe_open
from safetensors.torch import load_file

from biovita.dataset import Dataset
from biovita.errors import BiovitaError, DatasetError, ModelError
from biovita.modality import Modality
from biovita.model import load_model, write_model
from biovita.publish.pack import pack, state_packed
from biovita.towers.open_clip import OpenClipImage, OpenClipText
from biovita.training import TowersRecipe, recipe
from biovita.training.towers.networks import starting_model
from biovita.training.towers.parts import train_towers
from support.forked import METHOD, finish, start
from support.published_layouts import make, write_open_clip
from support.tiny_training import write_tiny, write_towers

FEW = {"audio_model": "none", "pairs.at_most": 4, "pairs.at_least": 2, "validate_epochs": 0}
STAGE1 = {**FEW, "phases.atc.epochs": 1, "phases.atc.batch_size": 6}
STAGE2 = {
    **FEW,
    "phases.warmup.epochs": 1,
    "phases.warmup.batch_size": 6,
    "phases.full.epochs": 1,
    "phases.full.batch_size": 6,
    "phases.full.gate.batches": 2,
}


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_towers(tmp_path_factory.mktemp("towers") / "small")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_tiny(tmp_path_factory.mktemp("data") / "tiny")


def _recipe(stage: int, towers: Path, **settings: Any) -> TowersRecipe:
    base = STAGE1 if stage == 1 else STAGE2
    return recipe(f"paper/stage{stage}", {**base, "model": str(towers), **settings}, TowersRecipe)


def _losses(log: list[dict[str, Any]], name: str = "loss") -> list[float]:
    return [line[name] for line in log if line["kind"] == "step"]


def _run(chosen: TowersRecipe, dataset: Dataset, out: Path, **options: Any) -> list[dict[str, Any]]:
    return train_towers(chosen, dataset, out, device="cpu", progress=False, **options)


def _log(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(towers: Path, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run through both phases of stage 2 that nothing stopped."""
    out = tmp_path_factory.mktemp("whole") / "run"
    _run(_recipe(2, towers), dataset, out, start=towers)
    return out


@pytest.fixture(scope="module")
def plain(towers: Path, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without chance: in one process, in single precision, with whole batches, not compiled."""
    out = tmp_path_factory.mktemp("plain") / "run"
    with pytest.MonkeyPatch.context() as patch:
        _without_chance(patch.setattr)
        _run(_recipe(2, towers), dataset, out, start=towers)
    return out


def test_the_audio_model_is_the_one_that_is_named(towers: Path, tmp_path: Path) -> None:
    changed = load_model(towers, "cpu")
    with torch.no_grad():
        changed.towers["audio"].network.audio_projection.linear1.weight.mul_(2)
    other = write_model(changed, tmp_path / "other")
    own, named = (
        starting_model(_recipe(1, towers, audio_model=audio), None, "cpu").towers for audio in ("none", str(other))
    )
    theirs = load_model(other, "cpu").towers["audio"].network.state_dict()
    weight = "audio_projection.linear1.weight"
    assert torch.equal(named["audio"].network.state_dict()[weight], theirs[weight])
    assert not torch.equal(own["audio"].network.state_dict()[weight], theirs[weight])
    assert not torch.equal(own["audio"].adapter.weight, named["audio"].adapter.weight), "a new adapter"
    assert torch.equal(*(each["image"].clip.network.visual.proj for each in (own, named)))


@pytest.mark.slow
def test_both_stages_and_what_each_leaves_alone(towers: Path, dataset: Dataset, tmp_path: Path) -> None:
    log = _run(_recipe(1, towers, **{"phases.atc.epochs": 2}), dataset, tmp_path / "one")
    assert len(log) == 2 * 3
    assert log[0]["temperature"] == pytest.approx(0.07, rel=1e-3)
    assert _losses(log)[-1] < _losses(log)[0]
    before, after = (load_model(path, "cpu") for path in (towers, tmp_path / "one" / "last"))
    for modality in ("image", "text"):
        same = zip(
            before.towers[modality].clip.network.parameters(),
            after.towers[modality].clip.network.parameters(),
            strict=True,
        )
        assert all(torch.equal(one, other) for one, other in same)
    assert not torch.equal(before.towers["audio"].adapter.weight, after.towers["audio"].adapter.weight)

    log = _run(_recipe(2, towers), dataset, tmp_path / "two", start=tmp_path / "one" / "last")
    warm = [line for line in log if line["phase"] == "warmup"]
    full = [line for line in log if line["phase"] == "full"]
    assert len(warm) == len(full) == 4
    assert [line["weights"] for line in warm] == [{"atc": 0.8, "aic": 0.2, "itc": 0.0}] * 4
    assert all(line["gate"] is None for line in warm)
    assert [line["temperature"] for line in full] == pytest.approx([0.2] * 4), "reset, and not trained before 600"
    assert full[0]["weights"] == {"atc": 1.0, "aic": 0.0, "itc": 0.0}
    assert "aic" not in full[0]
    if full[1]["gate"]["open"]:
        assert full[1]["weights"]["itc"] == pytest.approx(0.1 / 300)
    last = load_model(tmp_path / "two" / "last", "cpu")
    assert last.logit_scale == pytest.approx(5.0)
    assert not torch.equal(
        last.towers["text"].clip.network.text_projection, after.towers["text"].clip.network.text_projection
    )
    assert torch.equal(
        last.towers["image"].clip.network.visual.proj, after.towers["image"].clip.network.visual.proj
    )


@pytest.mark.slow
def test_stage0_aligns_photographs_and_names_and_stage1_goes_on_from_it(
    towers: Path, dataset: Dataset, tmp_path: Path
) -> None:
    settings = {**FEW, "model": str(towers), "phases.itc.epochs": 4, "phases.itc.batch_size": 6}
    log = _run(recipe("scratch/stage0", settings, TowersRecipe), dataset, tmp_path / "zero")
    assert len(log) == 4 * 3
    assert "atc" not in log[0]
    assert _losses(log)[-1] < 0.8 * _losses(log)[0]
    before, after = (load_model(path, "cpu").towers for path in (towers, tmp_path / "zero" / "last"))
    one, other = (model["image"].clip.network for model in (before, after))
    assert not torch.equal(one.visual.proj, other.visual.proj)
    assert not torch.equal(one.text_projection, other.text_projection)
    hearing = zip(before["audio"].network.parameters(), after["audio"].network.parameters(), strict=True)
    assert all(torch.equal(old, new) for old, new in hearing)
    begin = tmp_path / "zero" / "last"
    with pytest.raises(ModelError, match="has other image or text towers than"):
        _run(_recipe(1, towers), dataset, tmp_path / "one", start=begin)
    _run(_recipe(1, towers, cached=False), dataset, tmp_path / "one", start=begin)
    assert torch.equal(
        load_model(tmp_path / "one" / "last", "cpu").towers["image"].clip.network.visual.proj, other.visual.proj
    )


@pytest.mark.slow
def test_a_clap_model_joins_a_clip_model_through_a_new_adapter(dataset: Dataset, tmp_path: Path) -> None:
    made = make()
    clip = write_open_clip(made.clip, tmp_path / "clip")
    made.clap.save_pretrained(tmp_path / "clap")
    chosen = _recipe(1, clip, audio_model=str(tmp_path / "clap"))
    log = _run(chosen, dataset, tmp_path / "run")
    assert len(log) == 3
    last = load_model(tmp_path / "run" / "last", "cpu")
    assert last.dim(Modality.AUDIO) == last.dim(Modality.TEXT) == 48
    assert last.towers[Modality.AUDIO].loader.window == "onset", "the published window, not CLAP's own"
    other = write_open_clip(make(seed=1).clip, tmp_path / "other")
    with pytest.raises(ModelError, match="has other image or text towers than"):
        _run(_recipe(2, other), dataset, tmp_path / "two", start=tmp_path / "run" / "last")


@pytest.mark.slow
def test_cached_and_uncached_frozen_towers_give_the_same_losses(
    towers: Path, dataset: Dataset, whole: Path, tmp_path: Path
) -> None:
    assert _recipe(2, towers).cached
    cached = _losses(_log(whole))
    uncached = _losses(_run(_recipe(2, towers, cached=False), dataset, tmp_path / "run", start=towers))
    assert len(cached) == 8
    assert cached == pytest.approx(uncached, abs=1e-5)


@pytest.mark.slow
def test_packed_media_give_the_losses_of_files(towers: Path, dataset: Dataset, tmp_path: Path) -> None:
    shutil.copytree(dataset.path, tmp_path / "packed")
    packed = Dataset.open(tmp_path / "packed")
    pack(packed, str(tmp_path / "media.lance"))
    state_packed(packed, str(tmp_path / "media.lance"))
    shutil.rmtree(packed.path / "media")
    chosen = _recipe(2, towers, cached=False)  # photographs are decoded in every step
    one, other = (
        _losses(_run(chosen, data, tmp_path / name, start=towers))
        for name, data in (("a", dataset), ("b", packed))
    )
    assert len(one) == 8
    assert one == other


@pytest.mark.slow
@pytest.mark.parametrize("stage", [1, 2])
def test_pieces_give_the_losses_of_the_whole_batch(
    stage: int, towers: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without dropout, and with batch norm as in evaluation, which a piece would else give other statistics."""
    from biovita.training.towers.networks import Networks

    monkeypatch.setattr(Networks, "set_trainable", Networks.set_trainable)  # put back at the end
    _without_chance()
    curves = [
        _losses(_run(_recipe(stage, towers, chunk=chunk), dataset, tmp_path / str(chunk), start=towers))
        for chunk in (None, 4)
    ]
    assert curves[0] == pytest.approx(curves[1], abs=2e-5)
    assert curves[0][0] != curves[0][-1]


@pytest.mark.slow
def test_a_text_that_comes_twice_in_a_batch_is_encoded_once(
    towers: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[torch.Tensor] = []
    forward = OpenClipText.forward
    monkeypatch.setattr(OpenClipText, "forward", lambda self, x: (encoded.append(x), forward(self, x))[1])
    chosen = _recipe(1, towers, cached=False, **{"phases.atc.batch_size": 18})
    log = _run(chosen, dataset, tmp_path / "run")
    assert [line["pairs"] for line in log] == [18]
    (tokens,) = encoded
    assert len(tokens) == len(tokens.unique(dim=0)) < 18


@pytest.mark.slow
def test_a_stopped_run_ends_as_one_that_was_not(
    towers: Path, dataset: Dataset, whole: Path, tmp_path: Path
) -> None:
    chosen = _recipe(2, towers, checkpoint_steps=3)
    for steps in (2, 5, 7):
        _run(chosen, dataset, tmp_path / "parts", start=towers, stop_after=steps)
    parts = _run(chosen, dataset, tmp_path / "parts", start=towers)
    assert _losses(parts) == _losses(_log(whole))
    files = [path / "last" / "model.safetensors" for path in (whole, tmp_path / "parts")]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.slow
def test_a_damaged_checkpoint_is_passed_over_and_named(
    towers: Path, dataset: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = _recipe(1, towers, checkpoint_steps=1)
    whole = _run(chosen, dataset, tmp_path / "whole")
    _run(chosen, dataset, tmp_path / "run", stop_after=2)
    _run(chosen, dataset, tmp_path / "run", stop_after=3)
    newest = max((tmp_path / "run" / "checkpoints").iterdir())
    weights = newest / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    log = _run(chosen, dataset, tmp_path / "run")
    assert f"{newest} is damaged and is not used: weights.safetensors is not as it was written" in caplog.text
    assert _losses(log) == _losses(whole)


@pytest.mark.slow
def test_a_changed_state_is_a_damaged_checkpoint_and_does_not_stay(
    towers: Path, dataset: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = _recipe(1, towers, checkpoint_steps=1, **{"phases.atc.epochs": 2})
    checkpoints = tmp_path / "run" / "checkpoints"
    _run(
        chosen, dataset, tmp_path / "run", stop_after=5
    )  # the checkpoint of step 5 comes after the step that ends it
    names = sorted(path.name for path in checkpoints.iterdir())
    assert names == ["step-00000003", "step-00000004"]
    (checkpoints / ".step-00000005.0a").mkdir()
    state = checkpoints / names[1] / "state.json"
    state.write_text(state.read_text().replace('"step": 4', '"step": 5'))
    _run(chosen, dataset, tmp_path / "run", stop_after=4)
    assert (
        f"{checkpoints / names[1]} is damaged and is not used: state.json is not as it was written" in caplog.text
    )
    _run(chosen, dataset, tmp_path / "run", stop_after=5)
    assert sorted(path.name for path in checkpoints.iterdir()) == names, "written anew, and nothing else is left"
    assert json.loads(state.read_text())["state"]["step"] == 4


@pytest.mark.slow
def test_another_recipe_or_number_of_processes_does_not_continue_a_run(
    towers: Path, dataset: Dataset, tmp_path: Path
) -> None:
    _run(_recipe(1, towers), dataset, tmp_path / "run", stop_after=1)
    with pytest.raises(DatasetError, match="holds a run with another recipe"):
        _run(_recipe(1, towers, seed=5), dataset, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["processes"] == 1
    (tmp_path / "run" / "run.json").write_text(json.dumps({**record, "processes": 4}))
    with pytest.raises(DatasetError, match=r"a run of 4 processes.* torchrun --nproc-per-node 4"):
        _run(_recipe(1, towers), dataset, tmp_path / "run")


def test_validation_without_held_out_items_is_refused_at_once(
    towers: Path, dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=r"no held-out items to validate on.*--set validate_epochs=0"):
        _run(_recipe(1, towers, validate_epochs=1), dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_frozen_photographs_are_embedded_once_for_all_validations(
    towers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = write_tiny(tmp_path / "data", unseen=2)
    seen: list[int] = []
    encode = OpenClipImage.encode
    monkeypatch.setattr(OpenClipImage, "encode", lambda self, x: (seen.append(len(x)), encode(self, x))[1])
    log = _run(_recipe(1, towers, validate_epochs=1, **{"phases.atc.epochs": 3}), dataset, tmp_path / "run")
    assert sum(line["kind"] == "validation" for line in log) == 3
    assert sum(seen) == 2 * 3, "two held-out species with three photographs each"


@pytest.mark.slow
def test_undecodable_media_are_left_out_counted_and_end_the_run_above_the_share(
    towers: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = write_tiny(tmp_path / "data")
    (tmp_path / "data" / "media" / "t0-1.wav").write_text("<html>not found</html>")
    with pytest.raises(
        DatasetError, match=r"1 of 18 audio training items cannot be decoded, more than the 1\.00%"
    ):
        _run(_recipe(1, towers), dataset, tmp_path / "strict")
    log = _run(_recipe(1, towers, undecodable=0.1), dataset, tmp_path / "lenient")
    assert sum(line["pairs"] for line in log) == 17
    left_out = [json.loads(line) for line in (tmp_path / "lenient" / "left-out.jsonl").read_text().splitlines()]
    assert [(each["modality"], each["id"]) for each in left_out] == [("audio", "t0-1")]
    assert "t0-1.wav" in left_out[0]["why"]
    assert "1 training items could not be decoded and were left out" in caplog.text
    with pytest.raises(DatasetError, match=r"none of the 1 items of a batch can be decoded: .*t0-1\.wav"):
        _run(_recipe(1, towers, undecodable=0.1, **{"phases.atc.batch_size": 1}), dataset, tmp_path / "single")


@pytest.mark.slow
@pytest.mark.parametrize("cached", [True, False])
def test_an_undecodable_photograph_is_left_out_and_counted(towers: Path, tmp_path: Path, cached: bool) -> None:
    dataset = write_tiny(tmp_path / "data")
    (tmp_path / "data" / "media" / "t0-1.png").write_text("<html>not found</html>")
    settings = {"cached": cached, "pairs.at_most": 8}
    with pytest.raises(DatasetError, match="1 of 18 image training items cannot be decoded"):
        _run(_recipe(2, towers, **settings), dataset, tmp_path / "strict", start=towers)
    chosen = _recipe(2, towers, undecodable=0.1, **settings)
    log = _run(chosen, dataset, tmp_path / "lenient", start=towers)
    whole = 2 * 6 * 8  # two phases of eight pairs of each of six species
    assert 0 < whole - sum(line["pairs"] for line in log) <= 2 * 8
    state = json.loads(max((tmp_path / "lenient" / "checkpoints").glob("*/state.json")).read_text())["state"]
    assert [failure[:2] for failure in state["failures"]] == [["image", "t0-1"]]


@pytest.mark.slow
def test_the_gate_shuts_and_opens_alike_on_cached_and_uncached_frozen_towers(
    towers: Path, dataset: Dataset, tmp_path: Path
) -> None:
    gate = {"upper": 1e-6, "lower": 5e-7, "patience": 1, "alpha": 1.0}
    settings = {f"phases.full.gate.{name}": value for name, value in gate.items()}
    settings |= {"phases.full.epochs": 4, "phases.full.adapter.learning_rate": 0.3}
    logs = [
        _run(_recipe(2, towers, cached=cached, **settings), dataset, tmp_path / str(cached), start=towers)
        for cached in (True, False)
    ]
    full = [[line for line in log if line["phase"] == "full"] for log in logs]
    states = [[line["gate"]["open"] for line in lines] for lines in full]
    assert states[0] == states[1]
    assert set(states[0]) == {True, False}
    for line in full[0]:
        ramped = line["step"] / 300 * 0.1 if line["gate"]["open"] else 0.0
        assert line["weights"]["itc"] == pytest.approx(ramped)
        assert ("itc" in line) == (ramped > 0)
    assert _losses(logs[0]) == pytest.approx(_losses(logs[1]), abs=1e-5)


def _command(chosen: TowersRecipe, dataset: Dataset, towers: Path, out: Path, **changes: int) -> list[object]:
    settings = {**STAGE2, "model": towers, "checkpoint_steps": 2, **changes}
    command = ["train", chosen.name, "--data", dataset.path, "--out", out, "--start", towers, "--device", "cpu"]
    return [*command, "--set", *(f"{key}={value}" for key, value in settings.items())]


def _lines(out: Path) -> int:
    log = out / "log.jsonl"
    return log.read_text().count("\n") if log.is_file() else 0


@pytest.mark.slow
def test_the_same_command_after_kill_9_ends_with_the_same_weights(
    towers: Path, dataset: Dataset, whole: Path, tmp_path: Path
) -> None:
    out, said = tmp_path / "killed", tmp_path / "said"
    command = _command(_recipe(2, towers), dataset, towers, out)
    process = start(command, said)
    began = time.monotonic()
    while _lines(out) < 6 and process.is_alive() and time.monotonic() - began < 120:
        time.sleep(0.01)
    assert process.is_alive(), said.read_text()
    process.kill()
    assert finish(process) == -signal.SIGKILL
    assert not (out / "last").exists()
    assert finish(start(command, said)) == 0, said.read_text()
    files = [path / "last" / "model.safetensors" for path in (whole, out)]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert _lines(out) == _lines(whole)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_a_checkpoint_and_the_same_command_goes_on(
    towers: Path, dataset: Dataset, whole: Path, tmp_path: Path, number: int, code: int
) -> None:
    out, said = tmp_path / "stopped", tmp_path / "said"
    command = _command(_recipe(2, towers), dataset, towers, out, checkpoint_steps=1000)
    process = start(command, said)
    began = time.monotonic()
    while _lines(out) < 3 and process.is_alive() and time.monotonic() - began < 120:
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, number)
    assert finish(process) == code, said.read_text()
    assert f"stopped by {number.name} after" in said.read_text()
    assert list((out / "checkpoints").iterdir())
    assert not (out / "last").exists()
    assert finish(start(command, said)) == 0, said.read_text()
    files = [path / "last" / "model.safetensors" for path in (whole, out)]
    assert files[0].read_bytes() == files[1].read_bytes()
    steps = [line for line in (out / "log.jsonl").read_text().splitlines() if '"kind": "step"' in line]
    assert len({json.loads(line)["total"] for line in steps}) == len(steps)
    assert _lines(out) == _lines(whole)


def _without_chance(put: Callable[[Any, str, Any], None] = setattr) -> None:
    """Train as in evaluation mode: dropout differs from process to process, and so do the statistics of batch norm."""
    from biovita.training.towers.networks import Networks

    set_trainable = Networks.set_trainable

    def quiet(self: Networks, names: Any) -> None:
        set_trainable(self, names)
        self.eval()

    put(Networks, "set_trainable", quiet)


def _join(rank: int, port: int, *, chance: bool = False) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    if not chance:
        _without_chance()


def _leave() -> None:
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def _in_two_processes(worker: Callable[..., None], *arguments: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.start_processes(worker, args=(port, *arguments), nprocs=2, start_method=METHOD)


HALVES = {"phases.warmup.batch_size": 3, "phases.full.batch_size": 3}


def _worker(rank: int, port: int, towers: str, data: str, out: str) -> None:
    _join(rank, port)
    _run(_recipe(2, Path(towers), **HALVES), Dataset.open(Path(data)), Path(out), start=Path(towers))
    _leave()


@pytest.mark.slow
def test_two_processes_train_as_one(towers: Path, dataset: Dataset, plain: Path, tmp_path: Path) -> None:
    _in_two_processes(_worker, str(towers), str(dataset.path), str(tmp_path / "two"))
    assert _losses(_log(tmp_path / "two")) == pytest.approx(_losses(_log(plain)), abs=2e-5)
    first, second = (load_model(path / "last", "cpu") for path in (plain, tmp_path / "two"))
    torch.testing.assert_close(
        first.towers["audio"].adapter.weight, second.towers["audio"].adapter.weight, rtol=1e-3, atol=2e-5
    )


def _stopping_worker(rank: int, port: int, towers: str, data: str, bad: str, out: str) -> None:
    _join(rank, port, chance=True)
    place, start = Path(out), Path(towers)
    chosen = _recipe(2, start, checkpoint_steps=2, **HALVES)
    _run(chosen, Dataset.open(Path(data)), place / "whole", start=start)
    for stop in (2, 7, None):
        _run(chosen, Dataset.open(Path(data)), place / "parts", start=start, stop_after=stop)
    many = {"undecodable": 0.1, "phases.atc.batch_size": 3}
    with pytest.raises(DatasetError, match="2 of 18 audio training items cannot be decoded"):
        _run(_recipe(1, start, **many), Dataset.open(Path(bad)), place / "failing")
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
    assert _losses(list(map(json.loads, logs[0]))) == _losses(list(map(json.loads, logs[1])))
    files = [tmp_path / name / "last" / "model.safetensors" for name in ("whole", "parts")]
    assert files[0].read_bytes() == files[1].read_bytes(), "with dropout and batch norms in training mode"
    assert sorted(path.name for path in tmp_path.glob("heard-*")) == ["heard-0", "heard-1"]


def _sharding_worker(rank: int, port: int, towers: str, data: str, out: str) -> None:
    _join(rank, port)
    dataset = Dataset.open(Path(data))
    for chunk in (None, 1):
        settings = {**HALVES, "validate_epochs": 1, "checkpoint_steps": 2, "chunk": chunk}
        chosen, sharded = (_recipe(2, Path(towers), **settings, sharded=shared) for shared in (False, True))
        place = Path(out) / str(chunk)
        _run(chosen, dataset, place / "plain", start=Path(towers))
        _run(sharded, dataset, place / "sharded", start=Path(towers), stop_after=3)
        _run(sharded, dataset, place / "sharded", start=Path(towers))
        for first, then in ((sharded, chosen), (chosen, sharded)):
            _run(first, dataset, place / f"{first.sharded} first", start=Path(towers), stop_after=7)
            _run(then, dataset, place / f"{first.sharded} first", start=Path(towers))
    _leave()


@pytest.mark.slow
def test_sharded_towers_train_as_whole_ones(towers: Path, tmp_path: Path) -> None:
    dataset = write_tiny(tmp_path / "data", unseen=2)
    _in_two_processes(_sharding_worker, str(towers), str(dataset.path), str(tmp_path))
    for chunk in ("None", "1"):
        plain = _log(tmp_path / chunk / "plain")
        weights = load_file(tmp_path / chunk / "plain" / "last" / "model.safetensors")
        assert {line["kind"] for line in plain} == {"step", "validation"}
        for name in ("sharded", "True first", "False first"):
            run = tmp_path / chunk / name
            log = _log(run)
            for value in ("loss", "gradient_norm"):
                mine, theirs = _losses(log, value), _losses(plain, value)
                assert mine[:2] == pytest.approx(theirs[:2], rel=1e-6)
                assert mine == pytest.approx(theirs, rel=1e-5), "what AdamW makes of rounding"
            assert [line["unseen"] for line in log if line["kind"] == "validation"] == [
                line["unseen"] for line in plain if line["kind"] == "validation"
            ]
            for kept in ("last", "best"):
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
    with pytest.raises(ModelError, match="start several with torchrun"):
        _run(_recipe(1, towers, sharded=True), dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    for other in ({"compiled": True}, {"precision": "fp16"}):
        with pytest.raises(BiovitaError, match=r"sharded = True: .*in fp32 or bf16, and not compiled"):
            _recipe(1, towers, sharded=True, **other)


def test_compiling_without_a_compiler_is_refused_at_once(
    towers: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler --fast")
    with pytest.raises(
        ModelError, match=r"'no-such-compiler --fast' is not there: install one, name it in .* CXX"
    ):
        _run(_recipe(1, towers, compiled=True), dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"precision": "fp16"}, {"precision": "bf16"}, {"compiled": True}])
def test_half_precision_and_compiling_lead_to_nearly_the_same_losses(
    towers: Path,
    dataset: Dataset,
    plain: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:
    # Traced and differentiated as in earnest; the C++ compiler alone would take two minutes, and is not called.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    monkeypatch.setenv("CXX", shlex.quote(sys.executable))
    _without_chance(monkeypatch.setattr)
    out = tmp_path / "changed"
    chosen = _recipe(2, towers, checkpoint_steps=2, **changes)
    begun = _run(chosen, dataset, out, start=towers, stop_after=3)
    changed = _run(chosen, dataset, out, start=towers)
    assert changed[:2] == begun[:2], "the second run went on from the checkpoint after two steps"
    assert _losses(changed)[2] == _losses(begun)[2]
    if "compiled" in changes:
        assert _run(_recipe(2, towers, checkpoint_steps=2), dataset, out, start=towers) == changed, "the same run"
    tolerance = 1e-4 if "compiled" in changes else 0.03
    assert _losses(changed) == pytest.approx(_losses(_log(plain)), rel=tolerance)
    names = [set(torch_names(path / "last" / "model.safetensors")) for path in (plain, out)]
    assert names[0] == names[1]


@pytest.mark.slow
def test_fp16_leaves_out_steps_whose_gradients_overflow_and_says_so(
    towers: Path, dataset: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    log = _run(_recipe(1, towers, precision="fp16", **{"phases.atc.epochs": 2}), dataset, out)
    left_out = [line["gradient_norm"] is None for line in log]
    assert left_out[0], "the scaler begins with more than half precision can hold"
    assert not left_out[-1]
    scales = [line["loss_scale"] for line in log]
    assert scales == [2.0 ** (16 - sum(left_out[: place + 1])) for place in range(len(log))]
    assert "Infinity" not in (out / "log.jsonl").read_text()
    assert "NaN" not in (out / "log.jsonl").read_text()
    page = (out / "report.html").read_text()
    assert not re.search(r'="nan"|[ M]nan[ L]', page)
    state = json.loads(max((out / "checkpoints").glob("*/state.json")).read_text())["state"]
    assert state["scaler"]["scale"] == scales[-1]


def torch_names(file: Path) -> list[str]:
    with safe_open(file, "pt") as tensors:
        return list(tensors.keys())


@pytest.mark.slow
def test_validation_keeps_the_best_and_the_options_train_too(towers: Path, tmp_path: Path) -> None:
    dataset = write_tiny(tmp_path / "data", unseen=2)
    settings = {
        "validate_epochs": 1,
        "phases.atc.epochs": 2,
        "phases.atc.batch_size": 4,
        "phases.atc.adapter.learning_rate": 1e-2,
        "loss": "sigmoid",
        "positives": "taxonomy",
        "precision": "bf16",
        "start_logit_scale": 10,
        "pairs.distinct": True,
        "augment.gain_db": 6,
        "augment.noise_db": 10,
        "augment.time_mask": 0.2,
    }
    log = _run(_recipe(1, towers, **settings), dataset, tmp_path / "run")
    scores = [line["unseen"] for line in log if line["kind"] == "validation"]
    assert [set(score) for score in scores] == [{"top1", "top5", "chance"}] * 2
    assert scores[0]["chance"] == pytest.approx(0.5), "of two species held out"
    assert _losses(log)[-1] < _losses(log)[0]
    best, last = (load_model(tmp_path / "run" / name, "cpu") for name in ("best", "last"))
    assert best.record["recipe"]["loss"] == "sigmoid"
    assert best.record["dataset"]["name"] == "tiny"
    assert best.dim(Modality.AUDIO) == last.dim(Modality.AUDIO)
    again = _run(_recipe(1, towers, **settings), dataset, tmp_path / "run")
    assert again == log, "a run that has ended is not made again"
