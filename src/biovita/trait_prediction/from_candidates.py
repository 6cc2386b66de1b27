"""A label from the taxa that identification suggests: the share of them that has it, weighed by their probabilities.

A trait is a property of the species. With ``p`` the probability of a taxon, the value of a label is the sum of ``p``
over the taxa that have it, divided by the sum over those of which it is known. How much that sum is of all, of which
"none of these" is a part, stands beside it. Where it is less than `LEAST_KNOWN`, there is no value: unknown is not
false. A taxon of which nothing is known adds to neither sum. What is known of its relatives counts as far as they are
suggested themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from biovita.archive.archive import SCORES, Archive
from biovita.identification.back_off import Posterior, back_off_of, posterior, posterior_of_kept
from biovita.identification.evidence import Candidate
from biovita.identification.scorer import Scorer
from biovita.modality import Modality

__all__ = ["LEAST_KNOWN", "CandidateShares", "shares_of_items", "shares_of_run"]

LEAST_KNOWN = 0.1
"""Of all probability, what has to lie on taxa of which a label is known."""

_ITEMS_AT_ONCE = 512  # times all candidates are held at a time
_NEVER = -1e4  # log-odds of a candidate that is left out


@dataclass(frozen=True, eq=False)
class CandidateShares:
    """How much probability lies on candidates that have labels, and on those of which they are known.

    Attributes
    ----------
    having, known
        ``(rows, 34)``, float64, means over windows; from 0 to 1.
    """

    having: np.ndarray
    known: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """``(rows, 34)``: the share that has the label; NaN where too little is known."""
        told = self.known >= LEAST_KNOWN
        return np.where(told, self.having / np.where(told, self.known, 1.0), np.nan)

    def summed(self, of: np.ndarray, groups: int) -> CandidateShares:
        """Return the means over the rows of each group, ``(groups, 34)``.

        Parameters
        ----------
        of
            ``(rows,)``: the group of each row.
        """
        counts = np.maximum(np.bincount(of, minlength=groups), 1)[:, None]
        means = []
        for each in (self.having, self.known):
            sums = np.zeros((groups, each.shape[1]))
            np.add.at(sums, of, each)
            means.append(sums / counts)
        return CandidateShares(*means)


def _shares(found: Posterior, labels: np.ndarray) -> CandidateShares:
    """Return the shares of rows.

    Parameters
    ----------
    labels
        ``(candidates, 34)``: 1, 0, and NaN where it is unknown.
    """
    there = np.where(found.numbers >= 0, found.probabilities, 0.0)
    having, known = (np.einsum("rb,rbl->rl", there, of[found.numbers]) for of in (labels == 1, ~np.isnan(labels)))
    return CandidateShares(having, known)


def shares_of_run(
    archive: Archive, modality: Modality, candidates: Sequence[Candidate], labels: np.ndarray, media: Sequence[str]
) -> tuple[CandidateShares, np.ndarray]:
    """Return the shares of each recording or photograph of a run, and how many windows it has, ``(media,)``.

    Parameters
    ----------
    labels
        ``(candidates, 34)``: 1, 0, and NaN where it is unknown.
    media
        Ids, in the order of the rows that are returned. Of those without scores the shares are 0.
    """
    places = {each: place for place, each in enumerate(media)}
    settings, windows = back_off_of(modality), np.zeros(len(media), np.int64)
    sums = np.zeros((2, len(media), labels.shape[1]))
    for batch in archive.batches(SCORES[modality], ["media_id", "candidates", "scores"]):
        of = np.array([places.get(each, -1) for each in batch.column("media_id").to_pylist()], np.int64)
        there = np.flatnonzero(of >= 0)
        of, batch = of[there], batch.take(pa.array(there))
        numbers, scores = (
            [np.asarray(row.values) for row in batch.column(name)] for name in ("candidates", "scores")
        )
        for start in range(0, len(of), _ITEMS_AT_ONCE):
            some = slice(start, start + _ITEMS_AT_ONCE)
            found = _shares(posterior_of_kept(numbers[some], scores[some], candidates, settings), labels)
            np.add.at(sums[0], of[some], found.having)
            np.add.at(sums[1], of[some], found.known)
        windows += np.bincount(of, minlength=len(media))
    return CandidateShares(*(sums / np.maximum(windows, 1)[:, None])), windows


def shares_of_items(
    scorer: Scorer, vectors: np.ndarray, groups: Sequence[str | None], own: np.ndarray, labels: np.ndarray
) -> CandidateShares:
    """Return the shares of items whose species are known, as if identification did not know these species.

    Parameters
    ----------
    vectors
        ``(items, dim)``, as the tower gives them.
    groups
        By item; exemplars of the same group are passed over.
    own
        ``(items,)``: number of the candidate that an item is of, which is left out; -1 where it is none.
    labels
        ``(candidates, 34)``: 1, 0, and NaN where it is unknown.
    """
    settings, parts = back_off_of(scorer.modality), [CandidateShares(*np.empty((2, 0, labels.shape[1])))]
    for start in range(0, len(vectors), _ITEMS_AT_ONCE):
        some = slice(start, start + _ITEMS_AT_ONCE)
        logits = scorer.score(vectors[some], groups[some]).logits
        rows = np.flatnonzero(own[some] >= 0)
        logits[rows, own[some][rows]] = _NEVER
        parts.append(_shares(posterior(logits, scorer.gallery.candidates, settings), labels))
    return CandidateShares(
        *(np.concatenate([getattr(each, name) for each in parts]) for name in ("having", "known"))
    )
