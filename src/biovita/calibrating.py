"""What ``biovita identify calibrate`` does, as a function with the same arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from biovita.errors import BiovitaError
from biovita.one_line import OneLine

if TYPE_CHECKING:
    from biovita.identification.calibrate import Calibrated
    from biovita.identification.identify_run import Means, Run
    from biovita.identification.options import IdentifyOptions

__all__ = ["RunCalibration", "calibrate_run"]


@dataclass(frozen=True, eq=False, repr=False)
class RunCalibration(OneLine):
    """A calibration of a run, and where it was written.

    Attributes
    ----------
    calibration
        The file that ``identify`` takes as its ``calibration``.
    thresholds, page
        A table of the smallest score for the precision, of all taxa together and of each; the reliability picture.
    """

    made: Calibrated
    calibration: Path
    thresholds: Path
    page: Path


def calibrate_run(
    labelled: str | Path | None = None,
    *,
    out: str | Path,
    run: str | Path | None = None,
    annotations: Sequence[str | Path] | None = None,
    annotation_format: str = "csv",
    modality: Literal["audio", "image"] | None = None,
    kind: Literal["auto", "isotonic", "logistic"] = "auto",
    precision: float = 0.9,
    seed: int = 0,
    model: str | Path = "auto",
    gallery: Sequence[str | Path] | None = None,
    taxa: str | Path | None = None,
    overlap: float | None = None,
    channel: int | Literal["mean", "all"] = "mean",
    band: tuple[float | None, float | None] | None = None,
    expand: float | None = None,
    views: int | None = None,
    device: str = "auto",
    workers: int | None = None,
    progress: bool = True,
) -> RunCalibration:
    """Fit a calibration to labelled recordings or photographs, and write it with thresholds and a page.

    The labels are those of the dataset ``labelled``, whose items are identified; or ``annotations`` of what ``run``
    holds; or, where neither is given, those of datasets that ``run`` was made of.

    Parameters
    ----------
    labelled
        A dataset. Each of its items has one label, so each taxon's best window stands for a recording.
    out
        Directory to write ``calibration.json``, ``thresholds.csv`` and ``calibration.html`` into.
    run
        A run. With ``labelled``, where its items are identified, so that another time nothing is encoded again.
    annotations, annotation_format
        Files of annotations, and their format: a name in `biovita.archive.annotation_formats.READERS`.
    modality
        Of a run that has both; recordings if not given.
    kind, seed
        As `biovita.identification.calibration.Calibration.fit` takes them.
    precision
        The share of answers that is right from the thresholds on.
    model, gallery, taxa, overlap, channel, band, expand, views, device, workers, progress
        As `biovita.identify` takes them; they have to be those of the runs that the calibration is for.

    Raises
    ------
    BiovitaError
        Where there are no labels or too few, one of the files cannot be used, or ``out`` cannot be made.
    """
    from biovita.files import require_possible
    from biovita.identification.identify_run import Means
    from biovita.identification.run_calibration import calibrated_run, labels_in
    from biovita.identifying import place_of
    from biovita.modality import Modality

    options: IdentifyOptions = {"taxa": taxa, "overlap": overlap, "channel": channel, "band": band}
    options |= {"expand": expand, "views": views}
    means = Means(str(model), tuple(map(Path, gallery or ())), device, workers, progress=progress)
    _refuse(labelled, run, annotations or (), means)
    require_possible(Path(out))
    with place_of(run) as where:
        done = _identified(where, labelled, means, options)
        labels, rejected = labels_in(done.archive, [Path(file) for file in annotations or ()], annotation_format)
        chosen = None if modality is None else Modality(modality)
        made = calibrated_run(done, labels, chosen, kind=kind, precision=precision, seed=seed)
    return _written(replace(made, left_out=(*rejected, *made.left_out)), Path(out))


def _refuse(
    labelled: str | Path | None, run: str | Path | None, annotations: Sequence[str | Path], means: Means
) -> None:
    if labelled is None and run is None:
        raise BiovitaError("there are no labels. Give a labelled dataset, or --run RUN with --annotations FILES")
    if labelled is not None and annotations:
        raise BiovitaError("labels are of a dataset or of annotations. Leave the dataset or the annotations out")
    if labelled is None and means.galleries:
        raise BiovitaError("a run was scored with its own gallery. Leave gallery out, or give a labelled dataset")


def _identified(where: Path, labelled: str | Path | None, means: Means, options: IdentifyOptions) -> Run:
    """Return the run that is there, or that of a dataset's items."""
    from biovita.archive.archive import Archive
    from biovita.identification.identify_run import answer_run, run_on

    if labelled is None:
        return answer_run(Archive.open(where), options)
    return run_on(Archive(where), [labelled], means, options)


def _written(made: Calibrated, out: Path) -> RunCalibration:
    from biovita.identification.calibrate import write_calibrated
    from biovita.report.reliability import write_calibration_page

    calibration, thresholds = write_calibrated(made, out)
    page = write_calibration_page(
        made.calibration,
        out,
        precision=made.precision,
        thresholds=made.thresholds,
        names={number: scientific for number, (scientific, _) in made.names.items()},
        left_out=made.left_out,
    )
    return RunCalibration(made, calibration, thresholds, page)
