"""Which candidates a question is about: those of a list, of groups, and of a place and time.

Answers that are no taxa (an engine, a human voice, a user's own classes, the background) stay whatever is asked for.
They compete with taxa for a window, and speech has to be found under any list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from biovita.archive.archive_tables import Kind
from biovita.errors import BiovitaError, unknown_name
from biovita.identification.evidence import Candidate
from biovita.identification.name_lookup import NameLookup
from biovita.identification.range_model import Plausibility
from biovita.identification.taxa_list import TaxaList
from biovita.taxonomy import Rank, Taxon
from biovita.taxonomy.parse import fold

__all__ = ["Chosen", "NotChosen", "choose", "with_common_names"]


class NotChosen(StrEnum):
    """Why a candidate is left out."""

    NOT_LISTED = "not-listed"
    NOT_WITHIN = "not-within"
    OUT_OF_RANGE = "out-of-range"
    RANGE_UNKNOWN = "range-unknown"


@dataclass(frozen=True)
class Chosen:
    """The candidates of a question, and what became of the others.

    Attributes
    ----------
    candidates
        Those that were known, in their order, and after them those that the list adds by their names.
    numbers
        Places of the first of them among the known ones: ``candidates[: len(numbers)]`` are known.
    listed
        By candidate, whether a stated list has it: its scores are all kept.
    plausibility
        By candidate, what the range model says, from 0 to 1; None where it does not know the taxon, or was not asked.
    left_out
        By reason, the places of the known candidates that are left out.
    empty
        Entries of the list that are known and name no candidate: a genus, say, of which there is none.
    """

    candidates: tuple[Candidate, ...]
    numbers: tuple[int, ...]
    listed: tuple[bool, ...]
    plausibility: tuple[float | None, ...]
    left_out: Mapping[NotChosen, tuple[int, ...]]
    empty: tuple[Taxon, ...]

    @property
    def range_unknown(self) -> tuple[Candidate, ...]:
        """The taxa that were kept although the range model knows nothing of them."""
        pairs = zip(self.candidates, self.plausibility, strict=True)
        return tuple(each for each, value in pairs if value is None and each.kind == Kind.TAXON)


def choose(
    known: Sequence[Candidate],
    *,
    taxa: TaxaList | None = None,
    within: Sequence[str] = (),
    plausible: Plausibility | None = None,
    range_only: bool = False,
) -> Chosen:
    """Return the candidates that are left when a list, groups and a place are asked for together.

    A taxon has to meet all that is asked for. Candidates of kinds that are no taxa are kept. A candidate that is a
    group itself, a class of a genus say, is of a list where the list has it, a group above it or a taxon below it.

    Parameters
    ----------
    known
        All that the model and the gallery can name.
    taxa
        What the list has; taxa that none of the known candidates is of become candidates by their names.
    within
        Scientific names of groups, of any rank: ``Aves``, ``Anura``.
    plausible
        What the range model says of the place and time. Taxa that it does not know are kept.
    range_only
        Whether taxa that the range model does not know are left out, too.

    Raises
    ------
    BiovitaError
        Where a group is not known, ``range_only`` is asked for without a place, or no taxon is left.
    """
    if range_only and plausible is None:
        raise BiovitaError("--range-only needs a place. Give --place LAT,LON, or leave --range-only out")
    groups = [_group(name, known, taxa) for name in within]
    added = () if taxa is None else tuple(map(Candidate, _missing(taxa, known)))
    listed = None if taxa is None else _Listed(taxa.taxa)
    left_out: dict[NotChosen, list[int]] = defaultdict(list)
    kept: list[tuple[int, Candidate, bool, float | None]] = []
    for number, candidate in enumerate((*known, *added)):
        if candidate.kind != Kind.TAXON:
            kept.append((number, candidate, False, None))
            continue
        taxon = candidate.taxon
        value = None if plausible is None else plausible.of(taxon)
        reason = None
        if listed is not None and not listed.has(taxon):
            reason = NotChosen.NOT_LISTED
        elif groups and not any(_is_within(taxon, group) for group in groups):
            reason = NotChosen.NOT_WITHIN
        elif plausible is not None and value is None and range_only:
            reason = NotChosen.RANGE_UNKNOWN
        elif plausible is not None and value is not None and value < plausible.expected_from:
            reason = NotChosen.OUT_OF_RANGE
        if reason is None:
            kept.append((number, candidate, listed is not None, value))
        elif number < len(known):
            left_out[reason].append(number)
    if not any(candidate.kind == Kind.TAXON for _, candidate, _, _ in kept):
        raise BiovitaError(_nothing_left(left_out))
    return Chosen(
        candidates=tuple(candidate for _, candidate, _, _ in kept),
        numbers=tuple(number for number, _, _, _ in kept if number < len(known)),
        listed=tuple(is_listed for _, _, is_listed, _ in kept),
        plausibility=tuple(value for _, _, _, value in kept),
        left_out={reason: tuple(numbers) for reason, numbers in left_out.items()},
        empty=() if taxa is None else _without_candidates(taxa, (*known, *added)),
    )


def with_common_names(candidates: Sequence[Candidate], names: Mapping[str, str]) -> tuple[Candidate, ...]:
    """Return candidates with their common names in another language, where there is one; others keep theirs.

    Parameters
    ----------
    names
        As `biovita.identification.common_names.read_common_names` gives them: by folded scientific name.
    """
    lookup = NameLookup(candidates)
    by_id: dict[str, str] = {}
    for scientific, common in names.items():
        taxon = lookup.scientific(scientific)
        if taxon is not None and (fold(taxon.scientific_name) == scientific or taxon.id not in by_id):
            by_id[taxon.id] = common
    return tuple(
        replace(each, taxon=replace(each.taxon, common_name=by_id[each.taxon.id]))
        if each.kind == Kind.TAXON and each.taxon.id in by_id
        else each
        for each in candidates
    )


class _Listed:
    """Which taxa a list has: themselves, what is below its groups, and what is above its species."""

    def __init__(self, taxa: Sequence[Taxon]) -> None:
        self._ids = {taxon.id for taxon in taxa}
        self._places = {(taxon.rank, fold(taxon.scientific_name)) for taxon in taxa}
        self._above = {(rank, fold(name)) for taxon in taxa for rank, name in taxon.lineage}

    def has(self, taxon: Taxon) -> bool:
        if taxon.id in self._ids or any((rank, fold(name)) in self._places for rank, name in taxon.lineage):
            return True
        return taxon.rank != Rank.SPECIES and (taxon.rank, fold(taxon.scientific_name)) in self._above


def _group(name: str, known: Sequence[Candidate], taxa: TaxaList | None) -> tuple[Rank, str]:
    """Return the rank and folded name of a group that candidates lie in."""
    listed = () if taxa is None else taxa.taxa
    lineages = [each.taxon.lineage for each in known if each.kind == Kind.TAXON] + [
        each.lineage for each in listed
    ]
    places = {fold(group): (rank, group) for lineage in lineages for rank, group in reversed(lineage)}
    found = places.get(fold(name))
    if found is None:
        groups = sorted({group for rank, group in places.values() if rank != Rank.SPECIES})
        raise BiovitaError(f"--within {name}: {unknown_name('group', name, groups)}")
    return found[0], fold(found[1])


def _is_within(taxon: Taxon, group: tuple[Rank, str]) -> bool:
    return any((rank, fold(name)) == group for rank, name in taxon.lineage)


def _missing(taxa: TaxaList, known: Sequence[Candidate]) -> tuple[Taxon, ...]:
    """Return the species of a list that no candidate is of; a group stands for candidates and is none itself."""
    ids = {candidate.taxon.id for candidate in known if candidate.kind == Kind.TAXON}
    return tuple(taxon for taxon in taxa.taxa if taxon.id not in ids and taxon.rank == Rank.SPECIES)


def _without_candidates(taxa: TaxaList, candidates: Sequence[Candidate]) -> tuple[Taxon, ...]:
    places = {
        (rank, fold(name)) for each in candidates if each.kind == Kind.TAXON for rank, name in each.taxon.lineage
    }
    return tuple(taxon for taxon in taxa.taxa if (taxon.rank, fold(taxon.scientific_name)) not in places)


def _nothing_left(left_out: Mapping[NotChosen, Sequence[int]]) -> str:
    if not left_out:
        return "there is no taxon to choose from. Give a model with a classifier, a gallery, or a list of taxa"
    counts = ", ".join(f"{len(numbers):,} {reason.value}" for reason, numbers in left_out.items())
    return (
        f"no taxon is left to choose from: {counts}. Widen --taxa, --within or --place, or leave one of them out"
    )
