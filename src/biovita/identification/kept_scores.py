"""The scores of windows and photographs that a run keeps: the best, all that are not small, and all that are listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from biovita.archive.archive_tables import CANDIDATES, WINDOWS, Kind
from biovita.archive.stored_windows import SomeVectors
from biovita.identification.evidence import Candidate, Evidence, Scored
from biovita.taxonomy import Rank

__all__ = ["BEST", "SMALL", "candidate_rows", "kept_rows"]

BEST = 20  # candidates of each window whose scores are kept, whatever they are
SMALL = 0.05  # what reaches it is kept, so that any threshold from 0.0834 on can be answered
_AT_ONCE = 1024  # rows times all candidates are held at a time

Score = Callable[[np.ndarray, Sequence[str | None]], Scored]


def candidate_rows(
    candidates: Sequence[Candidate], listed: Sequence[bool], evidence: Sequence[Sequence[Evidence]]
) -> pa.Table:
    """Return candidates as rows of `CANDIDATES`, in their order.

    Parameters
    ----------
    listed
        By candidate, whether a list names it: all its scores are kept, as are those of what is no taxon.
    evidence
        By candidate, the kinds of evidence that there are for it.
    """
    taxa = [each.taxon for each in candidates]
    columns = {
        "taxon_id": [taxon.id for taxon in taxa],
        "scientific_name": [taxon.scientific_name for taxon in taxa],
        "common_name": [taxon.common_name for taxon in taxa],
        "rank": [taxon.rank.value for taxon in taxa],
        **{rank.value: [taxon.name_at(rank) for taxon in taxa] for rank in Rank if rank != Rank.SPECIES},
        "kind": [each.kind.value for each in candidates],
        "listed": [named or each.kind != Kind.TAXON for named, each in zip(listed, candidates, strict=True)],
        "evidence": [[kind.name.lower() for kind in kinds] for kinds in evidence],
    }
    return pa.table(columns, schema=CANDIDATES)


def kept_rows(
    found: Iterable[SomeVectors], media: pa.Table, score: Score, candidates: pa.Table, small: float = SMALL
) -> Iterator[pa.RecordBatch]:
    """Yield what is kept of the scores, as rows of `WINDOWS`: `BEST`, what is not small, and what is listed.

    Parameters
    ----------
    found
        Vectors of windows or photographs.
    media
        The recordings or photographs that they are of.
    score
        From vectors ``(rows, dim)``, and the group that each row is of, to what the evidence says of all candidates.
    candidates
        As `candidate_rows` gives them.
    small
        What reaches it is kept.
    """
    least = np.where(candidates["listed"].to_numpy(), np.float32(0), np.float32(small))
    ids, groups = media["id"].combine_chunks(), media["group_id"].to_pylist()
    for some in found:
        for start in range(0, len(some.media), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            of = some.media[rows]
            said = score(some.vectors[rows], [groups[place] for place in of.tolist()])
            yield _batch(ids.take(pa.array(of)), some.start_s[rows], some.end_s[rows], said, least)


def _batch(
    ids: pa.Array, start_s: np.ndarray, end_s: np.ndarray, said: Scored, least: np.ndarray
) -> pa.RecordBatch:
    scores = _sigmoid(said.logits)
    rows, count = scores.shape
    kept = scores >= least
    if count > BEST:
        best = np.argpartition(scores, count - BEST, axis=1)[:, count - BEST :]
        np.put_along_axis(kept, best, values=True, axis=1)
    else:
        kept[:] = True
    floor = np.where(kept, np.float32(0), scores).max(axis=1, initial=0)
    row, candidate = np.nonzero(kept)
    order = np.lexsort((candidate, -scores[row, candidate], row))
    row, candidate = row[order], candidate[order]
    ends = pa.array(np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))]).astype(np.int32))

    def lists(values: np.ndarray) -> pa.Array:
        return pa.ListArray.from_arrays(ends, pa.array(values))

    columns = [
        ids,
        pa.array(start_s, mask=np.isnan(start_s)),
        pa.array(end_s, mask=np.isnan(end_s)),
        lists(candidate.astype(np.int32)),
        lists(scores[row, candidate]),
        lists(said.decided[row, candidate].astype(np.uint8)),
        pa.array(floor.astype(np.float32)),
    ]
    return pa.RecordBatch.from_arrays(
        [column.cast(field.type) for column, field in zip(columns, WINDOWS, strict=True)], schema=WINDOWS
    )


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return ``1 / (1 + exp(-logits))``, float32, without overflow."""
    found = np.exp(-np.abs(logits, dtype=np.float32))
    return np.where(logits >= 0, 1, found) / (1 + found)
