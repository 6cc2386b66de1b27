"""The published schedule in pieces: what is trained from which step on, and the weights of the loss."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from biovita.training.gate import Gate
from biovita.training.recipe import WATCHED, ParameterGroup, Phase, Ramp, TowersRecipe

__all__ = [
    "MOST_LOG_SCALE",
    "Part",
    "TrainedGroup",
    "groups_of",
    "loss_terms",
    "part_of",
    "phases_of",
    "ramp",
    "trainable",
]

MOST_LOG_SCALE = math.log(100)
_TOP = ("proj", "final_layer", "layers.11")  # the published code's names for "top CLAP layers"
_TEXT_ENDS = ("positional_embedding", "ln_final", "text_projection")
_TEXT_BLOCKS = ("transformer", "token_embedding")


class Part(StrEnum):
    """Parts of the towers that are trained or frozen apart from each other."""

    AUDIO = "audio"  # of CLAP's audio tower, all that is not its top
    AUDIO_TOP = "audio_top"
    ADAPTER = "adapter"  # with the map of what is known of taxa, where there is one
    TEXT_BLOCKS = "text_blocks"
    TEXT_ENDS = "text_ends"
    IMAGE = "image"
    TEMPERATURE = "temperature"


def part_of(name: str) -> Part | None:
    """Return the part that a parameter of `networks.Networks` belongs to; None where it belongs to no part."""
    head, _, rest = name.partition(".")
    if head in {"log_scale", "bias"}:
        return Part.TEMPERATURE
    if head in {"adapter", "facts"}:
        return Part.ADAPTER
    if head == "clap":
        if not rest.startswith("audio_"):
            return None
        return Part.AUDIO_TOP if any(mark in rest for mark in _TOP) else Part.AUDIO
    if rest.startswith("visual."):
        return Part.IMAGE
    rest = rest.removeprefix("text.")
    if rest.startswith(_TEXT_ENDS):
        return Part.TEXT_ENDS
    return Part.TEXT_BLOCKS if rest.startswith(_TEXT_BLOCKS) else None


def phases_of(recipe: TowersRecipe) -> dict[str, Phase]:
    """Return a recipe's phases, with what the released code does otherwise where the recipe asks for that.

    In warm-up it leaves the text tower's positional embedding, final norm and projection trainable, at the rate of all
    else, and in the full phase the temperature belongs to no optimiser group.
    """
    if recipe.behaviour == "paper" or recipe.stage < 2:
        return recipe.phases
    return {
        name: phase.model_copy(update={"temperature": None} if phase.text else {"text_ends": phase.adapter})
        for name, phase in recipe.phases.items()
    }


@dataclass(frozen=True)
class TrainedGroup:
    """Parameters with one rate and decay.

    Attributes
    ----------
    names
        Of the parameters, in the order of the module.
    from_step
        Step of the phase at which they begin to be trained.
    """

    part: str
    names: tuple[str, ...]
    learning_rate: float
    weight_decay: float
    from_step: int


def groups_of(phase: Phase, dims: Mapping[str, int]) -> tuple[TrainedGroup, ...]:
    """Return the optimiser groups of a phase.

    Parameters
    ----------
    dims
        By the name of a parameter, how many dimensions it has: those with fewer than two are norms and biases, which do
        not decay where the phase says so.
    """
    settings: tuple[tuple[str, ParameterGroup | None, set[Part]], ...] = (
        ("audio", phase.audio, {Part.AUDIO, Part.AUDIO_TOP}),
        ("audio_top", phase.audio_top, {Part.AUDIO_TOP}),
        ("adapter", phase.adapter, {Part.ADAPTER}),
        ("text", phase.text, {Part.TEXT_BLOCKS, Part.TEXT_ENDS}),
        ("text_ends", phase.text_ends, {Part.TEXT_ENDS}),
        ("image", phase.image, {Part.IMAGE}),
        ("temperature", phase.temperature, {Part.TEMPERATURE}),
    )
    groups = []
    for title, group, parts in settings:
        if group is None:
            continue
        names = [name for name in dims if part_of(name) in parts]
        decays = [name for name in names if phase.decay_all or dims[name] >= 2]
        for chosen, decay in ((decays, group.weight_decay), ([n for n in names if n not in set(decays)], 0.0)):
            if chosen:
                groups.append(TrainedGroup(title, tuple(chosen), group.learning_rate, decay, group.from_step))
    return tuple(groups)


def trainable(groups: Iterable[TrainedGroup], step: int) -> set[str]:
    """Return the names of the parameters that are trained at a step of the phase, the first being 0."""
    return {name for group in groups if step >= group.from_step for name in group.names}


def ramp(settings: Ramp, step: int) -> float:
    """Return a weight at a step of its phase."""
    return settings.to * min(1.0, step / settings.steps) if settings.steps else settings.to


def loss_terms(phase: Phase, step: int, gate: Gate | None = None) -> dict[str, float]:
    """Return the weight of each term of the loss at a step; a shut gate takes all but ATC away."""
    shut = gate is not None and not gate.open
    return {
        term: 0.0 if shut and term != WATCHED else ramp(settings, step) for term, settings in phase.ramps.items()
    }
