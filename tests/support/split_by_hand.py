"""A split of items given as pairs of taxon and group: by the library, and by its rules as a plain search."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from biovita.dataset import Split
from biovita.dataset.media_groups import MediaGroups
from biovita.dataset.split import assign_splits
from biovita.modality import MEDIA, Modality

Pairs = Mapping[Modality, Sequence[tuple[str, str]]]
Assigned = tuple[tuple[str, ...], dict[Modality, list[Split]]]


def assigned(pairs: Pairs, **options: Any) -> Assigned:
    """Return what `assign_splits` gives, in words."""
    taxa = sorted({taxon for rows in pairs.values() for taxon, _ in rows})
    groups = sorted({group for rows in pairs.values() for _, group in rows})
    coded = {
        m: np.array([(taxa.index(t), groups.index(g)) for t, g in pairs[m]], np.int64).reshape(-1, 2)
        for m in MEDIA
    }
    drawn, splits = assign_splits(
        MediaGroups(
            taxa=tuple(taxa),
            groups=len(groups),
            owners={m: each[:, 0] for m, each in coded.items()},
            members={m: each[:, 1] for m, each in coded.items()},
            group_id=lambda modality, item: pairs[modality][item][1],
        ),
        **options,
    )
    return drawn, {m: [tuple(Split)[number] for number in splits[m]] for m in MEDIA}


def split_by_hand(
    pairs: Pairs, unseen: Collection[str], held_out: float, rng: np.random.Generator
) -> dict[Modality, list[Split]]:
    """Return the split of every item where some taxa are held out whole: group by group, as the rules are written."""
    groups_of: dict[tuple[str, Modality], set[str]] = defaultdict(set)
    cells_of: dict[str, set[tuple[str, Modality]]] = defaultdict(set)
    for modality, rows in pairs.items():
        for taxon, group in rows:
            if taxon not in unseen:
                groups_of[taxon, modality].add(group)
                cells_of[group].add((taxon, modality))
    most = {cell: len(groups) - 1 for cell, groups in groups_of.items()}
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

    def split_of(taxon: str, group: str) -> Split:
        return Split.UNSEEN if taxon in unseen else Split.SEEN if group in held else Split.TRAIN

    return {modality: [split_of(*pair) for pair in rows] for modality, rows in pairs.items()}
