"""Whether the loop does as the schedule says: what AdamW is given at each step, and what the weights are after it.

`paper/stage2` on small towers, with the published numbers but for the steps at which something begins. The tables are
those of the paper, not of the recipe.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

import biovita.training.towers.trainer as trainer
from biovita.dataset import Dataset
from biovita.training import TowersRecipe, recipe
from biovita.training.towers.networks import Networks
from biovita.training.towers.objective import Objective
from biovita.training.towers.step import Losses
from biovita.training.towers.train_towers import train_towers
from support.published_schedule import ADAPTER, AUDIO, ENDS, SCALE, TEXT, TOP
from support.published_schedule import WEIGHTS as PUBLISHED
from support.tiny_training import read_log, write_tiny, write_towers

pytestmark = pytest.mark.slow

TOP_FROM, TEMPERATURE_FROM = 2, 4  # published: 300 and 600
WARMUP, FULL = 4, 8  # steps of the phases
SETTINGS: dict[str, Any] = {
    "audio_model": "none",
    "pairs.at_most": 4,  # of each of six species: four batches an epoch
    "validate_epochs": 0,
    "phases.warmup.epochs": 1,
    "phases.warmup.batch_size": 6,
    "phases.full.epochs": 2,
    "phases.full.batch_size": 6,
    "phases.full.audio_top.from_step": TOP_FROM,
    "phases.full.temperature.from_step": TEMPERATURE_FROM,
    "phases.full.aic.steps": 4,
    "phases.full.itc.steps": 2,
    "phases.full.gate.batches": 2,
}
OPEN = {"phases.full.gate.upper": 10, "phases.full.gate.lower": 5}  # a gate that nothing here shuts

Rate = tuple[float, float, tuple[float, float]]  # learning rate, weight decay, betas


# -- the tables

STEPS = [("warmup", step) for step in range(WARMUP)] + [("full", step) for step in range(FULL)]
#                         atc  aic    itc
WEIGHTS = [(0.8, 0.2, 0.0)] * WARMUP
WEIGHTS += [(1.0, 0.0, 0.0), (1.0, 0.025, 0.05), (1.0, 0.05, 0.1), (1.0, 0.075, 0.1)]
WEIGHTS += [(1.0, 0.1, 0.1)] * 4


def _table(
    dims: dict[str, int], phase: str, step: int, *, top: int = TOP_FROM, temperature: int = TEMPERATURE_FROM
) -> dict[str, Rate]:
    """Return how the paper trains each parameter at a step; one that is frozen is not in it."""
    audio = [name for name in dims if name.startswith(AUDIO)]
    if phase == "warmup":
        return dict.fromkeys([*audio, ADAPTER, SCALE], (1e-4, 0.05, (0.9, 0.999)))
    parts = [([ADAPTER], 1e-4, 0.05), ([name for name in dims if name.startswith(TEXT)], 5e-6, 0.01)]
    if step >= top:
        parts.append(([name for name in audio if any(mark in name for mark in TOP)], 1e-5, 0.02))
    if step >= temperature:
        parts.append(([SCALE], 1e-4, 0.0))
    return {
        name: (rate, decay if dims[name] >= 2 else 0.0, (0.9, 0.98))  # norms and biases do not decay
        for names, rate, decay in parts
        for name in names
    }


# -- what is seen of a run


@dataclass(frozen=True)
class Step:
    """A step as AdamW saw it.

    Attributes
    ----------
    line
        What the run logged.
    rates, gradients
        Of the parameters that AdamW got a gradient for.
    trainable
        Names of those that want one.
    training
        Which towers were in training mode.
    before, after
        All parameters before this step, and before the next one (after the last: as the run ended).
    """

    line: dict[str, Any]
    rates: dict[str, Rate]
    gradients: dict[str, torch.Tensor]
    trainable: set[str]
    training: set[str]
    before: dict[str, torch.Tensor]
    after: dict[str, torch.Tensor]

    @property
    def changed(self) -> set[str]:
        return {name for name, value in self.before.items() if not torch.equal(value, self.after[name])}

    @property
    def gradient(self) -> torch.Tensor:
        return torch.cat([gradient.flatten() for gradient in self.gradients.values()])


def _watched(chosen: TowersRecipe, dataset: Dataset, out: Path, start: Path, stop_after: int | None) -> list[Step]:
    """Train, and return the steps that were made."""
    made: list[Networks] = []
    seen: list[dict[str, Any]] = []
    build = Networks.__init__

    def remember(self: Networks, *args: Any, **options: Any) -> None:
        build(self, *args, **options)
        made.append(self)

    def note(optimiser: torch.optim.Optimizer, *_: object) -> None:
        networks = made[-1]
        groups = {id(p): group for group in optimiser.param_groups for p in group["params"]}
        given = {n: p for n, p in networks.named_parameters() if id(p) in groups and p.grad is not None}
        modules = {
            "audio": networks.clap.audio_model,
            "image": networks.clip.visual,
            "text": networks.clip.transformer,
        }
        group_of = {name: groups[id(p)] for name, p in given.items()}
        seen.append(
            {
                "rates": {n: (g["lr"], g["weight_decay"], g["betas"]) for n, g in group_of.items()},
                "gradients": {name: p.grad.clone() for name, p in given.items() if p.grad is not None},
                "trainable": {name for name, p in networks.named_parameters() if p.requires_grad},
                "training": {name for name, module in modules.items() if module.training},
                "before": _values(networks),
            }
        )

    hook = register_optimizer_step_pre_hook(note)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Networks, "__init__", remember)
            train_towers(chosen, dataset, out, start=start, device="cpu", progress=False, stop_after=stop_after)
    finally:
        hook.remove()
    log = read_log(out)
    afters = [step["before"] for step in seen[1:]] + [_values(made[-1])]
    lines = log[len(log) - len(seen) :]  # those before are of a run that was continued
    return [Step(line, after=after, **step) for line, after, step in zip(lines, afters, seen, strict=True)]


def _values(networks: Networks) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in networks.named_parameters()}


Train = Callable[..., list[Step]]


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Return what trains by a changed `paper/stage2`, in a new directory or ``out``; by ``only`` one of its phases."""
    towers = write_towers(tmp_path_factory.mktemp("towers") / "small")
    dataset = write_tiny(tmp_path_factory.mktemp("data") / "tiny")

    def run(
        settings: dict[str, Any] | None = None,
        *,
        only: str | None = None,
        out: Path | None = None,
        stop_after: int | None = None,
    ) -> list[Step]:
        chosen = recipe("paper/stage2", {**SETTINGS, "model": str(towers), **(settings or {})}, TowersRecipe)
        if only:
            chosen = chosen.model_copy(update={"phases": {only: chosen.phases[only]}})
        return _watched(chosen, dataset, out or tmp_path_factory.mktemp("run") / "run", towers, stop_after)

    return run


