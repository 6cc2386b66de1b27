from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from biovita.sources import rows_read
from biovita.sources.rows_read import TableRead, lines_read


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 22])
def test_lines_are_counted_wherever_the_file_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(rows_read, "_CHUNK", size)
    drawn = random.Random(7)
    for number in range(40):
        lines = ["name\tplace", *(drawn.choice(["a\tb", "", "\t", "x"]) for _ in range(drawn.randrange(9)))]
        end = drawn.choice(["\n", "\r\n"])
        last = drawn.choice(["", end]) if lines[-1] else end
        content = (end.join(lines) + last).encode()
        file = tmp_path / f"{number}.csv.gz"
        file.write_bytes(gzip.compress(content))
        below = lines[1:]
        assert lines_read(file) == TableRead(file.name, len(below), below.count("")), content


def test_a_file_without_a_line_has_no_rows(tmp_path: Path) -> None:
    file = tmp_path / "none.csv"
    file.write_bytes(b"")
    assert lines_read(file) == TableRead("none.csv", 0)
