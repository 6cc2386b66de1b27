"""The five text prompts of the published recipe (Shinoda et al. 2026, BioVITA)."""

from __future__ import annotations

from biovita.taxonomy.taxon import Rank, Taxon

__all__ = ["PROMPT_KINDS", "prompts"]

PROMPT_KINDS: tuple[str, ...] = ("com", "sci", "tax", "sci_com", "tax_com")
_TAX_RANKS = (Rank.CLASS, Rank.ORDER, Rank.FAMILY, Rank.GENUS)


def prompts(taxon: Taxon) -> dict[str, str]:
    """Return the prompts of a taxon by kind, in the order of `PROMPT_KINDS`.

    ``tax`` is class, order, family, genus and scientific name, separated by spaces. A missing part drops the
    prompts that need it, so a taxon has between one and five.

    Examples
    --------
    >>> prompts(Taxon("x", "Pica pica", "Eurasian Magpie"))
    {'com': 'Eurasian Magpie', 'sci': 'Pica pica', 'sci_com': 'Pica pica with common name Eurasian Magpie'}
    """
    com, sci = taxon.common_name, taxon.scientific_name
    above = [taxon.name_at(rank) for rank in _TAX_RANKS]
    tax = " ".join([*(name for name in above if name), sci]) if all(above) else None
    made = {
        "com": com,
        "sci": sci,
        "tax": tax,
        "sci_com": f"{sci} with common name {com}" if com else None,
        "tax_com": f"{tax} with common name {com}" if tax and com else None,
    }
    return {kind: text for kind, text in made.items() if text}
