"""What is written down about a run, so that it can be told from another and made again."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from biovita.dataset import Dataset
from biovita.training.recipe import Recipe
from biovita.version import __version__

__all__ = ["record_of"]

_PACKAGES = ("torch", "numpy", "transformers", "open_clip_torch", "accelerate")


def record_of(recipe: Recipe, dataset: Dataset, *, start: Path | None = None) -> dict[str, Any]:
    """Return recipe, dataset, versions, and the state of the source tree where it is a git checkout."""
    return {
        "recipe": recipe.model_dump(mode="json"),
        "start": None if start is None else str(start),
        "dataset": {key: dataset.info.get(key) for key in ("name", "version", "counts", "split")},
        "versions": {"biovita": __version__} | {name: version(name) for name in _PACKAGES},
        "git": _git(),
    }


def _git() -> dict[str, Any] | None:
    """Return the commit that this package runs from and whether files differ from it; None outside a checkout."""
    here = Path(__file__).parents[2]
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit, "changed": bool(changed.strip())}
