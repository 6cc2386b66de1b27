"""The directory of a run: which run it holds, and a lock so that one process alone writes there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from biovita.errors import DatasetError
from biovita.files import locked, make_directory, refuse_links, write_whole
from biovita.hashing import sha256_of
from biovita.jsonfile import read_json
from biovita.training.recipe import flat
from biovita.training.run_record import RunRecord

__all__ = ["ResumableRecord", "alone", "begin", "hash_of_weights", "is_fresh"]

_LOCK, _RECORD = ".lock", "run.json"
_WEIGHTS = {".safetensors", ".bin", ".pt", ".pth"}
_FREE = {"compiled", "sharded", "undecodable", "checkpoint_steps"}  # may be others when a run goes on
_SINCE = {"text": {"features": [], "hidden": 0.0}}  # settings that a run of an earlier version lacks


@dataclass(frozen=True, kw_only=True)
class ResumableRecord(RunRecord):
    """What made a run that can be resumed: a run with an equal record is the same run.

    Attributes
    ----------
    start_sha256
        Of the weights that it went on from, as `hash_of_weights` has it; None without a start.
    processes
        How many share the batches.
    """

    start_sha256: str | None
    processes: int


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Make the directory of a run, and keep another process from training in it.

    What a killed process left of a model that it was writing is removed.
    """
    make_directory(out)
    with locked(out / _LOCK, f"{out}: another process is training there"):
        for model in ("last", "best"):
            for left in out.glob(f".{model}.*"):
                shutil.rmtree(left)
        yield


def is_fresh(out: Path, record: ResumableRecord, *, needed: Iterable[Path | None], overwrite: bool) -> bool:
    """Return whether a run begins anew in ``out``, rather than going on.

    Raises
    ------
    DatasetError
        Where ``out`` holds something else or a link, or is not to be overwritten because of what is ``needed``.
    """
    for place in (out, *out.parents):
        if place.exists() and not place.is_dir():
            raise DatasetError(f"{out} cannot be made: {place} is not a directory. Choose another place")
    there = (out / _RECORD).is_file()
    if there:
        refuse_links(*out.iterdir())
    if out.exists() and not there and any(path.name != _LOCK for path in out.iterdir()):
        raise DatasetError(f"{out} already exists and holds no run. Choose another place")
    if not there or not overwrite:
        if there:
            _require_same_run(out, record)
        return not there
    for path in needed:
        if path is not None and path.resolve().is_relative_to(out.resolve()):
            raise DatasetError(f"--overwrite would remove {path}, which this run needs. Choose another place")
    return True


def hash_of_weights(start: Path) -> str:
    """Return a hash of the weights that a model file or directory holds."""
    files = sorted(path for path in start.iterdir() if path.suffix in _WEIGHTS) if start.is_dir() else [start]
    return hashlib.sha256("".join(sha256_of(file) for file in files if file.is_file()).encode()).hexdigest()


def _require_same_run(out: Path, record: ResumableRecord) -> None:
    """Raise a `DatasetError` where a directory holds another run, and name what differs."""
    try:
        before = read_json(out / _RECORD, DatasetError)
        was = flat({**_SINCE, **before["recipe"]})
        versions, git = before.get("versions", {}), before.get("git") or {"commit": ""}
        if not all(isinstance(text, str) for text in (*versions.values(), git["commit"])):
            raise TypeError("no versions")
    except (ValueError, LookupError, TypeError, AttributeError):
        raise DatasetError(f"{out / _RECORD} is damaged. Choose another place, or give --overwrite") from None
    now = flat({**_SINCE, **record.recipe})
    different = [key for key in ("dataset", "start") if before.get(key) != getattr(record, key)]
    if before.get("start_sha256") != record.start_sha256 and "start" not in different:
        different.append("start, whose weights have changed since")
    if before.get("excluded", []) != list(record.excluded):
        different.append("list of excluded taxa")
    settings = [
        f"{name}: {was.get(name)} there, {now.get(name)} now"
        for name in was | now
        if was.get(name) != now.get(name) and name not in _FREE
    ]
    if settings:
        different.append(f"recipe ({'; '.join(settings[:3])}{' and more' * (len(settings) > 3)})")
    if different:
        raise DatasetError(
            f"{out} holds a run with another {' and '.join(different)}. Choose another place, or give --overwrite"
        )
    many, now_many = before.get("processes"), record.processes
    if many != now_many:
        raise DatasetError(
            f"{out} holds a run of {many} processes, which share out each batch, and there are {now_many} now. "
            f"Continue it with torchrun --nproc-per-node {many}, choose another place, or give --overwrite"
        )


def begin(out: Path, record: ResumableRecord) -> None:
    """Empty the directory and write ``run.json``."""
    for old in out.iterdir():
        if old.name != _LOCK:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    write_whole(out / _RECORD, json.dumps(record.as_json(), indent=2) + "\n")
