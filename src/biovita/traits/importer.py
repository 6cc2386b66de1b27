"""Trait tables into a dataset: names matched to its taxa, labels set, disagreements kept and counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from biovita.csv_records import BrokenRow
from biovita.dataset import Dataset
from biovita.dataset.dataset import replace_tables
from biovita.dataset.schema import TRAITS
from biovita.errors import DatasetError
from biovita.hashing import sha256_of
from biovita.taxonomy.backbone import Backbone
from biovita.taxonomy.overrides import Overrides
from biovita.trait_labels import LABELS, group_of
from biovita.traits.matched_names import Left, Match, match_records
from biovita.traits.plain import PLAIN, read_plain
from biovita.traits.resolve import disagreements
from biovita.traits.tables import TraitRecord, read_records, trait_table

__all__ = ["TableReport", "TraitCounts", "TraitsReport", "import_traits"]


@dataclass(frozen=True, slots=True)
class TraitCounts:
    """What ``dataset.toml`` records of a trait table: its file, and what its import gave.

    Attributes
    ----------
    rows, matched
        Rows with a name, and those that found a taxon of the dataset.
    taxa, labels
        Taxa that were found, and labels that were set.
    left
        Rows that found no taxon, by reason.
    """

    file: str
    sha256: str
    rows: int
    matched: int
    taxa: int
    labels: int
    left: Mapping[str, int]


@dataclass(frozen=True)
class TableReport:
    """What became of one table.

    Attributes
    ----------
    sources
        What its rows are called in ``traits.parquet``: the table's id, or the sources that a plain table names.
    rows, nameless
        Rows with a name, and without one.
    matched, taxa
        Rows that found a taxon of the dataset, and how many taxa they found.
    labels
        Labels set, true and false together.
    left
        Each row that found none, and why.
    odd
        Row, column and value of what a row that found a taxon should not hold; taken as missing.
    inconsistent
        Labels left unknown because rows of one taxon, under several names, say different things.
    skipped, rejected
        How many rows hold nothing, and each row that cannot be read.
    notes
        How the file was read, where that is not plain.
    """

    id: str
    sources: tuple[str, ...]
    file: str
    sha256: str
    rows: int
    nameless: int
    matched: int
    taxa: int
    labels: int
    left: tuple[Left, ...]
    odd: tuple[tuple[int, str, str], ...]
    inconsistent: int
    skipped: int = 0
    rejected: tuple[BrokenRow, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Under which ``dataset.toml`` records it: its id, or a plain table's file."""
        return self.file if self.id == PLAIN else self.id

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows found no taxon, by reason, the most frequent first."""
        return dict(Counter(left.reason for left in self.left).most_common())

    @property
    def counts(self) -> TraitCounts:
        """What ``dataset.toml`` records of the table."""
        return TraitCounts(self.file, self.sha256, self.rows, self.matched, self.taxa, self.labels, self.reasons)


@dataclass(frozen=True)
class TraitsReport:
    """What an import did.

    Attributes
    ----------
    rows
        Rows of ``traits.parquet`` now.
    conflicts
        Labels of a taxon that sources disagree on, by group.
    """

    tables: tuple[TableReport, ...]
    rows: int
    conflicts: Mapping[str, int]

    def as_dict(self) -> dict[str, object]:
        """Return the report, with every row that found no taxon."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        lines = []
        for table in self.tables:
            found = f"{table.matched:,} of {table.rows:,} rows found {table.taxa:,} taxa"
            lines.append(f"{table.id}: {found}, {table.labels:,} labels")
            if table.left:
                left = ", ".join(f"{count:,} {reason}" for reason, count in table.reasons.items())
                lines.append(f"  {len(table.left):,} rows left out: {left}")
            if table.rejected:
                first = table.rejected[0]
                lines.append(
                    f"  {len(table.rejected):,} rows cannot be read; the first, in line {first.line}, {first.detail}"
                )
            lines += [f"  note: {note}" for note in table.notes]
            if table.nameless:
                lines.append(f"  {table.nameless:,} rows without a name")
            if table.inconsistent:
                lines.append(f"  {table.inconsistent:,} labels left unknown: rows of one taxon differ")
            lines += [
                f"  row {row}: {column} is {value!r}; taken as missing" for row, column, value in table.odd[:10]
            ]
            if len(table.odd) > 10:
                lines.append(f"  and {len(table.odd) - 10:,} more values taken as missing")
        disputed = ", ".join(f"{group} {count:,}" for group, count in self.conflicts.items())
        lines.append(f"traits.parquet: {self.rows:,} rows; labels that sources disagree on: {disputed or 'none'}")
        return lines


