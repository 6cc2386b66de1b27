"""The dataset on disk: schema, reading, writing, checking, splitting."""

from biovita.dataset.dataset import Dataset, write_dataset, write_table
from biovita.dataset.schema import Split
from biovita.dataset.split import SplitReport, split_dataset

__all__ = [
    "Dataset",
    "Split",
    "SplitReport",
    "split_dataset",
    "write_dataset",
    "write_table",
]
