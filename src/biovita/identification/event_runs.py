"""Runs of windows in which one candidate scores high enough, of many recordings at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive_tables import Kind
from biovita.errors import BiovitaError

__all__ = ["LEAVE", "KeptScores", "Runs", "ends_of", "kept_scores", "runs_in", "thresholds_of"]

LEAVE = 0.6  # of the threshold: a run goes on down to it
_GAP = 1  # hops
_ROWS = 1 << 16  # windows whose events are made at once, at least
_NONE = -1  # no candidate


@dataclass(frozen=True, eq=False)
class KeptScores:
    """Scores of at least `LEAVE` times the threshold, a row each."""

    media: np.ndarray  # row of its recording
    candidate: np.ndarray
    start: np.ndarray
    end: np.ndarray
    score: np.ndarray
    evidence: np.ndarray
    runner_up: np.ndarray  # the best other taxon of the window; -1 where there is none
    runner_up_score: np.ndarray

    def take(self, rows: np.ndarray) -> KeptScores:
        """Return some of the rows."""
        return KeptScores(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs that reach their threshold: the row of the best window, the first of equals, and what it is made of."""

    best: KeptScores
    start: np.ndarray
    end: np.ndarray
    mean: np.ndarray
    windows: np.ndarray


def kept_scores(
    windows: Iterable[pa.RecordBatch], recordings: pa.Table, candidates: pa.Table, least: np.ndarray
) -> Iterator[KeptScores]:
    """Yield the scores of whole recordings that reach ``least``, of many at once where they are short.

    Parameters
    ----------
    windows
        Rows of `WINDOWS`, those of a recording together; the rows of photographs are passed over.
    least
        ``(candidates,)`` float32; infinity where a candidate's are not wanted.

    Raises
    ------
    BiovitaError
        Where a window is of a recording that is not in the table, or the windows of a recording are not together.
    """
    kinds = candidates["kind"].to_numpy()
    waiting: list[KeptScores] = []
    done: set[int] = set()
    last, count = _NONE, 0
    for batch in windows:
        media = _media_rows(batch, recordings)
        held = media[media >= 0]
        if not len(held):
            continue
        changes = held[np.flatnonzero(np.diff(held, prepend=_NONE))].tolist()
        new = changes[1:] if changes[0] == last else changes
        if done.intersection(new) or len(set(new)) < len(new):
            raise BiovitaError("the windows of a recording are not together. Sort them by media_id and start_s")
        done.update(new)
        if new and count >= _ROWS:  # what waits is whole, once another recording has begun
            cut = np.flatnonzero(media == new[0])[0]
            waiting.append(_kept(batch.slice(0, cut), media[:cut], least, kinds))
            yield _joined(waiting)
            batch, media, waiting, count = batch.slice(cut), media[cut:], [], 0
        waiting.append(_kept(batch, media, least, kinds))
        last, count = changes[-1], count + batch.num_rows
    if waiting:
        yield _joined(waiting)


