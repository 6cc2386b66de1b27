"""Recipes: a training run as one typed value that a plain function returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError

from biovita.errors import BiovitaError, unknown_name

__all__ = ["RECIPES", "LossWeights", "Recipe", "recipe"]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LossWeights(_Settings):
    """The factor of each term of the loss; 0 leaves it out.

    Attributes
    ----------
    atc, aic, itc
        Audio-text, audio-image and image-text InfoNCE on the dataset's items.
    names
        InfoNCE between the rows of the towers' own classifiers and the names of their classes.
    """

    atc: NonNegativeFloat = 1.0
    aic: NonNegativeFloat = 0.0
    itc: NonNegativeFloat = 0.0
    names: NonNegativeFloat = 0.0


class Recipe(_Settings):
    """How projections of frozen towers are trained.

    Attributes
    ----------
    stage
        1 aligns audio with text; 2 goes on from a stage 1 and adds the photographs.
    steps
        Optimiser steps.
    items_per_species
        Pairs of each training species a step and term, drawn anew, from all that the species has.
    names_batch
        Class names a step, each with the row of the classifier that answers to it.
    noise
        Standard deviation of the Gaussian noise added to standardised tower vectors.
    positives
        ``species``: two items of one species are a positive pair wherever they meet in a batch; ``item``: only an
        item and its own partner are, as published.
    logit_scale
        Where the learned factor between cosine similarity and logit starts; it is kept at 100 or less.
    """

    name: str
    stage: Literal[1, 2]
    model: str = "starter"
    dim: PositiveInt = 256
    steps: PositiveInt
    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat
    warmup_steps: int = Field(default=20, ge=0)
    weights: LossWeights
    names_batch: PositiveInt = 512
    items_per_species: PositiveInt = 2
    noise: NonNegativeFloat
    positives: Literal["species", "item"] = "species"
    logit_scale: PositiveFloat = 20.0
    seed: int = Field(default=0, ge=0)


def _starter_stage1() -> Recipe:
    """Audio and names: the clips of the dataset, and the 6,522 names that BirdNET's classifier knows."""
    return Recipe(
        name="starter/stage1",
        stage=1,
        steps=200,
        learning_rate=1e-3,
        weight_decay=0.05,
        noise=2.0,
        weights=LossWeights(atc=1.0, names=1.0),
    )


def _starter_stage2() -> Recipe:
    """All three modalities, from stage 1 on."""
    return Recipe(
        name="starter/stage2",
        stage=2,
        steps=200,
        learning_rate=1e-3,
        weight_decay=0.05,
        noise=2.0,
        weights=LossWeights(atc=1.0, aic=1.0, itc=1.0, names=1.0),
    )


RECIPES: dict[str, Callable[[], Recipe]] = {
    "starter/stage1": _starter_stage1,
    "starter/stage2": _starter_stage2,
}


def recipe(name: str, settings: Mapping[str, Any] | None = None) -> Recipe:
    """Return the recipe of this name, with some settings changed.

    Parameters
    ----------
    settings
        By field, dotted for nested ones (``weights.aic``); text is converted to the field's type.

    Raises
    ------
    BiovitaError
        Where the recipe or a field is unknown (the message names the nearest), or a value does not fit its field.
    """
    if name not in RECIPES:
        raise BiovitaError(unknown_name("recipe", name, RECIPES))
    values = RECIPES[name]().model_dump()
    for field, value in (settings or {}).items():
        *groups, last = field.split(".")
        place: Any = values
        for part in groups:
            place = place.get(part) if isinstance(place, dict) else None
        if not isinstance(place, dict) or last not in place:
            raise BiovitaError(f"recipe {name!r}: {unknown_name('setting', field, _names(values))}")
        place[last] = value
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BiovitaError(f"recipe {name!r}: {where} = {first['input']!r}: {first['msg']}") from error


def _names(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    names: list[str] = []
    for key, value in values.items():
        names += _names(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
    return names
