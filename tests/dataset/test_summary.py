"""Counts of a dataset against counts made by hand."""

from __future__ import annotations

from pathlib import Path

from biovita.dataset import Dataset
from biovita.dataset.summary import ClassCounts, summary
from biovita.sources.folder import import_folder
from support.folders import append, make_folder
from support.sound_files import song, write_sound


def test_counts(tmp_path: Path) -> None:
    src = make_folder(tmp_path / "src")
    for k, seconds in enumerate((1.5, 2.0)):
        write_sound(src / "audio" / f"x{k}.wav", song(seconds, 8000, seed=70 + k), 8000)
        append(src / "audio.csv", f"audio/x{k}.wav,Corvus corax,,Aves,,,Corvus,,,")
    append(src / "images.csv", "images/none.png,Pica pica,,,,,,,,", ",Pica pica,,,,,,,,")
    import_folder(src, out=tmp_path / "birds", progress=False)
    got = summary(Dataset.open(tmp_path / "birds"))
    assert (got.name, got.version) == ("birds", "1")
    assert (got.audio, got.images, got.taxa, got.both, got.families) == (8, 6, 4, 3, 3)
    assert got.seconds == 9.5
    assert got.classes == (
        ClassCounts("Aves", taxa=2, both=1, audio=4, images=2, seconds=5.5),
        ClassCounts("Amphibia", taxa=1, both=1, audio=2, images=2, seconds=2),
        ClassCounts("Mammalia", taxa=1, both=1, audio=2, images=2, seconds=2),
    )
    assert got.licenses == {"audio": {"CC0-1.0": 6, "(not given)": 2}, "images": {"CC0-1.0": 6}}
    assert got.sources == {"audio": {"src-audio": 6, "(not given)": 2}, "images": {"src-images": 6}}
    assert got.splits == {"audio": {"(not given)": 8}, "images": {"(not given)": 6}}
    assert got.rejected == {"missing": 1, "missing-file": 1}
