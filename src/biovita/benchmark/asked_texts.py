"""The text that stands for a species, and the shorter one of a species that lacks a part of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from biovita.taxonomy import PROMPT_KINDS, Taxon, prompts

__all__ = ["SHORTER", "TEXTS", "species_text", "text_notes"]

TEXTS: tuple[str, ...] = ("name", "common", *(kind for kind in PROMPT_KINDS if kind not in {"com", "sci"}))
SHORTER = "shorter_texts"  # in what a benchmark says of how it was made
_PROMPTS = {"common": "com", "name": "sci"}  # the prompt kind that a choice of text means
_INSTEAD = {"tax_com": ("sci_com", "tax")}  # of what is missing, before the bare name
_MISSING = {
    "common": "no common name",
    "tax": "no whole lineage",
    "sci_com": "no common name",
    "tax_com": "no whole lineage or no common name",
}


def species_text(taxon: Taxon, text: str) -> tuple[str, str]:
    """Return the text that stands for a species, and which of `TEXTS` it is.

    Where the taxon lacks what ``text`` needs, it is the next shorter one, and in the end the bare name, which every
    taxon has.

    Examples
    --------
    >>> species_text(Taxon("x", "Pica pica", "Eurasian Magpie"), "tax_com")
    ('Pica pica with common name Eurasian Magpie', 'sci_com')
    >>> species_text(Taxon("x", "Pica pica"), "tax_com")
    ('Pica pica', 'name')
    """
    made = prompts(taxon)
    for kind in (text, *_INSTEAD.get(text, ())):
        if (words := made.get(_PROMPTS.get(kind, kind))) is not None:
            return words, kind
    return taxon.scientific_name, "name"


def text_notes(made: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is to be said of the texts of a benchmark, from what it says of how it was made."""
    shorter, text = made.get(SHORTER), made.get("text")
    if not isinstance(shorter, Mapping) or not isinstance(text, str):
        return ()
    counts = ", ".join(f"{number:,} by {kind}" for kind, number in shorter.items() if isinstance(number, int))
    if not counts:
        return ()
    why = _MISSING.get(text, "not all of it")
    return (f"the text {text!r} is shorter for species of which {why} is known: {counts}",)