@pytest.fixture(scope="module")
def steps(train: Train) -> list[Step]:
    """Return all steps of both phases, under a gate that stays open."""
    return train(OPEN)


def _of(steps: Sequence[Step], phase: str) -> list[Step]:
    return [step for step in steps if step.line["phase"] == phase]


def _difference(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


# -- what is trained, and how


def test_every_step_is_made_and_counted_within_its_phase(steps: list[Step]) -> None:
    assert [(step.line["phase"], step.line["step"]) for step in steps] == STEPS
    assert [step.line["total"] for step in steps] == list(range(WARMUP + FULL))


@pytest.mark.parametrize("place", range(len(STEPS)), ids=lambda place: "-".join(map(str, STEPS[place])))
def test_a_step_trains_what_the_paper_trains_at_its_rates_and_nothing_else(steps: list[Step], place: int) -> None:
    step = steps[place]
    wanted = _table({name: value.ndim for name, value in step.before.items()}, *STEPS[place])
    assert step.rates == wanted
    assert step.trainable == set(wanted)
    assert step.changed == set(wanted), "by value: a frozen weight stays, and each of the others moves"


@pytest.fixture(scope="module")
def published(train: Train) -> list[Step]:
    """Return these steps of the full phase with the published numbers; those between them are leapt over."""
    make, left = trainer.Trainer._step, list(PUBLISHED)

    def leap(run: trainer.Trainer, descent: Any, batch: Any, waited: float) -> None:
        if descent.name == "full":
            run.state.step = left.pop(0)
        make(run, descent, batch, waited)

    numbers = {"audio_top.from_step": 300, "temperature.from_step": 600, "aic.steps": 600, "itc.steps": 300}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.Trainer, "_step", leap)
        made = train({f"phases.full.{k}": v for k, v in numbers.items()}, stop_after=WARMUP + len(PUBLISHED))
    return _of(made, "full")


