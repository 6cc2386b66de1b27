"""What a dataset can teach and test: taxa to ask by part, direction and level, what is missing, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from biovita.dataset.dataset import Dataset
from biovita.dataset.eligible import EligibleTaxa, eligible_taxa
from biovita.dataset.media_groups import media_groups
from biovita.dataset.schema import MEDIA_TABLES, Split
from biovita.modality import DIRECTIONS, MEDIA, Modality, modalities_of
from biovita.suggestion import suggested
from biovita.taxonomy import Rank, Taxon

__all__ = ["AskedTaxa", "Outlook", "Shortage", "outlook"]

_LEVELS = (Rank.SPECIES, Rank.GENUS, Rank.FAMILY)
_PARTS = (Split.SEEN, Split.UNSEEN)
_MOST_USUAL = 40
_EXAMPLES = 3

Items = Counter[tuple[str, str | None]]  # how many there are of each taxon in each part of the split
Taxa = Mapping[Modality, Collection[str]]  # by modality, ids of taxa with items to ask


@dataclass(frozen=True, slots=True)
class AskedTaxa:
    """How many taxa can be asked for in a part and direction, by level; fewer than two are no question."""

    part: str
    direction: str
    species: int
    genus: int
    family: int


@dataclass(frozen=True, slots=True)
class Shortage:
    """Something that a dataset lacks, for how many of its taxa, which for example, and what to do."""

    what: str
    taxa: int
    examples: tuple[str, ...]
    advice: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a dataset can teach and test.

    Attributes
    ----------
    split
        Whether it is divided already. The numbers of `asked` are those of its split then; else they are the largest
        that a split could give.
    training
        Recordings and photographs to train on, by modality; None where it is not divided.
    trained_taxa
        Taxa that they are of.
    most_unseen
        The largest number of species that ``data split --unseen`` can hold out whole.
    usual_unseen
        How many to hold out if nothing speaks for another number: a quarter of those that can be, at least 2 and at
        most 40, as far as `most_unseen` allows.
    asked
        By part and direction, taxa that can be asked for.
    shortages
        What is missing, and what to do.
    next_step
        What to do now, in a sentence; a command in it has the dataset's path.
    """

    split: bool
    training: Mapping[str, int] | None
    trained_taxa: int
    most_unseen: int
    usual_unseen: int
    asked: tuple[AskedTaxa, ...]
    shortages: tuple[Shortage, ...]
    next_step: str