def import_traits(
    dataset: Dataset,
    tables: Mapping[str, Path],
    *,
    backbone: Backbone | None = None,
    overrides: Overrides | None = None,
) -> TraitsReport:
    """Read trait tables into ``traits.parquet``: one row a taxon, label and source; what is unknown has no row.

    The sources imported replace what they said before; others stay. ``dataset.toml`` records the files.

    Parameters
    ----------
    tables
        Files by the id of their table, one of `tables.TABLES`, or ``csv`` for a plain table (see `plain.read_plain`).
    backbone
        Names that the dataset's own taxonomy and ``taxonomy_decisions.parquet`` do not settle are matched to it, and so
        to the dataset's taxa.
    overrides
        A curator's decisions about names.

    Raises
    ------
    DatasetError
        Where a table is not what it is said to be; nothing is written then.
    """
    if not tables:
        raise DatasetError("give at least one trait table")
    said: dict[tuple[str, str, str], bool] = {}
    reports = []
    for table_id, path in tables.items():
        sourced, report = _read(dataset, table_id, Path(path), backbone, overrides)
        said.update(sourced)
        reports.append(report)
    replaced = pa.array([source for report in reports for source in report.sources], pa.string())
    kept = dataset.traits.filter(pc.invert(pc.is_in(dataset.traits["source"], value_set=replaced)))
    traits = _sorted(pa.concat_tables([kept, _table(said)]), dataset)
    record = {**dataset.info.get("traits", {}), **{report.key: asdict(report.counts) for report in reports}}
    replace_tables(dataset, {"traits": traits}, {"traits": record})
    conflicts = Counter(group_of(label) for label in disagreements(traits)["label"].to_pylist())
    return TraitsReport(tuple(reports), traits.num_rows, dict(conflicts))


def _read(
    dataset: Dataset, table_id: str, path: Path, backbone: Backbone | None, overrides: Overrides | None
) -> tuple[dict[tuple[str, str, str], bool], TableReport]:
    odd: list[tuple[int, str, str]] = []
    statements: list[tuple[TraitRecord, Mapping[str, bool], str]] = []
    sources = {table_id}
    if table_id == PLAIN:
        entries, skipped, rejected, notes = read_plain(path)
        records, nameless = [entry.record for entry in entries], 0
        matches, left = match_records(records, dataset, backbone, overrides)
        statements = [(entry.record, {entry.label: entry.value}, entry.source) for entry in entries]
        sources = {entry.source for entry in entries}
    else:
        table = trait_table(table_id)
        records, nameless, skipped, rejected, notes = read_records(table, path)
        matches, left = match_records(records, dataset, backbone, overrides)
        for record in records:
            if record.row in matches:
                labels, columns = table.labels_of(record.cells)
                statements.append((record, labels, table_id))
                odd += [(record.row, column, record.cells[column] or "") for column in columns]
    said, inconsistent = _said(statements, matches)
    report = TableReport(
        id=table_id,
        sources=tuple(sorted(sources)),
        file=path.name,
        sha256=sha256_of(path),
        rows=len(records),
        nameless=nameless,
        matched=len(matches),
        taxa=len({match.taxon_id for match in matches.values()}),
        labels=len(said),
        left=tuple(left),
        odd=tuple(odd),
        inconsistent=inconsistent,
        skipped=skipped,
        rejected=tuple(rejected),
        notes=notes,
    )
    return said, report


def _said(
    statements: Sequence[tuple[TraitRecord, Mapping[str, bool], str]], matches: Mapping[int, Match]
) -> tuple[dict[tuple[str, str, str], bool], int]:
    """Return the value by taxon, label and source, and how many are left out because rows contradict each other.

    Where several rows mean one taxon, the one that bears its name decides; others count where it is silent.
    """
    heard: dict[tuple[str, str, str], dict[int, set[bool]]] = defaultdict(lambda: defaultdict(set))
    for record, labels, source in statements:
        match = matches.get(record.row)
        if match is not None:
            for label, value in labels.items():
                heard[match.taxon_id, label, source][0 if match.own_name else 1].add(value)
    first = {key: by_name[min(by_name)] for key, by_name in heard.items()}
    said = {key: next(iter(values)) for key, values in first.items() if len(values) == 1}
    return said, len(first) - len(said)


def _table(said: Mapping[tuple[str, str, str], bool]) -> pa.Table:
    taxa, labels, sources = zip(*said, strict=True) if said else ((), (), ())
    columns = {"taxon_id": taxa, "label": labels, "value": list(said.values()), "source": sources}
    return pa.table({name: pa.array(values, TRAITS.field(name).type) for name, values in columns.items()}, TRAITS)


def _sorted(traits: pa.Table, dataset: Dataset) -> pa.Table:
    """Return the rows by taxon and label, in the order of the dataset and the vocabulary, then source."""
    taxon = pc.index_in(traits["taxon_id"], value_set=pa.array(list(dataset.taxonomy), pa.string()))
    label = pc.index_in(traits["label"], value_set=pa.array(LABELS))
    keyed = traits.append_column("taxon", taxon).append_column("place", label)
    order = [("taxon", "ascending"), ("place", "ascending"), ("source", "ascending")]
    return keyed.sort_by(order).select(TRAITS.names)
