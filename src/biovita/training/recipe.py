"""The settings of a training run: one typed value, checked where it is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from biovita.modality import PAIRS, Modality, term_of
from biovita.taxonomy.taxon_features import FEATURES, Feature

__all__ = [
    "TERMS",
    "WATCHED",
    "Augment",
    "FrozenRecipe",
    "GateSettings",
    "Loss",
    "LossWeights",
    "Pairs",
    "ParameterGroup",
    "Phase",
    "Positives",
    "PullSettings",
    "Ramp",
    "Recipe",
    "TextSettings",
    "TowersRecipe",
    "flat",
]


Loss: TypeAlias = Literal["info_nce", "sigmoid"]
Positives: TypeAlias = Literal["item", "species", "taxonomy"]

TERMS: dict[str, tuple[Modality, Modality]] = {term_of(*pair): pair for pair in PAIRS}
"""The terms of the loss by the names of their settings, and what each is between."""

WATCHED = term_of(Modality.AUDIO, Modality.TEXT)
"""The term that a gate keeps from getting worse."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TextSettings(_Settings):
    """What enters the text side beside the words.

    Attributes
    ----------
    features
        ``lineage`` and ``traits`` of the taxon that a text names; see
        `biovita.taxonomy.taxon_features.taxon_features`.
    hidden
        Share of them that training hides, each rank and the traits for themselves: texts are understood without, too.
    """

    features: tuple[Feature, ...] = ()
    hidden: float = Field(default=0.0, ge=0, lt=1)

    @field_validator("features", mode="before")
    @classmethod
    def _listed(cls, features: Any) -> Any:
        """Take one name, or none, for a list."""
        return (features,) if isinstance(features, str) else features or ()

    @field_validator("features")
    @classmethod
    def _in_order(cls, features: tuple[Feature, ...]) -> tuple[Feature, ...]:
        return tuple(feature for feature in FEATURES if feature in features)


class PullSettings(_Settings):
    """How far vectors are drawn to taxa that training met; see `biovita.model.knowledge.Pull`."""

    classes: NonNegativeFloat = 0.0
    items: NonNegativeFloat = 0.0
    names: NonNegativeFloat = 0.0
    sharpness: PositiveFloat = 40.0
    answers: NonNegativeFloat = 0.0


class Recipe(_Settings):
    """What every training run states.

    Attributes
    ----------
    stage
        1 aligns audio with text; 2 goes on from a stage 1 and adds the photographs; 0 comes before both: names
        without media for frozen towers, photographs with text for towers without weights.
    model
        The towers: a name that ``biovita models`` lists, or where they lie.
    loss
        ``info_nce``, as published, or ``sigmoid`` (SigLIP).
    positives
        ``species``: two items of one species are a positive pair wherever they meet in a batch; ``item``: only an
        item and its own partner are, as published; ``taxonomy``: relatives are too, with less weight.
    kinship
        For ``taxonomy``: the weight of a species of the same genus; its square within a family, and so on to class.
    """

    name: str
    stage: Literal[0, 1, 2]
    model: str
    loss: Loss = "info_nce"
    positives: Positives = "species"
    kinship: float = Field(default=0.1, ge=0, le=1)
    seed: int = Field(default=0, ge=0, lt=2**32)


class LossWeights(_Settings):
    """The factor of each term of the loss; 0 leaves it out.

    Attributes
    ----------
    atc, aic, itc
        Audio-text, audio-image and image-text terms on the dataset's items.
    names
        The term between the rows of the towers' own classifiers and the names of their classes.
    """

    atc: NonNegativeFloat = 1.0
    aic: NonNegativeFloat = 0.0
    itc: NonNegativeFloat = 0.0
    names: NonNegativeFloat = 0.0

    @property
    def of_terms(self) -> dict[str, float]:
        """The factors of the terms between modalities, by name."""
        return {term: getattr(self, term) for term in TERMS}

    @property
    def modalities(self) -> frozenset[Modality]:
        """Those of the dataset's items that a term is of."""
        return frozenset(modality for term, weight in self.of_terms.items() if weight for modality in TERMS[term])

    @model_validator(mode="after")
    def _has_a_term(self) -> LossWeights:
        if not (self.names or any(self.of_terms.values())):
            raise ValueError("all weights are 0, so there is no loss to train by. Set one of them above 0")
        return self


class GateSettings(_Settings):
    """When AIC and ITC are shut off to keep what ATC has learned; see `biovita.training.gate.Gate`."""

    alpha: float = Field(default=0.2, gt=0, le=1)
    upper: PositiveFloat = 0.03
    lower: PositiveFloat = 0.015
    patience: PositiveInt = 20
    batches: PositiveInt = 20
    guard: NonNegativeFloat = 2.0


