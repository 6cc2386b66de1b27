"""Texts, names and files as SQL has them, and how DuckDB reads tables that are too large to be read row by row."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["identifier", "named_csv", "parquet", "sql_file", "sql_text", "typed_tsv"]

_PATTERN = re.compile(r"[*?[]")


def sql_text(value: str | Path) -> str:
    """Return a string literal of SQL."""
    return "'" + str(value).replace("'", "''") + "'"


def sql_file(file: Path) -> str:
    """Return a string literal of SQL that names one file to DuckDB, which takes ``*``, ``?`` and ``[`` as patterns."""
    return sql_text(_PATTERN.sub(r"[\g<0>]", os.path.abspath(file)))  # noqa: PTH100 - links are not followed


def parquet(file: Path) -> str:
    """Return the table of a Parquet file in SQL: its columns alone, whatever the folders above are called."""
    return f"read_parquet({sql_file(file)}, hive_partitioning = false)"


def identifier(name: str) -> str:
    """Return a quoted identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def typed_tsv(file: Path, columns: Mapping[str, str], rejects: str) -> str:
    """Return a tab-separated table without quotes in SQL.

    A row may end early, or have one cell more, ``_beyond``. Rows that do not fit are passed over, and listed in the
    table ``rejects``.

    Parameters
    ----------
    columns
        All columns of the file with their types, in order.
    """
    types = ", ".join(f"{sql_text(name)}: {sql_text(type_)}" for name, type_ in columns.items())
    return (
        f"read_csv({sql_file(file)}, hive_partitioning = false, delim = '\t', quote = '', escape = '', header = true, "
        f"auto_detect = false, columns = {{{types}, '_beyond': 'VARCHAR'}}, null_padding = true, "
        f"store_rejects = true, rejects_limit = 0, rejects_table = {sql_text(rejects)}, "
        f"rejects_scan = {sql_text(rejects + '_scan')})"
    )


def named_csv(file: Path) -> str:
    """Return a CSV table with a header in SQL, all of its cells as text."""
    return f"read_csv({sql_file(file)}, hive_partitioning = false, header = true, all_varchar = true)"
