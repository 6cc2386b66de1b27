"""Recordings are cut into pieces, embedded and read back: the windows are those of the recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from biovita.archive import pieces as cutting
from biovita.archive.embed_media import embed_media, failed_rows, media_made
from biovita.archive.pieces import Pieces, photograph_items, pieces
from biovita.archive.stored_windows import photograph_vectors, window_places, window_vectors
from biovita.embedding.engine import Settings
from biovita.embedding.lance_table import LanceTable
from biovita.errors import DatasetError
from biovita.media.hearing import Hearing
from biovita.media.inputs import Clip
from support.found_events import photographs_of, recordings_of
from support.sound_files import song, write_sound
from support.stub_listener import StubListener

QUIET = Settings(workers=1, progress=False)


def stored(
    place: Path, recordings: pa.Table, overlap: float, hearing: Hearing
) -> tuple[Pieces, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Embed recordings; return the pieces, and of each window its recording, begin, end and vector."""
    encoder = StubListener(overlap)
    cut = pieces(recordings, encoder.windows, hearing)
    table = LanceTable(place)
    embed_media(cut.items, encoder, media_made(encoder, hearing), table, QUIET)
    parts = list(window_vectors(cut, recordings, table.snapshot()))
    media, start, end, vectors = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("media", "start_s", "end_s", "vectors")
    )
    return cut, media, start, end, vectors


@pytest.mark.parametrize(
    ("rate", "seconds", "overlap", "expand"),
    [(8000, 40, 0.0, 1), (8000, 40.7, 0.5, 1), (8000, 38.2, 0.8, 1), (22_050, 4.3, 0.5, 10), (48_000, 6, 0.8, 7)],
)
def test_pieces_hold_the_windows_of_the_whole_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: int, seconds: float, overlap: float, expand: int
) -> None:
    samples = song(seconds, rate)
    file, hearing = write_sound(tmp_path / "a.wav", samples, rate), Hearing(expand=expand)
    recordings = recordings_of(
        {"id": "a", "path": str(file), "duration_s": len(samples) / rate, "sample_rate": rate}
    )
    monkeypatch.setattr(cutting, "_SECONDS", 12.0)
    cut, media, start, end, vectors = stored(tmp_path / "cut", recordings, overlap, hearing)
    assert len(cut.items) > 2
    encoder = StubListener(overlap)
    loaded = encoder.load(Clip(file, hearing=hearing))
    assert isinstance(loaded, np.ndarray)
    assert len(start) == len(loaded)
    assert not media.any()
    np.testing.assert_allclose(start, np.arange(len(start)) * encoder.windows.hop_s / expand, atol=1e-9)
    np.testing.assert_allclose(end, np.minimum(start + 3 / expand, len(samples) / rate))
    # At the rate of the encoder the samples are the same; resampled, pieces begin between two of them.
    np.testing.assert_allclose(vectors, encoder.encode_windows(list(loaded)), atol=1e-6 if expand == 1 else 0.1)


def test_windows_are_found_again_by_their_begin(tmp_path: Path) -> None:
    files = [write_sound(tmp_path / f"{name}.wav", song(7, 8000, seed=ord(name)), 8000) for name in "ab"]
    recordings = recordings_of(
        *({"id": file.stem, "path": str(file), "duration_s": 7.0, "sample_rate": 8000} for file in files)
    )
    cut, media, start, _, vectors = stored(tmp_path / "table", recordings, 0.5, Hearing())
    snapshot = LanceTable(tmp_path / "table").snapshot()
    places = window_places(cut, snapshot, np.append(media, [0, -1]), np.append(start, [0.7, 0.0]))
    assert places[-2:].tolist() == [-1, -1]
    np.testing.assert_array_equal(snapshot.take(places[:-2]), vectors)


def test_what_changed_or_failed_has_no_windows(tmp_path: Path) -> None:
    file = write_sound(tmp_path / "a.wav", song(4, 8000), 8000)
    row = {"id": "a", "path": str(file), "duration_s": 4.0, "sample_rate": 8000}
    gone = {"id": "b", "path": str(tmp_path / "b.wav"), "duration_s": 4.0, "sample_rate": 8000}
    encoder, recordings = StubListener(), recordings_of(row, gone)
    cut, table = pieces(recordings, encoder.windows, Hearing()), LanceTable(tmp_path / "table")
    done = embed_media(cut.items, encoder, media_made(encoder, Hearing()), table, QUIET)
    assert (done.new, len(done.failed)) == (1, 1)
    (failed,) = failed_rows(done.failed, cut.items).to_pylist()
    assert (failed["path"], failed["start_s"], failed["end_s"]) == (gone["path"], 0.0, None)
    other = pieces(recordings_of({**row, "sha256": "f" * 64}), encoder.windows, Hearing())
    assert not list(window_vectors(other, recordings, table.snapshot()))


def test_another_band_is_not_mixed_in(tmp_path: Path) -> None:
    file = write_sound(tmp_path / "a.wav", song(4, 8000), 8000)
    recordings = recordings_of({"id": "a", "path": str(file), "duration_s": 4.0, "sample_rate": 8000})
    stored(tmp_path / "table", recordings, 0.0, Hearing())
    with pytest.raises(DatasetError, match=r"made in another way.*from 1000 Hz"):
        stored(tmp_path / "table", recordings, 0.0, Hearing(low_hz=1000))


def test_photographs_without_vectors_are_left_out(tmp_path: Path) -> None:
    from biovita.embedding.made import Made
    from biovita.embedding.store import COLUMNS, WHOLE

    table, photographs = LanceTable(tmp_path / "table"), photographs_of({"id": "a"}, {"id": "b"})
    items = photograph_items(photographs)
    row = {"id": "b", "window": WHOLE, "sha256": items.rows["sha256"][1].as_py()}
    table.commit(pa.Table.from_pylist([row], schema=COLUMNS), np.ones((1, 4), np.float32), Made("t", "r", 4, ""))
    (part,) = photograph_vectors(items, table.snapshot())
    assert part.media.tolist() == [1]
    assert np.isnan(part.start_s).all()
    assert part.vectors.tolist() == [[1.0] * 4]
