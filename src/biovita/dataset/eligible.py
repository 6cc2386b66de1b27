"""Which taxa of a dataset can be held out whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from biovita.dataset.media_groups import MediaGroups
from biovita.modality import MEDIA, Modality

__all__ = ["EligibleTaxa", "clan_numbers", "eligible_taxa"]


@dataclass(frozen=True)
class EligibleTaxa:
    """The taxa of a dataset, and those that can be held out whole.

    Attributes
    ----------
    everyone
        All that have a recording or photograph.
    complete
        Species with items of each kind of media that the dataset has: both, or the one that there is.
    entangled
        Taxa that share a group (the clips of one recording, say) with a taxon that is not held out with them.
    kinds
        The kinds of media that the dataset has.
    """

    everyone: frozenset[str]
    complete: frozenset[str]
    entangled: frozenset[str]
    kinds: tuple[Modality, ...]

    @property
    def free(self) -> frozenset[str]:
        """Those that can be held out whole."""
        return self.complete - self.entangled

    @property
    def needed(self) -> str:
        """What a species needs to be ``complete``, in words."""
        return ("both " if len(self.kinds) > 1 else "") + " and ".join(kind.plural for kind in self.kinds or MEDIA)


def eligible_taxa(
    groups: MediaGroups,
    *,
    species: Collection[str] | None = None,
    clans: Mapping[str, str] | None = None,
) -> EligibleTaxa:
    """Return the taxa of some recordings and photographs, and those that can be held out whole.

    Parameters
    ----------
    species
        The taxa that may be held out; None: all.
    clans
        From a taxon to the group that it is held out with; one that is not there stands alone.
    """
    there = {
        modality: frozenset(groups.taxa[number] for number in np.unique(owners))
        for modality, owners in groups.owners.items()
        if len(owners)
    }
    complete = frozenset.intersection(*there.values()) if there else frozenset()
    return EligibleTaxa(
        everyone=frozenset(groups.taxa),
        complete=complete if species is None else complete & set(species),
        entangled=frozenset(groups.taxa[number] for number in _entangled(groups, clans or {})),
        kinds=tuple(modality for modality in MEDIA if modality in there),
    )


def clan_numbers(groups: MediaGroups, clans: Mapping[str, str]) -> np.ndarray:
    """Return a number of what each taxon is held out with, ``(taxa,)``: those that are held out together share it."""
    names = [clans.get(taxon, taxon) for taxon in groups.taxa]
    number = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return np.array([number[name] for name in names], np.int64)


def _entangled(groups: MediaGroups, clans: Mapping[str, str]) -> np.ndarray:
    """Return the numbers of the taxa that share a group with a taxon of another clan."""
    taxa, most = groups.all_owners, max(1, len(groups.taxa))
    pairs = np.unique(groups.all_members * most + clan_numbers(groups, clans)[taxa]) // most
    shared = np.zeros(groups.groups, bool)
    shared[pairs[1:][pairs[1:] == pairs[:-1]]] = True
    return np.unique(taxa[shared[groups.all_members]])
