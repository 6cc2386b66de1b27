from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from biovita import load_model
from biovita.cli.app import main
from biovita.embedding import embed, vectors
from biovita.errors import DatasetError
from biovita.modality import Modality
from biovita.model import describe, write_model
from support.plain_model import Builder
from support.published_layouts import make, write_published

read_vectors = partial(vectors, space="tower", compute=False)


@pytest.fixture
def dataset(builder: Builder):
    for number in range(3):
        builder.add_sound(f"call {number}", number)
        builder.add_photograph(f"bird {number}", number)
    return builder.write()


@pytest.mark.slow
def test_a_dataset_is_embedded_with_a_model_from_a_directory(dataset, tmp_path):
    place = str(write_published(make(), tmp_path / "BioVITA"))
    report = embed(dataset, model=place, device="cpu", progress=False)
    assert not report.failed
    name = describe(place).name
    assert name.startswith("BioVITA-")
    assert report.path == dataset.path / "embeddings" / name
    model = load_model(place, device="cpu")
    paths = [dataset.locate(path) for path in dataset.audio["path"].to_pylist()]
    vectors = read_vectors(dataset, place, Modality.AUDIO).vectors
    assert np.abs(model.project(Modality.AUDIO, vectors) - model.embed_audio(paths)).max() < 1e-5
    images = [dataset.locate(path) for path in dataset.images["path"].to_pylist()]
    vectors = read_vectors(dataset, place, Modality.IMAGE).vectors
    assert np.abs(model.project(Modality.IMAGE, vectors) - model.embed_images(images)).max() < 1e-5
    again = embed(dataset, model=place, device="cpu", progress=False)
    assert all(part.new == 0 for part in again.parts)


def test_other_weights_at_the_same_place_make_a_table_of_their_own(dataset, tmp_path):
    place = str(write_published(make(), tmp_path / "BioVITA"))
    first = embed(dataset, model=place, modalities=[Modality.IMAGE], device="cpu", progress=False)
    write_published(make(seed=1), tmp_path / "BioVITA")
    with pytest.raises(DatasetError, match="never made"):
        read_vectors(dataset, place, Modality.IMAGE)
    second = embed(dataset, model=place, modalities=[Modality.IMAGE], device="cpu", progress=False)
    assert first.path != second.path
    assert second.parts[0].new == first.parts[0].new


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", "local-dir:"])
def test_a_directory_of_our_own_embeds_as_it_listens(dataset, tmp_path, prefix):
    """What training writes, and what `models export --layout own` does."""
    model = load_model(write_published(make(), tmp_path / "BioVITA"), device="cpu")
    own = write_model(model.listening(resampling="soxr", window="all", overlap=0.5), tmp_path / "best")
    place = f"{prefix}{own}"
    report = embed(dataset, model=place, device="cpu", progress=False)
    assert report.path.name.startswith("best-")
    assert [part.failed for part in report.parts] == [()] * 3
    read = load_model(place, device="cpu")
    paths = [dataset.locate(path) for path in dataset.audio["path"].to_pylist()]
    vectors = read_vectors(dataset, place, Modality.AUDIO).vectors
    assert np.abs(read.project(Modality.AUDIO, vectors) - read.embed_audio(paths)).max() < 1e-5
    assert "soxr" in read.tower(Modality.AUDIO).card.preprocessing
    write_model(model, own, overwrite=True)  # the same weights, listening as published
    with pytest.raises(DatasetError, match=r"made by another encoder .*all windows with 50% overlap"):
        read_vectors(dataset, place, Modality.AUDIO)
    again = {part.modality: part.new for part in embed(dataset, model=place, device="cpu", progress=False).parts}
    assert again[Modality.AUDIO] == len(paths)
    assert again[Modality.IMAGE] == again[Modality.TEXT] == 0


def test_a_way_to_listen_is_kept_or_refused(tmp_path, capsys):
    place = str(write_published(make(), tmp_path / "BioVITA"))
    for arguments, message in (
        (["--resampling", "soxr"], "resampling would be lost. Choose the layout own"),
        (["--layout", "own", "--overlap", "1"], "has to be a share of the window"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["models", "export", place, "--out", str(tmp_path / "out"), *arguments])
        assert stop.value.code == 1
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
    with pytest.raises(SystemExit) as stop:
        main(["models", "export", place, "--out", str(tmp_path / "out"), "--layout", "own", "--window", "all"])
    assert stop.value.code == 0
    assert load_model(tmp_path / "out", device="cpu").tower(Modality.AUDIO).loader.window == "all"


@pytest.mark.slow
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
    assert "this layout, which holds one open_clip model" in capsys.readouterr().err
