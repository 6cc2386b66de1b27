"""Which taxa of a dataset can be held out whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from biovita.modality import MEDIA, Modality

__all__ = ["EligibleTaxa", "Pair", "eligible_taxa"]

Pair = tuple[str, str]  # taxon id, group id


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
    pairs: Mapping[Modality, Sequence[Pair]],
    *,
    species: Collection[str] | None = None,
    clans: Mapping[str, str] | None = None,
) -> EligibleTaxa:
    """Return the taxa of some recordings and photographs, and those that can be held out whole.

    Parameters
    ----------
    pairs
        By modality, the (taxon id, group id) of every item.
    species
        The taxa that may be held out; None: all.
    clans
        From a taxon to the group that it is held out with; one that is not there stands alone.
    """
    clans = clans or {}
    taxa_of: dict[str, set[str]] = defaultdict(set)
    there: dict[Modality, set[str]] = defaultdict(set)
    for modality, items in pairs.items():
        for taxon_id, group_id in items:
            taxa_of[group_id].add(taxon_id)
            there[modality].add(taxon_id)
    entangled = {
        taxon
        for taxa in taxa_of.values()
        if len(taxa) > 1 and len({clans.get(each, each) for each in taxa}) > 1
        for taxon in taxa
    }
    complete = set.intersection(*there.values()) if there else set()
    return EligibleTaxa(
        everyone=frozenset[str]().union(*there.values()),
        complete=frozenset(complete if species is None else complete & set(species)),
        entangled=frozenset(entangled),
        kinds=tuple(modality for modality in MEDIA if modality in there),
    )
