"""A condition of a user's own over the recordings and photographs of an archive: SQL, in a room without doors.

The text may come from a stranger. DuckDB's parser takes it apart first, and only comparisons, arithmetic, and functions
of `FUNCTIONS` over columns and constants pass: no query within it, no table, no file, no setting. It runs over a table
in memory, in a database that can reach neither files nor the network, and whose settings are locked.
"""

from __future__ import annotations

import json
from threading import Timer
from typing import Any

import duckdb
import pyarrow as pa

from biovita.errors import BiovitaError
from biovita.sql import sql_text

__all__ = ["FUNCTIONS", "media_where"]

FUNCTIONS = frozenset(
    [
        "lower",
        "upper",
        "length",
        "trim",
        "contains",
        "starts_with",
        "ends_with",
        "prefix",
        "suffix",
        "regexp_matches",
        "regexp_full_match",
        "abs",
        "round",
        "floor",
        "ceil",
        "ceiling",
        "greatest",
        "least",
        "coalesce",
        "nullif",
        "year",
        "month",
        "day",
        "hour",
        "minute",
        "second",
        "dayofweek",
        "isodow",
        "dayofyear",
        "week",
        "date_part",
        "datepart",
        "list_contains",
        "list_has",
        "array_contains",
        "array_has",
        "list_has_any",
        "array_length",
        "len",
        "list_value",
        "replace",
        "strftime",
        "concat",
        "||",
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "~~",
        "~~*",
        "!~~",
        "!~~*",
        "~~~",
        "like_escape",
        "ilike_escape",
        "not_like_escape",
        "not_ilike_escape",
    ]
)
"""Functions and operators that a condition may use."""

_LONGEST = 2000
_SECONDS = 5.0
_MEMORY = "512MiB"
_CLASSES = {
    "COLUMN_REF",
    "CONSTANT",
    "COMPARISON",
    "CONJUNCTION",
    "OPERATOR",
    "FUNCTION",
    "BETWEEN",
    "CASE",
    "CAST",
    "TYPE",
}
_TYPES = {
    *("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL", "VARCHAR"),
    *("DATE", "TIME", "TIMESTAMP", "INTERVAL"),
}
_SETTINGS = (
    "SET enable_external_access = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    f"SET memory_limit = '{_MEMORY}'",
    "SET max_temp_directory_size = '0KiB'",
    "SET threads = 2",
    "SET lock_configuration = true",
)


def media_where(media: pa.Table, condition: str, *, seconds: float = _SECONDS) -> pa.Array:
    """Return the ids of the rows for which a condition holds.

    Parameters
    ----------
    media
        A column ``id``, and those that the condition may name.
    condition
        What could stand behind WHERE.
    seconds
        How long it may take.

    Raises
    ------
    BiovitaError
        Where it is no condition, asks for more than columns, constants and `FUNCTIONS`, or takes longer.
    """
    if len(condition) > _LONGEST:
        raise BiovitaError(f"--where has {len(condition):,} characters, and {_LONGEST:,} are the most")
    if not condition.strip():
        raise BiovitaError("--where is empty. Write what could stand behind WHERE: site = 'pond'")
    if "\0" in condition:
        raise BiovitaError("--where holds the character NUL, which no condition can hold")
    with duckdb.connect(":memory:") as database:
        for setting in _SETTINGS:
            database.execute(setting)
        _check(_parsed(database, condition), media.column_names)
        database.register("media", media)
        stop = Timer(seconds, database.interrupt)
        stop.start()
        try:
            found = database.sql(f"SELECT id FROM media WHERE ({condition}\n)").to_arrow_table()  # noqa: S608
        except duckdb.InterruptException:
            raise BiovitaError(f"--where takes longer than {seconds:g} s. Ask for less") from None
        except duckdb.Error as error:
            raise _refused(_first_line(error)) from None
        finally:
            stop.cancel()
    return found["id"].combine_chunks().cast(pa.string())


def _parsed(database: duckdb.DuckDBPyConnection, condition: str) -> dict[str, Any]:
    """Return the tree of a condition, as DuckDB's parser has it.

    Raises
    ------
    BiovitaError
        Where it is not one condition and nothing else.
    """
    query = f"SELECT id FROM media WHERE ({condition}\n)"  # noqa: S608 - parsed, and run only when it was looked at
    try:
        rows = database.execute(f"SELECT json_serialize_sql({sql_text(query)})").fetchall()
    except duckdb.Error as error:
        raise _refused(_first_line(error)) from None
    tree = json.loads(rows[0][0])
    if tree.get("error"):
        raise _refused(str(tree.get("error_message", "it is not understood")))
    statements = tree.get("statements", [])
    node = statements[0].get("node", {}) if len(statements) == 1 else {}
    plain = (
        node.get("type") == "SELECT_NODE" and not node.get("modifiers") and not node.get("cte_map", {}).get("map")
    )
    of_media = node.get("from_table", {}).get("type") == "BASE_TABLE" and node.get("having") is None
    grouped = node.get("group_expressions") or node.get("qualify") is not None or node.get("sample") is not None
    where = node.get("where_clause")
    if not plain or not of_media or grouped or not isinstance(where, dict):
        raise _refused("it is more than one condition")
    return where


def _check(tree: object, columns: list[str]) -> None:
    """Raise a BiovitaError where a condition holds what it may not."""
    if isinstance(tree, list):
        for each in tree:
            _check(each, columns)
        return
    if not isinstance(tree, dict):
        return
    kind = tree.get("class")
    if kind is not None:
        if kind not in _CLASSES:
            raise _refused(f"{str(kind).lower()} is not allowed in it")
        if kind == "COLUMN_REF" and tree.get("column_names", [""])[-1] not in columns:
            named = ".".join(tree.get("column_names", []))
            raise _refused(f"there is no column {named!r}. There are {', '.join(columns)}")
        if kind == "FUNCTION":
            _check_function(tree)
        if kind == "TYPE" and (tree.get("type_name") not in _TYPES or tree.get("children")):
            raise _refused(f"the type {tree.get('type_name')} is not allowed in it")
        if kind == "CAST" and "cast_type" in tree and tree["cast_type"].get("id") not in _TYPES:
            raise _refused("a value is turned into a type that is not allowed in it")
    for each in tree.values():
        _check(each, columns)


def _check_function(tree: dict[str, Any]) -> None:
    name = tree.get("function_name", "")
    path = tree.get("qualified_name", {}).get("path", [name])
    if name not in FUNCTIONS or path != [name] or tree.get("schema") or tree.get("catalog"):
        named = ", ".join(sorted(each for each in FUNCTIONS if each[0].isalpha()))
        raise _refused(f"the function {name!r} is not allowed in it. These are: {named}")


def _refused(why: str) -> BiovitaError:
    return BiovitaError(
        f"--where is refused: {why}. Write what could stand behind WHERE: site = 'pond' AND gain > 2"
    )


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0][:300].rstrip(".")
