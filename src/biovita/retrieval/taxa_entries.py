"""The taxa that a search may answer: those that an archive knows."""

from __future__ import annotations

import pyarrow as pa

from biovita.archive.archive import Archive
from biovita.modality import Modality
from biovita.model.model import Model
from biovita.retrieval.encode_query import text_of_taxon
from biovita.retrieval.fill_space import TableChange, fill_taxa
from biovita.retrieval.lineage_names import archive_taxa
from biovita.retrieval.search_space import SearchSpace
from biovita.taxonomy.parse import fold

__all__ = ["keep_taxa"]


def keep_taxa(space: SearchSpace, archive: Archive, model: Model) -> TableChange | None:
    """Write the taxa of an archive as vectors of their texts; None where it knows none, or the model has no texts."""
    taxa = archive_taxa(archive.table("taxa"))
    if not taxa or Modality.TEXT not in model.towers:
        return None
    texts = [text_of_taxon(taxon) for taxon in taxa]
    vectors = model.embed_texts(texts)
    names = [[fold(name) for _, name in taxon.lineage] for taxon in taxa]
    rows = pa.table({"id": pa.array([taxon.id for taxon in taxa]), "taxa": pa.array(names, pa.list_(pa.string()))})
    return fill_taxa(space, rows, vectors)
