"""What ``config.json`` of projections says, and finding the model whose towers they are of."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from biovita.errors import BiovitaError, ModelError
from biovita.filenames import path_from
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.formats.own_files import Dimensions, LogitScale, ModelName, TableHash
from biovita.model.knowledge import Pull
from biovita.model.lookup import KNOWN, LOCAL_PREFIX, find_at, find_towers
from biovita.model.repository import HUB_PREFIX
from biovita.taxonomy.taxon_features import Feature
from biovita.weights.state_dicts import read_json

__all__ = ["CONFIG", "BaseRef", "Config", "KnowledgeRef", "TowerRef", "base_card", "base_ref", "read_config"]

CONFIG = "config.json"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_MEND = "Train it again, or install the version that it was made with"

Weight = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Place = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


class TowerRef(BaseModel):
    """Which tower a projection belongs to; the revision is compared when the model is opened."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ModelName
    revision: Annotated[str, Field(max_length=1000)]
    dim: Dimensions


class BaseRef(BaseModel):
    """Where the towers come from: a name, or two paths, and which they are.

    Attributes
    ----------
    name
        Of a model that is known, or ``hf-hub:owner/repository``.
    path, absolute
        Of a directory or checkpoint: from the model's directory, and from the root. The first that holds those weights
        counts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Place | None = None
    path: Place | None = None
    absolute: Place | None = None
    revision: Annotated[str, Field(max_length=1000)]

    @model_validator(mode="after")
    def _one_way(self) -> BaseRef:
        if (self.name is None) == (self.absolute is None and self.path is None):
            raise ValueError("give either name, or path or absolute, to say where the towers are")
        return self


class KnowledgeRef(BaseModel):
    """What the model knows of taxa; their places are in a file beside it.

    Attributes
    ----------
    features
        What enters the text projection beside a text's vector.
    table
        Hash of the package's table of taxa that it was made with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: tuple[Feature, ...]
    table: TableHash
    classes: Weight
    items: Weight
    names: Weight
    sharpness: Weight
    answers: Weight

    @property
    def pull(self) -> Pull:
        """How far it draws vectors to the places of others."""
        return Pull(self.classes, self.items, self.names, self.sharpness, self.answers)


