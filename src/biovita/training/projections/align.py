"""Training the projections of frozen towers on a dataset's cached embeddings."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from biovita.errors import ModelError
from biovita.modality import Modality
from biovita.model.projection import Projection
from biovita.taxonomy.taxon_features import feature_count
from biovita.training.gate import Gate, guard
from biovita.training.hidden_facts import with_hidden
from biovita.training.losses import contrastive
from biovita.training.projections.species_batches import SpeciesBatches
from biovita.training.projections.training_set import TrainingSet
from biovita.training.recipe import TERMS, WATCHED, FrozenRecipe

__all__ = ["AlignStep", "Aligned", "align", "untrained"]

logger = logging.getLogger(__name__)

_MOST_LOGIT_SCALE = 100.0  # CLIP's bound (Radford et al. 2021)
_MIXED = 256  # classes whose rows are mixed at random into others


@dataclass(frozen=True, slots=True)
class AlignStep:
    """What one step came to.

    Attributes
    ----------
    losses
        ``loss``, and the terms that it is the weighted sum of.
    guard, atc_base
        What the guard added to the loss, and the ATC that it keeps; None without a gate.
    """

    losses: Mapping[str, float]
    logit_scale: float
    guard: float | None = None
    atc_base: float | None = None

    def as_json(self) -> dict[str, float]:
        """Return the numbers by name, as ``losses.jsonl`` has them."""
        watched = {"guard": self.guard, "atc_base": self.atc_base}
        return {
            **self.losses,
            "logit_scale": self.logit_scale,
            **{name: value for name, value in watched.items() if value is not None},
        }


@dataclass(frozen=True, eq=False)
class Aligned:
    """Trained projections, the learned factor, what every step came to, and where there is one the learned bias."""

    projections: Mapping[Modality, Projection]
    logit_scale: float
    history: tuple[AlignStep, ...]
    logit_bias: float | None = None


def untrained(data: TrainingSet, recipe: FrozenRecipe) -> Aligned:
    """Return projections as they are before any training: standardised on the training items, randomly initialised."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        projections = {}
        for modality, pool in data.items.items():
            known = feature_count(data.features) if modality == Modality.TEXT else 0
            projections[modality] = Projection(pool.dim, recipe.dim, known)
            if modality == Modality.TEXT:
                projections[modality].standardise_on(data.texts)
            else:
                projections[modality].standardise_by(*pool.moments)
    return Aligned(projections, recipe.logit_scale, ())


def align(
    data: TrainingSet, recipe: FrozenRecipe, start: Aligned, on_step: Callable[[int], None] | None = None
) -> Aligned:
    """Return the projections of ``start`` trained further by ``recipe``; ``start`` is left as it is.

    Each step draws ``items_per_species`` items in each modality of every training species, or where these are more than
    ``species_batch`` of so many of them, and ``names_batch`` classes of each classifier. There are as many steps as
    `SpeciesBatches` says. AdamW on a cosine schedule. The same seed gives the same result on one machine; one thread
    does the work, for batches this small gain nothing from more and the sums then do not depend on the number of cores.
    ``on_step`` is called with 1 after each step.

    Raises
    ------
    ModelError
        Where only ``weights.names`` is set and no tower has a classifier (beside other terms it is left out, and a
        warning says so), where the loss is no longer finite, and as `SpeciesBatches.of` does.
    """
    _check_names(data, recipe)
    with _one_thread():
        return _align(data, recipe, start, on_step)


def _named(data: TrainingSet, recipe: FrozenRecipe) -> list[Modality]:
    """Return the modalities whose classifiers a stage learns from: stage 1 leaves the photographs' alone."""
    return [modality for modality in data.classes if recipe.stage != 1 or modality == Modality.AUDIO]


def _check_names(data: TrainingSet, recipe: FrozenRecipe) -> None:
    """Say that the names are left out where no classifier has any, or refuse where nothing else is trained."""
    weights = recipe.weights
    if not weights.names or _named(data, recipe):
        return
    which = "audio" if recipe.stage == 1 else "audio or image"
    lacking = (
        f"{recipe.name}: weights.names is {weights.names:g}, and no {which} tower of {recipe.model!r} has a "
        "classifier whose classes are known by name"
    )
    if not any(weights.of_terms.values()):
        raise ModelError(
            f"{lacking}, so there is nothing to train on. Choose a model that has one, such as starter, leave this "
            "stage out, or set another weight, such as weights.atc"
        )
    logger.warning("%s. Training goes on without this term", lacking)


