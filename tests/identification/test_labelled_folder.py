"""Folders of labelled files: what their names mean, which files count, and that vectors are made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from biovita.archive.archive_tables import Kind
from biovita.compute.device import Device
from biovita.embedding import LanceStore
from biovita.errors import DatasetError
from biovita.identification.labelled_folder import candidate_of, labelled_folder
from biovita.modality import Modality
from biovita.towers.birdnet import CARD, SAMPLE_RATE, WINDOW, BirdNET
from biovita.towers.encoder import EncoderDefaults


class Loudness(EncoderDefaults):
    """A stand-in for BirdNET: how loud a recording is; it counts what it encodes."""

    card = CARD
    batch_size = 4
    tolerance = 0.0
    device = Device("cpu", "a test")
    _hop = WINDOW  # read by BirdNET.load

    def __init__(self) -> None:
        self.encoded = 0

    def load(self, item) -> np.ndarray:
        return BirdNET.load(self, item)

    def encode(self, batch) -> np.ndarray:
        self.encoded += len(batch)
        return np.stack([np.full(CARD.dim, 1 + np.abs(each).mean(), np.float32) for each in batch])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    files = {
        "Parus major_Great Tit": ["XC1234 - song.wav", "XC1234 - call.wav", "deeper/a.wav"],
        "alarm call": ["b.wav"],
        "Background": ["c.wav"],
        ".hidden": ["d.wav"],
    }
    for name, inner in files.items():
        for file in inner:
            path = tmp_path / "labelled" / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, rng.normal(0, 0.1, SAMPLE_RATE), SAMPLE_RATE)
    (tmp_path / "labelled" / "alarm call" / "notes.txt").write_text("nothing to hear")
    (tmp_path / "labelled" / "alarm call" / "broken.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVE" + bytes(40))
    return tmp_path / "labelled"


def test_a_folder_is_read_with_its_labels(folder: Path) -> None:
    found = labelled_folder(folder, Loudness())
    assert found.modality == Modality.AUDIO
    assert [label.kind for label in found.labels] == [Kind.BACKGROUND, Kind.TAXON, Kind.CLASS]
    ids = found.rows["id"].to_pylist()
    assert ids == [
        "Background/c.wav",
        "Parus major_Great Tit/XC1234 - call.wav",
        "Parus major_Great Tit/XC1234 - song.wav",
        "Parus major_Great Tit/deeper/a.wav",
        "alarm call/b.wav",
    ]
    assert found.places.tolist() == [0, 1, 1, 1, 2]
    groups = found.rows["group_id"].to_pylist()
    assert groups[1] == groups[2] == "XC1234"
    assert len(set(groups)) == 4
    assert found.vectors.shape == (5, CARD.dim)
    assert any("alarm call/broken.wav cannot be used" in note for note in found.notes)
    assert any("alarm call is no known taxon" in note for note in found.notes)


def test_vectors_are_made_once(folder: Path, tmp_path: Path) -> None:
    table = LanceStore(tmp_path / "kept").table("audio")
    first, second = Loudness(), Loudness()
    made = labelled_folder(folder, first, table)
    again = labelled_folder(folder, second, table)
    assert first.encoded == 5
    assert second.encoded == 0
    assert (again.vectors == made.vectors).all()


@pytest.mark.parametrize(
    ("name", "kind", "scientific", "common"),
    [
        ("Parus major", Kind.TAXON, "Parus major", "Great Tit"),
        ("Great Tit", Kind.TAXON, "Parus major", "Great Tit"),
        ("Parus major_Kohlmeise", Kind.TAXON, "Parus major", "Great Tit"),
        ("Gryllus nonamei", Kind.TAXON, "Gryllus nonamei", None),
        ("Novagena prima_First Novelty", Kind.TAXON, "Novagena prima", "First Novelty"),
        ("Alarm call", Kind.CLASS, "Alarm call", None),
        ("begging", Kind.CLASS, "begging", None),
        ("noise", Kind.BACKGROUND, "noise", None),
        ("OTHER", Kind.BACKGROUND, "OTHER", None),
    ],
)
def test_what_the_name_of_a_folder_means(name: str, kind: Kind, scientific: str, common: str | None) -> None:
    found = candidate_of(name)
    assert (found.kind, found.taxon.scientific_name, found.taxon.common_name) == (kind, scientific, common)


def test_a_taxon_of_a_known_genus_has_its_lineage() -> None:
    assert candidate_of("Gryllus nonamei").taxon.family == "Gryllidae"


def test_folders_without_anything_are_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DatasetError, match="is not a folder"):
        labelled_folder(tmp_path / "none", Loudness())
    (tmp_path / "empty" / "Parus major").mkdir(parents=True)
    with pytest.raises(DatasetError, match="no folder in it has audio files"):
        labelled_folder(tmp_path / "empty", Loudness())
