from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biovita.archive import pieces as cutting
from biovita.archive.pieces import located, photograph_items, pieces
from biovita.dataset.dataset import Dataset
from biovita.media.hearing import Hearing
from biovita.towers.encoder import Windowing
from support.bench_cases import write_small
from support.found_events import photographs_of, recordings_of


def begins_of(cut: cutting.Pieces, lengths: list[float]) -> list[list[float]]:
    """Return where windows begin, by recording, from the pieces alone."""
    found: list[list[float]] = [[] for _ in lengths]
    rows = cut.items.rows.select(["start_s", "end_s"]).to_pylist()
    for row, media, most in zip(rows, cut.recording.tolist(), cut.windows.tolist(), strict=True):
        end = lengths[media] if row["end_s"] is None else row["end_s"]
        count = min(most, cut.windowing.count(end - row["start_s"]))
        found[media] += [row["start_s"] + number * cut.windowing.hop_s for number in range(count)]
    return found


@given(
    lengths=st.lists(st.floats(0.01, 4000), min_size=1, max_size=4),
    overlap=st.sampled_from([0.0, 0.5, 0.8]),
    expand=st.floats(0.1, 20),
)
@settings(deadline=None, max_examples=60)
def test_windows_of_pieces_are_those_of_the_whole_recording(
    lengths: list[float], overlap: float, expand: float
) -> None:
    heard = Windowing(3.0, 3.0 * (1 - overlap), 1.5)
    rows = [{"id": str(number), "duration_s": length} for number, length in enumerate(lengths)]
    cut = pieces(recordings_of(*rows), heard, Hearing(expand=expand))
    for length, begins in zip(lengths, begins_of(cut, lengths), strict=True):
        whole = cut.windowing.count(length)
        assert len(begins) == whole
        np.testing.assert_allclose(begins, np.arange(whole) * heard.hop_s / expand, atol=1e-6)


def test_a_long_recording_is_cut_where_windows_begin() -> None:
    cut = pieces(recordings_of({"id": "a", "duration_s": 700.0}), Windowing(3.0, 1.5, 1.5), Hearing())
    rows = cut.items.rows.select(["id", "start_s", "end_s"]).to_pylist()
    assert [(row["id"], row["start_s"], row["end_s"]) for row in rows] == [
        ("a/0", 0.0, 301.5),
        ("a/200", 300.0, 601.5),
        ("a/400", 600.0, None),  # whatever the header says, it is heard to its end
    ]
    assert cut.recording.tolist() == [0, 0, 0]
    assert cut.windows.tolist()[:2] == [200, 200]


def test_a_span_and_a_channel_are_kept() -> None:
    row = {"id": "a", "duration_s": 100.0, "start_s": 10.0, "end_s": 14.0, "channel": 2}
    cut = pieces(recordings_of(row), Windowing(3.0, 1.5, 1.5), Hearing())
    (item,) = cut.items.rows.to_pylist()
    assert (item["start_s"], item["end_s"], item["channel"]) == (10.0, 14.0, 2)


def test_slower_is_heard_in_smaller_windows_and_as_long_pieces() -> None:
    cut = pieces(recordings_of({"id": "a", "duration_s": 70.0}), Windowing(3.0, 1.5, 1.5), Hearing(expand=10))
    assert (cut.windowing.size_s, cut.windowing.hop_s, cut.windowing.shortest_s) == pytest.approx(
        (0.3, 0.15, 0.15)
    )
    assert cut.items.rows["start_s"].to_pylist() == pytest.approx([0.0, 30.0, 60.0])


def test_no_recordings_are_no_pieces() -> None:
    assert len(pieces(recordings_of(), Windowing(3.0, 3.0), Hearing()).items) == 0


def test_boxes_of_photographs_are_items() -> None:
    items = photograph_items(photographs_of({"id": "a+1", "box": [0.1, 0.2, 0.3, 0.4]}, {"id": "b"}))
    assert items.ids.to_pylist() == ["a+1", "b"]
    assert items.rows["box"].to_pylist() == [[0.1, 0.2, 0.3, 0.4], None]


def test_files_are_found_by_themselves_or_in_their_dataset(tmp_path: Path) -> None:
    dataset = write_small(tmp_path / "data", taxa=1, per_species=1)
    inside = str(dataset.path / "t0-0.wav")
    find = pickle.loads(
        pickle.dumps(
            located(recordings_of({"id": "a", "path": inside, "dataset": str(dataset.path)}, {"id": "b"}))
        )
    )
    assert find("/b.wav") == Path("/b.wav")
    assert find(inside) == Dataset.open(dataset.path).locate("t0-0.wav")
