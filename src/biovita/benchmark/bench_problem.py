"""What is not as it has to be in the files of a benchmark, and which paths its media may have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

__all__ = ["BenchmarkProblem", "can_be_path", "leads_out"]


@dataclass(frozen=True)
class BenchmarkProblem:
    """Something in a benchmark's files that is not as it has to be.

    Attributes
    ----------
    code
        Short and stable, such as ``id-out-of-range``.
    file, row
        Where; in a CSV file the header is row 1, in a Parquet file the first item; 0 means the whole file.
    counts
        Whether it changes a score.
    """

    code: str
    file: str
    row: int
    detail: str
    counts: bool = True

    def __str__(self) -> str:
        """Return it as one line."""
        where = f"{self.file}, row {self.row}" if self.row else self.file
        return f"{self.code}: {where}: {self.detail}"


def leads_out(path: str) -> bool:
    """Return whether a relative path leads out of where it starts, or is no path."""
    parts = PurePosixPath(path.replace("\\", "/"))
    return parts.is_absolute() or ".." in parts.parts or not can_be_path(path)


def can_be_path(text: str) -> bool:
    """Return whether a text can be a path: file systems take 255 bytes a name, and no NUL."""
    names = [name.encode(errors="replace") for name in text.split("/")]
    return "\x00" not in text and len(text) <= 4096 and all(len(name) <= 255 for name in names)
