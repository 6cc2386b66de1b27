"""Which candidates a run is asked for: its list, its groups, its place and its common names, read and looked up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from biovita.identification.asked import AskedFor
from biovita.identification.candidates import Chosen, choose, with_common_names
from biovita.identification.common_names import read_common_names
from biovita.identification.evidence import Candidate
from biovita.identification.range_model import Plausibility, range_of
from biovita.identification.taxa_list import TaxaList, read_taxa_list

__all__ = ["AskedCandidates", "asked_candidates"]


@dataclass(frozen=True)
class AskedCandidates:
    """What is left of the candidates that are known.

    Attributes
    ----------
    named
        All that are known, with the common names that are asked for.
    chosen
        Those that are asked for.
    taxa
        The list that is asked for, if any.
    plausible
        What the range model says of the place that is asked about, if any.
    """

    named: tuple[Candidate, ...]
    chosen: Chosen
    taxa: TaxaList | None
    plausible: Plausibility | None


def asked_candidates(known: Sequence[Candidate], asked: AskedFor) -> AskedCandidates:
    """Return which of the candidates that are known are asked for.

    Raises
    ------
    BiovitaError
        Where a list or a table of names cannot be used, a group is not known, or no taxon is left.
    """
    taxa = None if asked.taxa is None else read_taxa_list(asked.taxa, known, strict=asked.strict)
    plausible = None if asked.place is None else range_of(*asked.place, asked.week)
    chosen = choose(known, taxa=taxa, within=asked.within, plausible=plausible, range_only=asked.range_only)
    named = tuple(known)
    if asked.names is not None and asked.language is not None:
        named = with_common_names(named, read_common_names(asked.names, asked.language))
    return AskedCandidates(named, chosen, taxa, plausible)
