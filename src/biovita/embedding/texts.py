"""The texts that a dataset's taxa go by."""

from __future__ import annotations

from collections.abc import Iterator

from biovita.taxonomy import Rank, Taxon, Taxonomy, prompts

__all__ = ["texts_of"]

_NAMED_RANKS = (Rank.GENUS, Rank.FAMILY, Rank.ORDER, Rank.CLASS)


def texts_of(taxonomy: Taxonomy) -> tuple[str, ...]:
    """Return the distinct texts of a taxonomy, in its order.

    Of each taxon: its prompts, its scientific and common name, and the names of its genus, family, order, class.
    """
    return tuple(dict.fromkeys(text for taxon in taxonomy.taxa for text in _texts(taxon)))


def _texts(taxon: Taxon) -> Iterator[str]:
    yield from prompts(taxon).values()
    yield taxon.scientific_name
    if taxon.common_name:
        yield taxon.common_name
    yield from (name for rank in _NAMED_RANKS if (name := taxon.name_at(rank)))
