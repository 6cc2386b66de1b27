"""Dividing a dataset: species held out whole, held-out media of the others, and what is left to train on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from biovita.dataset.dataset import Dataset, replace_tables
from biovita.dataset.draw_groups import drawn_groups
from biovita.dataset.eligible import EligibleTaxa, eligible_taxa
from biovita.dataset.media_groups import MediaGroups, media_groups
from biovita.dataset.schema import MEDIA_TABLES, TABLES, Split
from biovita.dataset.taxon_names import NamedTaxa, correct_names
from biovita.errors import DatasetError, unknown_name
from biovita.modality import MEDIA, Modality
from biovita.one_line import OneLine
from biovita.suggestion import suggested
from biovita.taxonomy import Rank

__all__ = ["SplitReport", "assign_splits", "require_split", "split_dataset"]

_BY = (Rank.SPECIES, Rank.GENUS, Rank.FAMILY)
_SPLITS = tuple(Split)


@dataclass(frozen=True, repr=False)
class SplitReport(OneLine):
    """What a split did.

    Attributes
    ----------
    unseen
        Ids of the species held out whole, sorted.
    counts
        Items by modality and split.
    unseen_list
        The file that names the species held out; None where they were drawn.
    not_in_dataset
        Names in it that the dataset has no taxon for.
    """

    seed: int
    held_out: float
    by: Rank
    unseen: tuple[str, ...]
    counts: Mapping[Modality, Mapping[Split, int]]
    unseen_list: str | None = None
    not_in_dataset: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        why = f"seed {self.seed}" if self.unseen_list is None else f"named in {self.unseen_list}, seed {self.seed}"
        lines = [f"{len(self.unseen)} species held out whole ({why})"]
        if self.not_in_dataset:
            names = ", ".join(self.not_in_dataset[:10])
            more = f" and {len(self.not_in_dataset) - 10:,} more" if len(self.not_in_dataset) > 10 else ""
            lines.append(f"{len(self.not_in_dataset):,} names are not in the dataset: {names}{more}")
        for modality, counts in self.counts.items():
            parts = ", ".join(f"{counts[split]} {split.value}" for split in Split)
            lines.append(f"{MEDIA_TABLES[modality]}: {parts}")
        return lines

    def as_toml(self) -> dict[str, object]:
        """Return what ``dataset.toml`` records of the split."""
        return {
            "seed": self.seed,
            "held_out": self.held_out,
            "by": self.by.value,
            "unseen_species": len(self.unseen),
            **(
                {}
                if self.unseen_list is None
                else {"unseen_list": self.unseen_list, "not_in_dataset": list(self.not_in_dataset)}
            ),
            **{MEDIA_TABLES[m]: {s.value: self.counts[m][s] for s in Split} for m in self.counts},
        }


def split_dataset(
    dataset: Dataset | str | Path,
    *,
    unseen: int | None = None,
    unseen_list: str | Path | None = None,
    seed: int = 0,
    held_out: float = 0.2,
    by: Rank | Literal["species", "genus", "family"] = "species",
) -> SplitReport:
    """Divide a dataset for training and evaluation, and write it into its ``split`` columns.

    ``unseen`` species are drawn, uniformly, among those that have both recordings and photographs (in a dataset of one
    of the two, among all), or ``unseen_list`` names them; all their items become ``unseen``. Of every other species
    that has two or more groups in a modality, the share ``held_out`` of its groups, at least one and never all, becomes
    ``seen``. The rest is ``train``. A group (``group_id``: the clips of one recording, say) is never on two sides, also
    where it holds several species or both modalities: a species that shares a group with another one is not drawn as
    unseen, and cannot be named without it. An earlier split is replaced.

    Parameters
    ----------
    dataset
        A dataset, or its directory.
    unseen
        How many species to hold out whole.
    unseen_list
        In its place, a file of the taxa to hold out whole, whatever they have: a name a line, or a table with a column
        of names. Names are scientific or common, or synonyms that the dataset or the packaged table knows. All may be
        named; nothing is left to train on then. A name that is not in the dataset is listed in the report. It is an
        error where a name of the dataset is so near that it looks misspelt.
    seed
        The same seed, parameters and dataset give the same split.
    held_out
        Share of a seen species' groups to hold out, from 0 up to but not including 1.
    by
        ``genus`` or ``family`` holds out whole ones, drawn until at least ``unseen`` species with both modalities
        are among them; a taxon whose genus or family is not known stands alone.

    Raises
    ------
    DatasetError
        Where not one of ``unseen`` and ``unseen_list`` is given, ``by`` is unknown, or so many species cannot be held
        out: too few qualify, or none would be left to train on. The message has the largest number that works. Where
        the list cannot be read, a name in it looks misspelt or means several taxa, or none is in the dataset.
    """
    if (unseen is None) == (unseen_list is None):
        raise DatasetError(
            "say how many species to hold out with unseen, or which ones with unseen_list: one of the two"
        )
    if by not in _BY:
        raise DatasetError(unknown_name("by", by, _BY))
    dataset, by = Dataset.open(dataset), Rank(by)
    species = {taxon.id for taxon in dataset.taxonomy.values() if taxon.rank == Rank.SPECIES}
    clans = None
    if by != Rank.SPECIES:
        clans = {t.id: name for t in dataset.taxonomy.values() if (name := t.name_at(by))}
    listed = None if unseen_list is None else _listed(dataset, Path(unseen_list))
    drawn, splits = assign_splits(
        media_groups(dataset),
        unseen=unseen or 0,
        named=None if listed is None else {taxon.id for taxon in listed.taxa.values()},
        seed=seed,
        held_out=held_out,
        species=species,
        clans=clans,
    )
    counts = {
        m: dict(zip(_SPLITS, np.bincount(splits[m], minlength=len(_SPLITS)).tolist(), strict=True)) for m in MEDIA
    }
    report = SplitReport(
        seed=seed,
        held_out=held_out,
        by=by,
        unseen=drawn,
        counts=counts,
        unseen_list=None if unseen_list is None else Path(unseen_list).name,
        not_in_dataset=() if listed is None else tuple(listed.missing),
    )
    replaced = {MEDIA_TABLES[m]: _with_split(dataset, MEDIA_TABLES[m], splits[m]) for m in MEDIA}
    replace_tables(dataset, replaced, {"split": report.as_toml()})
    return report


def require_split(dataset: Dataset) -> None:
    """Raise a `DatasetError` where a dataset has media and none of them are in a part of a split."""
    rows = 0
    for name in MEDIA_TABLES.values():
        for batch in dataset.batches(name, ["split"]):
            if batch.column(0).null_count < batch.num_rows:
                return
            rows += batch.num_rows
    if rows:
        raise DatasetError(
            f"{dataset.path} has not been split. Run, with the number of species to hold out: "
            + suggested("data split", dataset.path, "--unseen N")
        )


def _listed(dataset: Dataset, file: Path) -> NamedTaxa:
    listed = correct_names(dataset, file)
    if not listed.taxa:
        raise DatasetError(
            f"{file}: none of its {len(listed.missing):,} names is in the dataset, nor one that is near. The first is "
            f"{next(iter(listed.missing))}"
        )
    return listed


def assign_splits(
    groups: MediaGroups,
    *,
    unseen: int,
    seed: int,
    named: Collection[str] | None = None,
    held_out: float = 0.2,
    species: Collection[str] | None = None,
    clans: Mapping[str, str] | None = None,
) -> tuple[tuple[str, ...], dict[Modality, np.ndarray]]:
    """Return the species drawn as unseen and the split of every item; the rules are those of `split_dataset`.

    Parameters
    ----------
    named
        The taxa to hold out, with their ``clans``, in place of drawing ``unseen``.
    species
        The taxa that may be drawn as unseen; None: all.
    clans
        From a taxon to the group that it is held out with; one that is not there stands alone.

    Returns
    -------
    tuple
        Ids, sorted; and by modality the place of each item's split in `Split`, ``(items,)``, int8.
    """
    if unseen < 0:
        raise DatasetError(f"unseen is {unseen}: the number of species to hold out cannot be negative")
    if not 0 <= held_out < 1:
        raise DatasetError(f"held_out is {held_out}. It has to be at least 0 and less than 1")
    rng = np.random.default_rng(seed)
    if named is None:
        drawn = _draw_unseen(groups, unseen, rng, species, clans or {})
    else:
        drawn = _named_unseen(groups, named, clans or {})
    out = set(drawn)
    hidden = np.array([taxon_id in out for taxon_id in groups.taxa], bool)
    held = drawn_groups(groups, hidden, held_out, rng)
    train, seen, unseen_ = (np.int8(_SPLITS.index(split)) for split in (Split.TRAIN, Split.SEEN, Split.UNSEEN))
    return drawn, {
        modality: np.where(hidden[owners], unseen_, np.where(held[groups.members[modality]], seen, train))
        for modality, owners in groups.owners.items()
    }


def _named_unseen(groups: MediaGroups, named: Collection[str], clans: Mapping[str, str]) -> tuple[str, ...]:
    """Return the named taxa that have items, and what is held out with them."""
    hidden = {clans.get(taxon_id, taxon_id) for taxon_id in named}
    drawn = np.array([clans.get(taxon_id, taxon_id) in hidden for taxon_id in groups.taxa], bool)
    sides = np.zeros((2, groups.groups), bool)
    for modality, owners in groups.owners.items():
        sides[drawn[owners].astype(int), groups.members[modality]] = True
    if (both := np.flatnonzero(sides.all(axis=0))).size:
        places = {modality: np.flatnonzero(members == both[0]) for modality, members in groups.members.items()}
        taxa = np.unique(np.concatenate([groups.owners[modality][at] for modality, at in places.items()]))
        group_id = next(groups.group_id(modality, int(at[0])) for modality, at in places.items() if at.size)
        raise DatasetError(
            f"{groups.taxa[taxa[drawn[taxa]][0]]} is to be held out and shares a recording or photograph "
            f"(group {group_id!r}) with {groups.taxa[taxa[~drawn[taxa]][0]]}, which is not. Hold out both or neither"
        )
    return tuple(taxon_id for taxon_id, out in zip(groups.taxa, drawn, strict=True) if out)


def _draw_unseen(
    groups: MediaGroups,
    unseen: int,
    rng: np.random.Generator,
    species: Collection[str] | None,
    clans: Mapping[str, str],
) -> tuple[str, ...]:
    may = eligible_taxa(groups, species=species, clans=clans)
    members: dict[str, list[str]] = defaultdict(list)
    for taxon in sorted(may.everyone):
        members[clans.get(taxon, taxon)].append(taxon)
    eligible = {
        clan: taxa
        for clan, taxa in sorted(members.items())
        if may.complete & set(taxa) and not may.entangled & set(taxa)
    }
    names = list(eligible)
    drawn: list[str] = []
    found = before = 0  # complete species among them, and before the last clan
    for index in rng.permutation(len(names)):
        if found >= unseen:
            break
        clan = eligible[names[index]]
        before = found
        found += len(may.complete & set(clan))
        drawn += clan
    nobody_left = bool(drawn) and len(drawn) == len(may.everyone)
    if found < unseen or nobody_left:
        raise DatasetError(_too_many(unseen, may, before if nobody_left else found))
    return tuple(sorted(drawn))


def _too_many(unseen: int, may: EligibleTaxa, most: int) -> str:
    """Return why so many cannot be held out, and the largest number that can."""
    why = [f"{len(may.complete):,} of {len(may.everyone):,} have {may.needed}"]
    if shared := len(may.complete & may.entangled):
        why.append(f"{shared:,} of them share a recording or photograph with another species")
    if most < len(may.free):
        why.append("some have to be left to train on")
    number = f"the largest number that works is {most:,}" if most else "none can be"
    return f"{unseen:,} species cannot be held out whole: {number} ({'; '.join(why)})"


def _with_split(dataset: Dataset, name: str, splits: np.ndarray) -> pa.RecordBatchReader:
    """Return a table with other splits, read while it is written."""
    schema, words = TABLES[name], pa.array([split.value for split in _SPLITS], pa.string())
    place = schema.get_field_index("split")

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in dataset.batches(name, schema.names):
            some = words.take(pa.array(splits[start : start + batch.num_rows]))
            start += batch.num_rows
            yield batch.set_column(place, schema.field(place), some)

    return pa.RecordBatchReader.from_batches(schema, batches())
