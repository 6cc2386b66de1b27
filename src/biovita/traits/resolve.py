"""One value a label, where sources disagree too; and how much is known, class by class and group by group."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset import Dataset
from biovita.errors import DatasetError, unknown_name
from biovita.taxonomy import Rank
from biovita.trait_labels import LABELS, group_of, groups, source_order

__all__ = ["COVERAGE", "RESOLVED", "coverage", "disagreements", "resolve"]

RESOLVED = pa.schema(
    [
        pa.field("taxon_id", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("value", pa.bool_(), nullable=False),
        pa.field("source", pa.string(), nullable=False),  # the one that decided
        pa.field("sources", pa.int32(), nullable=False),  # how many know the label
        pa.field("disagree", pa.bool_(), nullable=False),
    ]
)
COVERAGE = pa.schema(
    [
        pa.field("class", pa.string()),
        pa.field("group", pa.string(), nullable=False),
        pa.field("species", pa.int64(), nullable=False),  # of the class, in the dataset
        pa.field("known", pa.int64(), nullable=False),  # with a label of the group known
        pa.field("true", pa.int64(), nullable=False),  # with one that is true
        pa.field("conflicts", pa.int64(), nullable=False),  # with one that sources disagree on
    ]
)


def resolve(traits: pa.Table) -> pa.Table:
    """Return one row a taxon and label: what the first source says that knows it.

    Sources that are not published tables, a curator's own, come first, by name; then those of `source_order`.

    Parameters
    ----------
    traits
        In the `TRAITS` schema.

    Returns
    -------
    pa.Table
        In the `RESOLVED` schema, in the order of first appearance.
    """
    sources = _ranked(pc.unique(traits["source"]).to_pylist())
    rank = pc.index_in(traits["source"], value_set=pa.array(sources, pa.string()))
    code = pc.add(
        pc.multiply(rank, 2), traits["value"].cast(pa.int32())
    )  # the least code: first source, its value
    coded = pa.table(
        {"taxon_id": traits["taxon_id"], "label": traits["label"], "code": code, "value": traits["value"]}
    )
    first = coded.group_by(["taxon_id", "label"], use_threads=False).aggregate(
        [("code", "min"), ("code", "count"), ("value", "min"), ("value", "max")]
    )
    source = pc.shift_right(first["code_min"], 1)
    return pa.table(
        [
            first["taxon_id"],
            first["label"],
            pc.equal(pc.bit_wise_and(first["code_min"], 1), 1),
            pa.array(sources, pa.string()).take(source.combine_chunks()),
            first["code_count"].cast(pa.int32()),
            pc.not_equal(first["value_min"], first["value_max"]),
        ],
        schema=RESOLVED,
    )


def _ranked(sources: Sequence[str]) -> list[str]:
    order = source_order()
    own = sorted(source for source in sources if source not in order)
    return [*own, *(source for source in order if source in sources)]


def disagreements(traits: pa.Table) -> pa.Table:
    """Return the resolved rows that sources disagree on."""
    resolved = resolve(traits)
    return resolved.filter(resolved["disagree"])


def coverage(dataset: Dataset) -> pa.Table:
    """Return how much of each class the traits of a dataset cover, by group of labels.

    Returns
    -------
    pa.Table
        In the `COVERAGE` schema: classes by name, those of species without one last, groups as in the vocabulary.
    """
    class_of = {taxon.id: taxon.class_ for taxon in dataset.taxonomy.values() if taxon.rank == Rank.SPECIES}
    members: dict[str | None, int] = {}
    for name in class_of.values():
        members[name] = members.get(name, 0) + 1
    known: dict[tuple[str | None, str], set[str]] = {}
    true: dict[tuple[str | None, str], set[str]] = {}
    conflicts: dict[tuple[str | None, str], set[str]] = {}
    group = {label: group_of(label) for label in LABELS}
    resolved = resolve(dataset.traits)
    for label in pc.unique(resolved["label"]).to_pylist():
        if label not in group:
            raise DatasetError(f"{dataset.path / 'traits.parquet'}: {unknown_name('trait label', label, LABELS)}")
    columns = [resolved[name].to_pylist() for name in ("taxon_id", "label", "value", "disagree")]
    for taxon_id, label, value, disagree in zip(*columns, strict=True):
        if taxon_id in class_of:
            cell = (class_of[taxon_id], group[label])
            for counted, counts in ((known, True), (true, value), (conflicts, disagree)):
                if counts:
                    counted.setdefault(cell, set()).add(taxon_id)
    rows = [
        {
            "class": name,
            "group": each.id,
            "species": members[name],
            "known": len(known.get((name, each.id), ())),
            "true": len(true.get((name, each.id), ())),
            "conflicts": len(conflicts.get((name, each.id), ())),
        }
        for name in sorted(members, key=lambda name: (name is None, name))
        for each in groups()
    ]
    return pa.Table.from_pylist(rows, schema=COVERAGE)
