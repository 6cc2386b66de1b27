"""The records that a plan left out; read in parts, for there may be tens of millions."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biovita.dataset.schema import OMITTED
from biovita.dataset.store import Dataset
from biovita.errors import DatasetError

__all__ = ["count_omitted"]

_ROWS = 1 << 16


def count_omitted(dataset: Dataset) -> dict[str, int]:
    """Return how many records ``omitted.parquet`` lists for each reason; none where a dataset has no such table.

    Raises
    ------
    DatasetError
        Where the file is not Parquet, or its columns are not those of `OMITTED`.
    """
    file = dataset.path / "omitted.parquet"
    if not file.is_file():
        return {}
    counts: Counter[str] = Counter()
    try:
        with pq.ParquetFile(file) as parquet:
            if not parquet.schema_arrow.equals(OMITTED):
                raise DatasetError(
                    f"{file} does not have the columns {', '.join(OMITTED.names)}, as they have to be"
                )
            for batch in parquet.iter_batches(_ROWS, columns=["reason"]):
                for each in pc.value_counts(batch.column("reason")).to_pylist():
                    counts[each["values"]] += each["counts"]
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(f"{file} cannot be read as Parquet: {error}") from error
    return dict(sorted(counts.items()))
