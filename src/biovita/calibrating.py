"""What ``biovita identify calibrate`` does, as a function with the same arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack

from biovita.errors import BiovitaError

if TYPE_CHECKING:
    from biovita.identification.calibrate import Calibrated
    from biovita.identification.options import IdentifyOptions

__all__ = ["RunCalibration", "calibrate_run"]


@dataclass(frozen=True, eq=False)
class RunCalibration:
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
    annotations: Sequence[str | Path] = (),
    annotation_format: str = "csv",
    modality: Literal["audio", "image"] | None = None,
    kind: Literal["auto", "isotonic", "logistic"] = "auto",
    precision: float = 0.9,
    seed: int = 0,
    model: str | Path = "auto",
    gallery: Sequence[str | Path] = (),
    device: str = "auto",
    workers: int | None = None,
    progress: bool = True,
    **options: Unpack[IdentifyOptions],
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
    kind
        ``auto`` takes the curve with the smaller cross-validated loss.
    precision
        That the thresholds are for.
    seed
        Of the parts of the cross-validation.
    model, gallery, device, workers, progress, options
        As `biovita.identify` takes them; they have to be those of the runs that the calibration is for.

    Raises
    ------
    BiovitaError
        Where there are no labels or too few, or one of the files cannot be used.
    """
    from biovita.archive.archive import Archive
    from biovita.identification.calibrate import write_calibrated
    from biovita.identification.identify_run import Means, answer_run, run_on
    from biovita.identification.options import refuse_unknown
    from biovita.identification.run_calibration import calibrated_run, labels_in
    from biovita.identifying import place_of
    from biovita.modality import Modality
    from biovita.report.reliability import write_calibration_page

    refuse_unknown(options)
    if labelled is None and run is None:
        raise BiovitaError("there are no labels. Give a labelled dataset, or --run RUN with --annotations FILES")
    if labelled is not None and annotations:
        raise BiovitaError("labels are of a dataset or of annotations. Leave the dataset or the annotations out")
    if labelled is None and gallery:
        raise BiovitaError("a run was scored with its own gallery. Leave gallery out, or give a labelled dataset")
    with place_of(run) as where:
        if labelled is None:
            done = answer_run(Archive.open(where), options)
        else:
            means = Means(str(model), tuple(map(Path, gallery)), device, workers, progress=progress)
            done = run_on(Archive(where), [labelled], means, options)
        labels, rejected = labels_in(done.archive, [Path(file) for file in annotations], annotation_format)
        made = calibrated_run(
            done,
            labels,
            None if modality is None else Modality(modality),
            kind=kind,
            precision=precision,
            seed=seed,
        )
    said = (*rejected, *made.left_out)
    calibration, thresholds = write_calibrated(made, Path(out))
    names = {number: scientific for number, (scientific, _) in made.names.items()}
    page = write_calibration_page(
        made.calibration,
        Path(out),
        precision=precision,
        thresholds=made.thresholds,
        names=names,
        left_out=said,
    )
    return RunCalibration(made, calibration, thresholds, page)
