"""Small datasets for the tests of traits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from biovita.dataset import Dataset, write_dataset
from biovita.dataset.schema import taxa_table
from biovita.taxonomy import Taxon, taxon_id_of


def dataset_of(path: Path, taxa: Iterable[Taxon]) -> Dataset:
    path.mkdir(parents=True)
    write_dataset(path, {"taxa": taxa_table(taxa)}, {"name": "test", "version": "1", "made": "by a test"})
    return Dataset.open(path)


def animal(name: str, class_: str | None, order: str | None = None, family: str | None = None) -> Taxon:
    return Taxon(taxon_id_of(name), name, None, kingdom="Animalia", class_=class_, order=order, family=family)
