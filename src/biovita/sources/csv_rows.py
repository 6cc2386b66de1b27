"""CSV tables with a header, row by row, with line numbers."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from biovita.csv_safe import plain_cell
from biovita.errors import DatasetError
from biovita.sources.base import Rejected

__all__ = ["read_table"]

MAX_FIELD = 16 << 20


def read_table(
    path: Path, needed: Sequence[str], delimiter: str = ","
) -> Iterator[tuple[int, dict[str, str]] | Rejected]:
    """Yield (line where the row begins, values by column) of a UTF-8 table, compressed or not.

    Rows with too few or too many columns come as rejected. Cells are read as `biovita.csv_safe` writes them.

    Raises
    ------
    DatasetError
        Where there is no such file, it lacks one of the columns ``needed``, or it is not UTF-8.
    """
    csv.field_size_limit(MAX_FIELD)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as raw:
            stream = io.TextIOWrapper(cast(BinaryIO, raw), encoding="utf-8-sig", newline="")
            yield from _rows(path, csv.reader(stream, delimiter=delimiter, strict=True), needed)
    except FileNotFoundError:
        raise DatasetError(f"{path}: there is no such file") from None
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path}: is not UTF-8: {error.reason} (byte {error.object[error.start]:#04x})"
        ) from None
    except (OSError, EOFError) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from None


def _rows(
    path: Path, reader: Iterator[list[str]], needed: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]] | Rejected]:
    header = next(reader, [])
    missing = [column for column in needed if column not in header]
    if missing:
        raise DatasetError(
            f"{path}, line 1: lacks the column(s) {', '.join(missing)}; it has {', '.join(header[:12])}"
        )
    while True:
        line = reader.line_num + 1  # type: ignore[attr-defined] # of csv.reader
        try:
            values = next(reader, None)
        except csv.Error as error:
            yield Rejected("unknown", path.name, line, "not-csv", str(error))
            continue
        if values is None:
            return
        if not any(values):
            continue
        if len(values) != len(header):
            detail = f"{len(values)} columns, and the header has {len(header)}"
            yield Rejected("unknown", path.name, line, "not-as-described", detail)
            continue
        yield line, dict(zip(header, map(plain_cell, values), strict=True))
