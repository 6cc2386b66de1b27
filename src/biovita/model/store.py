"""A model directory: ``config.json`` and ``model.safetensors``, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from biovita.dataset.store import new_directory
from biovita.errors import ModelError, unknown_name
from biovita.modality import Modality
from biovita.model.model import Model
from biovita.towers import MODELS, load_tower, load_towers
from biovita.towers.hub_models import Layout
from biovita.towers.registry import model_row, tower_row
from biovita.towers.sources import DIRECTORY_PREFIX, is_source, layout_of
from biovita.towers.state import read_checkpoint, read_json
from biovita.towers.whole import Dimensions, LogitScale, ModelName

if TYPE_CHECKING:
    from biovita.model.projection import Projection

__all__ = ["Config", "TowerRef", "load_model", "save_model"]

CONFIG, WEIGHTS = "config.json", "model.safetensors"


class TowerRef(BaseModel):
    """Which tower a model was trained on; the revision is compared when the model is loaded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    revision: str
    dim: Dimensions


class Config(BaseModel):
    """What ``config.json`` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    name: ModelName
    dim: Dimensions
    logit_scale: LogitScale
    towers: dict[Modality, TowerRef]
    record: dict[str, Any]


def save_model(model: Model, out: Path, *, overwrite: bool = False) -> Path:
    """Write an aligned model's projections and what made them; its towers are named, not copied.

    Raises
    ------
    DatasetError
        Where ``out`` exists and ``overwrite`` was not asked for.
    """
    from safetensors.numpy import save_file

    refs = {
        modality: TowerRef(name=tower.card.name, revision=tower.card.revision, dim=tower.card.dim)
        for modality, tower in model.towers.items()
    }
    dims = {model.dim(modality) for modality in model.towers}
    assert len(dims) == 1, "an aligned model has one space"
    config = Config(
        name=model.name, dim=dims.pop(), logit_scale=model.logit_scale, towers=refs, record=dict(model.record)
    )
    tensors = {
        f"{modality}.{key}": np.ascontiguousarray(value.cpu().numpy())
        for modality, projection in model.projections.items()
        for key, value in projection.state_dict().items()
    }
    with new_directory(out, replace=overwrite, marker=CONFIG) as scratch:
        save_file(tensors, scratch / WEIGHTS)
        (scratch / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return out


def load_model(name_or_path: str | Path, device: str = "auto") -> Model:
    """Return a model: a directory of ours, a published model, or the towers alone of a name that is known.

    Parameters
    ----------
    name_or_path
        A name that ``biovita models`` lists (``starter``, ``biovita``, ``bioclip-2``); a directory that `save_model`
        or `save_whole` wrote, or in the published repository's, open_clip's or CLAP's layout, plain or as
        ``local-dir:PATH``; a training checkpoint (``epoch030.pth``); ``hf-hub:owner/repository``.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Raises
    ------
    ModelError
        Where there is no such model, a file of it is missing or damaged, or a tower is another than it was made
        with.

    Examples
    --------
    >>> model = load_model("demo-run/model")                             # doctest: +SKIP
    >>> model.embed_audio(["dawn.wav"]) @ model.embed_texts(["Eurasian Wren"]).T   # doctest: +SKIP
    """
    from biovita.model.published import load_whole

    path = Path(name_or_path)
    name = str(name_or_path)
    place = Path(name.removeprefix(DIRECTORY_PREFIX))
    if place.is_dir() and layout_of(place) == Layout.OWN:
        return load_whole(place, device)
    if path.is_dir() and not is_source(name):
        return _load_directory(path, device)
    if name not in MODELS and not is_source(name):
        raise ModelError(f"{unknown_name('model', name, MODELS)}. There is no file or directory {path} either")
    towers = load_towers(name, device)
    scale = getattr(towers.get(Modality.TEXT), "logit_scale", 1.0)
    return Model(name=model_row(name).name, towers=towers, logit_scale=scale)


def _load_directory(path: Path, device: str) -> Model:
    config = read_config(path)
    for ref in config.towers.values():
        found = tower_row(ref.name).card
        if found.revision != ref.revision:
            raise ModelError(
                f"{path}/{CONFIG}: the model was made with {ref.name} at {ref.revision}, and here it is at "
                f"{found.revision}. Train it again, or install the version it was made with"
            )
    projections = _read_projections(path / WEIGHTS, config)  # before the towers, which take longer to open
    towers = {modality: load_tower(ref.name, device) for modality, ref in config.towers.items()}
    return Model(config.name, towers, projections, config.logit_scale, config.record)


def read_config(path: Path) -> Config:
    """Return what ``config.json`` of a model directory says.

    Raises
    ------
    ModelError
        Where it is missing, or a field is not as it has to be; the message names the field.
    """
    file = path / CONFIG
    if not file.is_file():
        if (path / "run.json").is_file():
            raise ModelError(f"{path} is a training run: its models are {path / 'last'} and {path / 'best'}")
        raise ModelError(
            f"{path} is not a model directory: it has no {CONFIG}, nor the open_clip_config.json of a published model"
        )
    try:
        return Config.model_validate(read_json(file))
    except ValidationError as error:
        if layout_of(path) == Layout.OWN:
            raise ModelError(
                f"{path} is a model of trained towers, and wanted are projections of frozen ones"
            ) from None
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ModelError(f"{file}: {where}: {first['msg']}") from error


def with_towers(path: Path, config: Config, towers: Mapping[Modality, Any]) -> Model:
    """Return the model of a directory with towers that are open already."""
    projections = _read_projections(path / WEIGHTS, config)
    return Model(config.name, towers, projections, config.logit_scale, config.record)


def _read_projections(file: Path, config: Config) -> dict[Modality, Projection]:
    import torch

    from biovita.model.projection import Projection

    if not file.is_file():
        raise ModelError(f"{file.parent} is not a whole model directory: it has no {file.name}")
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
