"""A query goes to the tables of an archive, and its answer comes back as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import MEDIA_TABLES, Archive
from biovita.errors import BiovitaError, DatasetError, unknown_name
from biovita.files import require_file
from biovita.identification.asked import Perceiving
from biovita.modality import MEDIA, Modality
from biovita.model.describe import describe
from biovita.retrieval.archive_models import models_of
from biovita.retrieval.ask_modality import SearchQuery, ask_modality, dim_of
from biovita.retrieval.background import FEWEST, read_background
from biovita.retrieval.encode_query import AskedWith, encoded, opened_model, span_of_file
from biovita.retrieval.hit_rows import hit_rows
from biovita.retrieval.hits import Grouping, merged, ranked
from biovita.retrieval.labels_there import LabelsThere
from biovita.retrieval.query_parts import QueryPart, moved_by
from biovita.retrieval.search_filters import SearchFilters
from biovita.retrieval.search_space import SearchSpace, search_spaces
from biovita.sql import sql_text
from biovita.suggestion import suggested

__all__ = ["SearchAnswer", "SearchRequest", "answered"]


@dataclass(frozen=True)
class SearchRequest:
    """What is asked of an archive; see `biovita.search`.

    Attributes
    ----------
    wanted
        Modalities of the answer; none is sounds and photographs, as far as they can be compared with the query.
    recall
        None is exact.
    """

    asked: AskedWith
    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    wanted: tuple[Modality, ...] = ()
    filters: SearchFilters = field(default_factory=SearchFilters)
    k: int = 20
    skip: int = 0
    group: Grouping = "recording"
    recall: float | None = 0.97


@dataclass(frozen=True, eq=False)
class SearchAnswer:
    """Hits as `biovita.retrieval.hit_rows.HITS`, the model, and sentences that a reader has to know."""

    hits: pa.Table
    model: str
    notes: tuple[str, ...]


def answered(
    archive: Archive, request: SearchRequest, model: str | None = None, device: str = "auto"
) -> SearchAnswer:
    """Return the answer of an archive to a query.

    Raises
    ------
    BiovitaError
        Where a part of the query cannot be understood, or the archive or the model cannot answer it.
    """
    space = _space(archive, model)
    like, unlike = (_examples(space, ids) for ids in (request.like, request.unlike))
    parts = moved_by(_encoded(archive, space, request.asked, device), like, unlike)
    wanted = _wanted(space, request.wanted, parts)
    labels = LabelsThere(archive)
    question = SearchQuery(
        archive,
        space,
        parts,
        request.filters,
        exclude=(*request.like, *request.unlike),
        labels=labels if request.group == "taxon" else None,
        recall=request.recall,
    )
    answers = [ask_modality(question, modality) for modality in wanted]
    streams = [ranked(each, request.group, request.skip + request.k) for each in answers]
    hits = merged(streams, request.skip, request.k)
    notes = [*_not_compared(space, request, wanted), *_without_zone(archive, request.filters, wanted)]
    notes += _not_on_one_scale(space, request.filters, wanted)
    rows = hit_rows(archive, hits, request.skip, request.group, labels)
    return SearchAnswer(rows, space.record.model, tuple(notes))


def _space(archive: Archive, model: str | None) -> SearchSpace:
    """Return the tables of a model, or of the first that the archive names."""
    spaces = {space.record.model: space for space in search_spaces(archive)}
    by_place = {space.record.place: space for space in spaces.values()}
    if model is None:
        first = next(iter(models_of(archive)), "")
        return by_place.get(first) or next(iter(spaces.values()))
    found = spaces.get(model) or by_place.get(model) or by_place.get(str(Path(model).absolute()))
    if found is None:
        raise BiovitaError(unknown_name(f"model of {archive.path}", model, spaces))
    return found


def _encoded(archive: Archive, space: SearchSpace, asked: AskedWith, device: str) -> Sequence[QueryPart]:
    modalities = asked.modalities()
    if not modalities:
        return ()
    record, taxa = space.record, archive.table("taxa")
    card = describe(record.place)
    if card.revision != record.revision:
        raise DatasetError(
            f"{record.place} is another state of the model than the one that {archive.path} was embedded with. "
            f"Run: {suggested('archive refresh', archive.path)}"
        )
    for file in (*map(Path, asked.images), *(span_of_file(given)[0] for given in asked.audio)):
        require_file(file, "Give a recording with --audio, or a photograph with --image")
    perceiving = Perceiving.from_json(archive.info.get("perceiving", {}))
    return encoded(asked, opened_model(card, modalities, perceiving, taxa, device), perceiving, taxa)


def _examples(space: SearchSpace, ids: Sequence[str]) -> list[QueryPart]:
    """Return the vectors of rows, by their ids.

    Raises
    ------
    BiovitaError
        Where there is no such row.
    """
    if not ids:
        return []
    found: dict[str, QueryPart] = {}
    listed = ", ".join(map(sql_text, ids))
    for modality in Modality:
        if space.has(modality):
            rows = space.table(modality).to_table(columns=["id", "vector"], filter=f"id IN ({listed})")
            for name, vector in zip(rows["id"].to_pylist(), rows["vector"].to_pylist(), strict=True):
                found[name] = QueryPart(name, modality, np.array(vector, np.float32))
    if unknown := [name for name in ids if name not in found]:
        raise BiovitaError(f"nothing that is searched has the id {unknown[0]!r}. Ids are those of hits")
    return [found[name] for name in ids]


def _wanted(space: SearchSpace, wanted: Sequence[Modality], parts: Sequence[QueryPart]) -> tuple[Modality, ...]:
    """Return the modalities that answer: those that are wanted, which have to lie in one space with the query."""
    dims = {each: dim_of(space.table(each)) for each in Modality if space.has(each)}
    widths = {len(part.vector) for part in parts}
    model = space.record.model
    mend = "Embed the archive with an aligned model: biovita archive add ARCHIVE --model MODEL"
    for modality in wanted:
        what = "taxa" if modality == Modality.TEXT else modality.plural
        if modality not in dims:
            add = " It knows those of its labels: add a dataset, a run or annotations" if what == "taxa" else ""
            raise BiovitaError(f"the archive has no {what} that the model {model} could find.{add}")
        if dims[modality] not in widths:
            raise BiovitaError(f"the model {model} has no space that {what} share with what is asked. {mend}")
    found = tuple(wanted) or tuple(each for each in MEDIA if dims.get(each) in widths)
    if not found:
        raise BiovitaError(
            f"the model {model} has no space that the archive's media share with what is asked. {mend}"
        )
    return found


def _not_compared(space: SearchSpace, request: SearchRequest, wanted: Sequence[Modality]) -> list[str]:
    """Return what is said where nothing particular is wanted, and some of the media cannot answer."""
    left = [each.plural for each in MEDIA if space.has(each) and each not in wanted]
    if request.wanted or not left:
        return []
    return [f"the model {space.record.model} cannot compare {' and '.join(left)} with what is asked"]


def _without_zone(archive: Archive, filters: SearchFilters, wanted: Sequence[Modality]) -> list[str]:
    """Return what is said of media that a filter by time leaves out, for their clocks state no zone."""
    if not filters.asks_time:
        return []
    told = []
    for modality in MEDIA:
        media = archive.table(MEDIA_TABLES[modality]).select(["utc_offset_min", "begin_local"])
        zoned = pc.and_(media["utc_offset_min"].is_valid(), media["begin_local"].is_valid())
        count = len(media) - (pc.sum(zoned).as_py() or 0)
        if modality in wanted and count:
            told.append(f"{count:,} {modality.plural}")
    if not told:
        return []
    mend = "Make the archive with --timezone, where all clocks are set to one"
    return [f"{' and '.join(told)} state no time or no time zone, and are left out. {mend}"]


def _not_on_one_scale(space: SearchSpace, filters: SearchFilters, wanted: Sequence[Modality]) -> list[str]:
    notes = []
    if filters.asks_media and Modality.TEXT in wanted:
        notes.append("taxa have no site, place, time or licence: such filters are of sounds and photographs alone")
    few = [each.plural for each in wanted if not read_background(space, each).is_enough]
    if few and len(wanted) > 1:
        notes.append(
            f"the archive has fewer than {FEWEST} {' and '.join(few)}: their scores are similarities, and stand in no "
            "order with the others"
        )
    return notes
