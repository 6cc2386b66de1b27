"""Names of a checklist without their authorship, a column at a time."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from biovita.taxonomy.parse import parse_name

__all__ = ["plain_names"]

_PLAIN_NAME = r"^[A-Z][a-z-]+( × ?| )?([a-z-]+)?( [a-z-]+)?$"


def plain_names(table: pa.Table) -> pa.Array:
    """Return the names without authorship, by the surest way that the columns allow.

    Parameters
    ----------
    table
        A column ``scientificName``, and where they are known ``canonicalName`` or ``scientificNameAuthorship``.
    """
    full = table["scientificName"].combine_chunks()
    if "canonicalName" in table.column_names:
        names = pc.coalesce(table["canonicalName"].combine_chunks(), full)
    elif "scientificNameAuthorship" in table.column_names:
        names = _without_authorship(full, table["scientificNameAuthorship"].combine_chunks())
    else:
        names = full
    odd = pc.invert(pc.match_substring_regex(names, _PLAIN_NAME))
    parsed = [parse_name(name) for name in names.filter(odd).to_pylist()]
    written = [
        name.canonical if name.canonical and name.authorship and not name.qualifier else name.verbatim
        for name in parsed
    ]
    return pc.replace_with_mask(names, odd, pa.array(written, pa.string())) if written else names


def _without_authorship(full: pa.Array, authorship: pa.Array) -> pa.Array:
    """Return names without the authorship at their end, which a second column states."""
    import duckdb

    pairs = pa.table({"full": full, "author": authorship})
    with duckdb.connect() as connection:
        connection.register("pairs", pairs)
        connection.execute("SET threads = 2")
        stripped = connection.sql(
            "SELECT CASE WHEN author IS NOT NULL AND suffix(\"full\", ' ' || author) "
            'THEN left("full", length("full") - length(author) - 1) ELSE "full" END AS name FROM pairs'
        ).to_arrow_table()
    return stripped["name"].cast(pa.string()).combine_chunks()