class Config(BaseModel):
    """What ``config.json`` holds. Format 1 has no ``base``, format 3 has ``knowledge``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1, 2, 3] = 1
    name: ModelName
    dim: Dimensions
    logit_scale: LogitScale
    base: BaseRef | None = None
    towers: Annotated[dict[Modality, TowerRef], Field(min_length=1)]
    knowledge: KnowledgeRef | None = None
    record: dict[str, Any]

    @model_validator(mode="after")
    def _fits_format(self) -> Config:
        if (self.base is None) != (self.format == 1):
            raise ValueError("formats 2 and 3 need a base, and format 1 cannot have one")
        if (self.knowledge is None) == (self.format == 3):
            raise ValueError("format 3 needs knowledge, and no other format can have it")
        return self


def read_config(path: Path) -> Config:
    """Return what ``config.json`` of a directory of projections says.

    Raises
    ------
    ModelError
        Where it is missing, or a field is not as it has to be; the message names the field.
    """
    file = path / CONFIG
    if not file.is_file():
        if (path / "run.json").is_file():
            raise ModelError(f"{path} is a training run. Its models are {path / 'last'} and {path / 'best'}")
        raise ModelError(f"{path} is not a model directory. It has no {CONFIG}")
    content = read_json(file)
    if content.get("kind") == "whole":
        raise ModelError(f"{path} is a model of trained towers. It has to be one of projections of frozen towers")
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ModelError(f"{file}: {where}: {first['msg']}") from error


def base_ref(base: ModelCard, out: Path) -> BaseRef:
    """Return what a model written to ``out`` says of where its towers are.

    Raises
    ------
    ModelError
        Where they are in memory alone.
    """
    if not base.place:
        raise ModelError(
            f"the towers of {base.name!r} are in memory alone. Write them first, and train on what was written"
        )
    if base.place in KNOWN:
        return BaseRef(name=base.place, revision=base.revision)
    if base.place.startswith(HUB_PREFIX):
        return BaseRef(name=base.place.partition("@")[0], revision=base.revision)
    place = Path(base.place).resolve()
    return BaseRef(path=path_from(out.resolve(), place), absolute=place.as_posix(), revision=base.revision)


def base_card(path: Path, config: Config) -> ModelCard:
    """Return the card of the model that has the towers of a directory of projections.

    Raises
    ------
    ModelError
        Where it is not found, or the towers are others than those that the projections were made with.
    """
    file = path / CONFIG
    ref = config.base or _base_of_format_1(file, config)
    base = _named(file, ref) if ref.name is not None else _placed(path, ref)
    for modality, tower in config.towers.items():
        found = base.encoder(modality)
        if (found.revision, found.dim) != (tower.revision, tower.dim):
            raise ModelError(
                f"{file}: the model was made with {tower.name} of {tower.dim} numbers at {tower.revision}, and here "
                f"{found.name} has {found.dim} and is at {found.revision}. {_MEND}"
            )
    return base


def _named(file: Path, ref: BaseRef) -> ModelCard:
    """Return a model that is known, or one of the hub at its commit, where that is on this machine."""
    assert ref.name is not None
    if ref.name in KNOWN:
        card = KNOWN[ref.name]
        if card.revision != ref.revision:
            raise ModelError(
                f"{file}: the model was made with {ref.name} at {ref.revision}, and here it is at {card.revision}. "
                f"{_MEND}"
            )
        return card
    if not ref.name.startswith(HUB_PREFIX) or not _COMMIT.fullmatch(ref.revision):
        raise ModelError(
            f"{file}: base: {ref.name!r} at {ref.revision!r} is neither a known model nor a commit on the hub"
        )
    return find_towers(f"{ref.name}@{ref.revision}", local=True)


def _placed(path: Path, ref: BaseRef) -> ModelCard:
    """Return the model at one of two places whose weights have the hash; of any other, no more than that is read."""
    places = [] if ref.path is None else [Path(os.path.normpath(path.resolve() / ref.path))]
    if ref.absolute is not None and Path(ref.absolute).is_absolute():
        places.append(Path(ref.absolute))
    tried = {}
    for place in dict.fromkeys(places):
        try:
            return find_at(place, ref.revision) if os.path.exists(place) else _absent(place)  # noqa: PTH110
        except (BiovitaError, OSError) as error:
            tried[place] = str(error)
    raise ModelError(
        f"{path / CONFIG}: its towers, with the weights {ref.revision}, are not where they were. Looked for: "
        f"{'; '.join(tried.values())}. Put them at one of these places, or train again"
    )


def _absent(place: Path) -> NoReturn:
    raise ModelError(f"there is nothing at {place}")


def _base_of_format_1(file: Path, config: Config) -> BaseRef:
    """Return where the towers are of a model that only names them: with a known model, or where it was trained on."""
    for card in KNOWN.values():
        if all(m in card.encoders and card.encoders[m].name == ref.name for m, ref in config.towers.items()):
            return BaseRef(name=card.name, revision=card.revision)
    recipe = config.record.get("recipe")
    trained_on = recipe.get("model") if isinstance(recipe, dict) else None
    names = ", ".join(ref.name for ref in config.towers.values())
    if not isinstance(trained_on, str) or trained_on.startswith(HUB_PREFIX):
        raise ModelError(f"{file} does not say where its towers are: {names}. {_MEND}")
    try:
        place = os.path.abspath(trained_on.removeprefix(LOCAL_PREFIX))  # noqa: PTH100
        return BaseRef(absolute=place, revision=next(iter(config.towers.values())).revision)
    except ValidationError:
        raise ModelError(f"{file}: record.recipe.model is not a path of its towers: {names}. {_MEND}") from None
