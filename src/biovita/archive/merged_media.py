"""Recordings or photographs that are named, beside those that an archive has: new, moved, changed, or there twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive_tables import LEFT_OUT

__all__ = ["MergedMedia", "merged_media"]


@dataclass(frozen=True, eq=False)
class MergedMedia:
    """What becomes of the media of one modality.

    Attributes
    ----------
    rows
        All that the archive then has.
    twice
        Rows of `LEFT_OUT`: files whose content another file has, which is still there.
    new, moved, same
        How many of what was named are new; are known by their content, from a path where no file is any more; are known
        at their path.
    changed
        How many that the archive had are gone, for their file has another content now.
    """

    rows: pa.Table
    twice: pa.Table
    new: int
    moved: int
    same: int
    changed: int


def merged_media(kept: pa.Table, named: pa.Table, is_there: Callable[[str, str | None], bool]) -> MergedMedia:
    """Return what an archive has of one modality once it was named anew.

    Media are known by their ids, which are of their content. What is named at its own path is taken as it is now.

    Parameters
    ----------
    kept, named
        As `RECORDINGS` or as `PHOTOGRAPHS`, with unique ids.
    is_there
        Says of a path, and of the dataset whose packed media hold it, whether the file is there.
    """
    at = pc.fill_null(pc.index_in(named["id"], value_set=kept["id"].combine_chunks()), -1).to_numpy()
    known = np.flatnonzero(at >= 0)
    there = kept.select(["path", "dataset"]).take(pa.array(at[known]))
    elsewhere = pc.not_equal(there["path"], named["path"].take(pa.array(known))).to_numpy()
    other = there.filter(pa.array(elsewhere))
    stays = np.array(
        [is_there(*place) for place in zip(other["path"].to_pylist(), other["dataset"].to_pylist(), strict=True)],
        bool,
    )
    taken = np.ones(len(named), bool)
    taken[known[elsewhere][stays]] = False
    accepted = named.filter(pa.array(taken))
    here = pc.is_in(kept["id"], value_set=named["id"].combine_chunks())
    replaced = pc.is_in(kept["id"], value_set=accepted["id"].combine_chunks())
    changed = pc.and_not(pc.is_in(kept["path"], value_set=named["path"].combine_chunks()), here)
    left = kept.filter(pc.invert(pc.or_(replaced, changed)))
    return MergedMedia(
        rows=pa.concat_tables([left, accepted]),
        twice=_twice(named.filter(pa.array(~taken)), other.filter(pa.array(stays))),
        new=len(named) - len(known),
        moved=int((~stays).sum()),
        same=len(known) - len(other),
        changed=pc.sum(changed).as_py() or 0,
    )


def _twice(media: pa.Table, first: pa.Table) -> pa.Table:
    details = pc.binary_join_element_wise(
        media["path"], pc.binary_join_element_wise("it has the content of ", first["path"], ""), ": "
    )
    columns = {"path": media["path"], "reason": pa.repeat("duplicate", len(media)), "detail": details}
    return pa.table(
        [columns.get(field.name, pa.nulls(len(media), field.type)) for field in LEFT_OUT], schema=LEFT_OUT
    )