def outlook(dataset: Dataset) -> Outlook:
    """Return what a dataset can teach and test, as it is divided, or as it could be."""
    groups = media_groups(dataset)
    items = {modality: _items(dataset, modality) for modality in MEDIA}
    species = {taxon.id for taxon in dataset.taxonomy.values() if taxon.rank == Rank.SPECIES}
    may = eligible_taxa(groups, species=species)
    most = len(may.free) - (may.free == may.everyone and bool(may.free))
    usual = min(most, max(2, min(_MOST_USUAL, len(may.free) // 4)))
    several = {m: dict(zip(groups.taxa, groups.groups_of(m).tolist(), strict=True)) for m in MEDIA}
    divided = any(split for each in items.values() for _, split in each)
    if divided:
        parts = {part: {m: _taxa_in(each, part) for m, each in items.items()} for part in _PARTS}
    else:
        parts = {
            Split.SEEN: {m: {taxon for taxon, n in counts.items() if n > 1} for m, counts in several.items()},
            Split.UNSEEN: {m: set(may.free) for m in may.kinds},
        }
    trained = set[str]().union(*(_taxa_in(each, Split.TRAIN) for each in items.values()))
    return Outlook(
        split=divided,
        training={m.value: _number_in(each, Split.TRAIN) for m, each in items.items()} if divided else None,
        trained_taxa=len(trained),
        most_unseen=most,
        usual_unseen=usual,
        asked=tuple(_asked(part, direction, parts[part], dataset) for part in _PARTS for direction in DIRECTIONS),
        shortages=tuple(_shortages(dataset, may, several)),
        next_step=_next_step(dataset, may, divided=divided, trained=len(trained), usual=usual),
    )


def _items(dataset: Dataset, modality: Modality) -> Items:
    """Return how many items of a modality each taxon has in each part of the split."""
    counts: Items = Counter()
    columns = ["taxon_id", "split"]
    for batch in dataset.batches(MEDIA_TABLES[modality], columns):
        some = pa.Table.from_batches([batch]).group_by(columns, use_threads=False).aggregate([([], "count_all")])
        for taxon_id, split, number in zip(*(column.to_pylist() for column in some.columns), strict=True):
            counts[taxon_id, split] += number
    return counts


def _taxa_in(items: Items, split: Split) -> set[str]:
    return {taxon for taxon, part in items if part == split.value}


def _number_in(items: Items, split: Split) -> int:
    return sum(number for (_, part), number in items.items() if part == split.value)


def _asked(part: Split, direction: str, taxa: Taxa, dataset: Dataset) -> AskedTaxa:
    """Count the taxa that both sides of a direction have; every taxon with an item has a text."""
    sides = [taxa.get(each, ()) for each in modalities_of(direction) if each != Modality.TEXT]
    known = [[dataset.taxonomy[taxon_id] for taxon_id in side] for side in sides]
    counts = (
        len(set.intersection(*({t.name_at(level) for t in side} for side in known)) - {None}) for level in _LEVELS
    )
    return AskedTaxa(part.value, direction, *counts)


def _shortages(
    dataset: Dataset, may: EligibleTaxa, several: Mapping[Modality, Mapping[str, int]]
) -> Iterable[Shortage]:
    taxa = [dataset.taxonomy[taxon_id] for taxon_id in sorted(may.everyone)]
    heard, seen = several[Modality.AUDIO], several[Modality.IMAGE]
    lineage = (
        "Add the columns class, order, family and genus to your tables, or build from a plan with a backbone: "
        "biovita taxonomy backbone makes one"
    )
    found = [
        (
            "no photograph",
            [t for t in taxa if not seen[t.id]],
            "Without one, sound and picture of them are not compared",
        ),
        (
            "no recording",
            [t for t in taxa if not heard[t.id]],
            "Without one, sound and picture of them are not compared",
        ),
        (
            "one recording only",
            [t for t in taxa if heard[t.id] == 1],
            "Of a species in training, a second one (another source_id) would be held out and asked",
        ),
        (
            "one photograph only",
            [t for t in taxa if seen[t.id] == 1],
            "Of a species in training, a second one would be held out and asked",
        ),
        ("no genus", [t for t in taxa if not t.name_at(Rank.GENUS)], lineage),
        ("no family", [t for t in taxa if not t.name_at(Rank.FAMILY)], lineage),
        ("no class", [t for t in taxa if not t.name_at(Rank.CLASS)], lineage),
        (
            "a recording or photograph shared with another taxon",
            [t for t in taxa if t.id in may.entangled],
            "They are not drawn to be held out whole; data split --by genus or --unseen-list may take them together",
        ),
    ]
    for what, lacking, advice in found:
        if lacking:
            yield Shortage(what, len(lacking), _named(lacking), advice)


def _named(taxa: Iterable[Taxon]) -> tuple[str, ...]:
    return tuple(taxon.scientific_name for taxon in list(taxa)[:_EXAMPLES])


def _next_step(dataset: Dataset, may: EligibleTaxa, *, divided: bool, trained: int, usual: int) -> str:
    if not may.everyone:
        return "It holds no recording and no photograph, so there is nothing to train on."
    divide = suggested("data split", dataset.path, f"--unseen {usual}")
    if divided and not trained:
        return f"Its split leaves nothing to train on. Divide it anew: {divide}"
    if divided:
        train = suggested("train starter/stage1 --data", dataset.path, "--out run1")
        return f"It can be trained on: {train}"
    return f"It can be trained on once it is divided: {divide}"