@pytest.mark.parametrize("place", range(len(PUBLISHED)), ids=list(map(str, PUBLISHED)))
def test_the_full_phase_at_the_published_steps(published: list[Step], place: int) -> None:
    step, (number, (aic, itc)) = published[place], list(PUBLISHED.items())[place]
    dims = {name: value.ndim for name, value in step.before.items()}
    assert step.line["step"] == number
    assert step.rates == _table(dims, "full", number, top=300, temperature=600)
    assert step.trainable == set(step.rates)
    if not step.line["gate"]["open"]:
        aic = itc = 0.0
    assert step.line["weights"] == pytest.approx({"atc": 1.0, "aic": aic, "itc": itc}, rel=1e-12)
    assert float(step.before[SCALE]) == pytest.approx(math.log(5), abs=1e-6), "a temperature of 0.2"
    moved = abs(float(step.after[SCALE] - step.before[SCALE]))
    assert moved == pytest.approx(1e-4 if number == 600 else 0.0, rel=1e-2)


def test_the_gate_at_the_published_steps(published: list[Step]) -> None:
    base = published[0].line["gate"]["average"]
    average, is_open, calm = base, True, 0
    for step in published:
        assert step.line["gate"] == pytest.approx({"open": is_open, "average": average}, rel=1e-9)
        average = 0.2 * step.line["atc"] + 0.8 * average
        calm = calm + 1 if average < 1.015 * base and not is_open else 0
        is_open = average <= 1.03 * base if is_open else calm >= 20


def test_a_tower_is_in_training_mode_while_anything_of_it_is_trained(steps: list[Step]) -> None:
    assert [step.training for step in _of(steps, "warmup")] == [{"audio"}] * WARMUP
    late = [{"audio", "text"}] * (FULL - TOP_FROM)
    assert [step.training for step in _of(steps, "full")] == [{"text"}] * TOP_FROM + late


def test_the_log_names_the_rates_of_what_is_trained(steps: list[Step]) -> None:
    assert [step.line["learning_rates"] for step in _of(steps, "warmup")] == [
        {"audio": 1e-4, "adapter": 1e-4, "temperature": 1e-4}
    ] * WARMUP
    for number, step in enumerate(_of(steps, "full")):
        wanted = {"adapter": 1e-4, "text": 5e-6}
        wanted |= {"audio_top": 1e-5} if number >= TOP_FROM else {}
        wanted |= {"temperature": 1e-4} if number >= TEMPERATURE_FROM else {}
        assert step.line["learning_rates"] == wanted


def test_the_released_code_trains_the_ends_of_the_text_tower_and_keeps_the_temperature(train: Train) -> None:
    steps = train({**OPEN, "behaviour": "released"})
    dims = {name: value.ndim for name, value in steps[0].before.items()}
    ends = [name for name in dims if name.startswith(ENDS)]
    for step, place in zip(steps, STEPS, strict=True):
        wanted = _table(dims, *place)
        if place[0] == "warmup":
            wanted |= dict.fromkeys(ends, (1e-4, 0.05, (0.9, 0.999)))
        else:
            wanted.pop(SCALE, None)
        assert step.rates == wanted
        if step is not steps[WARMUP - 1]:  # the reset comes before the next
            assert step.changed == set(wanted)
    assert [step.line["temperature"] for step in _of(steps, "full")] == pytest.approx([0.2] * FULL, rel=1e-6)


# -- temperature


def test_the_temperature_is_reset_kept_and_then_trained(steps: list[Step]) -> None:
    warmup, full = _of(steps, "warmup"), _of(steps, "full")
    assert float(warmup[0].before[SCALE]) == pytest.approx(math.log(1 / 0.07), rel=1e-3)
    assert abs(warmup[-1].line["temperature"] - 0.07) < 1e-3, "not yet reset"
    kept, trained = full[: TEMPERATURE_FROM + 1], full[TEMPERATURE_FROM:]
    for step in kept:
        assert float(step.before[SCALE]) == pytest.approx(math.log(5), abs=1e-7)
    assert [step.line["temperature"] for step in kept[:-1]] == pytest.approx([0.2] * TEMPERATURE_FROM, rel=1e-6)
    first = float(trained[0].after[SCALE]) - math.log(5)
    assert abs(first) == pytest.approx(1e-4, rel=1e-2), "AdamW's first step is as long as the rate"
    for step in trained:
        assert step.line["temperature"] == pytest.approx(math.exp(-float(step.after[SCALE])), rel=1e-6)


