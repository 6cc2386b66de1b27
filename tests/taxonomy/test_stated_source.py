"""What checklists say of themselves is found where they say it, also in documents that were made to stop a reader."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from biovita.taxonomy.checklist_files import list_files
from biovita.taxonomy.stated_source import StatedSource, stated_source

PACKAGE = 'packageId="x/1.2"'
RIGHTS = "<intellectualRights><para>No &quot;rights&quot; <ulink url='u'>CC0</ulink></para></intellectualRights>"


@pytest.mark.parametrize(
    ("name", "text", "stated"),
    [
        ("eml.xml", f'<eml:eml a="1" {PACKAGE}><title>A\n  B</title><title>C</title>', ("A B", "x/1.2", None, None)),
        ("eml.xml", f"<pubDate>2024-01-02</pubDate>{RIGHTS}", (None, None, "2024-01-02", 'No "rights" CC0')),
        ("eml.xml", "<title>never ends", (None, None, None, None)),
        ("metadata.yaml", "title: A\nversion: '2.0'\nnested:\n  license: no\n", ("A", "2.0", None, None)),
        ("other.txt", "", (None, "2019", None, None)),
    ],
)  # fmt: skip
def test_what_is_stated(tmp_path: Path, name: str, text: str, stated: tuple[str | None, ...]) -> None:
    (tmp_path / name).write_text(text)
    assert stated_source(list_files(tmp_path), "birds_v2019.csv") == StatedSource(*stated)


@pytest.mark.parametrize("part", ["<title", "<title>", "<eml:eml ", "<intellectualRights>" + "<" * 50])
def test_a_document_that_says_nothing_a_million_times_is_read_at_once(tmp_path: Path, part: str) -> None:
    (tmp_path / "eml.xml").write_text(part * (4_000_000 // len(part)))
    start = time.process_time()
    assert stated_source(list_files(tmp_path), "x") == StatedSource()
    assert time.process_time() - start < 3
