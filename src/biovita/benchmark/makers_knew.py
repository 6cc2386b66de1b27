"""What the makers of encoders had classes for, among the species that a benchmark takes as unseen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.benchmark.task import Benchmark
from biovita.dataset.schema import Split
from biovita.modality import MEDIA
from biovita.taxonomy import Rank, Taxon
from biovita.taxonomy.known_taxa import known_taxa
from biovita.taxonomy.overlap import overlaps, senses
from biovita.taxonomy.taxon import taxon_id_of
from biovita.towers.encoder import EncoderCard

__all__ = ["MakersKnew", "makers_knew"]


@dataclass(frozen=True, slots=True)
class MakersKnew:
    """Of how many of the unseen species the makers of an encoder had a class."""

    encoder: str
    known: int
    unseen: int


def makers_knew(benchmark: Benchmark, towers: Iterable[EncoderCard]) -> tuple[MakersKnew, ...]:
    """Return it for each encoder whose classes the packaged table knows; none where no species is unseen.

    A species counts where a class is of it, may show it, or is of its genus or family, under any of its names.
    """
    taxa = _unseen(benchmark)
    asked = [senses(taxon, benchmark.other_names.get(taxon.scientific_name, ())) for taxon in taxa]
    known = known_taxa()
    found = []
    for tower in towers:
        classes = known.classes.get(tower.name)
        if classes and taxa:
            shown = [[known.taxonomy[taxon_id] for taxon_id in ids] for ids in classes.values()]
            count = sum(bool(shared) for shared in overlaps(shown, asked))
            found.append(MakersKnew(tower.name, count, len(taxa)))
    return tuple(found)


def _unseen(benchmark: Benchmark) -> Sequence[Taxon]:
    """Return the species that are asked for in the unseen part."""
    asked = {
        task.taxa[number]
        for task in benchmark.tasks
        if (task.part, task.level) == (Split.UNSEEN.value, Rank.SPECIES)
        for number in np.unique(task.correct_taxa).tolist()
    }
    names = pa.array(sorted(asked), pa.string())
    columns = ["species", "genus", "family", "class"]
    tables = [benchmark.items[modality].select(columns) for modality in MEDIA]
    rows = [table.filter(pc.is_in(table["species"], value_set=names)) for table in tables]
    distinct = pa.concat_tables(rows).group_by(columns, use_threads=False).aggregate([])
    lineages = zip(*(distinct[name].to_pylist() for name in columns), strict=True)
    return [
        Taxon(taxon_id_of(species), species, class_=class_, family=family, genus=genus)
        for species, genus, family, class_ in lineages
    ]
