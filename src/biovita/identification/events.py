"""Events: runs of windows of one candidate, from the scores that a run of ``biovita identify`` keeps.

Windows begin one hop after the other. A window belongs to a candidate where its score is at least 0.6 t. Two windows
that belong to it are in one run where the second begins at most two hops after the first, so one window between them
may be missing or lower: that is a gap of one hop, at every overlap. A run is an event where one of its windows reaches
t. The event lasts from the begin of its first window to the end of its last, but not past the end of the recording.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive_tables import ANNOTATIONS, By, Kind, Presence
from biovita.errors import BiovitaError
from biovita.identification.event_runs import LEAVE, Runs, ends_of, kept_scores, runs_in, thresholds_of
from biovita.identification.evidence import Evidence
from biovita.modality import Modality

__all__ = ["HUMAN_VOICE", "MadeBy", "check_threshold", "events_of", "floor_of", "speech_spans"]

HUMAN_VOICE = ("Human vocal", "Human non-vocal", "Human whistle")
"""BirdNET's classes that are of people."""

_HEARD = 0.1  # score of a window of such a class from which on a person counts as heard; low, to miss few


@dataclass(frozen=True, slots=True)
class MadeBy:
    """What made the events.

    Attributes
    ----------
    name
        Of the model.
    made_at
        With its time zone.
    """

    name: str
    revision: str | None = None
    made_at: datetime | None = None

    def annotation_id(self, *about: object) -> str:
        """Return the id of an annotation: the first 32 digits of a SHA-256 of what it is about and of the model."""
        text = "\n".join(map(str, (*about, self.name, self.revision)))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def floor_of(windows: Iterable[pa.RecordBatch] | pa.Table) -> float:
    """Return the largest floor of `WINDOWS` rows: of what is not listed, larger scores are all kept; 0 without rows."""
    batches = windows.to_batches() if isinstance(windows, pa.Table) else windows
    return max((pc.max(batch.column("floor")).as_py() for batch in batches if batch.num_rows), default=0.0)


def check_threshold(threshold: float | np.ndarray, candidates: pa.Table, floor: float) -> None:
    """Refuse thresholds that the scores of a run cannot answer.

    Parameters
    ----------
    threshold
        Of all candidates, or ``(candidates,)``, one each; infinity where a candidate is not asked for.
    candidates
        Rows of `CANDIDATES`. Of those that are listed, all scores are kept, so any threshold can be answered.
    floor
        See `floor_of`.

    Raises
    ------
    BiovitaError
        Where a threshold is not above 0, or an event of a candidate that is not listed would go on below the floor.
    """
    enter, leave = thresholds_of(threshold, candidates)
    open_ = ~candidates["listed"].to_numpy(zero_copy_only=False) & (
        candidates["kind"].to_numpy() != Kind.BACKGROUND
    )
    low = open_ & (leave <= np.float32(floor))
    if low.any():
        lowest = np.ceil(1000 * floor / LEAVE + 1) / 1000
        name = candidates["scientific_name"][int(low.argmax())].as_py()
        raise BiovitaError(
            f"a threshold of {enter[low].min():g} cannot be answered from this run: an event goes on down to {LEAVE:g} "
            f"of its threshold, and of candidates that are not listed, such as {name}, scores up to {floor:.3g} were "
            f"not all kept. Set a threshold of {lowest:g} or more, ask for listed candidates alone, or identify again "
            "with a list that names what you look for"
        )


