"""Whether a model is asked for what it has met in training: refused, or where that is allowed, said and marked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.benchmark.task import ITEMS, PARTS, Benchmark
from biovita.dataset.dataset import Dataset
from biovita.dataset.held_out import content_keys, has_hash, other_names, split_hash, unseen_taxa
from biovita.dataset.schema import Split
from biovita.errors import ModelError
from biovita.modality import MEDIA, Modality, modalities_of
from biovita.model.met import Met, MetStage
from biovita.taxonomy.parse import fold

__all__ = ["Asked", "LeakPart", "MetCheck", "asked_of", "asked_of_split", "check_benchmark", "check_met"]

_SHOWN = 5  # names in a message
_MEDIA = {Modality.AUDIO: "held-out recordings", Modality.IMAGE: "held-out photographs"}


@dataclass(frozen=True, eq=False)
class Asked:
    """What a benchmark or a split takes to be new to a model.

    Attributes
    ----------
    names
        The folded names of the unseen species, all that are known: columns ``species`` and ``name``.
    groups
        The folded names of the groups that they belong to, likewise. A class of a group may show any of its species.
    media
        By modality the held-out items: columns ``id`` and ``key``, as `content_keys` has it.
    by_path
        How many of them state no hash, and are told by their paths.
    """

    names: pa.Table
    groups: pa.Table
    media: Mapping[Modality, pa.Table]
    by_path: int


@dataclass(frozen=True)
class LeakPart:
    """How many of what is asked a model has met: ``count`` of ``of``, and the first of their names or ids."""

    what: str
    count: int
    of: int
    first: tuple[str, ...]

    def __str__(self) -> str:
        """Return it in words."""
        more = ", ..." if self.count > len(self.first) else ""
        return f"{self.count:,} of {self.of:,} {self.what} ({', '.join(self.first)}{more})"


@dataclass(frozen=True)
class MetCheck:
    """What comparing a model with a benchmark came to.

    Attributes
    ----------
    name
        Of the model.
    stages
        Of its training; None where it is not known what it has met.
    leak
        What it is asked as new and has met.
    by_path
        How many items state no hash, and were compared by their paths.
    old_split
        Whether the benchmark is of a split that its dataset does not have any more.
    """

    name: str
    stages: tuple[MetStage, ...] | None
    leak: tuple[LeakPart, ...] = ()
    by_path: int = 0
    old_split: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the scores has to know, in sentences; none where nothing is to be said."""
        found = []
        if self.leak:
            found.append(
                f"{self.name} has trained on {_listed(self.leak)}. What it gets here does not say how it does on what "
                "it has not met."
            )
        if self.stages is None:
            found.append(
                f"It is not known what {self.name} has met in training. It may have trained on what it is asked here."
            )
        found += [
            f"Its training went on from {stage.recipe}, and it is not known what that had met."
            for stage in self.stages or ()
            if stage.dataset is None
        ]
        if self.old_split:
            found.append("The benchmark is of an old split: its dataset has been divided anew since it was built.")
        if self.by_path and self.stages is not None:
            found.append(
                f"{self.by_path:,} recordings and photographs state no hash. Whether the model has met them was told "
                "by their paths within the dataset."
            )
        return tuple(found)

    @property
    def vouched(self) -> bool:
        """Whether the model is known to have met nothing of what it is asked as new."""
        return self.stages is not None and not self.leak and all(stage.dataset for stage in self.stages)

    def as_json(self) -> dict[str, Any]:
        """Return it as ``results.json`` has it."""
        stages = None if self.stages is None else [asdict(stage) for stage in self.stages]
        return {
            "known": self.stages is not None,
            "stages": stages,
            "leak": [asdict(part) for part in self.leak],
            "by_path": self.by_path,
            "old_split": self.old_split,
            "notes": list(self.notes),
        }


def asked_of_split(dataset: Dataset, excluded: Mapping[str, Iterable[str]] | None = None) -> Asked:
    """Return what the split of a dataset holds out, nothing where it has none, and what is excluded beside it.

    Parameters
    ----------
    excluded
        By scientific name, the names of taxa that are to be new as well.
    """
    taxa = unseen_taxa(dataset)
    others = other_names(dataset, taxa)
    names = {**(excluded or {}), **{taxon.scientific_name: others[taxon.id] for taxon in taxa}}
    groups = {taxon.scientific_name: [name for _, name in taxon.lineage[:-1]] for taxon in taxa}
    held = pc.field("split").isin([part.value for part in PARTS])
    media = {modality: dataset.media(modality).filter(held) for modality in MEDIA}
    return _asked(names, groups, media, dataset.info["name"])