class FrozenRecipe(Recipe):
    """How projections of frozen towers are trained.

    Attributes
    ----------
    steps
        Optimiser steps.
    items_per_species
        Items of each species a step, drawn anew in each modality from all that the species has there.
    species_batch
        Species a step where there are more; ``steps`` then counts passes over all of them, see
        `biovita.training.projections.species_batches.SpeciesBatches`.
    names_batch
        Class names a step, each with the row of the classifier that answers to it.
    names_noise
        How much of other classes' rows is mixed into each row: standard deviation of each feature.
    noise
        Standard deviation of the Gaussian noise added to standardised tower vectors.
    logit_scale, logit_bias
        Where the learned factor between cosine similarity and logit starts, kept at 100 or less, and what the
        sigmoid loss adds to the logits, learned too.
    gate
        When AIC and ITC are shut off in favour of ATC, as published; None never does.
    text
        What enters the text projection beside a text's vector.
    pull
        How far the trained model draws names to relatives, and media to names. It changes no step.
    """

    model: str = "starter"
    dim: PositiveInt = 256
    steps: PositiveInt
    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat
    warmup_steps: int = Field(default=20, ge=0)
    weights: LossWeights
    names_batch: PositiveInt = 512
    names_noise: NonNegativeFloat = 0.0
    items_per_species: PositiveInt = 2
    species_batch: int = Field(default=1024, ge=8)
    noise: NonNegativeFloat
    logit_scale: PositiveFloat = 20.0
    logit_bias: float = -10.0
    gate: GateSettings | None = None
    text: TextSettings = TextSettings()
    pull: PullSettings = PullSettings()

    @field_validator("gate")
    @classmethod
    def _watches_atc(cls, gate: GateSettings | None, info: ValidationInfo) -> GateSettings | None:
        weights = info.data.get("weights")
        if gate is not None and weights is not None and not weights.atc:
            raise ValueError(
                "the gate watches the audio-text term, and weights.atc is 0. Set weights.atc above 0, or gate to none"
            )
        return gate


class ParameterGroup(_Settings):
    """How a part of the towers is trained, from step ``from_step`` of its phase on."""

    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat
    from_step: int = Field(default=0, ge=0)


class Ramp(_Settings):
    """A weight that grows linearly from 0 to ``to`` over ``steps`` steps of its phase, and then stays."""

    to: NonNegativeFloat
    steps: int = Field(default=0, ge=0)


class Phase(_Settings):
    """A part of a run with one optimiser.

    Attributes
    ----------
    batch_size
        Pairs a step and process.
    audio, audio_top, adapter, text, text_ends, image, temperature
        How these parts are trained; None leaves them frozen. ``audio`` is all of CLAP's audio tower, ``audio_top``
        what the published code calls its top layers, ``text_ends`` the text tower's positional embedding, final norm
        and projection. No published stage trains ``image``.
    atc, aic, itc
        Weights of the terms of the loss.
    decay_all
        Whether norms, biases and the temperature decay too.
    clip
        Largest norm of the gradient; None does not clip.
    reset_temperature
        The temperature that the phase starts with; None goes on with the one there is.
    clamp
        Whether the logarithm of the factor is kept within plus and minus ln 100.
    """

    epochs: PositiveInt
    batch_size: PositiveInt
    audio: ParameterGroup | None = None
    audio_top: ParameterGroup | None = None
    adapter: ParameterGroup | None = None
    text: ParameterGroup | None = None
    text_ends: ParameterGroup | None = None
    image: ParameterGroup | None = None
    temperature: ParameterGroup | None = None
    atc: Ramp = Ramp(to=1.0)
    aic: Ramp = Ramp(to=0.0)
    itc: Ramp = Ramp(to=0.0)
    betas: tuple[float, float] = (0.9, 0.999)
    decay_all: bool = True
    clip: PositiveFloat | None = None
    reset_temperature: PositiveFloat | None = None
    clamp: bool = True
    gate: GateSettings | None = None

    @property
    def ramps(self) -> dict[str, Ramp]:
        """The weights of the terms of the loss, by name."""
        return {term: getattr(self, term) for term in TERMS}

    @property
    def trains(self) -> set[Modality]:
        """The modalities of whose towers anything is trained."""
        return {modality for part, modality in _TOWER_OF.items() if getattr(self, part) is not None}

    def compares(self, modality: Modality) -> bool:
        """Return whether a term of the loss compares a modality with another one."""
        return any(ramp.to and modality in TERMS[term] for term, ramp in self.ramps.items())

    @model_validator(mode="after")
    def _trains_each_part_once(self) -> Phase:
        for whole, part in (("audio", "audio_top"), ("text", "text_ends")):
            if getattr(self, whole) and getattr(self, part):
                raise ValueError(f"{part} is a part of {whole}. Set {whole} or {part}, not both")
        if not any(ramp.to for ramp in self.ramps.values()):
            raise ValueError(
                "atc.to, aic.to and itc.to are all 0, so there is no loss to train by. Set one of them above 0"
            )
        parts = [getattr(self, part) for part in _TOWER_OF]
        if all(group is None or group.from_step for group in parts):
            raise ValueError(
                "no part of the towers is trained from the first step on. Set from_step to 0 for one of them"
            )
        return self


