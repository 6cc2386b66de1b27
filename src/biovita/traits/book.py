"""A dataset's taxa with their traits, to be looked up by name."""

from __future__ import annotations

from collections import defaultdict

from biovita.dataset import Dataset
from biovita.taxonomy.known_taxa import KnownTaxa
from biovita.traits.resolve import resolve

__all__ = ["book_of"]


def book_of(dataset: Dataset) -> KnownTaxa:
    """Return the taxa of a dataset, each with its known trait labels."""
    labels: dict[str, dict[str, bool]] = defaultdict(dict)
    columns = (resolve(dataset.traits)[name].to_pylist() for name in ("taxon_id", "label", "value"))
    for taxon_id, label, value in zip(*columns, strict=True):
        labels[taxon_id][label] = value
    return KnownTaxa(dataset.taxonomy, dict(labels))
