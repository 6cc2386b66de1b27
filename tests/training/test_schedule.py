"""The published schedule on small real architectures, against a table made from the published facts."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from biovita.compute.device import choose_device
from biovita.modality import Modality
from biovita.model import Model
from biovita.towers import EncoderCard
from biovita.towers.audio_windows import AudioInput
from biovita.towers.clap import ClapAudio
from biovita.towers.open_clip import OpenClipImage, OpenClipText, build_clip
from biovita.training import TowersRecipe, recipe
from biovita.training.gate import Gate, guard
from biovita.training.recipe import GateSettings
from biovita.training.towers.networks import Networks
from biovita.training.towers.schedule import groups_of, loss_terms, phases_of, trainable
from support.published_layouts import PREPROCESS, SMALL_CLIP, make
from support.published_schedule import ADAPTER, AUDIO, ENDS, SCALE, TEXT, TOP, WEIGHTS


@pytest.fixture(scope="module")
def networks() -> Networks:
    made = make()
    clip = build_clip(SMALL_CLIP, made.clip.state_dict(), "a test", PREPROCESS)
    device = choose_device("cpu")
    info = [EncoderCard(f"small-{m}", m, 48, "a test", "0", "none") for m in Modality]
    towers: dict[Modality, Any] = {
        Modality.AUDIO: ClapAudio(
            info[0], made.clap, device, listen=AudioInput(), adapter=made.adapter.weight.detach()
        ),
        Modality.IMAGE: OpenClipImage(info[1], clip, device),
        Modality.TEXT: OpenClipText(info[2], clip, device),
    }
    return Networks(Model.of_towers("small", towers), logit_scale=1 / 0.07)


def _names(networks: Networks, *, starts: tuple[str, ...], has: tuple[str, ...] = ("",)) -> set[str]:
    return {
        name
        for name, _ in networks.named_parameters()
        if name.startswith(starts) and any(mark in name for mark in has)
    }


def _of(networks: Networks, stage: int, name: str, step: int, **settings: Any) -> dict[str, tuple[float, float]]:
    """Return (rate, decay) by the name of each parameter that the recipe trains at a step."""
    chosen = recipe(f"{'paper' if stage else 'scratch'}/stage{stage}", settings, TowersRecipe)
    groups = groups_of(phases_of(chosen)[name], networks.dims)
    active = trainable(groups, step)
    networks.set_trainable(active)
    assert {n for n, p in networks.named_parameters() if p.requires_grad} == active
    rates = [(n, (g.learning_rate, g.weight_decay)) for g in groups for n in g.names if n in active]
    assert len(rates) == len(dict(rates)), "no parameter is in two groups"
    return dict(rates)


def test_stage1_and_warmup_train_the_audio_tower_the_adapter_and_the_temperature(networks: Networks) -> None:
    wanted = dict.fromkeys({*_names(networks, starts=AUDIO), ADAPTER, SCALE}, (1e-4, 0.05))
    for stage, phase in ((1, "atc"), (2, "warmup")):
        for step in (0, 1, 299, 300, 599, 600):
            assert _of(networks, stage, phase, step) == wanted
    assert networks.clap.audio_model.training
    assert not networks.clip.visual.training
    assert not networks.clip.transformer.training


def test_stage0_trains_the_image_and_the_text_tower_and_no_published_stage_the_image_tower(
    networks: Networks,
) -> None:
    image = _names(networks, starts=("clip.visual.",))
    trained = _of(networks, 0, "itc", 0)
    assert set(trained) == {*image, *_names(networks, starts=TEXT), SCALE}
    assert networks.clip.visual.training
    assert networks.clip.transformer.training
    assert not networks.clap.audio_model.training
    for stage, phase in ((1, "atc"), (2, "warmup"), (2, "full")):
        assert image.isdisjoint(_of(networks, stage, phase, 600))
    assert not networks.clip.visual.training


def _full(networks: Networks, step: int) -> dict[str, tuple[float, float]]:
    """Return the table of the full phase: adapter, text tower, from 300 top CLAP layers, from 600 the temperature."""
    dims = networks.dims
    wanted = {ADAPTER: (1e-4, 0.05)}
    wanted |= {name: (5e-6, 0.01 if dims[name] >= 2 else 0.0) for name in _names(networks, starts=TEXT)}
    if step >= 300:
        top = _names(networks, starts=AUDIO, has=TOP)
        wanted |= {name: (1e-5, 0.02 if dims[name] >= 2 else 0.0) for name in top}
    if step >= 600:
        wanted |= {SCALE: (1e-4, 0.0)}
    return wanted


@pytest.mark.parametrize("step", WEIGHTS)
def test_the_full_phase_at_the_published_steps(networks: Networks, step: int) -> None:
    assert _of(networks, 2, "full", step) == _full(networks, step)
    phase = recipe("paper/stage2", None, TowersRecipe).phases["full"]
    terms = loss_terms(phase, step, Gate.at(2.0))
    assert tuple(terms.values()) == pytest.approx((1.0, *WEIGHTS[step]))
    shut = loss_terms(phase, step, Gate(2.0, 2.1, open=False))
    assert shut == {"atc": 1.0, "aic": 0.0, "itc": 0.0}
    assert networks.clip.transformer.training
    assert networks.clap.audio_model.training == (step >= 300)


def test_top_clap_layers_hold_no_attention_block(networks: Networks) -> None:
    top = _names(networks, starts=AUDIO, has=TOP)
    assert top
    assert not any("attention" in name for name in top)
    assert all("patch_embed.proj" in name or "audio_projection" in name for name in top)


def test_what_changes_between_the_phases() -> None:
    warmup, full = recipe("paper/stage2", None, TowersRecipe).phases.values()
    terms = loss_terms(warmup, 0)
    assert terms == {"atc": 0.8, "aic": 0.2, "itc": 0.0}
    assert (warmup.reset_temperature, full.reset_temperature) == (None, 0.2)
    assert (warmup.clip, full.clip, warmup.betas, full.betas) == (None, 1.0, (0.9, 0.999), (0.9, 0.98))
    assert (warmup.epochs, full.epochs, warmup.batch_size, full.batch_size) == (10, 10, 32, 32)
    assert warmup.gate is None
    assert full.gate == GateSettings(alpha=0.2, upper=0.03, lower=0.015, patience=20, batches=20, guard=2.0)
    first = recipe("paper/stage1", None, TowersRecipe)
    assert first.start_logit_scale is not None
    assert math.log(first.start_logit_scale) == pytest.approx(math.log(1 / 0.07))
    phase = first.phases["atc"]
    assert (phase.epochs, phase.batch_size, phase.clamp, warmup.clamp, full.clamp) == (30, 64, False, True, True)


def test_what_the_released_code_does_otherwise(networks: Networks) -> None:
    ends = _names(networks, starts=ENDS)
    trained = _of(networks, 2, "warmup", 0, behaviour="released")
    assert set(trained) == {*_names(networks, starts=AUDIO), ADAPTER, SCALE, *ends}
    assert {trained[name] for name in ends} == {(1e-4, 0.05)}
    late = _of(networks, 2, "full", 600, behaviour="released")
    assert late == {name: rate for name, rate in _full(networks, 600).items() if name != SCALE}


def test_the_gate_shuts_above_3_percent_and_opens_after_20_calm_steps() -> None:
    settings = GateSettings()
    gate = Gate.at(2.0)
    gate = gate.after(2.29, settings)  # average 2.058: 2.9 % above
    assert gate.average == pytest.approx(2.058)
    assert gate.open
    gate = gate.after(2.1, settings)  # 2.0664: 3.3 % above
    assert not gate.open
    steps = 0
    while not gate.open:
        gate = gate.after(2.0, settings)
        steps += 1
    # The average goes back by a fifth a step: 2.0664 is under 2.03 after 4 steps, and stays 20 of them.
    assert steps == 3 + 20
    shut = Gate(2.0, 2.02, open=False, calm=19)
    assert shut.after(2.2, settings).calm == 0, "a step above begins the count anew"


def test_the_guard_is_twice_what_atc_exceeds_the_threshold_by() -> None:
    gate, settings = Gate.at(2.0), GateSettings()
    assert guard(2.06, gate, settings) == (0.0, 0.0)
    value, slope = guard(2.16, gate, settings)
    assert (value, slope) == (pytest.approx(0.2), 2.0)


def test_the_vectors_are_those_of_the_towers(networks: Networks) -> None:
    sounds = torch.randn(2, 480_000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), networks.evaluating():
        got = networks.embed(Modality.AUDIO, networks.audio.mel(sounds))
        expected = networks.audio.forward(sounds)
    torch.testing.assert_close(got, expected / expected.norm(dim=1, keepdim=True))
