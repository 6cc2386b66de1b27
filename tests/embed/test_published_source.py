from __future__ import annotations

import numpy as np
import pytest

from biovita import load_model
from biovita.cli.app import main
from biovita.dataset.schema import Modality
from biovita.embed import embed, read_vectors
from biovita.errors import DatasetError
from biovita.towers.registry import model_row
from plainmodel import Builder
from published_layouts import make, write_published


@pytest.fixture
def dataset(builder: Builder):
    for number in range(3):
        builder.add_sound(f"call {number}", number)
        builder.add_photograph(f"bird {number}", number)
    return builder.write()


def test_a_dataset_is_embedded_with_a_model_from_a_directory(dataset, tmp_path):
    place = str(write_published(make(), tmp_path / "BioVITA"))
    report = embed(dataset, place, device="cpu", progress=False)
    assert not report.failed
    name = model_row(place).name
    assert name.startswith("BioVITA-")
    assert report.path == dataset.path / "embeddings" / name
    model = load_model(place, device="cpu")
    paths = [dataset.locate(path) for path in dataset.audio["path"].to_pylist()]
    vectors = read_vectors(dataset, place, Modality.AUDIO).vectors
    assert np.abs(model.project(Modality.AUDIO, vectors) - model.embed_audio(paths)).max() < 1e-5
    images = [dataset.locate(path) for path in dataset.images["path"].to_pylist()]
    vectors = read_vectors(dataset, place, Modality.IMAGE).vectors
    assert np.abs(model.project(Modality.IMAGE, vectors) - model.embed_images(images)).max() < 1e-5
    again = embed(dataset, place, device="cpu", progress=False)
    assert all(part.new == 0 for part in again.parts)


def test_other_weights_at_the_same_place_make_a_table_of_their_own(dataset, tmp_path):
    place = str(write_published(make(), tmp_path / "BioVITA"))
    first = embed(dataset, place, [Modality.IMAGE], device="cpu", progress=False)
    write_published(make(seed=1), tmp_path / "BioVITA")
    with pytest.raises(DatasetError, match="never made"):
        read_vectors(dataset, place, Modality.IMAGE)
    second = embed(dataset, place, [Modality.IMAGE], device="cpu", progress=False)
    assert first.path != second.path
    assert second.parts[0].new == first.parts[0].new


def test_the_command_line_embeds_exports_and_says_the_device(dataset, tmp_path, capsys):
    place = write_published(make(), tmp_path / "BioVITA")
    with pytest.raises(SystemExit) as stop:
        main(["embed", str(dataset.path), "--model", str(place), "--modality", "image", "--device", "cpu"])
    assert stop.value.code == 0
    printed = capsys.readouterr()
    assert "device: cpu (as asked), float32" in printed.err
    assert "0 failed" in printed.out
    with pytest.raises(SystemExit) as stop:
        main(["models", "export", str(place), "--out", str(tmp_path / "own"), "--layout", "own"])
    assert stop.value.code == 0
    texts = ["Turdus merula"]
    want = load_model(place, device="cpu").embed_texts(texts)
    assert np.array_equal(load_model(tmp_path / "own", device="cpu").embed_texts(texts), want)
    with pytest.raises(SystemExit) as stop:
        main(["models", "export", "starter", "--out", str(tmp_path / "no")])
    assert stop.value.code == 1
    assert "that layout holds one open_clip model" in capsys.readouterr().err
