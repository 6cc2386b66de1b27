"""What a format cannot hold of annotations: said by file and reason, with how many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from biovita.archive.media_tables import AnnotatedFiles

__all__ = ["NOT_WRITTEN", "Kept", "LeftUnwritten", "by_path", "kept_and_not"]

NOT_WRITTEN: Mapping[str, str] = {
    "not-a-recording": "the format is of recordings alone",
    "not-a-photograph": "the format is of photographs alone",
    "absent": "the format says only what is there",
    "unknown-file": "the archive has no such recording or photograph, and the format needs what it knows of it",
    "no-path": "the annotation names no file",
    "no-name": "the annotation names no taxon",
    "by-people": "a model run holds what machines say. Write the annotations of people on their own",
    "no-score": "a machine made the annotation, and gives no score",
    "no-zone": "the time of the photograph has no zone, and none is guessed. --timezone sets one",
    "no-time": "the time of the photograph is not known",
    "no-place": "the place of the photograph is not known",
}
"""From a reason to what it means."""


@dataclass(frozen=True, slots=True)
class LeftUnwritten:
    """Annotations of one file that a format does not hold, and why.

    Attributes
    ----------
    path
        Of the recording or photograph; None where it is not known.
    annotations
        How many; a photograph itself may be left out with none.
    reason
        One of `NOT_WRITTEN`.
    """

    path: str | None
    annotations: int
    reason: str

    @property
    def detail(self) -> str:
        """A sentence for the reason."""
        return NOT_WRITTEN[self.reason]


@dataclass(frozen=True, eq=False)
class Kept:
    """The annotations that a format holds, and what it does not.

    Attributes
    ----------
    replaced
        Names and paths in which a tab, an end of line or the like became a space.
    """

    annotated: AnnotatedFiles
    not_written: tuple[LeftUnwritten, ...] = ()
    replaced: int = 0


def kept_and_not(annotated: AnnotatedFiles, **refused: np.ndarray | pa.ChunkedArray) -> Kept:
    """Part annotations into those that are written and those that are not.

    Parameters
    ----------
    refused
        By reason, with ``_`` for ``-``, ``(annotations,)`` bool. The first that holds is the one that is said.
    """
    left = np.ones(len(annotated.rows), bool)
    not_written: list[LeftUnwritten] = []
    for reason, mask in refused.items():
        now = left & np.asarray(mask, bool)
        not_written += by_path(annotated.annotations.filter(pa.array(now)), reason.replace("_", "-"))
        left &= ~now
    return Kept(annotated if left.all() else annotated.where(left), tuple(not_written))


def by_path(annotations: pa.Table, reason: str) -> Iterator[LeftUnwritten]:
    """Yield annotations that are not written, by their files."""
    counts = annotations.select(["path"]).group_by("path", use_threads=False).aggregate([([], "count_all")])
    for path, number in zip(counts["path"].to_pylist(), counts["count_all"].to_pylist(), strict=True):
        yield LeftUnwritten(path, number, reason)
