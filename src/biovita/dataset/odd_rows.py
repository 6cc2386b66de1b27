"""Which rows may be wrong, by a look at whole columns: the few that are left are then looked at one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset.schema import Split

__all__ = ["MEDIA_VALUES", "has_plain_name", "has_plain_path", "may_be_wrong"]

_COMMON = ("id", "taxon_id", "split", "latitude", "longitude")
MEDIA_VALUES: Mapping[str, tuple[str, ...]] = {
    "audio": (*_COMMON, "sample_rate", "start_s", "end_s", "duration_s"),
    "images": (*_COMMON, "width", "height"),
}
"""By table of media, the columns whose values `may_be_wrong` looks at."""

_PLAIN = "[A-Za-z0-9_-][A-Za-z0-9_ .,()+'-]*"  # a component of a path that every file system takes
_NAME = f"^{_PLAIN}$"
_PATH = f"^(?:(?:\\.\\./)*|/)(?:{_PLAIN}/)*{_PLAIN}$"
_MOST_BYTES = 200


def has_plain_name(texts: pa.Array) -> pa.Array:
    """Return which texts are certainly names as `biovita.filenames.is_name` has them, or null."""
    return _is_plain(texts, _NAME)


def has_plain_path(texts: pa.Array) -> pa.Array:
    """Return which texts are certainly paths of files without ``..`` but at their start, or null."""
    return _is_plain(texts, _PATH)


def may_be_wrong(batch: pa.RecordBatch, known: pa.Array) -> pa.Array:
    """Return in which rows of a table of media a value of `MEDIA_VALUES` is not as it has to be.

    Parameters
    ----------
    known
        The ids of the taxa that there are.
    """
    values = {name: batch.column(name) for name in batch.schema.names}
    splits = pa.array([*Split, None], pa.string())
    wrong = [
        pc.invert(pc.is_in(values["taxon_id"], value_set=known)),
        pc.invert(pc.is_in(values["split"], value_set=splits)),
        *(
            pc.invert(pc.and_(pc.greater_equal(values[axis], -most), pc.less_equal(values[axis], most)))
            for axis, most in (("latitude", 90), ("longitude", 180))
        ),
    ]
    if "width" in values:
        wrong += [pc.less(values[side], 1) for side in ("width", "height")]
    else:
        rate, start, end = values["sample_rate"], values["start_s"], values["end_s"]
        limit = pc.add(values["duration_s"], pc.divide(1.0, pc.cast(rate, pa.float64())))
        ordered = pc.and_(pc.less_equal(0, start), pc.less(start, end))
        within = pc.and_(pc.less_equal(end, limit), pc.less(limit, math.inf))
        wrong += [pc.less(rate, 1), pc.invert(pc.and_(ordered, within))]
    return reduce(pc.or_, [pc.fill_null(each, False) for each in wrong])  # noqa: FBT003 - pyarrow takes it by position only


def _is_plain(texts: pa.Array, pattern: str) -> pa.Array:
    plain = pc.match_substring_regex(texts, pattern)
    short = pc.less_equal(pc.binary_length(texts), _MOST_BYTES)
    return pc.fill_null(pc.and_(plain, short), True)  # noqa: FBT003 - pyarrow takes it by position only