def events_of(
    windows: Iterable[pa.RecordBatch],
    recordings: pa.Table,
    candidates: pa.Table,
    *,
    threshold: float | np.ndarray,
    hop_s: float,
    made: MadeBy,
    deployments: pa.Table | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield the events of recordings as rows of `ANNOTATIONS`, by recording, begin and candidate.

    A candidate of the kind background has none. The mean score is that of the windows that belong to the event. The
    runner-up is the best other taxon in the window of the maximum. An event's id is a hash of what, where, when and by
    which model. Thresholds are compared with scores in single precision.

    Parameters
    ----------
    windows
        Rows of `WINDOWS`, those of a recording together; the rows of photographs are passed over.
    recordings, candidates, deployments
        The other tables of the run. Events take place and time from the recording, and the site from its deployment.
    threshold
        Of all candidates, or ``(candidates,)``, one each; infinity where no events of a candidate are wanted. Have it
        checked by `check_threshold`.
    hop_s
        Seconds from the begin of a window to that of the next.

    Raises
    ------
    BiovitaError
        Where a threshold or the hop is not above 0, a window is of a recording that is not in the table, or the windows
        of a recording are not together.
    """
    sites = _sites(recordings, deployments)
    for runs in _runs(windows, recordings, candidates, threshold, hop_s):
        yield _annotations(runs, recordings, candidates, sites, made)


def speech_spans(
    windows: Iterable[pa.RecordBatch], recordings: pa.Table, candidates: pa.Table, *, hop_s: float
) -> dict[str, np.ndarray]:
    """Return where a person can be heard: by recording, ``(spans, 2)`` begin and end in seconds within the file.

    The spans of a recording are in order and do not touch. Each holds the events of the classes in `HUMAN_VOICE` at a
    threshold of 0.1. A run lists these classes, so that all their scores are kept.

    Parameters
    ----------
    windows, recordings, candidates, hop_s
        As `events_of` takes them.

    Raises
    ------
    BiovitaError
        As `events_of`.
    """
    voices = pc.and_(
        pc.equal(candidates["kind"], Kind.SOUND), pc.is_in(candidates["scientific_name"], pa.array(HUMAN_VOICE))
    ).to_numpy()
    if not voices.any():
        return {}
    spans: dict[int, list[tuple[float, float]]] = {}
    for runs in _runs(windows, recordings, candidates, np.where(voices, _HEARD, np.inf), hop_s):
        for media, start, end in zip(
            runs.best.media.tolist(), runs.start.tolist(), runs.end.tolist(), strict=True
        ):
            mine = spans.setdefault(media, [])
            if mine and start <= mine[-1][1]:
                mine[-1] = (mine[-1][0], max(end, mine[-1][1]))
            else:
                mine.append((start, end))
    return {recordings["id"][media].as_py(): np.array(mine) for media, mine in spans.items()}


def _runs(
    windows: Iterable[pa.RecordBatch],
    recordings: pa.Table,
    candidates: pa.Table,
    threshold: float | np.ndarray,
    hop_s: float,
) -> Iterator[Runs]:
    if not hop_s > 0:
        raise BiovitaError(f"the hop is {hop_s:g} s. It has to be more than 0")
    enter, leave = thresholds_of(threshold, candidates)
    ends = ends_of(recordings)
    for scores in kept_scores(windows, recordings, candidates, leave):
        yield runs_in(scores, enter, leave, ends, hop_s)


def _sites(recordings: pa.Table, deployments: pa.Table | None) -> pa.Array:
    """Return the site of each recording; none where it is not known."""
    if deployments is None:
        return pa.nulls(recordings.num_rows, pa.string())
    places = pc.index_in(
        recordings["deployment_id"].combine_chunks(), deployments["id"].combine_chunks(), skip_nulls=True
    )
    return deployments["site"].combine_chunks().take(places)


def _annotations(
    runs: Runs, recordings: pa.Table, candidates: pa.Table, sites: pa.Array, made: MadeBy
) -> pa.RecordBatch:
    best, number = runs.best, len(runs.start)
    recording = recordings.take(pa.array(best.media))
    candidate = candidates.take(pa.array(best.candidate))
    runner = pa.array(best.runner_up, mask=best.runner_up < 0)
    is_taxon = pc.equal(candidate["kind"], Kind.TAXON)
    nothing = pa.scalar(None, pa.string())
    offsets = pc.cast(pa.array(np.rint(runs.start * 1e6).astype(np.int64)), pa.duration("us"))
    evidence = pa.array([""] + [each.name.lower() for each in Evidence]).take(pa.array(best.evidence))
    columns = {
        "id": _ids(runs, recording["id"].to_pylist(), candidate, made),
        "media_id": recording["id"],
        "path": recording["path"],
        "modality": pa.repeat(Modality.AUDIO.value, number),
        "channel": recording["channel"],
        "start_s": pa.array(runs.start),
        "end_s": pa.array(runs.end),
        "begin_local": pc.add(recording["begin_local"], offsets),
        "utc_offset_min": recording["utc_offset_min"],
        "latitude": recording["latitude"],
        "longitude": recording["longitude"],
        "site": sites.take(pa.array(best.media)),
        "label": candidate["scientific_name"],
        **{
            name: pc.if_else(is_taxon, candidate[name], nothing)
            for name in ("taxon_id", "scientific_name", "rank")
        },
        "common_name": candidate["common_name"],
        "kind": candidate["kind"],
        "presence": pa.repeat(Presence.PRESENT.value, number),
        "score": pa.array(best.score),
        "mean_score": pa.array(runs.mean),
        "best_start_s": pa.array(best.start),
        "windows": pa.array(runs.windows.astype(np.int32)),
        "runner_up": candidates["scientific_name"].combine_chunks().take(runner),
        "runner_up_score": pa.array(best.runner_up_score, mask=best.runner_up < 0),
        "evidence": evidence,
        "by": pa.repeat(made.name, number),
        "by_kind": pa.repeat(By.MACHINE.value, number),
        "revision": pa.repeat(pa.scalar(made.revision, pa.string()), number),
        "made_at": pa.repeat(pa.scalar(made.made_at, pa.timestamp("us", tz="UTC")), number),
    }
    arrays = [
        _plain(columns[field.name]).cast(field.type) if field.name in columns else pa.nulls(number, field.type)
        for field in ANNOTATIONS
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=ANNOTATIONS)


def _plain(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _ids(runs: Runs, media: Sequence[str], candidate: pa.Table, made: MadeBy) -> pa.Array:
    rows = zip(
        media,
        candidate["kind"].to_pylist(),
        candidate["taxon_id"].to_pylist(),
        runs.start.tolist(),
        runs.end.tolist(),
        strict=True,
    )
    return pa.array([made.annotation_id(*row) for row in rows], pa.string())
