"""Checkpoints of a run: written whole or not at all, and checked before they are used."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field, TypeAdapter, ValidationError

from biovita.errors import ModelError
from biovita.files import new_directory, write_whole
from biovita.hashing import sha256_of
from biovita.jsonfile import read_json
from biovita.modality import Modality
from biovita.training.gate import Gate
from biovita.training.towers.decode_failures import Undecodable
from biovita.weights.state_dicts import is_whole, read_checkpoint

__all__ = ["Checkpoint", "Progress", "check_moments", "latest_checkpoint", "save_checkpoint"]

logger = logging.getLogger(__name__)

_WEIGHTS, _OPTIMISER, _STATE = "weights.safetensors", "optimiser.pt", "state.json"
_KEPT = 2
_NAME = re.compile(r"step-\d{8,18}", re.ASCII)

Count = Annotated[int, Field(ge=0, le=1 << 53, strict=True)]


@dataclass
class Progress:
    """Where a run is: what a checkpoint's ``state.json`` holds.

    Attributes
    ----------
    phase, epoch, batch
        Which comes next, each from 0; ``batch`` within the epoch.
    step, total
        Steps made in the phase, and in the run.
    """

    phase: Count = 0
    epoch: Count = 0
    batch: Count = 0
    step: Count = 0
    total: Count = 0
    gate: Gate | None = None
    best: float | None = None
    failures: list[Undecodable] = field(default_factory=list)
    scaler: dict[str, Any] = field(default_factory=dict)
    done: bool = False


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Where a run was, the tensors it trains, and its optimiser's."""

    state: Progress
    tensors: Mapping[str, torch.Tensor]
    optimiser: Mapping[str, Any]


def save_checkpoint(directory: Path, step: int, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint under a temporary name and rename it; all but the newest two are removed.

    Later ones than it are of a run that went back to an earlier one, because they are damaged, and are removed, too.
    """
    from safetensors.torch import save_file

    directory.mkdir(parents=True, exist_ok=True)
    out = directory / f"step-{step:08d}"
    with new_directory(out, replace=True) as scratch:
        save_file({name: value.contiguous() for name, value in checkpoint.tensors.items()}, scratch / _WEIGHTS)
        torch.save(dict(checkpoint.optimiser), scratch / _OPTIMISER)
        hashes = {name: sha256_of(scratch / name) for name in (_WEIGHTS, _OPTIMISER)}
        state = asdict(checkpoint.state)
        text = json.dumps({"files": hashes, "state": state, "state_sha256": _hash_of(state)}, indent=2)
        write_whole(scratch / _STATE, text + "\n")
    kept = [path for path in _all(directory) if path.name <= out.name][-_KEPT:]
    for path in (*_all(directory), *directory.glob(".step-*")):  # the latter: cut off while it was written
        if path not in kept:
            shutil.rmtree(path)
    return out


def latest_checkpoint(directory: Path) -> Checkpoint | None:
    """Return the newest whole checkpoint, or None where there are no checkpoints.

    A damaged one is passed over, with a warning that says which and why.

    Raises
    ------
    ModelError
        Where there are checkpoints and all are damaged.
    """
    found = _all(directory)
    for path in reversed(found):
        try:
            return _read(path)
        except ModelError as error:
            logger.warning("%s is damaged and is not used: %s", path, error)
    if found:
        raise ModelError(f"all checkpoints in {directory} are damaged. Start again with --overwrite")
    return None


def check_moments(state: Any, parameters: Sequence[torch.nn.Parameter], where: str) -> None:
    """Raise a `ModelError` where an optimiser's whole state does not fit these parameters."""
    moments = state.get("state") if isinstance(state, Mapping) else None
    fits = isinstance(moments, Mapping) and all(
        type(place) is int
        and 0 <= place < len(parameters)
        and isinstance(values, Mapping)
        and all(
            isinstance(value, torch.Tensor) and is_whole(value) and value.shape in {(), parameters[place].shape}
            for value in values.values()
        )
        for place, values in moments.items()
    )
    if not fits:
        raise ModelError(f"{where} does not belong to this run. Start again with --overwrite")


def _hash_of(state: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def _all(directory: Path) -> list[Path]:
    found = directory.iterdir() if directory.is_dir() else ()
    return sorted(path for path in found if _NAME.fullmatch(path.name) and path.is_dir())


def _read(path: Path) -> Checkpoint:
    try:
        content = read_json(path / _STATE, ModelError, finite=False)
        hashes, state, hashed = content["files"], content["state"], content["state_sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{_STATE} cannot be read ({error})") from error
    if not isinstance(state, dict) or not isinstance(hashes, dict):
        raise ModelError(f"{_STATE} cannot be read (its state and its files have to be JSON objects)")
    if _hash_of(state) != hashed:
        raise ModelError(f"{_STATE} has changed since it was written")
    for name in (_WEIGHTS, _OPTIMISER):
        if not (path / name).is_file():
            raise ModelError(f"{name} is missing")
        if sha256_of(path / name) != hashes.get(name):
            raise ModelError(f"{name} has changed since it was written")
    optimiser = read_checkpoint(path / _OPTIMISER)
    if not isinstance(optimiser, Mapping):
        raise ModelError(f"{_OPTIMISER} does not hold the state of an optimiser")
    return Checkpoint(_progress(state), read_checkpoint(path / _WEIGHTS), optimiser)


def _progress(state: dict[str, Any]) -> Progress:
    """Return the state of a run, with every field checked."""
    names = {each.name for each in fields(Progress)}
    if strange := sorted(state.keys() - names):
        raise ModelError(f"{_STATE} has {', '.join(strange)[:100]}, which no run writes")
    try:
        found: Progress = TypeAdapter(Progress).validate_python(state)
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(f"{_STATE}: {'.'.join(map(str, first['loc']))[:100]}: {first['msg']}") from error
    if (
        strange := sorted((state["gate"] or {}).keys() - {each.name for each in fields(Gate)})
        if found.gate
        else []
    ):
        raise ModelError(f"{_STATE}: gate has {', '.join(strange)[:100]}, which no run writes")
    if not all(isinstance(value, int | float) for value in found.scaler.values()):
        raise ModelError(f"{_STATE}: scaler holds something other than numbers")
    if strange := [each.modality for each in found.failures if each.modality not in set(Modality)]:
        raise ModelError(f"{_STATE}: failures names {strange[0][:100]!r}, which is not a modality")
    return found