def thresholds_of(threshold: float | np.ndarray, candidates: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(candidates,)`` float32 where events are entered, and where left; infinity for a background class.

    Raises
    ------
    BiovitaError
        Where a threshold is not above 0.
    """
    wide = np.array(np.broadcast_to(np.asarray(threshold, np.float64), (candidates.num_rows,)))
    if not (wide > 0).all():  # also where it is NaN
        raise BiovitaError(f"a threshold is {wide[~(wide > 0)][0]:g}. It has to be above 0")
    wide[candidates["kind"].to_numpy() == Kind.BACKGROUND] = np.inf
    return wide.astype(np.float32), (LEAVE * wide).astype(np.float32)


def ends_of(recordings: pa.Table) -> np.ndarray:
    """Return ``(recordings,)`` where in its file each recording ends, in seconds."""
    stated = recordings["end_s"].to_numpy().astype(float)
    return np.fmin(recordings["duration_s"].to_numpy(), stated)


def _media_rows(batch: pa.RecordBatch, recordings: pa.Table) -> np.ndarray:
    """Return the row of each window's recording; -1 for a photograph."""
    found = pc.index_in(batch.column("media_id"), recordings["id"].combine_chunks())
    rows = pc.fill_null(found, _NONE).to_numpy(zero_copy_only=False).astype(np.int64)
    timed = batch.column("start_s").is_valid().to_numpy(zero_copy_only=False)
    unknown = timed & (rows < 0)
    if unknown.any():
        raise BiovitaError(
            f"windows of {batch.column('media_id')[int(unknown.argmax())].as_py()!r} are of no recording of the run"
        )
    return np.where(timed, rows, _NONE)


def _kept(batch: pa.RecordBatch, media: np.ndarray, least: np.ndarray, kinds: np.ndarray) -> KeptScores:
    """Return the scores of a batch that reach ``least``."""
    batch, media = batch.filter(pa.array(media >= 0)), media[media >= 0]
    lists = batch.column("candidates")
    window = np.repeat(np.arange(len(batch)), lists.value_lengths().to_numpy(zero_copy_only=False))
    candidate = lists.flatten().to_numpy(zero_copy_only=False)
    score = batch.column("scores").flatten().to_numpy(zero_copy_only=False)
    evidence = batch.column("evidence").flatten().to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(score >= least[candidate])
    first, second = _best_two(window, candidate, score, kinds, len(batch))
    runner = np.where(first[window[rows]] == rows, second[window[rows]], first[window[rows]])  # entry, or -1
    there = runner >= 0
    return KeptScores(
        media[window[rows]],
        candidate[rows].astype(np.int64),
        batch.column("start_s").to_numpy()[window[rows]],
        batch.column("end_s").to_numpy()[window[rows]],
        score[rows],
        evidence[rows],
        np.where(there, candidate[runner], _NONE),
        np.where(there, score[runner], np.float32(np.nan)),
    )


def _best_two(
    window: np.ndarray, candidate: np.ndarray, score: np.ndarray, kinds: np.ndarray, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(windows,)`` entries of the best and of the second best taxon, -1 for none; of equals the first."""
    taxa = np.flatnonzero(kinds[candidate] == Kind.TAXON)
    order = taxa[np.lexsort((taxa, -score[taxa], window[taxa]))]
    begins = np.searchsorted(window[order], np.arange(number))
    found = []
    for place in (0, 1):
        at = begins + place
        inside = at < np.append(begins[1:], len(order))
        entries = np.full(number, _NONE)
        entries[inside] = order[at[inside]]
        found.append(entries)
    return found[0], found[1]


def _joined(parts: Sequence[KeptScores]) -> KeptScores:
    return KeptScores(
        *(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(KeptScores))
    )


def runs_in(scores: KeptScores, enter: np.ndarray, leave: np.ndarray, ends: np.ndarray, hop_s: float) -> Runs:
    """Return the runs that reach their threshold, by recording, begin and candidate.

    Parameters
    ----------
    enter, leave
        See `thresholds_of`.
    ends
        See `ends_of`.
    """
    scores = scores.take(np.flatnonzero(scores.score >= leave[scores.candidate]))
    scores = scores.take(np.lexsort((scores.start, scores.candidate, scores.media)))
    size = len(scores.score)
    steps = np.rint(np.diff(scores.start) / hop_s)
    begins = np.ones(size, bool)
    begins[1:] = (np.diff(scores.media) != 0) | (np.diff(scores.candidate) != 0) | (steps > 1 + _GAP)
    firsts = np.flatnonzero(begins)
    if not size:
        return Runs(scores, scores.start, scores.end, scores.score, firsts)
    run = np.cumsum(begins) - 1
    counts = np.diff(np.append(firsts, size))
    best = np.lexsort((np.arange(size), -scores.score, run))[firsts]
    start = scores.start[firsts]
    end = np.minimum(np.maximum.reduceat(scores.end, firsts), ends[scores.media[firsts]])
    mean = np.add.reduceat(scores.score.astype(np.float64), firsts) / counts
    top = scores.take(best)
    kept = np.flatnonzero(top.score >= enter[top.candidate])
    kept = kept[np.lexsort((top.candidate[kept], start[kept], top.media[kept]))]
    return Runs(top.take(kept), start[kept], end[kept], mean[kept].astype(np.float32), counts[kept])