def asked_of(benchmark: Benchmark) -> Asked:
    """Return what the tasks of a benchmark take to be new; every part but ``seen`` asks for unseen species."""
    columns = ["species", "genus", "family", "class"]
    asked: dict[Modality, list[np.ndarray]] = {}
    for task in benchmark.tasks:
        if task.part != Split.SEEN:
            asked.setdefault(modalities_of(task.direction)[0], []).append(task.queries)
    taken = [
        benchmark.items[modality].select(columns).take(pa.array(np.unique(np.concatenate(queries))))
        for modality, queries in asked.items()
    ]
    found = pa.concat_tables(taken) if taken else ITEMS.empty_table().select(columns)
    rows = (
        found.filter(pc.field("species").is_valid()).group_by(columns).aggregate([]).sort_by("species").to_pylist()
    )
    groups = {row.pop("species"): [name for name in row.values() if name] for row in rows}
    names = {name: benchmark.other_names.get(name, ()) for name in groups}
    told = ["id", "path", "sha256", "cut_from"]
    media = {m: _of_source(benchmark.items[m].select(told).take(pa.array(benchmark.used(m)))) for m in MEDIA}
    return _asked(
        names, groups, media, str(benchmark.made.get("dataset") or benchmark.made.get("benchmark") or "")
    )


def _of_source(items: pa.Table) -> pa.Table:
    """Return items with the hash of the recording that each was cut from, where it was."""
    hashes = pc.coalesce(items["cut_from"], items["sha256"])
    return items.set_column(items.schema.get_field_index("sha256"), "sha256", hashes)


def _asked(
    names: Mapping[str, Iterable[str]],
    groups: Mapping[str, Iterable[str]],
    media: Mapping[Modality, pa.Table],
    dataset: str,
) -> Asked:
    keyed = {m: pa.table({"id": t["id"], "key": content_keys(t, dataset)}) for m, t in media.items()}
    by_path = sum(pc.sum(pc.invert(has_hash(table))).as_py() or 0 for table in media.values())
    all_names = {name: {name, *others} for name, others in names.items()}
    return Asked(_folded(all_names), _folded(groups), keyed, by_path)


def _folded(names: Mapping[str, Iterable[str]]) -> pa.Table:
    pairs = [(species, fold(name)) for species, several in names.items() for name in several]
    columns = [pa.array([pair[at] for pair in pairs], pa.string()) for at in (0, 1)]
    return pa.table(columns, names=["species", "name"])


def _is_of_old_split(benchmark: Benchmark) -> bool:
    """Return whether a benchmark was built of a split that its dataset does not have any more.

    False where the dataset is not with it, or the manifest does not say which split it was.
    """
    stated = benchmark.made.get("split_sha256")
    return stated is not None and benchmark.dataset is not None and stated != split_hash(benchmark.dataset)


def check_met(
    met: Met | None, asked: Asked, *, name: str, allow_leak: bool, old_split: bool = False, done: str = "scored"
) -> MetCheck:
    """Compare what a model has met with what it is asked.

    Parameters
    ----------
    met
        None where it is not known what it has met: nothing can be refused then, and `MetCheck.notes` says so.
    name
        Of the model, for messages.
    allow_leak
        Return what leaks, rather than refusing it.
    done
        What is to be done with the model, for the message.

    Raises
    ------
    ModelError
        Where the model has met something of it, and that is not allowed.
    """
    if met is None:
        return MetCheck(name, None, (), asked.by_path, old_split)
    leak = tuple(part for part in _parts(met, asked) if part.count)
    if leak and not allow_leak:
        raise ModelError(
            f"{name} has trained on {_listed(leak)}. It cannot be {done} as if these were new to it. Choose a model "
            "that was trained with them held out, or the split that it was trained on. --allow-leak "
            "(allow_leak=True) does it nevertheless, and marks whatever comes of it"
        )
    return MetCheck(name, met.stages, leak, asked.by_path, old_split)


def check_benchmark(met: Met | None, benchmark: Benchmark, *, name: str, allow_leak: bool) -> MetCheck:
    """Compare what a model has met with what a benchmark asks, as `check_met`; and say if it is of an old split.

    Raises
    ------
    ModelError
        As `check_met`.
    """
    old = _is_of_old_split(benchmark)
    return check_met(met, asked_of(benchmark), name=name, allow_leak=allow_leak, old_split=old)


def _listed(leak: Iterable[LeakPart]) -> str:
    *before, last = map(str, leak)
    return f"{', '.join(before)} and {last}" if before else last


def _parts(met: Met, asked: Asked) -> Iterable[LeakPart]:
    total = len(asked.names["species"].unique())
    trained = _bearing(asked.names, met.taxa)
    named = _bearing(pa.concat_tables([asked.names, asked.groups]), met.classes)
    named = named.filter(pc.invert(pc.is_in(named, value_set=trained)))
    yield _part("unseen species", trained, total)
    yield _part("unseen species as classes of its encoders' classifiers", named, total)
    for modality, table in asked.media.items():
        keys = met.media.get(modality, pa.array([], pa.string()))
        yield _part(_MEDIA[modality], table["id"].filter(pc.is_in(table["key"], value_set=keys)), len(table))


def _bearing(names: pa.Table, met: pa.Array) -> pa.Array:
    """Return the species with a name among those that were met, sorted."""
    return names["species"].filter(pc.is_in(names["name"], value_set=met)).unique().sort()


def _part(what: str, found: pa.Array | pa.ChunkedArray, of: int) -> LeakPart:
    return LeakPart(what, len(found), of, tuple(found.slice(0, _SHOWN).to_pylist()))
