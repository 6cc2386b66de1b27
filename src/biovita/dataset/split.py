"""Dividing a dataset: species held out whole, held-out media of the others, and what is left to train on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from biovita.dataset.schema import Modality, Split
from biovita.dataset.store import Dataset, replace_tables
from biovita.errors import DatasetError
from biovita.taxonomy import Rank, Taxonomy

__all__ = ["SplitReport", "assign_splits", "split_dataset"]

_MEDIA = (Modality.AUDIO, Modality.IMAGE)
_FILES = {Modality.AUDIO: "audio", Modality.IMAGE: "images"}

Pair = tuple[str, str]  # taxon id, group id


@dataclass(frozen=True)
class SplitReport:
    """What a split did.

    Attributes
    ----------
    unseen
        Ids of the species held out whole, sorted; those of the held-out genera and families are among them.
    clades
        Names of the genera and families held out whole, by rank.
    counts
        Items by modality and split.
    """

    seed: int
    held_out: float
    unseen: tuple[str, ...]
    counts: Mapping[Modality, Mapping[Split, int]]
    clades: Mapping[Rank, tuple[str, ...]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        lines = [f"{len(self.unseen)} species held out whole (seed {self.seed})"]
        lines += [f"{rank} held out whole: {', '.join(names)}" for rank, names in self.clades.items() if names]
        for modality, counts in self.counts.items():
            parts = ", ".join(f"{counts[split]} {split.value}" for split in Split)
            lines.append(f"{_FILES[modality]}: {parts}")
        return lines

    def as_toml(self) -> dict[str, object]:
        """Return what ``dataset.toml`` records of the split."""
        return {
            "seed": self.seed,
            "held_out": self.held_out,
            "unseen_species": len(self.unseen),
            **{f"unseen_{rank}": list(names) for rank, names in self.clades.items() if names},
            **{_FILES[m]: {s.value: self.counts[m][s] for s in Split} for m in self.counts},
        }


def split_dataset(
    dataset: Dataset,
    *,
    unseen: int,
    seed: int,
    held_out: float = 0.2,
    unseen_clades: Mapping[Rank, int] | None = None,
) -> SplitReport:
    """Divide a dataset for training and evaluation, and write it into its ``split`` columns.

    ``unseen`` species are drawn, uniformly, among those that have both recordings and photographs; all their items
    become ``unseen``. Of every other species that has two or more groups in a modality, the share ``held_out`` of
    its groups, at least one and never all, becomes ``seen``. The rest is ``train``. A group (``group_id``: the
    clips of one recording, say) is never on two sides, also where it holds several species or both modalities:
    a species that shares a group with another one is not drawn as unseen. An earlier split is replaced.

    Whole genera and families can be held out besides: they are drawn first, each with all its species, among those
    that have a species with both modalities. Families come before genera, and genera before the ``unseen`` species.

    Parameters
    ----------
    unseen
        How many species to hold out whole.
    seed
        The same seed, parameters and dataset give the same split.
    held_out
        Share of a seen species' groups to hold out, from 0 up to but not including 1.
    unseen_clades
        By rank (genus, family, or any above species), how many taxa of it to hold out whole.

    Raises
    ------
    DatasetError
        Where fewer species qualify than are to be held out, or none would be left to train on.
    """
    tables = {modality: dataset.media(modality) for modality in _MEDIA}
    species = {taxon.id for taxon in dataset.taxonomy.values() if taxon.rank == Rank.SPECIES}
    pairs = {modality: _pairs(table) for modality, table in tables.items()}
    rng = np.random.default_rng(seed)
    clades, taken = _draw_clades(dataset.taxonomy, pairs, unseen_clades or {}, rng)
    drawn, splits = assign_splits(
        pairs, unseen=unseen, seed=rng, held_out=held_out, species=species - taken, also_unseen=taken
    )
    counts = {m: {s: Counter(splits[m])[s] for s in Split} for m in _MEDIA}
    report = SplitReport(seed=seed, held_out=held_out, unseen=drawn, counts=counts, clades=clades)
    replaced = {_FILES[m]: _with_split(tables[m], splits[m]) for m in _MEDIA}
    replace_tables(dataset, replaced, {"split": report.as_toml()})
    return report


def assign_splits(
    pairs: Mapping[Modality, Sequence[Pair]],
    *,
    unseen: int,
    seed: int | np.random.Generator,
    held_out: float = 0.2,
    species: Collection[str] | None = None,
    also_unseen: Collection[str] = (),
) -> tuple[tuple[str, ...], dict[Modality, list[Split]]]:
    """Return the species drawn as unseen and the split of every item; the rules are those of `split_dataset`.

    Parameters
    ----------
    pairs
        By modality, the (taxon id, group id) of every item.
    species
        The taxa that may be drawn as unseen; None: all.
    also_unseen
        Taxa that are unseen besides those drawn.
    """
    if unseen < 0:
        raise DatasetError(f"unseen is {unseen}: the number of species to hold out cannot be negative")
    if not 0 <= held_out < 1:
        raise DatasetError(f"held_out is {held_out}: it is a share from 0 up to, not including, 1")
    rng = np.random.default_rng(seed)
    drawn = tuple(sorted({*_draw_unseen(pairs, unseen, rng, species), *also_unseen}))
    if drawn and len({taxon_id for taxon_id, _ in _all(pairs)}) <= len(drawn):
        raise DatasetError(f"holding out {len(drawn)} species leaves none to train on")
    held = _draw_groups(pairs, set(drawn), held_out, rng)

    def split_of(taxon_id: str, group_id: str) -> Split:
        if taxon_id in hidden:
            return Split.UNSEEN
        return Split.SEEN if group_id in held else Split.TRAIN

    hidden = set(drawn)
    return drawn, {modality: [split_of(*pair) for pair in items] for modality, items in pairs.items()}


def _draw_unseen(
    pairs: Mapping[Modality, Sequence[Pair]],
    unseen: int,
    rng: np.random.Generator,
    species: Collection[str] | None,
) -> tuple[str, ...]:
    entangled = {taxon for taxa in _sharing(pairs) for taxon in taxa}
    both = _with_both(pairs)
    if species is not None:
        both &= set(species)
    eligible = sorted(both - entangled)
    if unseen > len(eligible):
        shared = f" ({len(both & entangled)} more share a recording or photograph with another species)"
        raise DatasetError(
            f"{unseen} species cannot be held out: only {len(eligible)} have both recordings and photographs"
            + (shared if both & entangled else "")
        )
    picked = rng.permutation(len(eligible))[:unseen]
    return tuple(sorted(eligible[i] for i in picked))


def _draw_clades(
    taxonomy: Taxonomy,
    pairs: Mapping[Modality, Sequence[Pair]],
    wanted: Mapping[Rank, int],
    rng: np.random.Generator,
) -> tuple[dict[Rank, tuple[str, ...]], set[str]]:
    """Return the names of the clades drawn at each rank, the widest first, and all their species."""
    both, sharing = _with_both(pairs), _sharing(pairs)
    present = {taxon_id for taxon_id, _ in _all(pairs)}
    taken: set[str] = set()
    clades: dict[Rank, tuple[str, ...]] = {}
    for rank in (rank for rank in Rank if wanted.get(rank)):
        if rank == Rank.SPECIES:
            raise DatasetError("species are held out by the number of unseen ones, not as a clade")
        members = {name: {t.id for t in taxonomy.members(rank, name)} & present for name in taxonomy.names(rank)}
        eligible = [
            name
            for name, ids in members.items()
            if ids & both - taken and not any(taxa & ids and taxa - ids for taxa in sharing)
        ]
        if wanted[rank] > len(eligible):
            raise DatasetError(
                f"{wanted[rank]} of rank {rank} cannot be held out whole: only {len(eligible)} can be"
            )
        picked = sorted(eligible[i] for i in rng.permutation(len(eligible))[: wanted[rank]])
        clades[rank] = tuple(picked)
        taken |= {taxon_id for name in picked for taxon_id in members[name]}
    return clades, taken


def _with_both(pairs: Mapping[Modality, Sequence[Pair]]) -> set[str]:
    return set.intersection(*({taxon_id for taxon_id, _ in items} for items in pairs.values()))


def _sharing(pairs: Mapping[Modality, Sequence[Pair]]) -> list[set[str]]:
    """Return the sets of taxa that have a group in common."""
    taxa_of: dict[str, set[str]] = defaultdict(set)
    for taxon_id, group_id in _all(pairs):
        taxa_of[group_id].add(taxon_id)
    return [taxa for taxa in taxa_of.values() if len(taxa) > 1]


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
