from __future__ import annotations

import numpy as np
import pytest
import soundfile
from PIL import Image

from biovita.bench.models import ClapAudio, OpenClip, RandomModel, modalities_of_model, open_model
from biovita.errors import MediaError, ModelError
from biovita.modality import Modality


def test_random_is_the_same_each_time_and_unit(tmp_path):
    model = open_model("random:7")
    assert model.embed_texts(["a", "b"]).shape == (2, 7)
    assert (model.embed_texts(["a"]) == RandomModel(7).embed_texts(["a"])).all()
    assert (model.embed_texts(["a"]) != model.embed_images(["a"])).any()
    assert np.linalg.norm(model.embed_audio([(np.ones(4), 8000)]), axis=1) == pytest.approx(1)
    assert model.embed_texts([]).shape == (0, 7)
    assert modalities_of_model(model) == tuple(Modality)
    with pytest.raises(ModelError, match="number of dimensions"):
        open_model("random:x")
    with pytest.raises(ModelError, match="unknown model 'nobody'"):
        open_model("nobody")


def test_a_model_says_what_it_can_do_by_what_it_has():
    class Deaf:
        def embed_images(self, items):
            return np.ones((len(items), 2))

    assert modalities_of_model(Deaf()) == (Modality.IMAGE,)
    with pytest.raises(ModelError, match="embed_audio, embed_images, embed_texts"):
        modalities_of_model(object())


@pytest.mark.slow
def test_open_clip_against_its_own_code(tmp_path):
    import open_clip
    import torch

    torch.manual_seed(0)
    model, _, preprocess = open_clip.create_model_and_transforms("RN50", pretrained=None)
    model.eval()
    tokenizer = open_clip.get_tokenizer("RN50")
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8))
    picture.save(tmp_path / "a.png")
    ours = OpenClip(model, preprocess, tokenizer)
    with torch.inference_mode():
        image = torch.nn.functional.normalize(model.encode_image(preprocess(picture)[None]), dim=-1)
        text = torch.nn.functional.normalize(model.encode_text(tokenizer(["Pica pica"])), dim=-1)
    assert ours.embed_images([tmp_path / "a.png"]) == pytest.approx(image.numpy(), abs=1e-6)
    assert ours.embed_texts(["Pica pica"]) == pytest.approx(text.numpy(), abs=1e-6)
    assert modalities_of_model(ours) == (Modality.IMAGE, Modality.TEXT)
    (tmp_path / "b.png").write_text("no picture")
    with pytest.raises(MediaError):
        ours.embed_images([tmp_path / "b.png"])


@pytest.mark.slow
def test_clap_against_its_own_code(tmp_path):
    import torch
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 32}
    config = ClapConfig(
        text_config={**small, "vocab_size": 100, "projection_dim": 16},
        audio_config={
            "patch_embeds_hidden_size": 16, "depths": [1, 1], "num_attention_heads": [2, 2], "hidden_size": 32,
            "projection_dim": 16, "enable_fusion": False, "num_classes": 4,
        },
        projection_dim=16,
    )  # fmt: skip
    model = ClapModel(config).eval()

    class Processor:
        feature_extractor = ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad")

    rng = np.random.default_rng(0)
    samples = 0.1 * rng.normal(size=48_000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 48_000, subtype="FLOAT")
    features = Processor.feature_extractor(samples, sampling_rate=48_000, return_tensors="pt")
    with torch.inference_mode():
        found = model.get_audio_features(**features)
        found = getattr(found, "pooler_output", found)
    expected = torch.nn.functional.normalize(found, dim=-1).numpy()
    ours = ClapAudio(model, Processor())
    assert ours.embed_audio([tmp_path / "a.wav"]) == pytest.approx(expected, abs=1e-5)
    assert ours.embed_audio([(samples, 48_000)]) == pytest.approx(expected, abs=1e-5)
