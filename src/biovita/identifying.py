"""What ``biovita identify`` does, as a function with the same arguments."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import pyarrow as pa
import pyarrow.compute as pc

from biovita.errors import BiovitaError
from biovita.one_line import OneLine

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from biovita.archive.archive import Archive
    from biovita.archive.take_in import Extent
    from biovita.identification.identify_run import Run
    from biovita.identification.options import IdentifyOptions, Outputs

__all__ = ["Identification", "extent_of_media", "identify", "place_of"]


@dataclass(frozen=True, eq=False, repr=False)
class Identification(OneLine):
    """What recordings and photographs hold.

    Attributes
    ----------
    path
        Directory of the run, which is a small archive; None where it was not kept.
    events
        Spans of recordings and what is heard there, as `biovita.archive.archive_tables.ANNOTATIONS` has them.
    photographs
        What photographs show, in the same columns.
    windows_of
        Reads `windows`.
    candidates
        What could have been answered.
    exemplars
        Labelled recordings and photographs that annotations name as the nearest: span, licence, attribution, path.
    left_out
        What was named and has no scores, and why.
    notes
        Sentences that a reader of the answers has to know.
    record
        What ``run.json`` states.
    written
        Files and folders that were asked for.
    stopped
        Whether Ctrl-C ended it early: it holds what was done until then.
    """

    path: Path | None
    events: pa.Table
    photographs: pa.Table
    windows_of: Callable[[], pa.Table]
    candidates: pa.Table
    exemplars: pa.Table
    left_out: pa.Table
    notes: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    written: tuple[Path, ...] = ()
    stopped: bool = False

    @cached_property
    def windows(self) -> pa.Table:
        """The scores of windows of recordings, and then of photographs, as `WINDOWS` has them.

        Their candidates are numbers of rows of ``candidates``. Of a run that was kept they are read when they are asked
        for.
        """
        return self.windows_of()

    @property
    def annotations(self) -> pa.Table:
        """Events, then what photographs show."""
        return pa.concat_tables([self.events, self.photographs])

    def to_pandas(self) -> pd.DataFrame:
        """Return the annotations as a data frame of pandas, which has to be installed."""
        return self.annotations.to_pandas()

    def to_polars(self) -> pl.DataFrame:
        """Return the annotations as a data frame of polars, which has to be installed."""
        frame: pl.DataFrame = import_module("polars").from_arrow(self.annotations)
        return frame


def extent_of_media(paths: Sequence[str | Path]) -> Extent:
    """Return how much paths name: files and hours, as their headers state them. Nothing is decoded.

    Raises
    ------
    DatasetError
        Where a path does not exist.
    """
    from biovita.archive.find_media import find_media
    from biovita.archive.take_in import extent_of

    return extent_of(find_media(paths))


def identify(
    paths: Sequence[str | Path] = (),
    *,
    run: str | Path | None = None,
    out: str | Path | None = None,
    model: str | Path = "auto",
    gallery: Sequence[str | Path] = (),
    device: str = "auto",
    workers: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
    **options: Unpack[IdentifyOptions],
) -> Identification:
    """Return what is heard in recordings and seen in photographs, and keep it where ``out`` says.

    A run is a small archive. The same call goes on where it was stopped, and adds files that are new.

    Parameters
    ----------
    paths
        Files, folders, patterns, text files that list paths, and datasets; or one archive, whose vectors are scored
        anew without running a network.
    run
        A run, in place of paths: other questions are answered from its scores, and no model is opened.
    out
        Directory to write. None: nothing is kept. A ``run`` and an archive are written to themselves.
    model
        ``auto``, the best on this machine; or as `describe` takes it.
    gallery
        Datasets, or folders that have a folder for each class, with whose items all is compared.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    workers
        Threads that decode; None is one a core.
    overwrite
        Begin anew where ``out`` has a run, and replace files.
    progress
        Show bars on standard error where that is a terminal.
    options
        See `IdentifyOptions`.

    Raises
    ------
    BiovitaError
        Where a path, a list, a gallery, the model or the question cannot be used.
    """
    from biovita.archive.archive import Archive
    from biovita.files import require_possible
    from biovita.identification.identify_run import Means, answer_run, run_on
    from biovita.identification.options import outputs_of, refuse_unknown

    refuse_unknown(options)
    outputs = outputs_of(options)
    if run is not None:
        if paths or out is not None or gallery:
            raise BiovitaError("a run is answered from alone. Leave paths, out and gallery out, or leave run out")
        done = answer_run(Archive.open(run), options)
        return _identification(done, Path(run), _written(done, outputs))
    if not paths:
        raise BiovitaError("nothing is named. Give files, folders or patterns, or a run")
    known = Path(paths[0]) if len(paths) == 1 and Archive(Path(paths[0])).exists else None
    if known is None and out is None and outputs:
        raise BiovitaError("files are asked for. Say where they go: --out DIR")
    if out is not None:
        require_possible(Path(out))
    means = Means(str(model), tuple(map(Path, gallery)), device, workers, overwrite, progress)
    with place_of(known or out) as where:
        done = run_on(Archive(where), () if known else tuple(paths), means, options)
        kept = known is not None or out is not None
        return _identification(done, where if kept else None, _written(done, outputs))


@contextmanager
def place_of(out: str | Path | None) -> Iterator[Path]:
    """Give where a run is written; a folder that goes away where nothing is to be kept."""
    if out is not None:
        yield Path(out)
        return
    with tempfile.TemporaryDirectory(prefix="biovita-", ignore_cleanup_errors=True) as scratch:
        yield Path(scratch) / "run"


def _written(done: Run, outputs: Outputs) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write what was asked for; return the files, and what has to be said of them."""
    if not outputs:
        return (), ()
    from biovita.report.run_outputs import write_outputs

    written = write_outputs(done, outputs)
    return written.files, written.notes


def _windows(archive: Archive) -> pa.Table:
    from biovita.archive.archive import SCORES

    return pa.concat_tables([archive.table(name) for name in SCORES.values()])


def _itself(table: pa.Table) -> pa.Table:
    return table


def _identification(
    done: Run, path: Path | None, written: tuple[tuple[Path, ...], tuple[str, ...]]
) -> Identification:
    from biovita.modality import Modality

    archive, annotations = done.archive, done.answered.annotations
    audio = pc.equal(annotations["modality"], Modality.AUDIO.value)
    return Identification(
        path=path,
        events=annotations.filter(audio),
        photographs=annotations.filter(pc.invert(audio)),
        windows_of=partial(_windows, archive) if path is not None else partial(_itself, _windows(archive)),
        candidates=done.answered.candidates,
        exemplars=done.exemplars,
        left_out=archive.table("left_out"),
        notes=(*done.notes, *written[1]),
        record=done.record,
        written=written[0],
        stopped=done.stopped,
    )
