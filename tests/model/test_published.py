from __future__ import annotations

import json
import shutil

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from biovita import load_model
from biovita.errors import ModelError
from biovita.media.inputs import Sound
from biovita.modality import Modality
from biovita.model import write_model
from biovita.model.formats.published_files import read_checkpoint_clip
from biovita.model.identity import KEPT
from support.published_layouts import (
    PREPROCESS,
    SMALL_CLIP,
    Made,
    audio_features,
    make,
    write_open_clip,
    write_published,
)

RATE = 48_000


@pytest.fixture(scope="module")
def made() -> Made:
    return make()


@pytest.fixture(scope="module")
def directory(made, tmp_path_factory):
    return write_published(made, tmp_path_factory.mktemp("hub") / "BioVITA")


@pytest.fixture(scope="module")
def items():
    rng = np.random.default_rng(0)
    sounds = [Sound(rng.normal(scale=0.1, size=n).astype(np.float32), RATE) for n in (RATE, 5 * RATE, 11 * RATE)]
    images = [Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)) for _ in range(3)]
    return sounds, images, ["Turdus merula", "a blackbird", "Aves Passeriformes Turdidae Turdus merula"]


def embeddings(model, items):
    sounds, images, texts = items
    return model.embed_audio(sounds), model.embed_images(images), model.embed_texts(texts)


def test_embeddings_are_those_of_the_modules(made, directory, items):
    model = load_model(directory, device="cpu")
    audio, image, text = embeddings(model, items)
    assert model.dim(Modality.AUDIO) == model.dim(Modality.TEXT) == 48
    assert model.logit_scale == pytest.approx(made.clip.logit_scale.exp().item())
    with torch.inference_mode():
        settings = open_clip.transform.PreprocessCfg(size=32, **PREPROCESS)
        preprocess = open_clip.transform.image_transform_v2(settings, is_train=False)
        want_image = made.clip.encode_image(torch.stack([preprocess(image) for image in items[1]]))
        want_text = made.clip.encode_text(open_clip.get_tokenizer("ViT-L-14")(items[2]))
        from transformers import ClapFeatureExtractor

        waves = [np.zeros(10 * RATE, np.float32) for _ in items[0]]
        for wave, sound in zip(waves, items[0], strict=True):
            part = sound.samples[: 10 * RATE]  # noise: it begins above the threshold
            wave[: len(part)] = part
        extractor = ClapFeatureExtractor(truncation="rand_trunc", frequency_min=50)
        mels = extractor(waves, sampling_rate=RATE, return_tensors="pt")["input_features"].float()
        want_audio = made.adapter(audio_features(made.clap, input_features=mels))
    for got, want in ((audio, want_audio), (image, want_image), (text, want_text)):
        assert got.dtype == np.float32
        assert np.allclose(np.linalg.norm(got, axis=1), 1, atol=1e-6)
        assert np.abs(got - torch.nn.functional.normalize(want, dim=-1).numpy()).max() < 1e-5
    assert np.abs(audio[0] - audio[1]).max() > 1e-3


@pytest.mark.slow
def test_written_and_read_again_it_is_the_same(directory, items, tmp_path):
    model = load_model(directory, device="cpu")
    want = embeddings(model, items)
    write_model(model, tmp_path / "again", layout="published")
    write_model(model, tmp_path / "own")
    assert {file.name for file in (tmp_path / "own").iterdir()} - {KEPT} == {"config.json", "model.safetensors"}
    for path in (tmp_path / "again", tmp_path / "own"):
        read = load_model(path, device="cpu")
        assert all(np.array_equal(a, b) for a, b in zip(want, embeddings(read, items), strict=True))
        assert read.logit_scale == pytest.approx(model.logit_scale)
    first, second = ((path / "open_clip_config.json").read_text() for path in (directory, tmp_path / "again"))
    assert json.loads(first) == json.loads(second)
    theirs = torch.load(directory / "clap_weights.pth", weights_only=True)
    ours = torch.load(tmp_path / "again" / "clap_weights.pth", weights_only=True)
    assert theirs["clap_audio"].keys() == ours["clap_audio"].keys()
    assert theirs["audio_adapter"].keys() == ours["audio_adapter"].keys()
    changed = load_model(tmp_path / "own", device="cpu").tower(Modality.AUDIO).card.revision
    assert changed.startswith("sha256:")


def whole_checkpoint(made: Made) -> dict[str, torch.Tensor]:
    parts = {"oc_model.": made.clip, "clap_audio.": made.clap, "audio_adapter.": made.adapter}
    state = {prefix + key: value for prefix, part in parts.items() for key, value in part.state_dict().items()}
    return {**state, "logit_scale": torch.tensor(3.0)}