def test_a_continued_run_unfreezes_and_resets_no_temperature_anew(
    train: Train, steps: list[Step], tmp_path: Path
) -> None:
    settings = {**OPEN, "checkpoint_steps": 2}
    made = [train(settings, out=tmp_path / "run", stop_after=after) for after in (7, 11, None)]
    # From the checkpoints at 6, as the top is unfrozen, and at 10, with a temperature that has been trained.
    assert [part[0].line["total"] for part in made] == [0, 6, 10]
    for part in made:
        for step in part:
            once = steps[step.line["total"]]
            assert _without_times(step.line) == _without_times(once.line)
            assert step.rates == once.rates
    last = made[-1][-1].after
    assert all(torch.equal(value, last[name]) for name, value in steps[-1].after.items())


def _without_times(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in {"seconds", "waited"}}


@pytest.mark.parametrize(("start", "sign"), [(1000, 1), (1e-3, -1)], ids=["above", "below"])
def test_the_logarithm_of_the_factor_begins_within_ln_100(train: Train, start: float, sign: int) -> None:
    (step,) = train({"start_logit_scale": start}, only="warmup", stop_after=1)
    assert float(step.before[SCALE]) == pytest.approx(sign * math.log(100), rel=1e-6)
    assert float(step.after[SCALE]) == pytest.approx(sign * math.log(100), abs=2e-4)


def test_the_logarithm_of_the_factor_stays_within_ln_100(train: Train) -> None:
    """Under a rate that throws it out."""
    for step in train({"phases.warmup.temperature.learning_rate": 100}, only="warmup", stop_after=2):
        assert abs(float(step.after[SCALE])) == pytest.approx(math.log(100), rel=1e-6)
        assert step.line["temperature"] == pytest.approx(math.exp(-float(step.after[SCALE])), rel=1e-5)


def test_without_the_clamp_it_is_not(train: Train) -> None:
    """As in stage 1."""
    (step,) = train({"start_logit_scale": 1000, "phases.warmup.clamp": False}, only="warmup", stop_after=1)
    assert float(step.after[SCALE]) == pytest.approx(math.log(1000), rel=1e-3)


# -- the gradient


def test_the_full_phase_clips_the_gradient_to_1_and_warmup_does_not(steps: list[Step]) -> None:
    for step in steps:
        assert step.line["gradient_norm"] > 1, "else there is nothing to clip"
        wanted = step.line["gradient_norm"] if step.line["phase"] == "warmup" else 1.0
        assert float(step.gradient.norm()) == pytest.approx(wanted, rel=1e-4)


def test_clipping_shortens_the_gradient_and_keeps_its_direction(train: Train) -> None:
    (free,), (clipped,) = (
        train({**OPEN, "phases.full.clip": most}, only="full", stop_after=1) for most in ("none", 1e-3)
    )
    assert (
        clipped.line["gradient_norm"] == free.line["gradient_norm"] == pytest.approx(float(free.gradient.norm()))
    )
    assert _difference(clipped.gradient, 1e-3 * free.gradient / free.gradient.norm()) < 1e-4


def test_weights_ramp_and_the_loss_is_the_weighted_sum_of_its_terms(steps: list[Step]) -> None:
    for step, wanted in zip(steps, WEIGHTS, strict=True):
        line = step.line
        assert list(line["weights"]) == ["atc", "aic", "itc"]
        assert list(line["weights"].values()) == pytest.approx(wanted)
        assert {name for name in ("atc", "aic", "itc") if name in line} == {
            name for name, weight in line["weights"].items() if weight
        }
        terms = sum(weight * line[name] for name, weight in line["weights"].items() if weight)
        assert line["loss"] == pytest.approx(terms + line.get("guard", 0.0), rel=1e-6)


