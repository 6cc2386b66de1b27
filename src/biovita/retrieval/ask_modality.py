"""One modality of an archive answers a query: among the rows that filters leave, by index or by comparing all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from biovita.archive.archive import Archive
from biovita.errors import BiovitaError
from biovita.modality import Modality
from biovita.retrieval.background import pooled_spread, read_background
from biovita.retrieval.hits import Ranked
from biovita.retrieval.labels_there import LabelsThere
from biovita.retrieval.media_columns import media_columns
from biovita.retrieval.media_where import media_where
from biovita.retrieval.nearest_rows import Allowed, NearestRows, nearest_by_comparing, nearest_in_index
from biovita.retrieval.query_parts import QueryPart, query_for
from biovita.retrieval.search_filters import SearchFilters, condition_of
from biovita.retrieval.search_space import SearchSpace
from biovita.retrieval.vector_index import probes_among, probes_for
from biovita.sql import sql_text
from biovita.taxonomy.parse import fold

if TYPE_CHECKING:
    import lance

__all__ = ["SearchQuery", "ask_modality", "dim_of"]


@dataclass(frozen=True, eq=False)
class SearchQuery:
    """What is asked of each modality.

    Attributes
    ----------
    exclude
        Ids of rows that are not answered.
    labels
        By which rows are grouped by taxa; None where they are not.
    recall
        Share of the nearest that an index has to find; None is all.
    """

    archive: Archive
    space: SearchSpace
    parts: tuple[QueryPart, ...]
    filters: SearchFilters
    exclude: tuple[str, ...] = ()
    labels: LabelsThere | None = None
    recall: float | None = 0.97


def dim_of(table: lance.LanceDataset) -> int:
    """Return the length of a table's vectors."""
    dim: int = table.schema.field("vector").type.list_size
    return dim


def ask_modality(question: SearchQuery, modality: Modality) -> Ranked:
    """Return the answer of a modality, which is looked up as far as it is asked for.

    Raises
    ------
    BiovitaError
        Where the parts of the query add up to nothing, or a filter cannot be understood.
    """
    table = question.space.table(modality)
    backgrounds = {each: read_background(question.space, each) for each in Modality}
    query = query_for(question.parts, tuple(backgrounds.values()), dim_of(table))
    if query is None:
        raise BiovitaError("what is asked cancels itself out. Give other examples or weights")
    mean, _ = backgrounds[modality].scale(query)
    spread = pooled_spread(query, backgrounds.values())
    nearest = _Asked(question, modality, query, _allowed(question, modality))
    names = None if question.labels is None else partial(_first_names, question.labels)
    return Ranked(modality, nearest, mean, spread, float(np.linalg.norm(query)), names)


def _allowed(question: SearchQuery, modality: Modality) -> Allowed:
    """Return which rows may be found; of taxa only the lineage is asked for."""
    filters, taxa = question.filters, question.archive.table("taxa")
    is_taxa = modality == Modality.TEXT
    condition = condition_of(SearchFilters(within=filters.within) if is_taxa else filters, taxa)
    if question.exclude:
        condition = _both(condition, f"id NOT IN ({', '.join(map(sql_text, question.exclude))})")
    if filters.where is None or is_taxa:
        return Allowed(condition)
    columns = media_columns(question.archive, modality)
    return Allowed(condition, media_where(columns, filters.where), len(columns))


def _first_names(labels: LabelsThere, rows: pa.Table) -> list[str | None]:
    return [fold(names[0]) if names else None for names in labels.names(rows)]


@dataclass(frozen=True, eq=False)
class _Asked:
    """One modality, asked with one vector; called with how many rows, and a condition beside the others."""

    question: SearchQuery
    modality: Modality
    query: np.ndarray
    allowed: Allowed

    def __call__(self, k: int, beside: str | None) -> NearestRows:
        """Return the nearest rows: by the index where there is one, else having compared all."""
        space, allowed = self.question.space, self.allowed
        table, indexed = space.table(self.modality), space.said_of(self.modality).index
        if beside is not None:
            allowed = Allowed(_both(allowed.condition, beside), allowed.media_ids, allowed.media)
        if indexed is None or allowed.is_compared:
            return nearest_by_comparing(table, self.query, k, allowed)
        most = indexed.partitions
        asked = [part.modality for part in self.question.parts]
        recall = self.question.recall
        probes = None if recall is None else probes_for(space, self.modality, asked, recall)
        condition = allowed.as_sql()
        least = probes_among(table, probes or most, most, condition)
        return nearest_in_index(table, self.query, k, condition, (least, most))


def _both(first: str | None, second: str) -> str:
    return second if first is None else f"({first}) AND {second}"
