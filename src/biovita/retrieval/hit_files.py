"""Hits as a file: a CSV table that spreadsheets show and do not run, or Parquet."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biovita.csv_safe import write_rows
from biovita.files import replacing

__all__ = ["write_hits"]


def write_hits(hits: pa.Table, file: Path) -> None:
    """Write hits, as `biovita.retrieval.hit_rows.HITS` has them; in a CSV table lists are joined by ``; ``."""
    with replacing(file) as scratch:
        if file.suffix == ".parquet":
            with scratch.open("wb") as raw:
                pq.write_table(hits, raw)
            return
        for place, field in enumerate(hits.schema):
            if pa.types.is_list(field.type):
                hits = hits.set_column(place, field.name, pc.binary_join(hits[field.name], "; "))
        with scratch.open("w", encoding="utf-8", newline="") as stream:
            write_rows(stream, hits.column_names, hits.to_pylist())
