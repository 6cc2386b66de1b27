"""The trait tables that a plan names: checked before anything is fetched, imported when the dataset is made."""

from __future__ import annotations

from pathlib import Path

from biovita.collect.plan import Plan
from biovita.dataset import Dataset
from biovita.errors import DatasetError
from biovita.traits.importer import TraitCounts, import_traits
from biovita.traits.plain import PLAIN, read_plain
from biovita.traits.tables import read_records, trait_table

__all__ = ["check_tables", "import_tables"]


def check_tables(plan: Plan) -> dict[str, int]:
    """Return the rows of each trait table that a plan names, by its id.

    Raises
    ------
    DatasetError
        Where a file is not there, or is not the table that the plan says it is.
    """
    rows = {}
    for table_id, path in plan.traits.files().items():
        try:
            rows[table_id] = (
                len(read_plain(path).entries)
                if table_id == PLAIN
                else len(read_records(trait_table(table_id), path).records)
            )
        except DatasetError as error:
            raise DatasetError(f"traits.{table_id.replace('-', '_')}: {error}") from None
    return rows


def import_tables(dataset: Dataset, plan: Plan) -> dict[str, TraitCounts]:
    """Import the trait tables that a plan names, and return the counts of each, as ``dataset.toml`` has them.

    Names that the dataset does not settle are matched through the plan's backbone, where it has one.
    """
    from biovita.taxonomy.backbone_files import open_backbone

    files: dict[str, Path] = plan.traits.files()
    if not files:
        return {}
    backbone = open_backbone(plan.taxa.backbone) if plan.taxa.backbone is not None else None
    report = import_traits(dataset, files, backbone=backbone)
    return {table.id: table.counts for table in report.tables}
