"""Dividing a dataset: species held out whole, held-out media of the others, and what is left to train on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from biovita.dataset.dataset import Dataset, replace_tables
from biovita.dataset.eligible import EligibleTaxa, Pair, eligible_taxa
from biovita.dataset.schema import Split
from biovita.dataset.taxon_names import NamedTaxa, correct_names
from biovita.errors import DatasetError, unknown_name
from biovita.modality import MEDIA, Modality
from biovita.one_line import OneLine
from biovita.suggestion import suggested
from biovita.taxonomy import Rank

__all__ = ["SplitReport", "assign_splits", "require_split", "split_dataset"]

_BY = (Rank.SPECIES, Rank.GENUS, Rank.FAMILY)
_FILES = {Modality.AUDIO: "audio", Modality.IMAGE: "images"}


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
            lines.append(f"{_FILES[modality]}: {parts}")
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
            **{_FILES[m]: {s.value: self.counts[m][s] for s in Split} for m in self.counts},
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
    tables = {modality: dataset.media(modality) for modality in MEDIA}
    species = {taxon.id for taxon in dataset.taxonomy.values() if taxon.rank == Rank.SPECIES}
    pairs = {modality: _pairs(table) for modality, table in tables.items()}
    clans = None
    if by != Rank.SPECIES:
        clans = {t.id: name for t in dataset.taxonomy.values() if (name := t.name_at(by))}
    listed = None if unseen_list is None else _listed(dataset, Path(unseen_list))
    drawn, splits = assign_splits(
        pairs,
        unseen=unseen or 0,
        named=None if listed is None else {taxon.id for taxon in listed.taxa.values()},
        seed=seed,
        held_out=held_out,
        species=species,
        clans=clans,
    )
    counts = {m: {s: Counter(splits[m])[s] for s in Split} for m in MEDIA}
    report = SplitReport(
        seed=seed,
        held_out=held_out,
        by=by,
        unseen=drawn,
        counts=counts,
        unseen_list=None if unseen_list is None else Path(unseen_list).name,
        not_in_dataset=() if listed is None else tuple(listed.missing),
    )
    replaced = {_FILES[m]: _with_split(tables[m], splits[m]) for m in MEDIA}
    replace_tables(dataset, replaced, {"split": report.as_toml()})
    return report


def require_split(dataset: Dataset) -> None:
    """Raise a `DatasetError` where a dataset has media and none of them are in a part of a split."""
    splits = [dataset.media(modality)["split"] for modality in MEDIA]
    if any(map(len, splits)) and all(split.null_count == len(split) for split in splits):
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
    pairs: Mapping[Modality, Sequence[Pair]],
    *,
    unseen: int,
    seed: int,
    named: Collection[str] | None = None,
    held_out: float = 0.2,
    species: Collection[str] | None = None,
    clans: Mapping[str, str] | None = None,
) -> tuple[tuple[str, ...], dict[Modality, list[Split]]]:
    """Return the species drawn as unseen and the split of every item; the rules are those of `split_dataset`.

    Parameters
    ----------
    pairs
        By modality, the (taxon id, group id) of every item.
    named
        The taxa to hold out, with their ``clans``, in place of drawing ``unseen``.
    species
        The taxa that may be drawn as unseen; None: all.
    clans
        From a taxon to the group that it is held out with; one that is not there stands alone.
    """
    if unseen < 0:
        raise DatasetError(f"unseen is {unseen}: the number of species to hold out cannot be negative")
    if not 0 <= held_out < 1:
        raise DatasetError(f"held_out is {held_out}. It has to be at least 0 and less than 1")
    rng = np.random.default_rng(seed)
    if named is None:
        drawn = _draw_unseen(pairs, unseen, rng, species, clans or {})
    else:
        drawn = _named_unseen(pairs, named, clans or {})
    held = _draw_groups(pairs, set(drawn), held_out, rng)

    def split_of(taxon_id: str, group_id: str) -> Split:
        if taxon_id in hidden:
            return Split.UNSEEN
        return Split.SEEN if group_id in held else Split.TRAIN

    hidden = set(drawn)
    return drawn, {modality: [split_of(*pair) for pair in items] for modality, items in pairs.items()}


def _named_unseen(
    pairs: Mapping[Modality, Sequence[Pair]], named: Collection[str], clans: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the named taxa that have items, and what is held out with them."""
    hidden = {clans.get(taxon_id, taxon_id) for taxon_id in named}
    drawn = {taxon_id for taxon_id, _ in _all(pairs) if clans.get(taxon_id, taxon_id) in hidden}
    taxa_of: dict[str, set[str]] = defaultdict(set)
    for taxon_id, group_id in _all(pairs):
        taxa_of[group_id].add(taxon_id)
    for group_id, taxa in sorted(taxa_of.items()):
        if taxa & drawn and taxa - drawn:
            raise DatasetError(
                f"{min(taxa & drawn)} is to be held out and shares a recording or photograph (group {group_id!r}) with "
                f"{min(taxa - drawn)}, which is not. Hold out both or neither"
            )
    return tuple(sorted(drawn))


def _draw_unseen(
    pairs: Mapping[Modality, Sequence[Pair]],
    unseen: int,
    rng: np.random.Generator,
    species: Collection[str] | None,
    clans: Mapping[str, str],
) -> tuple[str, ...]:
    may = eligible_taxa(pairs, species=species, clans=clans)
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


def _draw_groups(
    pairs: Mapping[Modality, Sequence[Pair]], unseen: set[str], held_out: float, rng: np.random.Generator
) -> set[str]:
    """Return the groups of seen species to hold out. A cell is one species in one modality."""
    groups_of: dict[tuple[str, Modality], set[str]] = defaultdict(set)
    cells_of: dict[str, set[tuple[str, Modality]]] = defaultdict(set)
    for modality, items in pairs.items():
        for taxon_id, group_id in items:
            if taxon_id not in unseen:
                groups_of[taxon_id, modality].add(group_id)
                cells_of[group_id].add((taxon_id, modality))
    most = {cell: len(groups) - 1 for cell, groups in groups_of.items()}  # one group at least stays
    wanted = {
        cell: min(most[cell], max(1, int(held_out * len(groups) + 0.5))) if held_out else 0
        for cell, groups in groups_of.items()
    }
    taken: Counter[tuple[str, Modality]] = Counter()
    held = set()
    order = sorted(cells_of)
    for index in rng.permutation(len(order)):
        cells = cells_of[order[index]]
        if any(taken[cell] < wanted[cell] for cell in cells) and all(taken[cell] < most[cell] for cell in cells):
            held.add(order[index])
            taken.update(cells)
    return held


def _all(pairs: Mapping[Modality, Sequence[Pair]]) -> Iterable[Pair]:
    return (pair for items in pairs.values() for pair in items)


def _pairs(table: pa.Table) -> list[Pair]:
    return list(zip(table["taxon_id"].to_pylist(), table["group_id"].to_pylist(), strict=True))


def _with_split(table: pa.Table, splits: Sequence[Split]) -> pa.Table:
    column = pa.array([split.value for split in splits], pa.string())
    return table.set_column(table.schema.get_field_index("split"), "split", column)
