"""What ``biovita traits predict`` does, as a function with the same arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from biovita.errors import BiovitaError, unknown_name
from biovita.one_line import OneLine

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from biovita.archive.archive import Archive
    from biovita.dataset.dataset import Dataset
    from biovita.identification.identify_run import Means
    from biovita.identification.options import IdentifyOptions
    from biovita.modality import Modality
    from biovita.trait_prediction.predict_run import Asking

__all__ = ["TraitPrediction", "predict_traits"]

_UNITS = ("recording", "site")
_THRESHOLD = 0.25


@dataclass(frozen=True, eq=False, repr=False)
class TraitPrediction(OneLine):
    """How the animals live that recordings and photographs are of.

    Attributes
    ----------
    rows
        A row a recording, photograph or site, and label: what all ways say together, which ones they are, how well they
        do on species that they were not told of, and the nearest species with the label. Columns are those of
        `biovita.trait_prediction.prediction_rows.PREDICTED`.
    by_way
        The same of each way by itself.
    evidence
        The nearest species that have a label, with their nearest recording or photograph: `EVIDENCE`.
    detections
        What share of the detections is of taxa with a label: `DETECTION_SHARES`. A photograph has one at most.
    untold
        Labels that a way does not tell, of how many recordings or photographs, and why: `UNTOLD`.
    left_out
        Recordings and photographs that are in no row, and why.
    notes
        Sentences that a reader has to know.
    written
        The file that was asked for.
    stopped
        Whether Ctrl-C ended listening and looking early: what was done until then is told.
    """

    rows: pa.Table
    by_way: pa.Table
    evidence: pa.Table
    detections: pa.Table
    untold: pa.Table
    left_out: pa.Table
    notes: tuple[str, ...] = ()
    written: Path | None = None
    stopped: bool = False

    def to_arrow(self) -> pa.Table:
        """Return the rows as a table of pyarrow."""
        return self.rows

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a data frame of pandas, which has to be installed."""
        return self.rows.to_pandas()

    def to_polars(self) -> pl.DataFrame:
        """Return the rows as a data frame of polars, which has to be installed."""
        frame: pl.DataFrame = import_module("polars").from_arrow(self.rows)
        return frame


def predict_traits(
    paths: Sequence[str | Path] = (),
    *,
    data: Sequence[Dataset | str | Path] = (),
    out: str | Path | None = None,
    by: Literal["recording", "site"] = "recording",
    ways: Sequence[str] | None = None,
    hours: str | None = None,
    model: str | Path = "auto",
    threshold: float = _THRESHOLD,
    timezone: str | None = None,
    device: str = "auto",
    workers: int | None = None,
    progress: bool = True,
) -> TraitPrediction:
    """Return the 34 trait labels of recordings and photographs: their probabilities, from what, and the evidence.

    Files are identified first, against the datasets, and nothing of that is kept. A run of `identify` is asked as it
    is: nothing is listened to or looked at again, and nothing is written to it.

    Parameters
    ----------
    paths
        Files, folders, patterns, text files that list paths, and datasets; or one run of `identify`.
    data
        Datasets with traits, or their directories: what is known of species, what probes are fitted on, and where the
        evidence is from. The first that knows a label of a species decides; what none knows comes from the package's
        table of taxa.
    out
        File to write the rows to: ``.csv`` or ``.parquet``.
    by
        ``recording``: each recording and photograph by itself. ``site``: all of one site together.
    ways
        Which of ``texts``, ``candidates`` and ``probe`` are asked; None is all of them.
    hours
        In which detections begin that count, by the local clock: ``20-5``. Where a clock's zone is not known, they do
        not count.
    model
        Of files: ``auto``, or as `describe` takes it.
    threshold
        Of files: the score that a detection reaches.
    timezone
        Of files: that of recorders and cameras that state none.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    workers
        Threads that decode; None is one a core.
    progress
        Show bars on standard error where that is a terminal.

    Raises
    ------
    BiovitaError
        Where a path, a dataset, the model or the question cannot be used.
    """
    from biovita.dataset.dataset import Dataset
    from biovita.identification.identify_run import Means
    from biovita.trait_prediction.predict_run import predict_on
    from biovita.trait_prediction.species_labels import SpeciesLabels
    from biovita.written_table import write_one_table

    if not paths:
        raise BiovitaError("nothing is named. Give files, folders or patterns, or a run")
    if not data:
        raise BiovitaError("nothing says which traits species have. Give a dataset with traits: --data DATASET")
    asking = replace(_asking(by, ways, hours, out), device=device, progress=progress)
    datasets = [Dataset.open(each) for each in data]
    known = SpeciesLabels.stated_by(datasets)
    means = Means(str(model), device=device, workers=workers, progress=progress)
    with _run(paths, datasets, means, {"threshold": threshold, "timezone": timezone}) as (archive, stopped):
        found = predict_on(archive, datasets, known, asking)
    if out is not None:
        write_one_table(found.rows, Path(out))
    tables = {field.name: getattr(found, field.name) for field in fields(found)}
    return TraitPrediction(**tables, written=None if out is None else Path(out), stopped=stopped)


def _asking(by: str, ways: Sequence[str] | None, hours: str | None, out: str | Path | None) -> Asking:
    """Return what is asked, and refuse what cannot be, before anything is opened."""
    from biovita.files import require_writable
    from biovita.hours import hours_of
    from biovita.trait_prediction.predict_run import Asking
    from biovita.trait_prediction.prediction_rows import Way

    if by not in _UNITS:
        raise BiovitaError(unknown_name("by", by, _UNITS))
    named = tuple(Way) if ways is None else tuple(dict.fromkeys(ways))
    if not named:
        raise BiovitaError(f"no way is named. Give some of {', '.join(Way)}, or leave ways (--way) out")
    for way in named:
        if way not in set(Way):
            raise BiovitaError(unknown_name("way", way, [each.value for each in Way]))
    if out is not None:
        require_writable(Path(out), ".csv", ".parquet")
    return Asking(by == "site", tuple(map(Way, named)), None if hours is None else hours_of(hours))


@contextmanager
def _run(
    paths: Sequence[str | Path], datasets: Sequence[Dataset], means: Means, options: IdentifyOptions
) -> Iterator[tuple[Archive, bool]]:
    """Give the run that is named, or one of the files that are, and whether Ctrl-C ended it early."""
    from biovita.archive.archive import Archive
    from biovita.identification.identify_run import run_on
    from biovita.identifying import place_of

    if len(paths) == 1 and Archive(Path(paths[0])).exists:
        given = {"model": means.model != "auto", "threshold": options["threshold"] != _THRESHOLD}
        given |= {"timezone": options["timezone"] is not None}
        if odd := [name for name, is_given in given.items() if is_given]:
            raise BiovitaError(f"{paths[0]} is a run, which has its own {' and '.join(odd)}. Leave them out")
        yield Archive.open(paths[0]), False
        return
    with place_of(None) as where:
        there = _modalities_of(paths)
        galleries = tuple(each.path for each in datasets if any(len(each.media(modality)) for modality in there))
        done = run_on(Archive(where), tuple(paths), replace(means, galleries=galleries), options)
        yield done.archive, done.stopped


def _modalities_of(paths: Sequence[str | Path]) -> set[Modality]:
    """Return the modalities of what is named: only datasets that have items of them can be compared with it."""
    from biovita.archive.find_media import find_media
    from biovita.modality import MEDIA

    found = find_media(paths)
    there = {file.modality for file in found.files}
    return there | {modality for each in found.datasets for modality in MEDIA if len(each.media(modality))}
