"""What an update says of the items that a dataset had before."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from biovita.collect.changes import Changes, change_lines, changes_of
from support.bench_cases import write_small


def test_items_that_are_new_gone_changed_and_kept(tmp_path: Path) -> None:
    made = write_small(tmp_path / "birds", taxa=4, per_species=2)
    audio, images = made.table("audio"), made.table("images")
    rows, pictures = audio.num_rows, images.num_rows
    assert changes_of(tmp_path / "birds", audio, images) == Changes(0, 0, 0, rows + pictures, made.info["version"])
    other = pa.array(["CC-BY-SA-3.0", *audio["license"].to_pylist()[1:]], pa.string())
    audio = audio.set_column(audio.column_names.index("license"), "license", other)
    fresh = images.slice(0, 1)
    fresh = fresh.set_column(0, fresh.schema.field("id"), pc.binary_join_element_wise(fresh["id"], "new", "-"))
    split = pa.array(["unseen"] * pictures, pa.string())
    images = images.set_column(images.column_names.index("split"), "split", split)
    after = pa.concat_tables([images.slice(2), fresh])
    found = changes_of(tmp_path / "birds", audio, after)
    assert found == Changes(1, 2, 1, rows - 1 + pictures - 2, made.info["version"])
    assert changes_of(tmp_path / "none", audio, images) is None


def test_a_version_that_stayed_is_said_only_where_something_changed() -> None:
    lines = change_lines(Changes(1, 0, 0, 5, "1"), "1")
    assert lines[0] == "since the last build: 1 new, 0 gone, 0 changed, 5 kept"
    assert lines[1].startswith("the version is still 1: give another in the plan")
    assert len(change_lines(Changes(1, 0, 0, 5, "1"), "2")) == 1
    assert len(change_lines(Changes(0, 0, 0, 5, "1"), "1")) == 1
    assert change_lines(None, "1") == []