def _align(
    data: TrainingSet, recipe: FrozenRecipe, start: Aligned, on_step: Callable[[int], None] | None
) -> Aligned:
    generator = torch.Generator().manual_seed(recipe.seed * 2 + recipe.stage)
    projections = {modality: _copy(projection) for modality, projection in start.projections.items()}
    batches = SpeciesBatches.of(data, recipe)
    log_scale = torch.tensor(math.log(start.logit_scale), requires_grad=True)
    first_bias = recipe.logit_bias if start.logit_bias is None else start.logit_bias
    bias = torch.tensor(first_bias, requires_grad=recipe.loss == "sigmoid")
    factors = [log_scale, bias] if bias.requires_grad else [log_scale]
    trained = [parameter for projection in projections.values() for parameter in projection.parameters()]
    optimiser = torch.optim.AdamW(
        [{"params": trained, "weight_decay": recipe.weight_decay}, {"params": factors, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _cosine(step, recipe, batches.steps))
    gate = None
    if recipe.gate is not None:
        first = _Head(log_scale.detach().exp(), bias.detach())
        gate = Gate.at(_mean_atc(batches, recipe, projections, first, recipe.gate.batches))
    history = []
    for step in range(batches.steps):
        scale = log_scale.exp().clamp(max=_MOST_LOGIT_SCALE)
        now = recipe if gate is None or gate.open else _watched_alone(recipe)
        terms = _terms(batches, now, projections, _Head(scale, bias), generator)
        loss = torch.stack([getattr(now.weights, name) * value for name, value in terms.items()]).sum()
        excess = None
        if gate is not None and recipe.gate is not None:
            atc = float(terms[WATCHED].detach())
            excess, slope = guard(atc, gate, recipe.gate)
            loss = loss + excess + slope * (terms[WATCHED] - atc)
            gate = gate.after(atc, recipe.gate)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        losses = {name: float(value.detach()) for name, value in {"loss": loss, **terms}.items()}
        came = AlignStep(losses, float(scale.detach()), excess, None if gate is None else gate.base)
        history.append(came)
        if not math.isfinite(losses["loss"]) or not came.logit_scale:
            raise ModelError(
                f"{recipe.name}: the loss is {losses['loss']} and logit_scale is {came.logit_scale} at step {step}. "
                f"Try a lower learning_rate than {recipe.learning_rate:g}"
            )
        if on_step:
            on_step(1)
    for projection in projections.values():
        projection.eval().requires_grad_(requires_grad=False)
    learned = float(bias.detach()) if bias.requires_grad else None
    return Aligned(projections, min(float(log_scale.detach().exp()), _MOST_LOGIT_SCALE), tuple(history), learned)


@dataclass(frozen=True, eq=False)
class _Head:
    """What turns similarities into a loss, beside the recipe."""

    scale: torch.Tensor
    bias: torch.Tensor


@torch.no_grad()
def _mean_atc(
    drawing: SpeciesBatches,
    recipe: FrozenRecipe,
    projections: Mapping[Modality, Projection],
    head: _Head,
    batches: int,
) -> float:
    """Return ATC before a stage, the mean over some batches, with the noise that training adds."""
    alone = _watched_alone(recipe, names=0.0)
    generator = torch.Generator().manual_seed(recipe.seed * 2 + recipe.stage)
    found = [_terms(drawing, alone, projections, head, generator)[WATCHED] for _ in range(batches)]
    return float(torch.stack(found).mean())


def _watched_alone(recipe: FrozenRecipe, **weights: float) -> FrozenRecipe:
    """Return a recipe whose terms between modalities are all 0 but the one that the gate watches."""
    others = dict.fromkeys(TERMS.keys() - {WATCHED}, 0.0)
    return recipe.model_copy(update={"weights": recipe.weights.model_copy(update=others | weights)})


def _terms(
    batches: SpeciesBatches,
    recipe: FrozenRecipe,
    projections: Mapping[Modality, Projection],
    head: _Head,
    generator: torch.Generator,
) -> dict[str, torch.Tensor]:
    """Return the terms of the loss of a batch, not yet weighted, by the name of their weight."""
    data, batch = batches.data, batches.draw(generator)

    def embed(modality: Modality, x: torch.Tensor) -> torch.Tensor:
        """Project, with noise, vectors of a tower."""
        x = projections[modality].standardise(x)
        if modality == Modality.TEXT:
            x = with_hidden(x, data.features, recipe.text.hidden, generator)
        elif recipe.noise:
            x = torch.add(x, torch.randn(x.shape, generator=generator), alpha=recipe.noise)
        return torch.nn.functional.normalize(projections[modality].linear(x), dim=1)

    def names(modality: Modality) -> torch.Tensor:
        rows, texts = data.classes[modality], data.class_names[modality]
        drawn = torch.randperm(len(rows), generator=generator)[: recipe.names_batch]
        a = torch.nn.functional.normalize(
            projections[modality].linear(_mixed(rows, drawn, recipe, generator)), dim=1
        )
        b = embed(Modality.TEXT, texts.draw(drawn, generator))
        return contrastive(recipe.loss, a, b, head.scale, torch.eye(len(drawn)), bias=head.bias)

    weights = recipe.weights
    wanted = {term: TERMS[term] for term in batch.positives if weights.of_terms[term]}
    vectors = {}
    for modality in dict.fromkeys(modality for pair in wanted.values() for modality in pair):
        species = batch.species[batch.there[modality]]
        vectors[modality] = embed(modality, data.items[modality].draw(species, generator))
    terms = {}
    for term, (first, second) in wanted.items():
        both = batch.there[first] & batch.there[second]
        a, b = (vectors[modality][both[batch.there[modality]]] for modality in (first, second))
        terms[term] = contrastive(recipe.loss, a, b, head.scale, batch.positives[term], bias=head.bias)
    named = _named(data, recipe)
    if weights.names and named:
        terms["names"] = torch.stack([names(modality) for modality in named]).sum()
    return terms


def _mixed(
    rows: torch.Tensor, drawn: torch.Tensor, recipe: FrozenRecipe, generator: torch.Generator
) -> torch.Tensor:
    """Return rows of a classifier with others mixed in: a recording lies in the direction of more than one class."""
    if not recipe.names_noise:
        return rows[drawn]
    others = rows[torch.randperm(len(rows), generator=generator)[:_MIXED]]
    weights = torch.randn((len(drawn), len(others)), generator=generator) / math.sqrt(len(others))
    return torch.addmm(rows[drawn], weights, others, alpha=recipe.names_noise)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _copy(projection: Projection) -> Projection:
    copy = Projection(projection.linear.in_features, projection.linear.out_features, projection.known)
    copy.load_state_dict(projection.state_dict())
    return copy.train()


def _cosine(step: int, recipe: FrozenRecipe, steps: int) -> float:
    warm = min(1.0, (step + 1) / max(recipe.warmup_steps, 1))
    return warm * 0.5 * (1 + math.cos(math.pi * step / steps))
