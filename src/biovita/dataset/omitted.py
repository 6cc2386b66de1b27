"""The records that a plan left out; read in parts, for there may be tens of millions."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biovita.dataset.dataset import Dataset
from biovita.dataset.schema import OMITTED
from biovita.errors import DatasetError
from biovita.foreign_tables import Held
from biovita.parquet import parquet_batches

__all__ = ["count_omitted"]


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
    held = Held(str(file))
    try:
        columns = pq.read_schema(file.absolute())
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{file} cannot be read as Parquet: {error}") from error
    if not columns.equals(OMITTED):
        raise DatasetError(f"{file} does not have the columns {', '.join(OMITTED.names)}, as they have to be")
    for batch in parquet_batches(file, pa.schema([OMITTED.field("reason")])):
        for each in pc.value_counts(batch.column("reason")).to_pylist():
            if each["values"] not in counts:
                held.add(200 + len(each["values"] or ""))
            counts[each["values"]] += each["counts"]
    return dict(sorted(counts.items()))
