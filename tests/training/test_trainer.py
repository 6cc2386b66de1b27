"""Training small real towers through the published stages."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from biovita.dataset import Dataset
from biovita.errors import DatasetError, ModelError
from biovita.modality import Modality
from biovita.model import load_model, write_model
from biovita.publish.pack import pack, state_packed
from biovita.towers.open_clip import OpenClipImage, OpenClipText
from biovita.training import TowersRecipe, recipe
from biovita.training.towers.networks import starting_model
from support.published_layouts import make, write_open_clip
from support.small_runs import FEW, losses, run_tiny, tiny_recipe, without_chance
from support.tiny_training import read_log, write_tiny


def test_the_audio_model_is_the_one_that_is_named(towers: Path, tmp_path: Path) -> None:
    changed = load_model(towers, "cpu")
    with torch.no_grad():
        changed.towers["audio"].network.audio_projection.linear1.weight.mul_(2)
    other = write_model(changed, tmp_path / "other")
    own, named = (
        starting_model(tiny_recipe(1, towers, audio_model=audio), None, "cpu").towers
        for audio in ("none", str(other))
    )
    theirs = load_model(other, "cpu").towers["audio"].network.state_dict()
    weight = "audio_projection.linear1.weight"
    assert torch.equal(named["audio"].network.state_dict()[weight], theirs[weight])
    assert not torch.equal(own["audio"].network.state_dict()[weight], theirs[weight])
    assert not torch.equal(own["audio"].adapter.weight, named["audio"].adapter.weight), "a new adapter"
    assert torch.equal(*(each["image"].clip.network.visual.proj for each in (own, named)))


@pytest.mark.slow
def test_both_stages_and_what_each_leaves_alone(towers: Path, dataset: Dataset, tmp_path: Path) -> None:
    log = run_tiny(tiny_recipe(1, towers, **{"phases.atc.epochs": 2}), dataset, tmp_path / "one")
    assert len(log) == 2 * 3
    assert log[0]["temperature"] == pytest.approx(0.07, rel=1e-3)
    assert losses(log)[-1] < losses(log)[0]
    before, after = (load_model(path, "cpu") for path in (towers, tmp_path / "one" / "last"))
    for modality in ("image", "text"):
        same = zip(
            before.towers[modality].clip.network.parameters(),
            after.towers[modality].clip.network.parameters(),
            strict=True,
        )
        assert all(torch.equal(one, other) for one, other in same)
    assert not torch.equal(before.towers["audio"].adapter.weight, after.towers["audio"].adapter.weight)

    log = run_tiny(tiny_recipe(2, towers), dataset, tmp_path / "two", start=tmp_path / "one" / "last")
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
    log = run_tiny(recipe("scratch/stage0", settings, TowersRecipe), dataset, tmp_path / "zero")
    assert len(log) == 4 * 3
    assert "atc" not in log[0]
    assert losses(log)[-1] < 0.8 * losses(log)[0]
    before, after = (load_model(path, "cpu").towers for path in (towers, tmp_path / "zero" / "last"))
    one, other = (model["image"].clip.network for model in (before, after))
    assert not torch.equal(one.visual.proj, other.visual.proj)
    assert not torch.equal(one.text_projection, other.text_projection)
    hearing = zip(before["audio"].network.parameters(), after["audio"].network.parameters(), strict=True)
    assert all(torch.equal(old, new) for old, new in hearing)
    begin = tmp_path / "zero" / "last"
    with pytest.raises(ModelError, match="has other image or text towers than"):
        run_tiny(tiny_recipe(1, towers), dataset, tmp_path / "one", start=begin)
    run_tiny(tiny_recipe(1, towers, cached=False), dataset, tmp_path / "one", start=begin)
    assert torch.equal(
        load_model(tmp_path / "one" / "last", "cpu").towers["image"].clip.network.visual.proj, other.visual.proj
    )


@pytest.mark.slow
def test_a_clap_model_joins_a_clip_model_through_a_new_adapter(dataset: Dataset, tmp_path: Path) -> None:
    made = make()
    clip = write_open_clip(made.clip, tmp_path / "clip")
    made.clap.save_pretrained(tmp_path / "clap")
    chosen = tiny_recipe(1, clip, audio_model=str(tmp_path / "clap"))
    log = run_tiny(chosen, dataset, tmp_path / "run")
    assert len(log) == 3
    last = load_model(tmp_path / "run" / "last", "cpu")
    assert last.dim(Modality.AUDIO) == last.dim(Modality.TEXT) == 48
    assert last.towers[Modality.AUDIO].loader.window == "onset", "the published window, not CLAP's own"
    other = write_open_clip(make(seed=1).clip, tmp_path / "other")
    with pytest.raises(ModelError, match="has other image or text towers than"):
        run_tiny(tiny_recipe(2, other), dataset, tmp_path / "two", start=tmp_path / "run" / "last")


@pytest.mark.slow
def test_cached_and_uncached_frozen_towers_give_the_same_losses(
    towers: Path, dataset: Dataset, whole: Path, tmp_path: Path
) -> None:
    assert tiny_recipe(2, towers).cached
    cached = losses(read_log(whole))
    uncached = losses(run_tiny(tiny_recipe(2, towers, cached=False), dataset, tmp_path / "run", start=towers))
    assert len(cached) == 8
    assert cached == pytest.approx(uncached, abs=1e-5)


@pytest.mark.slow
def test_packed_media_give_the_losses_of_files(towers: Path, dataset: Dataset, tmp_path: Path) -> None:
    shutil.copytree(dataset.path, tmp_path / "packed")
    packed = Dataset.open(tmp_path / "packed")
    pack(packed, str(tmp_path / "media.lance"))
    state_packed(packed, str(tmp_path / "media.lance"))
    shutil.rmtree(packed.path / "media")
    chosen = tiny_recipe(2, towers, cached=False)  # photographs are decoded in every step
    one, other = (
        losses(run_tiny(chosen, data, tmp_path / name, start=towers))
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
    without_chance()
    curves = [
        losses(run_tiny(tiny_recipe(stage, towers, chunk=chunk), dataset, tmp_path / str(chunk), start=towers))
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
    chosen = tiny_recipe(1, towers, cached=False, **{"phases.atc.batch_size": 18})
    log = run_tiny(chosen, dataset, tmp_path / "run")
    assert [line["pairs"] for line in log] == [18]
    (tokens,) = encoded
    assert len(tokens) == len(tokens.unique(dim=0)) < 18


def test_validation_without_held_out_items_is_refused_at_once(
    towers: Path, dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=r"no held-out items to validate on.*--set validate_epochs=0"):
        run_tiny(tiny_recipe(1, towers, validate_epochs=1), dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_frozen_photographs_are_embedded_once_for_all_validations(
    towers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = write_tiny(tmp_path / "data", unseen=2)
    seen: list[int] = []
    encode = OpenClipImage.encode
    monkeypatch.setattr(OpenClipImage, "encode", lambda self, x: (seen.append(len(x)), encode(self, x))[1])
    log = run_tiny(
        tiny_recipe(1, towers, validate_epochs=1, **{"phases.atc.epochs": 3}), dataset, tmp_path / "run"
    )
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
        run_tiny(tiny_recipe(1, towers), dataset, tmp_path / "strict")
    log = run_tiny(tiny_recipe(1, towers, undecodable=0.1), dataset, tmp_path / "lenient")
    assert sum(line["pairs"] for line in log) == 17
    left_out = [json.loads(line) for line in (tmp_path / "lenient" / "left-out.jsonl").read_text().splitlines()]
    assert [(each["modality"], each["id"]) for each in left_out] == [("audio", "t0-1")]
    assert "t0-1.wav" in left_out[0]["why"]
    assert "1 training items could not be decoded and were left out" in caplog.text
    with pytest.raises(DatasetError, match=r"none of the 1 items of a batch can be decoded: .*t0-1\.wav"):
        run_tiny(
            tiny_recipe(1, towers, undecodable=0.1, **{"phases.atc.batch_size": 1}), dataset, tmp_path / "single"
        )


@pytest.mark.slow
@pytest.mark.parametrize("cached", [True, False])
def test_an_undecodable_photograph_is_left_out_and_counted(towers: Path, tmp_path: Path, cached: bool) -> None:
    dataset = write_tiny(tmp_path / "data")
    (tmp_path / "data" / "media" / "t0-1.png").write_text("<html>not found</html>")
    settings = {"cached": cached, "pairs.at_most": 8}
    with pytest.raises(DatasetError, match="1 of 18 image training items cannot be decoded"):
        run_tiny(tiny_recipe(2, towers, **settings), dataset, tmp_path / "strict", start=towers)
    chosen = tiny_recipe(2, towers, undecodable=0.1, **settings)
    log = run_tiny(chosen, dataset, tmp_path / "lenient", start=towers)
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
        run_tiny(tiny_recipe(2, towers, cached=cached, **settings), dataset, tmp_path / str(cached), start=towers)
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
    assert losses(logs[0]) == pytest.approx(losses(logs[1]), abs=1e-5)


def test_compiling_without_a_compiler_is_refused_at_once(
    towers: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler --fast")
    with pytest.raises(
        ModelError, match=r"'no-such-compiler --fast' is not there. Install one, name it in .* CXX"
    ):
        run_tiny(tiny_recipe(1, towers, compiled=True), dataset, tmp_path / "run")
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
    # So low that no step is left out, as the next test has it.
    monkeypatch.setattr(torch.amp, "GradScaler", partial(torch.amp.GradScaler, init_scale=2.0**10))
    without_chance(monkeypatch.setattr)
    out = tmp_path / "changed"
    chosen = tiny_recipe(2, towers, checkpoint_steps=2, **changes)
    tolerance = 1e-4 if "compiled" in changes else 0.03
    # A compiled run is the same run as one that is not: it is begun as one, for each trace takes many seconds.
    first = tiny_recipe(2, towers, checkpoint_steps=2) if "compiled" in changes else chosen
    begun = run_tiny(first, dataset, out, start=towers, stop_after=3)
    changed = run_tiny(chosen, dataset, out, start=towers)
    assert changed[:2] == begun[:2], "the second run went on from the checkpoint after two steps"
    assert losses(changed)[2] == pytest.approx(losses(begun)[2], rel=tolerance if "compiled" in changes else 0)
    assert run_tiny(first, dataset, out, start=towers) == changed, "the same run"
    assert losses(changed) == pytest.approx(losses(read_log(plain)), rel=tolerance)
    names = [set(torch_names(path / "last" / "model.safetensors")) for path in (plain, out)]
    assert names[0] == names[1]


@pytest.mark.slow
def test_fp16_leaves_out_steps_whose_gradients_overflow_and_says_so(
    towers: Path, dataset: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    log = run_tiny(tiny_recipe(1, towers, precision="fp16", **{"phases.atc.epochs": 2}), dataset, out)
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
    log = run_tiny(tiny_recipe(1, towers, **settings), dataset, tmp_path / "run")
    scores = [line["unseen"] for line in log if line["kind"] == "validation"]
    assert [set(score) for score in scores] == [{"top1", "top5", "chance"}] * 2
    assert scores[0]["chance"] == pytest.approx(0.5), "of two species held out"
    assert losses(log)[-1] < losses(log)[0]
    best, last = (load_model(tmp_path / "run" / name, "cpu") for name in ("best", "last"))
    assert best.record["recipe"]["loss"] == "sigmoid"
    assert best.record["dataset"]["name"] == "tiny"
    assert best.dim(Modality.AUDIO) == last.dim(Modality.AUDIO)
    again = run_tiny(tiny_recipe(1, towers, **settings), dataset, tmp_path / "run")
    assert again == log, "a run that has ended is not made again"