def test_the_gradient_is_the_weighted_sum_of_the_terms_gradients(train: Train) -> None:
    mixed, atc, aic = (
        train({"phases.warmup.atc.to": a, "phases.warmup.aic.to": b}, only="warmup", stop_after=1)[0].gradient
        for a, b in ((0.8, 0.2), (1, 0), (0, 1))
    )
    assert _difference(mixed, 0.8 * atc + 0.2 * aic) < 1e-4
    assert _difference(atc, aic) > 0.1


# -- gate and guard


def _begin_at(monkeypatch: pytest.MonkeyPatch, *losses: float) -> None:
    """Let ATC be these losses in the batches that the gate's base is the mean of, and no batch more."""
    left = iter(losses)
    monkeypatch.setattr(Objective, "evaluate", lambda *_: next(left))


def test_the_guard_adds_twice_the_gradient_of_atc_above_the_threshold(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    unclipped = {"phases.full.clip": "none"}
    _begin_at(monkeypatch, 100, 100)
    (alone,) = train(unclipped, only="full", stop_after=1)
    _begin_at(monkeypatch, 0.4, 0.6)
    first, second = train(unclipped, only="full", stop_after=2)
    atc = alone.line["atc"]
    assert alone.line["weights"] == first.line["weights"] == {"atc": 1.0, "aic": 0.0, "itc": 0.0}
    assert (alone.line["guard"], alone.line["loss"]) == (0.0, pytest.approx(atc))
    assert first.line["atc"] == pytest.approx(atc)
    assert first.line["guard"] == pytest.approx(2 * (atc - 0.5 * 1.03))
    assert first.line["loss"] == pytest.approx(atc + 2 * (atc - 0.5 * 1.03))
    assert _difference(first.gradients[ADAPTER], 3 * alone.gradients[ADAPTER]) < 1e-4
    assert _difference(first.gradient, 3 * alone.gradient) < 1e-4
    # The average is now far above the base, and the gate shut: what the ramps would give is not.
    assert first.line["gate"] == {"open": True, "average": 0.5}
    assert second.line["gate"] == {"open": False, "average": pytest.approx(0.8 * 0.5 + 0.2 * atc)}
    assert second.line["weights"] == {"atc": 1.0, "aic": 0.0, "itc": 0.0}
    assert {"aic", "itc"}.isdisjoint(second.line)
    assert second.line["guard"] == pytest.approx(2 * (second.line["atc"] - 0.5 * 1.03))


def test_the_gate_shuts_and_opens_again_after_calm_steps_in_a_row(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    #             ATC  average after the step, base 1
    atc_average = [
        (1.2, 1.04),  # above 1.03: shut from the next step on
        (0.9, 1.012),  # under 1.015: one calm step
        (1.1, 1.0296),  # over it: none
        (0.9, 1.00368),  # one
        (1.0, 1.002944),  # two: open from the next step on
        (1.1, 1.0223552),
        (1.1, 1.03788416),  # shut anew
        (1.0, 1.030307328),
    ]
    wanted_open = [True, False, False, False, False, True, True, False]
    _begin_at(monkeypatch, 0.9, 1.1)
    left = iter(atc for atc, _ in atc_average)
    losses = Objective.losses

    def scripted(self: Objective, *args: Any, **options: Any) -> Losses:
        found = losses(self, *args, **options)
        return replace(found, terms={**found.terms, "atc": next(left)})

    monkeypatch.setattr(Objective, "losses", scripted)
    settings = {"phases.full.gate.patience": 2, "phases.full.aic.steps": 10, "phases.full.itc.steps": 20}
    lines = [step.line for step in train(settings, only="full")]
    assert [line["gate"]["open"] for line in lines] == wanted_open
    averages = [1.0, *(average for _, average in atc_average[:-1])]
    assert [line["gate"]["average"] for line in lines] == pytest.approx(averages)
    for number, (line, open_) in enumerate(zip(lines, wanted_open, strict=True)):
        # The ramps go on behind a shut gate.
        ramps = (number / 10 * 0.1, number / 20 * 0.1) if open_ else (0.0, 0.0)
        assert (line["weights"]["aic"], line["weights"]["itc"]) == pytest.approx(ramps)
        assert line["weights"]["atc"] == 1.0
        assert ("aic" in line) == ("itc" in line) == (open_ and number > 0)
