"""What labels say is in a window or photograph that was found."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import Archive
from biovita.archive.present_taxa import present_taxa

__all__ = ["LabelsThere"]

_LABELS = """
    SELECT r.row, list(l.scientific_name ORDER BY l.by_kind, l.score DESC NULLS LAST, l.scientific_name) AS names,
           list(l.by_kind ORDER BY l.by_kind, l.score DESC NULLS LAST, l.scientific_name) AS kinds
    FROM found r JOIN labels l USING (media_id)
    WHERE (l.start_s IS NULL OR r.end_s IS NULL OR l.start_s < r.end_s)
      AND (l.end_s IS NULL OR r.start_s IS NULL OR l.end_s > r.start_s)
    GROUP BY r.row ORDER BY r.row
"""
_COLUMNS = ["media_id", "start_s", "end_s", "scientific_name", "by_kind", "score"]


class LabelsThere:
    """The labels of an archive's media that say of a taxon that it is there, those of people first.

    Parameters
    ----------
    archive
        Its tables are read once.
    """

    def __init__(self, archive: Archive) -> None:
        tables = [
            archive.table(name).select([*_COLUMNS, "kind", "presence"]) for name in ("labels", "annotations")
        ]
        self._labels = present_taxa(pa.concat_tables(tables)).select(_COLUMNS)

    def names(self, rows: pa.Table) -> list[list[str]]:
        """Return the scientific names of each row, without repeats; ``rows`` have media_id, start_s and end_s."""
        return [list(dict.fromkeys(name for name, _ in each)) for each in self._of(rows)]

    def names_and_kinds(self, rows: pa.Table) -> list[list[tuple[str, str]]]:
        """Return the scientific names of each row, and whether a person or a machine gave each."""
        return [list(dict.fromkeys(each)) for each in self._of(rows)]

    def _of(self, rows: pa.Table) -> Sequence[list[tuple[str, str]]]:
        here = self._labels.filter(pc.is_in(self._labels["media_id"], value_set=rows["media_id"].combine_chunks()))
        found: list[list[tuple[str, str]]] = [[] for _ in range(len(rows))]
        if not len(here):
            return found
        asked = rows.select(["media_id", "start_s", "end_s"]).append_column("row", pa.array(np.arange(len(rows))))
        with duckdb.connect() as database:
            database.register("found", asked)
            database.register("labels", here)
            named = database.sql(_LABELS).to_arrow_table()
        for row, names, kinds in zip(
            *(named[name].to_pylist() for name in ("row", "names", "kinds")), strict=True
        ):
            found[row] = [(name, kind or "") for name, kind in zip(names, kinds, strict=True) if name]
        return found
