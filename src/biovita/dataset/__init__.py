"""The dataset on disk: schema, reading, writing, checking, splitting."""

from biovita.dataset.schema import Split
from biovita.dataset.split import SplitReport, split_dataset
from biovita.dataset.store import Dataset, new_directory, write_dataset, write_table

__all__ = [
    "Dataset",
    "Split",
    "SplitReport",
    "new_directory",
    "split_dataset",
    "write_dataset",
    "write_table",
]
