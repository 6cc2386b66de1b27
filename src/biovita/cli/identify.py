"""``biovita identify``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from biovita.cli import identify_options as option
from biovita.cli.kit import Device, Json, Overwrite, Seed, Workers, group, note, print_json, print_table, say

if TYPE_CHECKING:
    import pyarrow as pa

    from biovita.calibrating import RunCalibration
    from biovita.identifying import Identification

__all__ = ["app"]

app = group("identify")

_SHOWN = 30  # taxa on the screen; the files have all
_REASONS = 5


@app.default
def identify(
    *paths: Path,
    run: Path | None = None,
    out: Path | None = None,
    model: str = "auto",
    gallery: Annotated[list[Path] | None, Parameter(negative=())] = None,
    taxa: option.Taxa = None,
    strict: option.Strict = False,
    within: option.Within = None,
    place: option.Place = None,
    date: option.Date = None,
    week: option.Week = None,
    range_only: option.RangeOnly = False,
    names: option.Names = None,
    language: option.Language = None,
    threshold: option.Threshold = 0.25,
    rank: option.AtRank = None,
    calibration: option.Calibrated = None,
    overlap: option.Overlap = None,
    channel: option.Channel = "mean",
    band: option.Band = None,
    expand: option.Expand = None,
    views: option.Views = None,
    boxes: option.Boxes = None,
    timezone: option.Timezone = None,
    formats: option.Formats = None,
    split: option.Split = False,
    report: option.Report = False,
    histories: option.Histories = False,
    segments: option.Segments = None,
    per_taxon: option.PerTaxon = 20,
    drop_speech: option.DropSpeech = False,
    device: Device = "auto",
    workers: Workers = None,
    dry_run: Annotated[bool, Parameter(help="Count files and hours, and stop.")] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> int:
    """Say what is heard in recordings and seen in photographs.

    Without OUT, nothing but the table on the screen is kept. With it, the run can be stopped and goes on, and other
    thresholds, lists, ranks and formats are answered by --run without listening again. Ctrl-C ends with what is done.

    Parameters
    ----------
    paths
        Files, folders, patterns, text files that list paths, and datasets; or one archive, which is scored anew.
    run
        A run, in place of paths: answer from its scores.
    out
        Directory to write: an archive, with report.html.
    model
        auto takes the best on this machine; otherwise as `biovita models describe` takes it.
    gallery
        A dataset, or a folder that has a folder for each class, to compare with; more than once for several.
    """
    given = {name: value for name, value in locals().items() if name not in {"paths", "dry_run", "as_json"}}
    if dry_run:
        return _dry(paths, as_json=as_json)
    return _run(paths, _tidy(given), as_json=as_json)


@app.command
def calibrate(
    labelled: Path | None = None,
    /,
    *,
    out: Path,
    run: Path | None = None,
    annotations: Annotated[list[Path] | None, Parameter(negative=())] = None,
    annotation_format: Annotated[
        Literal["raven", "audacity", "aoef", "kaleidoscope", "csv", "parquet", "json"], Parameter(name="--format")
    ] = "csv",
    modality: Literal["audio", "image"] | None = None,
    kind: Literal["auto", "isotonic", "logistic"] = "auto",
    precision: float = 0.9,
    seed: Seed = 0,
    model: str = "auto",
    gallery: Annotated[list[Path] | None, Parameter(negative=())] = None,
    taxa: option.Taxa = None,
    overlap: option.Overlap = None,
    channel: option.Channel = "mean",
    band: option.Band = None,
    expand: option.Expand = None,
    views: option.Views = None,
    device: Device = "auto",
    workers: Workers = None,
    as_json: Json = False,
) -> int:
    """Fit a curve from scores to probabilities, and thresholds for a precision, to what you have labelled.

    Model, gallery, list and windows have to be those of the runs that the calibration is for; otherwise it does not fit
    them, and they say so.

    Parameters
    ----------
    labelled
        A dataset: its items are identified, and each taxon's best window stands for a recording.
    out
        Directory to write: calibration.json, thresholds.csv and calibration.html.
    run
        A run. With LABELLED, where its items are identified and kept; alone, what --annotations are of.
    annotations
        A file of annotations of the recordings of RUN; more than once for several.
    annotation_format
        Of these files.
    modality
        Of a run that has recordings and photographs. Default: audio.
    kind
        auto takes the curve that holds better on recordings left out.
    precision
        The share of answers that is right from the thresholds on.
    """
    import biovita

    given = {name: value for name, value in locals().items() if name not in {"labelled", "as_json", "biovita"}}
    found = biovita.calibrate_run(labelled, **given)
    if as_json:
        print_json(_calibration_content(found))
    else:
        _print_calibration(found)
    return 0


def _calibration_content(found: RunCalibration) -> dict[str, object]:
    made = found.made.calibration
    return {
        "calibration": found.calibration,
        "thresholds": found.thresholds,
        "page": found.page,
        "version": made.version,
        "kind": made.kind,
        "labelled": made.n,
        "right": made.right,
        "recordings": made.groups,
        "ece": made.ece,
        "ece_of_scores": made.raw_ece,
        "precision": found.made.precision,
        "threshold": found.made.thresholds[0].threshold,
        "notes": found.made.left_out,
    }


def _print_calibration(found: RunCalibration) -> None:
    made, pooled = found.made.calibration, found.made.thresholds[0].threshold
    say(
        f"{made.n:,} labelled answers of {made.groups:,} recordings, {made.right:,} of them right",
        f"probabilities are off by {100 * made.ece:.1f} points on recordings left out, and scores by "
        f"{100 * made.raw_ece:.1f}",
        f"{100 * found.made.precision:g} % are right from "
        + ("no score on" if pooled is None else f"a score of {pooled:.3f} on"),
    )
    for place in (found.calibration, found.thresholds, found.page):
        say(f"written: {place}")
    for line in found.made.left_out:
        note(line)


def _tidy(given: dict[str, object]) -> dict[str, object]:
    """Return what the function takes: lists with commas taken apart, nothing where nothing is given."""
    for name in ("within", "formats"):
        parts = given[name] or []
        assert isinstance(parts, list)
        given[name] = [each for part in parts for each in part.split(",") if each]
    given["gallery"] = given["gallery"] or []
    return given


def _dry(paths: Sequence[Path], *, as_json: bool) -> int:
    from biovita.identifying import extent_of_media

    extent = extent_of_media(paths)
    if as_json:
        print_json(extent)
    else:
        say(
            f"{extent.recordings:,} recordings, {extent.hours:,.2f} hours by their headers",
            f"{extent.photographs:,} photographs",
        )
        if extent.unreadable:
            say(f"{extent.unreadable:,} recordings cannot be read")
    return 0


def _run(paths: Sequence[Path], given: dict[str, object], *, as_json: bool) -> int:
    import biovita

    found = biovita.identify(paths, **given)  # type: ignore[arg-type]
    if as_json:
        print_json(_content(found))
    else:
        _print(found)
    for line in found.notes:
        note(line)
    if found.stopped:
        note("Stopped. What was done until then is answered; the same command goes on")
        return 130
    return 0


def _content(found: Identification) -> dict[str, object]:
    """Return what is printed as JSON: the annotations without their empty fields, and what was left out."""
    rows = (
        {key: value for key, value in row.items() if value is not None} for row in found.annotations.to_pylist()
    )
    return {
        "path": found.path,
        "model": found.record["model"],
        "windows": found.record["windows"],
        "annotations": list(rows),
        "exemplars": found.exemplars.drop_columns(["candidate", "group_id"]).to_pylist(),
        "left_out": found.left_out.to_pylist(),
        "written": list(found.written),
        "notes": list(found.notes),
        "stopped": found.stopped,
    }


def _print(found: Identification) -> None:
    note(found.record["model"]["why"])
    measure = _measure(found.annotations)
    taxa = _by_taxon(found.annotations, measure)
    if taxa:
        columns = ("taxon", "common name", "rank", "events", "photos", measure, "where")
        print_table(columns, map(_cells, taxa[:_SHOWN]))
        if len(taxa) > _SHOWN:
            say(f"and {len(taxa) - _SHOWN:,} more taxa")
    else:
        say("nothing reaches the threshold")
    if len(found.left_out):
        reasons = Counter(found.left_out["reason"].to_pylist())
        counted = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common(_REASONS))
        note(f"left out: {counted}; the first: {found.left_out['detail'][0].as_py()}")
    for place in found.written:
        say(f"written: {place}")
    if found.path is None:
        note("Nothing was kept. --out DIR keeps the run, with its page")


def _measure(annotations: pa.Table) -> str:
    """Return which column says how sure answers are: probabilities only where all answers have one."""
    present = [what == "present" for what in annotations["presence"].to_pylist()]
    calibrated = annotations["probability"].filter(present)
    return "score" if calibrated.null_count or not len(calibrated) else "probability"


@dataclass
class _Taxon:
    """A taxon on the screen: its best annotation, and how many there are."""

    label: str
    common: str
    rank: str
    score: float = -1.0
    where: str = ""
    sounds: int = 0
    pictures: int = 0


def _by_taxon(annotations: pa.Table, measure: str) -> list[_Taxon]:
    """Return the taxa of annotations, the best first."""
    columns = ["label", "common_name", "rank", "kind", "modality", measure, "path", "start_s"]
    found: dict[tuple[str, str], _Taxon] = {}
    for batch in annotations.select(columns).to_batches():
        values = (batch.column(name).to_pylist() for name in columns)
        for label, common, rank, kind, modality, score, path, start in zip(*values, strict=True):
            taxon = found.setdefault((label, kind), _Taxon(label, common or "", rank or kind))
            if modality == "audio":
                taxon.sounds += 1
            else:
                taxon.pictures += 1
            if score is not None and score > taxon.score:
                at = "" if start is None else f" {int(start) // 60}:{start % 60:04.1f}"
                taxon.score, taxon.where = score, Path(path).name + at
    return sorted(found.values(), key=lambda taxon: -taxon.score)


def _cells(taxon: _Taxon) -> tuple[object, ...]:
    counts = (taxon.sounds or "", taxon.pictures or "")
    best = f"{taxon.score:.2f}" if taxon.score >= 0 else ""
    return taxon.label, taxon.common, taxon.rank, *counts, best, taxon.where
