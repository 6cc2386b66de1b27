"""``biovita traits``: trait tables into a dataset, and what they cover."""

from __future__ import annotations

import json as jsonlib
import sys
from pathlib import Path

import cyclopts

app = cyclopts.App(name="traits", help="Import trait tables into a dataset, and show what they cover.")


@app.command(name="import")
def import_(
    dataset: Path,
    *,
    avonet: Path | None = None,
    eltontraits_birds: Path | None = None,
    eltontraits_mammals: Path | None = None,
    amphibio: Path | None = None,
    pantheria: Path | None = None,
    anage: Path | None = None,
    csv: Path | None = None,
    backbone: Path | None = None,
    overrides: Path | None = None,
    json: bool = False,
) -> None:
    """Read trait tables into a dataset's traits.parquet: a row for each taxon, label and source.

    Parameters
    ----------
    dataset
        The dataset directory.
    avonet
        AVONET 1, the sheet with BirdLife's names, as CSV.
    eltontraits_birds
        EltonTraits' BirdFuncDat.txt.
    eltontraits_mammals
        EltonTraits' MamFuncDat.txt.
    amphibio
        AmphiBIO_v1.csv.
    pantheria
        PanTHERIA_1-0_WR05_Aug2008.txt.
    anage
        anage_data.txt.
    csv
        A table of your own: name, label, value, and where they help source, kingdom, class, order, family.
    backbone
        A taxonomy (see biovita taxonomy match) through which names that the dataset does not have find its taxa.
    overrides
        Your decisions about names, CSV: name, class, taxon_id or accepted_name (of the dataset), note.
    json
        Print the report as JSON, with every row that found no taxon and why.
    """
    from biovita.console import status
    from biovita.dataset import Dataset
    from biovita.taxonomy.backbone_files import open_backbone
    from biovita.taxonomy.overrides import read_overrides
    from biovita.traits.importer import import_traits
    from biovita.traits.matched_names import dataset_backbone

    given = {
        "avonet": avonet,
        "eltontraits-birds": eltontraits_birds,
        "eltontraits-mammals": eltontraits_mammals,
        "amphibio": amphibio,
        "pantheria": pantheria,
        "anage": anage,
        "csv": csv,
    }
    opened = Dataset.open(dataset)
    with status("importing traits"):
        report = import_traits(
            opened,
            {table: file for table, file in given.items() if file is not None},
            backbone=open_backbone(backbone) if backbone else None,
            overrides=read_overrides(overrides, dataset_backbone(opened)) if overrides else None,
        )
    sys.stdout.write(
        jsonlib.dumps(report.as_dict(), indent=2) + "\n" if json else "\n".join(report.lines()) + "\n"
    )


@app.command
def coverage(dataset: Path, *, json: bool = False) -> None:
    """Show how many species of each class have traits, by group of labels, and how many of them are in dispute.

    Parameters
    ----------
    dataset
        The dataset directory.
    json
        Print the table as JSON.
    """
    from rich.table import Table

    from biovita.console import Console
    from biovita.dataset import Dataset
    from biovita.traits import groups
    from biovita.traits.resolve import coverage as table_of

    rows = table_of(Dataset.open(dataset)).to_pylist()
    if json:
        sys.stdout.write(jsonlib.dumps(rows, indent=2) + "\n")
        return
    shown = Table("class", "species", title="species with traits (in dispute)")
    for group in groups():
        shown.add_column(group.id, justify="right")
    for start in range(0, len(rows), len(groups())):
        line = rows[start : start + len(groups())]
        cells = [f"{row['known']:,} ({row['conflicts']:,})" if row["known"] else "-" for row in line]
        shown.add_row(line[0]["class"] or "(none)", f"{line[0]['species']:,}", *cells)
    Console().print(shown)
