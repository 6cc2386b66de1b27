"""What is recorded about a run, so that it can be told from another and repeated."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from biovita.dataset import Dataset
from biovita.training.recipe import Recipe
from biovita.version import __version__

__all__ = ["GitState", "RunRecord", "record_of"]

_PACKAGES = ("torch", "numpy", "transformers", "open_clip_torch", "accelerate")


@dataclass(frozen=True, slots=True)
class GitState:
    """The commit that the package ran from, and whether files differed from it."""

    commit: str
    changed: bool


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What made a run.

    Attributes
    ----------
    recipe
        All settings, as JSON has them.
    start
        The model that the run went on from.
    dataset
        Its name, version, counts and split, as ``dataset.toml`` has them.
    versions
        Of this package and of those that the numbers depend on.
    git
        None where the package does not run from a git checkout.
    """

    recipe: Mapping[str, Any]
    start: str | None
    dataset: Mapping[str, Any]
    versions: Mapping[str, str]
    git: GitState | None

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def record_of(recipe: Recipe, dataset: Dataset, *, start: Path | None = None) -> RunRecord:
    """Return what makes a run of this recipe on this dataset, from this model on."""
    return RunRecord(
        recipe=recipe.model_dump(mode="json"),
        start=None if start is None else str(start),
        dataset={key: dataset.info.get(key) for key in ("name", "version", "counts", "split")},
        versions={"biovita": __version__} | {name: version(name) for name in _PACKAGES},
        git=_git(),
    )


def _git() -> GitState | None:
    here = Path(__file__).parent
    try:
        commit = _said_by_git(here, "rev-parse", "HEAD")
        changed = _said_by_git(here, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return GitState(commit, bool(changed))


def _said_by_git(place: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=place, capture_output=True, text=True, check=True)
    return done.stdout.strip()
