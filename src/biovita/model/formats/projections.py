"""An aligned model of ours: projections over frozen towers, which are named in ``config.json`` and not copied."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from biovita.dataset.store import new_directory
from biovita.errors import BiovitaError, ModelError
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.formats.base import Origin
from biovita.model.hub import HUB_PREFIX
from biovita.model.lookup import KNOWN, LOCAL_PREFIX, PROJECTIONS_FILES, find_at, find_towers, open_towers
from biovita.model.model import Model
from biovita.towers.state import read_checkpoint, read_json
from biovita.towers.whole import Dimensions, LogitScale, ModelName

if TYPE_CHECKING:
    from biovita.model.projection import Projection

__all__ = [
    "CONFIG",
    "WEIGHTS",
    "Config",
    "Projections",
    "TowerRef",
    "aligned_model",
    "read_config",
    "read_projections",
]

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_MEND = "Train it again, or install the version that it was made with"

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
        Of a directory or checkpoint: from the model's directory, and from the root. The first that is there counts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Place | None = None
    path: Place | None = None
    absolute: Place | None = None
    revision: Annotated[str, Field(max_length=1000)]

    @model_validator(mode="after")
    def _one_way(self) -> BaseRef:
        if (self.name is None) == (self.absolute is None and self.path is None):
            raise ValueError("either name or paths say where the towers are")
        return self


class Config(BaseModel):
    """What ``config.json`` holds. Format 1 has no ``base``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1, 2] = 1
    name: ModelName
    dim: Dimensions
    logit_scale: LogitScale
    base: BaseRef | None = None
    towers: Annotated[dict[Modality, TowerRef], Field(min_length=1)]
    record: dict[str, Any]

    @model_validator(mode="after")
    def _has_base(self) -> Config:
        if (self.base is None) != (self.format == 1):
            raise ValueError("format 2 has a base, and format 1 none")
        return self


class Projections:
    """Projections into one space, and the towers of another model."""

    name = "projections"
    files = PROJECTIONS_FILES
    weights = ((WEIGHTS,),)
    extras = ()

    def matches(self, path: Path) -> bool:
        """Return whether the configuration names towers."""
        file = path / CONFIG
        if not file.is_file():
            return False
        content = read_json(file)
        return "towers" in content and content.get("kind") is None

    def describe(self, path: Path, origin: Origin) -> ModelCard:
        """Return what the configuration says; the model that has the towers is looked for.

        Raises
        ------
        ModelError
            Where a field is not as it has to be, or the towers are not found as they were.
        """
        config = read_config(path)
        return _card(config.name, config.dim, list(config.towers), _base_card(path, config), origin)

    def load(self, card: ModelCard, path: Path, device: str, modalities: Collection[Modality]) -> Model:
        """Return the model."""
        config = read_config(path)
        assert card.base is not None
        projections = read_projections(path, config)  # before the towers, which take longer to open
        towers = open_towers(card.base, device, modalities).towers
        return Model(config.name, card, towers, projections, config.logit_scale, config.record)

    def save(self, model: Model, out: Path, *, overwrite: bool = False) -> Path:
        """Write the projections, where their towers are, and what made them."""
        dim = model.card.dim
        if model.card.base is None or dim is None:
            raise ModelError(f"the model {model.name!r} has no projections: it is not written without its towers")
        config = Config(
            format=2,
            name=model.name,
            dim=dim,
            logit_scale=model.logit_scale,
            base=_base_ref(model.card.base, out),
            towers={
                modality: TowerRef(name=info.name, revision=info.revision, dim=info.dim)
                for modality, info in model.card.encoders.items()
            },
            record=dict(model.record),
        )
        with new_directory(out, replace=overwrite, marker=CONFIG) as scratch:
            (scratch / WEIGHTS).write_bytes(_as_bytes(model.projections))
            (scratch / CONFIG).write_text(
                config.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8"
            )
        return out


