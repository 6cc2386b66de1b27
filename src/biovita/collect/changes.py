"""What an update changes of a dataset: items that are new, that are gone, and that are described otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from biovita.dataset.dataset import Dataset

__all__ = ["Changes", "change_lines", "changes_of"]


@dataclass(frozen=True, slots=True)
class Changes:
    """How many recordings and photographs a dataset has in common with what it was before.

    Attributes
    ----------
    new, gone
        Items that only one of the two has.
    changed
        Items of both of which anything but the split is another: the taxon, the licence, the file.
    kept
        Items of both that are as they were.
    version
        The version before.
    """

    new: int
    gone: int
    changed: int
    kept: int
    version: str


def changes_of(out: Path, audio: pa.Table, images: pa.Table) -> Changes | None:
    """Return what becomes of the items of the dataset at ``out`` by these tables; None where there is no dataset."""
    if not (out / "dataset.toml").is_file():
        return None
    import duckdb

    old, counts = Dataset(out), [0, 0, 0, 0]
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        for before, after in ((old.table("audio"), audio), (old.table("images"), images)):
            connection.register("before", before.drop_columns("split"))
            connection.register(
                "after", after.drop_columns("split").select(before.drop_columns("split").column_names)
            )
            (found,) = connection.sql(_COUNTS).fetchall()
            counts = [count + more for count, more in zip(counts, found, strict=True)]
    new, gone, changed, kept = counts
    return Changes(new, gone, changed, kept, str(old.info.get("version", "")))


_COUNTS = """
    WITH other AS (SELECT id FROM (SELECT * FROM after EXCEPT SELECT * FROM before))
    SELECT
        (SELECT count(*) FROM after ANTI JOIN before USING (id)),
        (SELECT count(*) FROM before ANTI JOIN after USING (id)),
        (SELECT count(*) FROM other SEMI JOIN before USING (id)),
        (SELECT count(*) FROM after) - (SELECT count(*) FROM other)
"""


def change_lines(changes: Changes | None, version: str) -> list[str]:
    """Return changes as lines of text, with what to do where the version does not show them."""
    if changes is None:
        return []
    new, gone, changed = changes.new, changes.gone, changes.changed
    lines = [f"since the last build: {new:,} new, {gone:,} gone, {changed:,} changed, {changes.kept:,} kept"]
    if new + gone + changed and version == changes.version:
        lines.append(
            f"the version is still {version}: give another in the plan to tell this dataset from that one"
        )
    return lines
