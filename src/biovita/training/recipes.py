"""Recipes: plain functions that return the settings of a training run, and how a user changes some of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from biovita.errors import BiovitaError, unknown_name
from biovita.training.recipe import (
    FrozenRecipe,
    GateSettings,
    LossWeights,
    ParameterGroup,
    Phase,
    PullSettings,
    Ramp,
    Recipe,
    TextSettings,
    TowersRecipe,
    flat,
)

__all__ = ["RECIPES", "recipe"]


def _starter(stage: Literal[0, 1, 2], weights: LossWeights) -> FrozenRecipe:
    return FrozenRecipe(
        name=f"starter/stage{stage}",
        stage=stage,
        steps=100,
        learning_rate=2e-3,
        weight_decay=0.05,
        noise=2.0,
        positives="taxonomy",
        weights=weights,
        text=TextSettings(features=("lineage", "traits"), hidden=0.2),
        pull=PullSettings(classes=0.6, items=0.6, names=1.0, answers=2.0),
    )


def _starter_stage0() -> FrozenRecipe:
    """Names without media: class vectors of BirdNET's and EfficientNet's classifiers aligned with their names."""
    stage = _starter(0, LossWeights(atc=0.0, names=1.0))
    return stage.model_copy(update={"steps": 600, "names_noise": 2.0})


def _starter_names() -> FrozenRecipe:
    """Names alone, for the projections that come with the package: stage 0 in fewer dimensions."""
    return _starter_stage0().model_copy(update={"name": "starter/names", "dim": 256})


def _starter_stage1() -> FrozenRecipe:
    """Audio and names: the clips of the dataset, and the 6,522 names that BirdNET's classifier knows."""
    return _starter(1, LossWeights(atc=1.0, names=1.0))


def _starter_stage2() -> FrozenRecipe:
    """All three modalities, from stage 1 on."""
    return _starter(2, LossWeights(atc=1.0, aic=1.0, itc=1.0, names=1.0))


_PUBLISHED = ParameterGroup(learning_rate=1e-4, weight_decay=0.05)


def _paper_stage1() -> TowersRecipe:
    """Train as published in stage 1: CLAP's audio tower and the adapter, aligned with BioCLIP 2's text tower."""
    phase = Phase(
        epochs=30, batch_size=64, audio=_PUBLISHED, adapter=_PUBLISHED, temperature=_PUBLISHED, clamp=False
    )
    return TowersRecipe(name="paper/stage1", stage=1, phases={"atc": phase}, start_logit_scale=1 / 0.07)


def _paper_stage2() -> TowersRecipe:
    """Train as published in stage 2, warm-up and full phase: photographs join, then the text tower is trained."""
    warmup = Phase(
        epochs=10,
        batch_size=32,
        audio=_PUBLISHED,
        adapter=_PUBLISHED,
        temperature=_PUBLISHED,
        atc=Ramp(to=0.8),
        aic=Ramp(to=0.2),
    )
    full = Phase(
        epochs=10,
        batch_size=32,
        adapter=_PUBLISHED,
        text=ParameterGroup(learning_rate=5e-6, weight_decay=0.01),
        audio_top=ParameterGroup(learning_rate=1e-5, weight_decay=0.02, from_step=300),
        temperature=ParameterGroup(learning_rate=1e-4, weight_decay=0.0, from_step=600),
        aic=Ramp(to=0.1, steps=600),
        itc=Ramp(to=0.1, steps=300),
        betas=(0.9, 0.98),
        decay_all=False,
        clip=1.0,
        reset_temperature=0.2,
        gate=GateSettings(),
    )
    return TowersRecipe(name="paper/stage2", stage=2, phases={"warmup": warmup, "full": full})


def _scratch_stage0() -> TowersRecipe:
    """Photographs and names, image and text tower trained: for towers that begin with random weights."""
    trained = ParameterGroup(learning_rate=1e-3, weight_decay=0.05)
    phase = Phase(
        epochs=30,
        batch_size=64,
        image=trained,
        text=trained,
        temperature=trained,
        atc=Ramp(to=0.0),
        itc=Ramp(to=1.0),
    )
    return TowersRecipe(name="scratch/stage0", stage=0, phases={"itc": phase}, start_logit_scale=1 / 0.07)


RECIPES: dict[str, Callable[[], Recipe]] = {
    "starter/stage0": _starter_stage0,
    "starter/names": _starter_names,
    "starter/stage1": _starter_stage1,
    "starter/stage2": _starter_stage2,
    "paper/stage1": _paper_stage1,
    "paper/stage2": _paper_stage2,
    "scratch/stage0": _scratch_stage0,
}

_FIXED = {"name", "stage"}

Kind = TypeVar("Kind", bound=Recipe)


def recipe(name: str, settings: Mapping[str, Any] | None = None, kind: type[Kind] = Recipe) -> Kind:  # type: ignore[assignment]  # a default for a type variable
    """Return the recipe of this name, with some settings changed.

    Parameters
    ----------
    settings
        By field, dotted for nested ones (``weights.aic``, ``phases.full.text.learning_rate``); text is converted to
        the field's type, ``none`` is None, and ``{...}`` a group of settings in JSON (``gate={}``: as published).
    kind
        What the caller can train: another kind of recipe is an error.

    Raises
    ------
    BiovitaError
        Where the recipe or a field is unknown (the message names the nearest), or a value does not fit its field.
    """
    if name not in RECIPES:
        raise BiovitaError(unknown_name("recipe", name, RECIPES))
    made = RECIPES[name]()
    if not isinstance(made, kind):
        raise BiovitaError(f"recipe {name!r} is a {type(made).__name__}, and a {kind.__name__} is needed here")
    values = made.model_dump()
    for field, value in (settings or {}).items():
        *groups, last = field.split(".")
        place: Any = values
        for depth, part in enumerate(groups, start=1):
            known = isinstance(place, dict) and part in place
            place = place[part] if known else None
            if known and place is None:
                group = ".".join(groups[:depth])
                raise BiovitaError(
                    f"recipe {name!r}: {field} cannot be set because {group} is none. Give the whole group in "
                    f"JSON: {group}={{...}}"
                )
        if field in _FIXED:
            raise BiovitaError(
                f"recipe {name!r}: {field} is fixed by the recipe and cannot be set. Choose another recipe"
            )
        if not isinstance(place, dict) or last not in place:
            raise BiovitaError(f"recipe {name!r}: {unknown_name('setting', field, flat(values))}")
        place[last] = _plain(value)
    try:
        return type(made).model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        value = (
            "" if isinstance(first["input"], dict) else f" = {first['input']!r}"
        )  # a group: the message says what
        said = first["msg"].removeprefix("Value error, ")
        raise BiovitaError(f"recipe {name!r}: {f'{where}{value}: ' if where else ''}{said}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(("{", "[")):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return None if value == "none" else value
