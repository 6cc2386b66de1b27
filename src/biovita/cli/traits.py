"""``biovita traits``: trait tables into a dataset, and what they cover."""

from __future__ import annotations

from pathlib import Path

from biovita.cli.kit import Json, group, print_json, print_table, say

__all__ = ["app"]

app = group("traits", "Import trait tables into a dataset, and show what they cover.")


@app.command(name="import")
def import_(
    dataset: Path,
    /,
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
    as_json: Json = False,
) -> None:
    """Read trait tables into a dataset's traits.parquet: a row for each taxon, label and source.

    The JSON lists every row that found no taxon, and why.

    Parameters
    ----------
    dataset
        The dataset directory.
    avonet
        AVONET 1: the sheet with BirdLife's names as CSV, or the whole workbook (.xlsx).
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
    if as_json:
        print_json(report.as_dict())
    else:
        say(*report.lines())


@app.command
def coverage(dataset: Path, /, *, as_json: Json = False) -> None:
    """Show how many species of each class have traits, by group of labels, and how many of them are in dispute.

    Parameters
    ----------
    dataset
        The dataset directory.
    """
    from biovita.dataset import Dataset
    from biovita.traits.resolve import coverage as table_of

    rows = table_of(Dataset.open(dataset)).to_pylist()
    if as_json:
        print_json(rows)
        return
    say("species whose traits are known, and of how many of them sources disagree")
    print_table(
        ["class", "species", "traits", "known", "in dispute"],
        [[row["class"] or "(none)", row["species"], row["group"], row["known"], row["conflicts"]] for row in rows],
    )