def test_a_training_checkpoint_needs_the_architecture_and_gives_its_temperature(made, tmp_path):
    wrapped = {f"module.{key}": value for key, value in whole_checkpoint(made).items()}
    torch.save(wrapped, tmp_path / "epoch003.pth")
    with pytest.raises(ModelError, match=r"epoch003\.pth .*ViT-L-14.* does not fit .*of another shape"):
        read_checkpoint_clip(tmp_path / "epoch003.pth")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "small-clip.json").write_text(json.dumps(SMALL_CLIP))
    open_clip.add_model_config(tmp_path / "configs")
    clip = read_checkpoint_clip(tmp_path / "epoch003.pth", "small-clip")
    assert clip.logit_scale == pytest.approx(np.exp(3.0))
    assert torch.equal(clip.network.visual.proj, made.clip.visual.proj)


def test_a_checkpoint_that_lacks_a_part_says_which(made, tmp_path):
    state = whole_checkpoint(made)
    torch.save(
        {key: value for key, value in state.items() if not key.startswith("audio_adapter")}, tmp_path / "a.pth"
    )
    with pytest.raises(ModelError, match=r"a\.pth .*nothing under audio_adapter"):
        load_model(tmp_path / "a.pth", device="cpu")
    torch.save({**state, "optimizer": torch.zeros(1)}, tmp_path / "b.pth")
    with pytest.raises(ModelError, match="1 with other names, such as optimizer"):
        load_model(tmp_path / "b.pth", device="cpu")


@pytest.fixture
def copy(directory, tmp_path):
    return shutil.copytree(directory, tmp_path / "copy")


def test_a_missing_adapter_a_wrong_one_and_a_missing_file_are_told(copy):
    file = copy / "clap_weights.pth"
    content = torch.load(file, weights_only=True)
    torch.save({"clap_audio": content["clap_audio"]}, file)
    with pytest.raises(ModelError, match=r"clap_weights\.pth has no audio_adapter"):
        load_model(copy, device="cpu")
    torch.save({**content, "audio_adapter": {"weight": torch.zeros(48, 7)}}, file)
    with pytest.raises(ModelError, match=r"\(48, 7\); it has to be \(dim, 24\)"):
        load_model(copy, device="cpu")
    torch.save({**content, "audio_adapter": {"weight": torch.zeros(50, 24)}}, file)
    with pytest.raises(
        ModelError, match="makes vectors of 50 numbers, and the image and text towers make vectors of 48"
    ):
        load_model(copy, device="cpu")
    torch.save({**content, "audio_adapter": {"weight": torch.zeros(48, 24), "bias": torch.zeros(48)}}, file)
    with pytest.raises(ModelError, match="one matrix named weight"):
        load_model(copy, device="cpu")
    (copy / "open_clip_pytorch_model.bin").unlink()
    with pytest.raises(ModelError, match="has no weights"):
        load_model(copy, device="cpu")


def test_weights_of_another_architecture_name_what_differs(copy):
    content = torch.load(copy / "clap_weights.pth", weights_only=True)
    content["clap_audio"].pop("audio_projection.linear1.weight")
    content["clap_audio"]["surprise"] = torch.zeros(1)
    torch.save(content, copy / "clap_weights.pth")
    with pytest.raises(ModelError, match=r"1 missing: audio_projection\.linear1\.weight; 1 unexpected: surprise"):
        load_model(copy, device="cpu")
    config = {"model_cfg": {**SMALL_CLIP, "embed_dim": 32}, "preprocess_cfg": PREPROCESS}
    (copy / "open_clip_config.json").write_text(json.dumps(config))
    (copy / "clap_weights.pth").unlink()
    with pytest.raises(ModelError, match=r"of another shape: .*text_projection \(32, 48\) in place of \(32, 32\)"):
        load_model(copy, device="cpu")


def test_open_clip_alone_has_no_audio_and_is_not_written_as_published(made, tmp_path):
    model = load_model(write_open_clip(made.clip, tmp_path / "clip"), device="cpu")
    assert set(model.towers) == {Modality.IMAGE, Modality.TEXT}
    assert model.tower(Modality.IMAGE).clip is model.tower(Modality.TEXT).clip
    with pytest.raises(ModelError, match="no audio tower"):
        model.embed_audio([Sound(np.zeros(10, np.float32), RATE)])
    with pytest.raises(ModelError, match="CLAP audio tower with an adapter"):
        write_model(model, tmp_path / "out", layout="published")
    assert not (tmp_path / "out").exists()


def test_damaged_directories_of_our_own_are_told(directory, tmp_path):
    own = write_model(load_model(directory, device="cpu"), tmp_path / "own")
    weights = own / "model.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept[: len(kept) // 2])
    with pytest.raises(ModelError, match="cut short"):
        load_model(own)
    weights.write_bytes(kept)
    config = json.loads((own / "config.json").read_text())
    (own / "config.json").write_text(json.dumps({**config, "surprise": 1}))
    with pytest.raises(ModelError, match="surprise"):
        load_model(own)
