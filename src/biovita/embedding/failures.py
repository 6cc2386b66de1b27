"""The items that could not be embedded, and why: ``embeddings/<model>/failed.parquet``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from biovita.dataset.dataset import write_table
from biovita.errors import DatasetError
from biovita.modality import Modality
from biovita.parquet import read_parquet

__all__ = ["FAILED", "Failure", "read_failures", "write_failures"]

FAILED = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("modality", "id", "reason", "detail")]
)


@dataclass(frozen=True, slots=True)
class Failure:
    """An item without a vector.

    Attributes
    ----------
    reason
        Short, stable code, as `MediaError.reason`; ``not-finite`` where the tower gave NaN or infinity.
    """

    modality: Modality
    id: str
    reason: str
    detail: str


def read_failures(directory: Path) -> tuple[Failure, ...]:
    """Return the failures that the last run over ``embeddings/<model>`` listed.

    Raises
    ------
    DatasetError
        Where the list cannot be read.
    """
    file = directory / "failed.parquet"
    if not file.is_file():
        return ()
    try:
        rows = read_parquet(file, FAILED).to_pylist()
        return tuple(Failure(**{**row, "modality": Modality(row["modality"])}) for row in rows)
    except ValueError as error:
        raise DatasetError(
            f"{file} cannot be read as the list of what failed: {error}. Remove it and run biovita embed again"
        ) from error


def write_failures(directory: Path, failures: Iterable[Failure]) -> None:
    """Write the list, or remove it where it is empty."""
    rows = [asdict(failure) for failure in failures]
    file = directory / "failed.parquet"
    if rows:
        directory.mkdir(parents=True, exist_ok=True)
        write_table(pa.Table.from_pylist(rows, schema=FAILED), file)
    else:
        file.unlink(missing_ok=True)
