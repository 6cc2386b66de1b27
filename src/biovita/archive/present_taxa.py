"""Which annotations say of a taxon that it is there."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive_tables import Kind, Presence

__all__ = ["present_taxa"]


def present_taxa(annotations: pa.Table) -> pa.Table:
    """Return the annotations, with the columns ``kind``, ``presence`` and ``scientific_name``, that say so."""
    there = pc.equal(annotations["presence"], Presence.PRESENT.value)
    taxon = pc.and_(pc.equal(annotations["kind"], Kind.TAXON.value), annotations["scientific_name"].is_valid())
    return annotations.filter(pc.and_(there, taxon))
