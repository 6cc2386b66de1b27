"""``biovita traits``: trait tables into a dataset, what they cover, and the traits of recordings and photographs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from biovita.cli.kit import Device, Json, Workers, group, note, print_json, print_table, say

if TYPE_CHECKING:
    import pyarrow as pa

    from biovita.predicting_traits import TraitPrediction

__all__ = ["app"]

app = group(
    "traits", "Import trait tables into a dataset, show what they cover, and tell traits from sound and pictures."
)

_SHOWN = 40  # rows of a table on the screen; the file and --json have all
_REASONS = 5


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


@app.command
def predict(
    *paths: Path,
    data: Annotated[list[Path] | None, Parameter(negative=())] = None,
    out: Path | None = None,
    by: Literal["recording", "site"] = "recording",
    ways: Annotated[list[str] | None, Parameter(name="--way", negative=())] = None,
    hours: str | None = None,
    model: str = "auto",
    threshold: float = 0.25,
    timezone: str | None = None,
    device: Device = "auto",
    workers: Workers = None,
    as_json: Json = False,
) -> int:
    """Tell how the animals live that recordings and photographs are of: 34 labels, and the evidence of each.

    Files are identified against the datasets first, and nothing of that is kept. A run of biovita identify is asked as
    it is: nothing is listened to again. The table has the likeliest label of each group; OUT and the JSON have all.

    Parameters
    ----------
    paths
        Files, folders, patterns, text files that list paths, and datasets; or one run of biovita identify.
    data
        A dataset with traits; more than once for several.
    out
        File to write: .csv or .parquet, a row a recording, photograph or site, and label.
    by
        recording tells each recording and photograph by itself, site all of one site together.
    ways
        texts, candidates or probe: from what labels are told; more than once, or with commas. Default: all.
    hours
        In which detections begin that count, by the local clock: 20-5.
    model
        Of files: auto, or as `biovita models describe` takes it.
    threshold
        Of files: the score that a detection reaches.
    timezone
        Of files: that of recorders and cameras that state none.
    """
    import biovita

    given = {name: value for name, value in locals().items() if name not in {"paths", "as_json", "biovita"}}
    given["data"] = data or []
    if ways is not None:
        given["ways"] = [each for part in ways for each in part.split(",") if each]
    found = biovita.predict_traits(paths, **given)
    if as_json:
        print_json(_content(found))
    else:
        _print(found)
    note(*found.notes)
    if found.stopped:
        note("Stopped. What was done until then is told")
        return 130
    return 0


def _content(found: TraitPrediction) -> dict[str, object]:
    """Return what is printed as JSON: rows without their empty fields."""
    return {
        "rows": _full(found.rows),
        "by_way": _full(found.by_way),
        "evidence": _full(found.evidence),
        "detections": _full(found.detections),
        "untold": _full(found.untold),
        "left_out": _full(found.left_out),
        "written": found.written,
        "notes": list(found.notes),
        "stopped": found.stopped,
    }


def _full(table: pa.Table) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if value is not None} for row in table.to_pylist()]


def _print(found: TraitPrediction) -> None:
    best = list(_best_of_groups(found.rows.filter(_is_told_well(found.rows))))
    if best:
        columns = ("where", "group", "label", "score", "AUC", "from", "nearest with it")
        print_table(columns, map(_cells, best[:_SHOWN]))
        if len(best) > _SHOWN:
            say(f"and {len(best) - _SHOWN:,} more rows. --out FILE has all")
    else:
        say("no label is told")
    _print_detections(found.detections)
    for row in _counted(found.untold):
        note(row)
    if len(found.left_out):
        reasons = Counter(found.left_out["reason"].to_pylist())
        counted = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common(_REASONS))
        note(f"left out: {counted}; the first: {found.left_out['detail'][0].as_py()}")
    if found.written is not None:
        say(f"written: {found.written}")


def _is_told_well(rows: pa.Table) -> pa.Array:
    """Return which rows are of more than a text that was never tried; the file and the JSON have these, too."""
    import pyarrow.compute as pc

    return pc.or_(pc.is_valid(rows["probability"]), pc.not_equal(rows["way"], "texts"))


def _best_of_groups(rows: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield of each recording, photograph or site the likeliest label of each group."""
    best: dict[tuple[Any, ...], dict[str, Any]] = {}
    for batch in rows.to_batches(4096):
        for row in batch.to_pylist():
            key = row["modality"], row["media_id"] or row["site"], row["group"]
            if key not in best or row["score"] > best[key]["score"]:
                best[key] = row
    yield from best.values()


def _cells(row: dict[str, Any]) -> Sequence[object]:
    where = Path(row["path"]).name if row["path"] else f"{row['site']} ({row['media']:,} {row['modality']})"
    auc = "" if row["auc"] is None else f"{row['auc']:.2f}"
    return where, row["group"], row["label"], f"{row['score']:.2f}", auc, row["way"], row["nearest_taxon"] or ""


def _print_detections(table: pa.Table) -> None:
    """Print what share of the detections is of taxa with each label: of each site, or of all recordings together."""
    if not len(table):
        return
    of_sites = table["media_id"].null_count > 0
    keys = [*(["site"] if of_sites else []), "modality", "group", "label"]
    counts = ("having", "known", "detections")
    summed = table.group_by(keys, use_threads=False).aggregate([(name, "sum") for name in counts])
    rows = [row for row in summed.to_pylist() if row["having_sum"]]
    print_table(
        (*keys, "detections with it", "known", "of all", "share %"),
        (
            (
                *(row[name] for name in (*keys, *(f"{name}_sum" for name in counts))),
                f"{100 * row['having_sum'] / row['known_sum']:.0f}",
            )
            for row in rows[:_SHOWN]
        ),
    )
    if len(rows) > _SHOWN:
        say(f"and {len(rows) - _SHOWN:,} more rows. --json has all")


def _counted(untold: pa.Table) -> Iterator[str]:
    """Yield a line a reason why labels are not told by a way, with how many labels."""
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for row in untold.to_pylist():
        reasons.setdefault((row["modality"], row["way"], row["reason"]), []).append(row["label"])
    for (modality, way, reason), labels in reasons.items():
        yield f"{modality}: {len(labels)} labels are not told by {way} everywhere: {reason}. --json has all"
