"""From log-odds to one answer: probabilities that add up to 1, summed up the tree, and the deepest rank that is sure.

The log-odds of candidates do not exclude each other. Here they are taken as if at most one were there. Of a row, the
odds of a candidate are ``exp(log-odds / temperature)``, and those of "none of these" ``exp(unknown / temperature)``.
All are divided by their sum. Only the `BEST` candidates of a row count. A run keeps as many, so answers from what a
run kept are those from all log-odds.

A taxon without a name at a rank counts there by the narrowest rank below of which it has one, at last as itself. So it
is never lost, and never in a group of all that is nameless.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biovita.archive.archive_tables import Kind
from biovita.identification.evidence import Candidate
from biovita.identification.likeness import shipped
from biovita.modality import Modality
from biovita.taxonomy import RANKS, Rank, Taxon
from biovita.taxonomy.taxon import group_taxon

__all__ = [
    "ANSWERED",
    "BEST",
    "Answers",
    "AtRank",
    "BackOff",
    "Posterior",
    "at_rank",
    "back_off_of",
    "backed_off",
    "best_of",
    "posterior",
    "posterior_of_kept",
]

BEST = 20
"""How many candidates of a row count."""

ANSWERED = (Rank.SPECIES, Rank.GENUS, Rank.FAMILY, Rank.ORDER, Rank.CLASS)
"""Ranks that are answered, the deepest first."""

_LARGEST = 1 - 2.0**-24  # a score of 32 bits that is not yet 1


@dataclass(frozen=True, slots=True)
class BackOff:
    """What makes log-odds probabilities, and how sure an answer has to be.

    Attributes
    ----------
    temperature, unknown
        See the module.
    sure
        The least probability of an answer, whatever its rank.
    """

    temperature: float
    unknown: float
    sure: float


def back_off_of(modality: Modality) -> BackOff:
    """Return the settings that ship for questions of a modality; ``scripts/back_off_defaults.py`` fits them."""
    stated = shipped()["back_off"][modality]
    return BackOff(float(stated["temperature"]), float(stated["unknown"]), float(stated["sure"]))


@dataclass(frozen=True, eq=False)
class Posterior:
    """Of each row its best candidates and their probabilities.

    Attributes
    ----------
    numbers
        ``(rows, best)``, int64: candidates, the likeliest first; -1 where there are fewer.
    probabilities
        ``(rows, best)``, float64; 0 where there is no candidate.
    unknown
        ``(rows,)``, float64: of none of the candidates. With the others of a row it adds up to 1.
    """

    numbers: np.ndarray
    probabilities: np.ndarray
    unknown: np.ndarray


def posterior(logits: np.ndarray, candidates: Sequence[Candidate], settings: BackOff) -> Posterior:
    """Return the probabilities of the best candidates of each row.

    Parameters
    ----------
    logits
        ``(rows, candidates)``, as `Scored.logits`.
    """
    best = min(BEST, logits.shape[1])
    numbers = np.argpartition(-logits, best - 1, axis=1)[:, :best]
    return _posterior(numbers, np.take_along_axis(logits, numbers, axis=1), candidates, settings)


def posterior_of_kept(
    numbers: Sequence[np.ndarray], scores: Sequence[np.ndarray], candidates: Sequence[Candidate], settings: BackOff
) -> Posterior:
    """Return the probabilities of the best candidates of each row of a run, from what it kept.

    Parameters
    ----------
    numbers, scores
        By row, the columns ``candidates`` and ``scores`` of `biovita.archive.archive_tables.WINDOWS`; the likeliest
        come first. Where the best 20 are not all kept, what is missing counts as nothing.
    """
    found = np.full((len(numbers), BEST), -1, np.int64)
    logits = np.full((len(numbers), BEST), -np.inf)
    for row, (those, their) in enumerate(zip(numbers, scores, strict=True)):
        best = min(BEST, len(those))
        kept = np.clip(np.asarray(their[:best], np.float64), 1e-30, _LARGEST)
        found[row, :best], logits[row, :best] = those[:best], np.log(kept) - np.log1p(-kept)
    return _posterior(found, logits, candidates, settings)


def _posterior(
    numbers: np.ndarray, logits: np.ndarray, candidates: Sequence[Candidate], settings: BackOff
) -> Posterior:
    order = np.argsort(-logits, axis=1, kind="stable")
    numbers = np.take_along_axis(numbers, order, axis=1).astype(np.int64)
    logits = np.take_along_axis(logits, order, axis=1).astype(np.float64)
    odds = np.hstack([logits, np.full((len(logits), 1), settings.unknown)]) / settings.temperature
    odds = np.exp(odds - odds.max(axis=1, keepdims=True))
    odds /= odds.sum(axis=1, keepdims=True)
    nothing = np.array([each.kind == Kind.BACKGROUND for each in candidates], bool)
    empty = (numbers >= 0) & nothing[numbers]
    probabilities = np.where(empty, 0.0, odds[:, :-1])
    return Posterior(numbers, probabilities, 1.0 - probabilities.sum(axis=1))


@dataclass(frozen=True, eq=False)
class AtRank:
    """Taxa at a rank, and their probabilities by row.

    Attributes
    ----------
    taxa
        The groups, and what has no name at the rank as it is.
    numbers
        ``(rows, best)``: places in ``taxa``, the likeliest first; -1 where there are fewer.
    probabilities
        ``(rows, best)``, float64; 0 where there is none.
    """

    taxa: tuple[Candidate, ...]
    numbers: np.ndarray
    probabilities: np.ndarray


def at_rank(found: Posterior, candidates: Sequence[Candidate], rank: Rank) -> AtRank:
    """Return the probabilities of groups at a rank: those of their members added up.

    What is no taxon stays as it is. So does a taxon of a wider rank: a family where genera are asked for.
    """
    members: dict[tuple[Kind, Rank, str], list[Taxon]] = {}
    keys = [_key(each, rank) for each in candidates]
    for key, each in zip(keys, candidates, strict=True):
        members.setdefault(key, []).append(each.taxon)
    places = {key: place for place, key in enumerate(members)}
    group = np.array([places[key] for key in keys] + [-1], np.int64)[found.numbers]  # the last is for none
    rows, best = group.shape
    order = np.argsort(group, axis=1, kind="stable")
    group = np.take_along_axis(group, order, axis=1)
    shares = np.take_along_axis(found.probabilities, order, axis=1)
    first = np.ones((rows, best), bool)
    first[:, 1:] = group[:, 1:] != group[:, :-1]
    run = np.cumsum(first.reshape(-1)) - 1
    sums = np.bincount(run, shares.reshape(-1), minlength=int(first.sum()))
    summed = np.where(first & (group >= 0), sums[run].reshape(rows, best), 0.0)
    group = np.where(first & (group >= 0), group, -1)
    order = np.lexsort((group < 0, -summed), axis=1)
    taxa = tuple(_group(key, taxa) for key, taxa in members.items())
    return AtRank(taxa, np.take_along_axis(group, order, axis=1), np.take_along_axis(summed, order, axis=1))


def _key(candidate: Candidate, rank: Rank) -> tuple[Kind, Rank, str]:
    """Return what the members of a group at a rank share."""
    taxon = candidate.taxon
    if candidate.kind != Kind.TAXON:
        return candidate.kind, taxon.rank, taxon.id
    for at in RANKS[RANKS.index(rank) : RANKS.index(taxon.rank)]:
        name = taxon.name_at(at)
        if name:
            return Kind.TAXON, at, name
    return Kind.TAXON, taxon.rank, taxon.scientific_name


def _group(key: tuple[Kind, Rank, str], taxa: Sequence[Taxon]) -> Candidate:
    kind, rank, name = key
    if len(taxa) == 1 and (kind != Kind.TAXON or taxa[0].scientific_name == name):
        return Candidate(taxa[0], kind)
    return Candidate(group_taxon(rank, name, taxa), kind)


@dataclass(frozen=True, eq=False)
class Answers:
    """One answer a row.

    Attributes
    ----------
    taxa
        What was answered, each once.
    numbers
        ``(rows,)``: place in ``taxa``; -1 is unknown.
    probabilities
        ``(rows,)``, float64: of the answer; where it is unknown, of none of the candidates.
    """

    taxa: tuple[Candidate, ...]
    numbers: np.ndarray
    probabilities: np.ndarray

    @property
    def of_rows(self) -> list[Candidate | None]:
        """The answer of each row; None is unknown."""
        return [None if number < 0 else self.taxa[number] for number in self.numbers.tolist()]


def best_of(found: Posterior, candidates: Sequence[Candidate], rank: Rank) -> Answers:
    """Return the likeliest taxon at a rank for each row; unknown where "none of these" is likelier."""
    ranked = at_rank(found, candidates, rank)
    sure = ranked.probabilities[:, 0] >= found.unknown
    numbers = np.where(sure, ranked.numbers[:, 0], -1)
    return Answers(ranked.taxa, numbers, np.where(sure, ranked.probabilities[:, 0], found.unknown))


def backed_off(found: Posterior, candidates: Sequence[Candidate], settings: BackOff) -> Answers:
    """Return for each row the taxon of the deepest rank at which one is sure enough; unknown where none is."""
    taxa: list[Candidate] = []
    numbers = np.full(len(found.unknown), -1, np.int64)
    probabilities = found.unknown.copy()
    for rank in ANSWERED:
        ranked = at_rank(found, candidates, rank)
        fits = np.array([each.kind != Kind.TAXON or each.taxon.rank == rank for each in ranked.taxa] + [False])
        best, likely = ranked.numbers[:, 0], ranked.probabilities[:, 0]
        now = (numbers < 0) & fits[best] & (likely >= settings.sure)
        numbers[now] = best[now] + len(taxa)
        probabilities[now] = likely[now]
        taxa += ranked.taxa
    used, places = np.unique(numbers, return_inverse=True)
    some = int(used[0] < 0) if len(used) else 0
    return Answers(tuple(taxa[place] for place in used[some:].tolist()), places - some, probabilities)
