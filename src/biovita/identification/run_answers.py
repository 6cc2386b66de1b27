"""From the scores that a run keeps to what it answers: events in recordings, and what photographs show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import SCORES, Archive
from biovita.archive.archive_tables import ANNOTATIONS, Kind, Presence
from biovita.errors import ModelError
from biovita.identification.asked import Answering, AskedFor
from biovita.identification.asked_candidates import asked_candidates
from biovita.identification.candidates import Chosen
from biovita.identification.events import MadeBy, check_threshold, events_of, floor_of, speech_spans
from biovita.identification.evidence import Candidate
from biovita.identification.group_scores import groups_at, windows_at
from biovita.identification.photograph_answers import photograph_answers
from biovita.identification.plausible_here import plausible_at, plausible_here
from biovita.identification.range_model import Plausibility
from biovita.identification.taxa_list import TaxaList
from biovita.modality import Modality
from biovita.taxonomy import Rank, Taxon

__all__ = ["Answered", "answer", "candidates_in"]

_BACK_OFF = (Rank.GENUS, Rank.FAMILY)  # of recordings; wider groups are heard in every window


@dataclass(frozen=True)
class Answered:
    """What a run answers.

    Attributes
    ----------
    annotations
        Events of recordings, then what photographs show.
    candidates
        Those of the run, with the common names that were asked for.
    chosen
        Which of them were asked for.
    taxa
        The list that was asked for, if any.
    not_scored
        Taxa of that list of which the run has no scores.
    wanted
        ``(candidates,)``, bool: those that may be answers.
    speech
        Where a person is heard, whatever was asked for: see `speech_spans`.
    notes
        What could not be said of the answers, and why.
    """

    annotations: pa.Table
    candidates: pa.Table
    chosen: Chosen
    taxa: TaxaList | None
    not_scored: tuple[Taxon, ...]
    wanted: np.ndarray
    speech: Mapping[str, np.ndarray]
    notes: tuple[str, ...]


def candidates_in(rows: pa.Table) -> tuple[Candidate, ...]:
    """Return the candidates of rows of `CANDIDATES`, in their order."""
    ranks = {"class": "class_"}
    columns = {
        ranks.get(name, name): rows[name].to_pylist()
        for name in rows.column_names
        if name not in {"listed", "evidence"}
    }
    kinds, ids, own = columns.pop("kind"), columns.pop("taxon_id"), columns.pop("rank")
    names = list(columns)
    return tuple(
        Candidate(Taxon(id=taxon_id, rank=Rank(rank), **dict(zip(names, values, strict=True))), Kind(kind))
        for taxon_id, rank, kind, *values in zip(ids, own, kinds, *columns.values(), strict=True)
    )


def answer(archive: Archive, asked: AskedFor, answering: Answering, made: MadeBy, hop_s: float | None) -> Answered:
    """Return what the scores of an archive say; no network runs.

    Parameters
    ----------
    hop_s
        From one window of its recordings to the next; None where it has none.

    Raises
    ------
    BiovitaError
        Where the question leaves no candidate, or asks for scores that were not kept.
    """
    rows = archive.table("candidates")
    found = asked_candidates(candidates_in(rows), asked)
    chosen = found.chosen
    wanted = np.zeros(len(rows), bool)
    wanted[list(chosen.numbers)] = True
    if asked.names is not None:
        rows = rows.set_column(
            rows.column_names.index("common_name"),
            rows.schema.field("common_name"),
            pa.array([each.taxon.common_name for each in found.named], pa.string()),
        )
    parts, speech = [ANNOTATIONS.empty_table()], dict[str, np.ndarray]()
    if hop_s is not None:
        media = archive.table("recordings"), archive.table("deployments")
        asking = _Asking(archive, *media, rows, wanted, answering, made, hop_s)
        parts.append(_events(asking))
        speech = asking.speech()
    if archive.file(SCORES[Modality.IMAGE]).is_file():
        parts.append(photograph_answers(archive, found.named, wanted, answering, made))
    annotations = _with_probabilities(pa.concat_tables(parts), answering)
    annotations, notes = _with_plausibility(annotations, found.plausible)
    added = tuple(each.taxon for each in chosen.candidates[len(chosen.numbers) :])
    return Answered(annotations, rows, chosen, found.taxa, added, wanted, speech, notes)


def _with_plausibility(annotations: pa.Table, asked: Plausibility | None) -> tuple[pa.Table, tuple[str, ...]]:
    """Return annotations with how plausible their taxa are at the place that is asked about, or at their own."""
    try:
        column = plausible_here(annotations) if asked is None else plausible_at(annotations, asked)
    except ModelError as error:
        return annotations, (f"how plausible taxa are here and now is not said: {error}",)
    return _with(annotations, "plausibility", column), ()


def _with_probabilities(annotations: pa.Table, answering: Answering) -> pa.Table:
    """Return annotations with the probabilities of those that a calibration is about."""
    if answering.calibration is None:
        return annotations
    meant = pc.and_(
        pc.equal(annotations["modality"], answering.calibration.question.modality.value),
        pc.equal(annotations["presence"], Presence.PRESENT.value),
    ).to_numpy(zero_copy_only=False)
    found = np.zeros(len(annotations), np.float32)
    scores = annotations["score"].to_numpy(zero_copy_only=False)[meant]
    found[meant] = answering.calibration.probability(np.clip(scores, 0, 1))
    return _with(annotations, "probability", pa.array(found, mask=~meant))


def _with(annotations: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return annotations.set_column(ANNOTATIONS.get_field_index(name), ANNOTATIONS.field(name), column)


@dataclass(frozen=True, eq=False)
class _Asking:
    """What events of recordings are asked for."""

    archive: Archive
    recordings: pa.Table
    deployments: pa.Table
    rows: pa.Table
    wanted: np.ndarray
    answering: Answering
    made: MadeBy
    hop_s: float

    def windows(self) -> Iterator[pa.RecordBatch]:
        return self.archive.batches(SCORES[Modality.AUDIO])

    def events(self, windows: Iterator[pa.RecordBatch], candidates: pa.Table, thresholds: np.ndarray) -> pa.Table:
        found = events_of(
            windows,
            self.recordings,
            candidates,
            threshold=thresholds,
            hop_s=self.hop_s,
            made=self.made,
            deployments=self.deployments,
        )
        return pa.Table.from_batches(found, schema=ANNOTATIONS)

    def speech(self) -> dict[str, np.ndarray]:
        return speech_spans(self.windows(), self.recordings, self.rows, hop_s=self.hop_s)

    def at(self, rank: Rank) -> tuple[pa.Table, pa.Table]:
        """Return the groups of a rank, and their events."""
        groups, of = groups_at(self.rows, rank)
        thresholds = np.full(len(groups), np.inf)
        thresholds[np.unique(of[self.wanted])] = self.answering.threshold
        return groups, self.events(windows_at(self.windows(), of, self.wanted), groups, thresholds)


def _events(asking: _Asking) -> pa.Table:
    """Return the events of recordings at the rank that is asked for, or backed off to groups."""
    rank = asking.answering.rank
    if rank is not None and rank != Rank.SPECIES:
        return _in_order(asking.at(rank)[1])
    thresholds = np.where(asking.wanted, asking.answering.threshold, np.inf)
    floors = asking.archive.batches(SCORES[Modality.AUDIO], ["floor"])
    check_threshold(thresholds, asking.rows, floor_of(floors))
    found = asking.events(asking.windows(), asking.rows, thresholds)
    if rank is not None:
        return _in_order(found)
    lineages = asking.rows
    for group_rank in _BACK_OFF:
        groups, wider = asking.at(group_rank)
        wider = wider.filter(pc.equal(wider["rank"], group_rank.value))
        found = pa.concat_tables([found, _apart(wider, found, lineages, group_rank)])
        lineages = pa.concat_tables([lineages, groups])
    return _in_order(found)


def _apart(wider: pa.Table, found: pa.Table, lineages: pa.Table, rank: Rank) -> pa.Table:
    """Return the events of groups while none of their own members has an event."""
    import duckdb

    if not len(wider) or not len(found):
        return wider
    with duckdb.connect() as connection:
        connection.register("wider", wider)
        connection.register("found", found.select(["media_id", "start_s", "end_s", "taxon_id"]))
        connection.register(
            "lineages",
            lineages.select(["taxon_id", rank.value])
            .group_by("taxon_id")
            .aggregate([(rank.value, "max")])
            .rename_columns(["taxon_id", "its_group"]),
        )
        kept = connection.sql(
            "SELECT wider.id FROM wider ANTI JOIN "
            "(SELECT found.*, its_group FROM found JOIN lineages USING (taxon_id)) AS inner_events "
            "ON wider.media_id = inner_events.media_id AND wider.scientific_name = inner_events.its_group "
            "AND inner_events.start_s < wider.end_s AND inner_events.end_s > wider.start_s"
        ).to_arrow_table()["id"]
    return wider.filter(pc.is_in(wider["id"], value_set=kept.combine_chunks()))


def _in_order(events: pa.Table) -> pa.Table:
    """Return events by recording, in the order of their table, and begin."""
    order = pc.sort_indices(
        events,
        sort_keys=[
            ("path", "ascending"),
            ("channel", "ascending"),
            ("start_s", "ascending"),
            ("score", "descending"),
        ],
    )
    return events.take(order)
