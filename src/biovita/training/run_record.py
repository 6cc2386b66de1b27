"""What is recorded about a run, so that it can be told from another and repeated."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from biovita.benchmark.leak import LeakPart, asked_of_split, check_met
from biovita.dataset import Dataset, Split
from biovita.dataset.held_out import content_keys, folded_names, rows_hash, split_hash
from biovita.modality import MEDIA, Modality
from biovita.model.describe import met_of
from biovita.model.met import Met, MetStage, joined
from biovita.taxonomy import Taxon
from biovita.taxonomy.parse import fold
from biovita.training.exclusion import NOTHING, Exclusion
from biovita.training.recipe import Recipe
from biovita.version import __version__

__all__ = ["GitState", "RunRecord", "met_in_run", "record_of"]

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
        Its name, version, counts and split, as ``dataset.toml`` has them, and hashes of its rows and of its split.
    versions
        Of this package and of those that the numbers depend on.
    git
        None where the package does not run from a git checkout.
    leak
        What the split holds out and ``start`` had trained on, where that was allowed.
    notes
        What is to be known of ``start``, in sentences.
    excluded
        Scientific names of the taxa that training was kept from beside those that the split holds out.
    """

    recipe: Mapping[str, Any]
    start: str | None
    dataset: Mapping[str, Any]
    versions: Mapping[str, str]
    git: GitState | None
    leak: tuple[LeakPart, ...] = ()
    notes: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object, without ``leak`` and ``notes`` where there are none."""
        leak = [{**asdict(part), "first": list(part.first)} for part in self.leak]
        found = {**asdict(self), "leak": leak, "notes": list(self.notes), "excluded": list(self.excluded)}
        return {key: value for key, value in found.items() if value or key not in {"leak", "notes"}}


def record_of(
    recipe: Recipe,
    dataset: Dataset,
    *,
    start: Path | None = None,
    exclude: Exclusion = NOTHING,
    allow_leak: bool = False,
) -> RunRecord:
    """Return what makes a run of this recipe on this dataset, from this model on.

    Raises
    ------
    ModelError
        Where the model has trained on what the dataset's split holds out or on what is excluded, and that is not
        allowed.
    """
    check = None
    if start is not None:
        done = f"trained further on {dataset.path}, nor that model scored,"
        asked = asked_of_split(dataset, exclude.all_names)
        check = check_met(met_of(start), asked, name=str(start), allow_leak=allow_leak, done=done)
    return RunRecord(
        recipe=recipe.model_dump(mode="json"),
        start=None if start is None else str(start),
        dataset={
            **{key: dataset.info.get(key) for key in ("name", "version", "counts", "split")},
            "rows_sha256": rows_hash(dataset),
            "split_sha256": split_hash(dataset),
        },
        versions={"biovita": __version__} | {name: version(name) for name in _PACKAGES},
        git=_git(),
        leak=check.leak if check else (),
        notes=check.notes if check else (),
        excluded=exclude.names,
    )


def met_in_run(
    record: RunRecord,
    dataset: Dataset,
    taxa: Collection[Taxon],
    *,
    modalities: Collection[Modality] = MEDIA,
    labels: Iterable[str] = (),
    start: Path | None = None,
    before: Met | None = None,
) -> Met:
    """Return what a model has met after a run.

    Parameters
    ----------
    record
        What `record_of` returned of the run.
    taxa
        Those that were trained on.
    modalities
        Whose ``train`` rows of these taxa were trained on.
    labels
        Names of the classes whose rows in a classifier were trained on.
    start, before
        The model that the run went on from, and what that had met; None where it is not known.
    """
    stated = [str(record.dataset[name]) for name in ("name", "version", "rows_sha256", "split_sha256")]
    stage = MetStage(record.recipe["name"], *stated)
    rows = (pc.field("split") == Split.TRAIN.value) & pc.field("taxon_id").isin([taxon.id for taxon in taxa])
    media = {m: content_keys(dataset.media(m, ["sha256", "path"], rows), dataset.info["name"]) for m in modalities}
    unknown = Met((MetStage(start.name),)) if start is not None and before is None else None
    found = joined(
        [
            unknown or before,
            Met(
                (stage,),
                pa.array(sorted(folded_names(dataset, taxa)), pa.string()),
                pa.array(sorted({fold(label) for label in labels}), pa.string()),
                media,
            ),
        ]
    )
    assert found is not None
    return found


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
