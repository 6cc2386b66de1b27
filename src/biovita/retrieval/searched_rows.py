"""What a search knows of each window, photograph and taxon beside its vector: what filters ask for."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["FILTERED", "SEARCHED", "entry_id", "searched_schema"]

SEARCHED = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # of the window: `entry_id`; of a photograph or taxon its own
        pa.field("media_id", pa.string(), nullable=False),  # of the recording or photograph; of a taxon its id
        pa.field("state", pa.uint64(), nullable=False),  # of what was known of the medium when the row was written
        pa.field("start_s", pa.float64()),  # within the file; none of photographs and taxa
        pa.field("end_s", pa.float64()),
        pa.field("site", pa.string()),
        pa.field("license", pa.string()),
        pa.field("latitude", pa.float64()),
        pa.field("longitude", pa.float64()),
        pa.field("day", pa.date32()),  # with the next two: local, where the zone is known
        pa.field("month", pa.int8()),
        pa.field("hour", pa.int8()),
        pa.field(
            "taxa", pa.list_(pa.string()), nullable=False
        ),  # folded names of what is there, and of its lineage
    ]
)
FILTERED = {
    "media_id": "BTREE",
    "site": "BITMAP",
    "license": "BITMAP",
    "latitude": "BTREE",
    "longitude": "BTREE",
    "day": "BTREE",
    "month": "BITMAP",
    "hour": "BITMAP",
    "taxa": "LABEL_LIST",
}
"""The columns that filters ask for, and Lance's index of each."""


def searched_schema(dim: int) -> pa.Schema:
    """Return the columns of a table that is searched: `SEARCHED` and the vector, of length 1, as float16."""
    return pa.schema([*SEARCHED, pa.field("vector", pa.list_(pa.float16(), dim), nullable=False)])


def entry_id(media_id: str, start_s: float | None) -> str:
    """Return the id of a window of a recording, which any model with such a window gives it, or of a photograph.

    Examples
    --------
    >>> entry_id("5f1c", 4.5)
    '5f1c@4.5'
    >>> entry_id("5f1c", None)
    '5f1c'
    """
    return media_id if start_s is None else f"{media_id}@{round(start_s, 3):g}"
