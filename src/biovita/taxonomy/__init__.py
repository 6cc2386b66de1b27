"""Ranks, taxa, names and the text prompts made of them."""

from biovita.taxonomy.prompts import PROMPT_KINDS, prompts
from biovita.taxonomy.taxon import RANKS, Rank, Taxon, Taxonomy, taxon_id_of

__all__ = ["PROMPT_KINDS", "RANKS", "Rank", "Taxon", "Taxonomy", "prompts", "taxon_id_of"]
