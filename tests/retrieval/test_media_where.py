"""Conditions of a user's own: what may be asked, and what is refused, whoever wrote it."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biovita.errors import BiovitaError
from biovita.retrieval.media_where import media_where

MEDIA = pa.table(
    {
        "id": ["a", "b", "c"],
        "site": ["pond", "hill", None],
        "n": [1, 2, 3],
        "nets": pa.array([[1], [2], []], pa.list_(pa.int64())),
        "begin_local": pa.array([0, 10**15, None], pa.timestamp("us")),
    }
)
ASKED = {
    "site = 'pond'": "a",
    "n > 1 AND site IS NOT NULL": "b",
    "site LIKE 'p%' OR n IN (3)": "ac",
    "n BETWEEN 1 AND 2": "ab",
    "year(begin_local) = 2001": "b",
    "begin_local > '1980-01-01'": "b",
    "begin_local > TIMESTAMP '1980-01-01'": "b",
    "list_contains(nets, 2)": "b",
    "NOT (n = 1)": "bc",
    "CASE WHEN n = 1 THEN true ELSE false END": "a",
    "n + 1 = 2": "a",
    "n::VARCHAR = '1'": "a",
    "site IS DISTINCT FROM 'pond'": "bc",
    "regexp_matches(site, '^p')": "a",
    "n = 1 -- and nothing else": "a",
    "site = 'x''; DROP TABLE media; --'": "",
}
HOSTILE = [
    "1=1); DROP TABLE media; --",
    "n IN (SELECT 1)",
    "EXISTS (SELECT 1)",
    "n = (SELECT count(*) FROM read_csv('/etc/passwd'))",
    "n = (SELECT count(*) FROM '/etc/passwd')",
    "id = 'a' UNION SELECT 1",
    "getenv('HOME') = 'x'",
    "current_setting('memory_limit') = 'x'",
    "read_text('/etc/passwd') = 'x'",
    "repeat('x', 1000000000) = 'x'",
    "list_transform(nets, x -> x) = nets",
    "random() > 0.5",
    "COLUMNS(*) = 1",
    "count(*) > 1",
    "sum(n) OVER () > 1",
    "n = ?",
    "n = $1",
    "n = 1 LIMIT 1",
    "n = 1 GROUP BY id",
    "n = 1 ORDER BY id",
    "main.lower(site) = 'pond'",
    "CAST(site AS STRUCT(a INT)) IS NULL",
    "nosuch = 1",
    "n = 1 /*",
    "n =",
    "",
    "   ",
    "n = '\0'",
    "n = 1 AND " * 500 + "n = 1",
    "ATTACH 'x.db'",
    "PRAGMA version",
    "install httpfs",
    "1) FROM media; COPY media TO '/tmp/x'; SELECT id FROM media WHERE (1=1",
]


@pytest.mark.parametrize(("condition", "ids"), ASKED.items())
def test_what_may_be_asked(condition: str, ids: str) -> None:
    assert "".join(sorted(media_where(MEDIA, condition).to_pylist())) == ids


@pytest.mark.parametrize("condition", HOSTILE)
def test_what_is_refused(condition: str) -> None:
    with pytest.raises(BiovitaError, match="--where"):
        media_where(MEDIA, condition)


def test_what_takes_long_is_stopped() -> None:
    rows = pa.table({"id": pa.array(["x" * 2000] * 100_000)})
    began = time.monotonic()
    with pytest.raises(BiovitaError, match="longer than"):
        media_where(rows, " OR ".join(f"regexp_matches(id, '(x+x+)+{each}y')" for each in range(40)), seconds=0.2)
    assert time.monotonic() - began < 20


@given(st.text(max_size=60))
def test_any_text_is_answered_or_refused(text: str) -> None:
    try:
        found = media_where(MEDIA, text).to_pylist()
    except BiovitaError:
        return
    assert set(found) <= {"a", "b", "c"}
