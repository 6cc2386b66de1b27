"""Which groups of seen species are held out: drawn by chance, a share of each species in each modality."""

from __future__ import annotations

import numpy as np

from biovita.dataset.media_groups import MediaGroups
from biovita.modality import MEDIA

__all__ = ["drawn_groups"]


def drawn_groups(groups: MediaGroups, hidden: np.ndarray, held_out: float, rng: np.random.Generator) -> np.ndarray:
    """Return which groups of seen species are held out, ``(groups,)``, bool.

    A cell is one species in one modality. The groups are gone through in an order drawn by chance: one is held out
    where a cell of it lacks some still, and no cell of it would lose its last group.

    Parameters
    ----------
    hidden
        Which taxa are held out whole, ``(taxa,)``, bool.
    held_out
        Share of a cell's groups to hold out, at least one and never all.
    """
    cells = len(MEDIA) * max(1, len(groups.taxa))
    pairs = np.unique(
        np.concatenate(
            [
                (groups.members[modality] * cells + groups.owners[modality] * len(MEDIA) + place)[
                    ~hidden[groups.owners[modality]]
                ]
                for place, modality in enumerate(MEDIA)
            ]
        )
    )
    cell = pairs % cells
    drawable, starts, sizes = np.unique(pairs // cells, return_index=True, return_counts=True)
    number = np.bincount(cell, minlength=cells)
    most = number - 1  # one group at least stays
    wanted = np.minimum(most, np.maximum(1, (held_out * number + 0.5).astype(np.int64))) if held_out else 0 * most
    linked = np.zeros(cells, bool)  # cells that share a group with another one
    linked[cell[np.repeat(sizes > 1, sizes)]] = True
    turns = rng.permutation(len(drawable))
    alone = ~linked[cell[starts]][turns]
    held = np.zeros(groups.groups, bool)
    held[drawable[_first_of_each(turns[alone], cell[starts], wanted)]] = True
    taken, least, limit = np.zeros(cells, np.int64).tolist(), wanted.tolist(), most.tolist()
    for turn in turns[~alone].tolist():
        mine = cell[starts[turn] : starts[turn] + sizes[turn]].tolist()
        if any(taken[each] < least[each] for each in mine) and all(taken[each] < limit[each] for each in mine):
            held[drawable[turn]] = True
            for each in mine:
                taken[each] += 1
    return held


def _first_of_each(turns: np.ndarray, cell: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return those groups that come first of their cell, as many of each as are wanted; each has one cell."""
    by_cell = turns[np.argsort(cell[turns], kind="stable")]
    mine = cell[by_cell]
    before = np.arange(len(mine)) - np.searchsorted(mine, mine)  # of the same cell
    return by_cell[before < wanted[mine]]