_TOWER_OF = {
    "audio": Modality.AUDIO,
    "audio_top": Modality.AUDIO,
    "adapter": Modality.AUDIO,
    "text": Modality.TEXT,
    "text_ends": Modality.TEXT,
    "image": Modality.IMAGE,
}


class Pairs(_Settings):
    """Which pairs an epoch is made of.

    Attributes
    ----------
    at_most
        Items, or pairs, of a species an epoch.
    at_least
        A species with fewer clips is drawn up to so many, with replacement (stage 1; photographs in stage 0).
    first_images
        Photographs of a species that are used, the first by path (stage 2).
    distinct
        Whether no batch holds a species twice.
    """

    at_most: PositiveInt = 20
    at_least: int = Field(default=5, ge=0)
    first_images: PositiveInt = 20
    distinct: bool = False


class Augment(_Settings):
    """What is done to the sounds that a trained tower hears; nothing by default, as published.

    Attributes
    ----------
    gain_db
        Most change of level, either way.
    noise_db
        How far another recording of the batch lies under each sound; None adds none.
    time_mask, frequency_mask
        Longest masked share of the frames and of the bands.
    """

    gain_db: NonNegativeFloat = 0.0
    noise_db: float | None = None
    time_mask: float = Field(default=0.0, ge=0, lt=1)
    frequency_mask: float = Field(default=0.0, ge=0, lt=1)


class TowersRecipe(Recipe):
    """How the towers themselves are trained, phase by phase.

    Attributes
    ----------
    model, audio_model
        The image and text towers, and the CLAP model that hears, with an adapter made anew; where ``audio_model`` is
        None, ``model`` has an audio tower with an adapter of its own.
    behaviour
        ``paper``: what the paper says. ``released``: what the released code does where it differs: the text tower's
        ends are trained in warm-up, the temperature of the full phase is not, and the rows of other processes get
        no gradient.
    start_logit_scale
        Where the factor between cosine similarity and logit starts; None goes on with that of the model.
    cached
        Whether vectors of frozen towers come from the dataset's tables, or are computed at every step, as they always
        are where a phase trains the image tower.
    chunk
        Items that a trained tower takes at a time; None is the whole batch. The negatives are those of the whole batch
        either way (Gao et al. 2021, gradient caching).
    precision
        ``fp32``, ``bf16`` or ``fp16``.
    compiled
        Whether the towers run through ``torch.compile``, which needs a C compiler.
    sharded
        Whether several processes share the towers' weights, gradients and moments out (FSDP2), rather than each
        keeping all; in ``fp32`` or ``bf16``, and not ``compiled``.
    undecodable
        Share of the training items that may fail to decode before the run ends.
    checkpoint_steps
        Steps between checkpoints; there is one at the end of each epoch as well.
    validate_epochs
        Epochs between validations; 0 leaves them out.
    validate_species
        Most species of each part, seen and unseen, that validation asks for, with 5 recordings and 5 photographs each;
        None is all held-out items.
    text
        What is added to the text tower's vectors, by a linear map that starts at zero and is trained as the adapter is.
    """

    model: str = "bioclip-2"
    audio_model: str | None = "clap"
    positives: Positives = "item"
    behaviour: Literal["paper", "released"] = "paper"
    phases: dict[str, Phase] = Field(min_length=1)
    pairs: Pairs = Pairs()
    augment: Augment = Augment()
    start_logit_scale: PositiveFloat | None = None
    cached: bool = True
    chunk: PositiveInt | None = None
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    compiled: bool = False
    sharded: bool = False
    undecodable: float = Field(default=0.01, ge=0, le=1)
    checkpoint_steps: PositiveInt = 500
    validate_epochs: int = Field(default=1, ge=0)
    validate_species: PositiveInt | None = 200
    text: TextSettings = TextSettings()

    @field_validator("sharded")
    @classmethod
    def _shares_out(cls, sharded: bool, info: ValidationInfo) -> bool:
        if sharded and (info.data.get("compiled") or info.data.get("precision") == "fp16"):
            raise ValueError("towers can be shared out in fp32 or bf16 only, and not when compiled is true")
        return sharded

    @model_validator(mode="after")
    def _has_what_its_terms_need(self) -> TowersRecipe:
        deaf = [name for name, phase in self.phases.items() if phase.compares(Modality.AUDIO) or phase.gate]
        if self.stage == 0 and deaf:
            raise ValueError(
                f"stage 0 has no recordings. Set atc.to and aic.to to 0 and gate to none in {', '.join(deaf)}"
            )
        blind = [
            name
            for name, phase in self.phases.items()
            if phase.compares(Modality.IMAGE) or Modality.IMAGE in phase.trains
        ]
        if self.stage == 1 and blind:
            raise ValueError(
                f"stage 1 has no photographs. Set aic.to and itc.to to 0 and image to none in {', '.join(blind)}"
            )
        if self.text.features and not any(phase.adapter for phase in self.phases.values()):
            raise ValueError(
                "text.features are trained with the adapter, and no phase trains it. Set text.features to [], or "
                "adapter in a phase"
            )
        return self


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by their dotted names."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found