def aligned_model(
    name: str,
    base: Model,
    projections: Mapping[Modality, Projection],
    logit_scale: float = 1.0,
    record: Mapping[str, Any] | None = None,
) -> Model:
    """Return the model of projections of the towers of ``base`` that were trained just now.

    Its revision is that of the directory that `Projections.save` writes.
    """
    revision = "sha256:" + hashlib.sha256(_as_bytes(projections)).hexdigest()[:16]
    dim = next(iter(projections.values())).linear.out_features
    card = _card(name, dim, list(projections), base.card, Origin(name, "", revision))
    return Model(name, card, base.towers, projections, logit_scale, dict(record or {}))


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
            raise ModelError(f"{path} is a training run: its models are {path / 'last'} and {path / 'best'}")
        raise ModelError(f"{path} is not a model directory: it has no {CONFIG}")
    content = read_json(file)
    if content.get("kind") == "whole":
        raise ModelError(f"{path} is a model of trained towers, and wanted are projections of frozen ones")
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ModelError(f"{file}: {where}: {first['msg']}") from error


def read_projections(path: Path, config: Config) -> dict[Modality, Projection]:
    """Return the projections of a directory.

    Raises
    ------
    ModelError
        Where the weights are missing or damaged, or do not fit the configuration.
    """
    import torch

    from biovita.model.projection import Projection

    file = path / WEIGHTS
    if not file.is_file():
        raise ModelError(f"{path} is not a whole model directory: it has no {file.name}")
    try:
        tensors = read_checkpoint(file)
    except ModelError as error:
        raise ModelError(f"{file} is damaged: {error}") from error
    with torch.device("meta"):  # without memory: whether the weights fit is known before any is taken
        shapes = {modality: Projection(ref.dim, config.dim) for modality, ref in config.towers.items()}
    expected = {
        f"{modality}.{key}": value
        for modality, projection in shapes.items()
        for key, value in projection.state_dict().items()
    }
    problems = [f"missing {key}" for key in expected.keys() - tensors.keys()]
    problems += [f"unexpected {key}" for key in tensors.keys() - expected.keys()]
    problems += [
        f"{key} is {tuple(tensors[key].shape)}, not {tuple(value.shape)}"
        for key, value in expected.items()
        if key in tensors and tensors[key].shape != value.shape
    ]
    if problems:
        raise ModelError(f"{file} does not fit its {CONFIG}: {'; '.join(sorted(problems))}")
    projections = {modality: Projection(ref.dim, config.dim) for modality, ref in config.towers.items()}
    for modality, projection in projections.items():
        projection.load_state_dict(
            {
                key.removeprefix(f"{modality}."): value
                for key, value in tensors.items()
                if key.startswith(f"{modality}.")
            }
        )
        projection.eval().requires_grad_(requires_grad=False)
    return projections


def _card(title: str, dim: int, modalities: Sequence[Modality], base: ModelCard, origin: Origin) -> ModelCard:
    return ModelCard(
        origin.name,
        f"{title}: projections of {base.name} into {dim} numbers",
        Projections.name,
        origin.place,
        f"{origin.revision}+{base.revision}",
        {modality: base.encoder(modality) for modality in modalities},
        dim,
        base,
    )


def _base_ref(base: ModelCard, out: Path) -> BaseRef:
    if not base.place:
        raise ModelError(
            f"the towers of {base.name!r} are in memory alone: write them, and train on what was written"
        )
    if base.place in KNOWN:
        return BaseRef(name=base.place, revision=base.revision)
    if base.place.startswith(HUB_PREFIX):
        return BaseRef(name=base.place.partition("@")[0], revision=base.revision)
    place = Path(base.place).resolve()
    return BaseRef(path=os.path.relpath(place, out.resolve()), absolute=str(place), revision=base.revision)


def _base_card(path: Path, config: Config) -> ModelCard:
    """Return the card of the model that has the towers, which are those that the projections were made with."""
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
            f"{file}: base: {ref.name!r} at {ref.revision!r} is no known model, nor a commit on the hub"
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
        raise ModelError(f"{file}: record.recipe.model is no path of its towers: {names}. {_MEND}") from None


def _as_bytes(projections: Mapping[Modality, Projection]) -> bytes:
    """Return the content of the file of weights: the same for the same numbers."""
    from safetensors.torch import save

    return save(
        {
            f"{modality}.{key}": value.detach().cpu().contiguous()
            for modality, projection in projections.items()
            for key, value in projection.state_dict().items()
        }
    )
