"""The taxa that a search may answer: those that an archive knows."""

from __future__ import annotations

from functools import partial

import pyarrow as pa

from biovita.archive.archive import Archive
from biovita.archive.embed_media import media_table
from biovita.embedding import embed_items, text_items
from biovita.embedding.engine import Settings
from biovita.embedding.vectors import stored
from biovita.modality import Modality
from biovita.model.model import Model
from biovita.retrieval.encode_query import text_of_taxon
from biovita.retrieval.fill_space import TableChange, fill_taxa
from biovita.retrieval.lineage_names import archive_taxa
from biovita.retrieval.search_space import SearchSpace
from biovita.taxonomy.parse import fold

__all__ = ["keep_taxa"]


def keep_taxa(space: SearchSpace, archive: Archive, model: Model, settings: Settings) -> TableChange | None:
    """Write the taxa of an archive as vectors of their texts, each encoded once; None where it knows none."""
    taxa = archive_taxa(archive.table("taxa"))
    if not taxa:
        return None
    texts = [text_of_taxon(taxon) for taxon in taxa]
    items = text_items(texts)
    table = media_table(archive, model.card.towers.name, Modality.TEXT)
    embed_items(model.tower(Modality.TEXT), items, table, settings=settings)
    found = stored(table, items.ids, partial(model.project, Modality.TEXT), model.dim(Modality.TEXT))
    names = [[fold(name) for _, name in taxon.lineage] for taxon in taxa]
    rows = pa.table({"id": pa.array([taxon.id for taxon in taxa]), "taxa": pa.array(names, pa.list_(pa.string()))})
    return fill_taxa(space, rows, found.subset(texts).array)
