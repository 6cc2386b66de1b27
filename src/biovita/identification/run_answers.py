"""From the scores that a run keeps to what it answers: events in recordings, and what photographs show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import SCORES, Archive
from biovita.archive.archive_tables import ANNOTATIONS, Kind
from biovita.identification.asked import Answering, AskedFor
from biovita.identification.candidates import Chosen, choose, with_common_names
from biovita.identification.common_names import read_common_names
from biovita.identification.events import MadeBy, check_threshold, events_of, floor_of
from biovita.identification.evidence import Candidate
from biovita.identification.group_scores import groups_at, windows_at
from biovita.identification.photograph_answers import photograph_answers
from biovita.identification.range_model import range_of
from biovita.identification.taxa_list import TaxaList, read_taxa_list
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
    """

    annotations: pa.Table
    candidates: pa.Table
    chosen: Chosen
    taxa: TaxaList | None
    not_scored: tuple[Taxon, ...]


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
    known = candidates_in(rows)
    taxa = None if asked.taxa is None else read_taxa_list(asked.taxa, known, strict=asked.strict)
    plausible = None if asked.place is None else range_of(*asked.place, asked.week)
    chosen = choose(known, taxa=taxa, within=asked.within, plausible=plausible, range_only=asked.range_only)
    wanted = np.zeros(len(known), bool)
    wanted[list(chosen.numbers)] = True
    if asked.names is not None and asked.language is not None:
        named = with_common_names(known, read_common_names(asked.names, asked.language))
        rows = rows.set_column(
            rows.column_names.index("common_name"),
            rows.schema.field("common_name"),
            pa.array([each.taxon.common_name for each in named], pa.string()),
        )
    parts = [ANNOTATIONS.empty_table()]
    if hop_s is not None:
        parts.append(_events(_Asking(archive, rows, wanted, answering, made, hop_s)))
    if archive.file(SCORES[Modality.IMAGE]).is_file():
        parts.append(photograph_answers(archive, candidates_in(rows), wanted, answering, made))
    said = {taxon_id: value for taxon_id, value in _said_by_range(known, chosen) if value is not None}
    annotations = _finished(pa.concat_tables(parts), answering, said)
    added = tuple(each.taxon for each in chosen.candidates[len(chosen.numbers) :])
    return Answered(annotations, rows, chosen, taxa, added)


def _said_by_range(known: Sequence[Candidate], chosen: Chosen) -> Iterator[tuple[str, float | None]]:
    for number, value in zip(chosen.numbers, chosen.plausibility, strict=False):
        yield known[number].taxon.id, value


def _finished(annotations: pa.Table, answering: Answering, plausible: dict[str, float]) -> pa.Table:
    """Return annotations with probabilities, where there is a calibration, and how plausible their taxa are."""
    columns = {}
    if plausible:
        values = [plausible.get(taxon_id) for taxon_id in annotations["taxon_id"].to_pylist()]
        columns["plausibility"] = pa.array(values, pa.float32())
    if answering.calibration is not None:
        scores = annotations["score"].to_numpy(zero_copy_only=False)
        columns["probability"] = pa.array(answering.calibration.probability(scores).astype(np.float32))
    for name, column in columns.items():
        annotations = annotations.set_column(ANNOTATIONS.get_field_index(name), ANNOTATIONS.field(name), column)
    return annotations


@dataclass(frozen=True, eq=False)
class _Asking:
    """What events of recordings are asked for."""

    archive: Archive
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
            self.archive.table("recordings"),
            candidates,
            threshold=thresholds,
            hop_s=self.hop_s,
            made=self.made,
            deployments=self.archive.table("deployments"),
        )
        return pa.Table.from_batches(found, schema=ANNOTATIONS)

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
    check_threshold(thresholds, asking.rows, floor_of(asking.windows()))
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
