from __future__ import annotations

import json

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from biovita import load_model
from biovita.errors import ModelError
from biovita.modality import Modality
from biovita.towers.clip_images import ImageInput, image_input
from biovita.towers.open_clip import architecture, build_clip
from support.published_layouts import PREPROCESS, SMALL_CLIP, make, write_open_clip

MEAN, STD = tuple(PREPROCESS["mean"]), tuple(PREPROCESS["std"])


def photograph(width: int, height: int, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    "size", [(640, 480), (480, 641), (224, 300), (100, 90), (333, 224), (224, 224), (1000, 30)]
)
@pytest.mark.parametrize("mode", ["shortest", "squash", "longest"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_pixels_are_those_of_open_clip(size, mode, interpolation):
    image = photograph(*size)
    settings = open_clip.transform.PreprocessCfg(
        size=224, mean=MEAN, std=STD, interpolation=interpolation, resize_mode=mode, fill_color=3
    )
    want = open_clip.transform.image_transform_v2(settings, is_train=False)(image)
    pixels = ImageInput((224, 224), MEAN, STD, interpolation, mode, 3)(image)
    assert pixels.dtype == np.uint8
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    assert torch.equal((torch.from_numpy(pixels).float() / 255 - mean) / std, want)


def test_images_that_are_not_square_are_cut_by_open_clip():
    settings = open_clip.transform.PreprocessCfg(size=(64, 96), mean=MEAN, std=STD)
    want = open_clip.transform.image_transform_v2(settings, is_train=False)(photograph(200, 100))
    pixels = ImageInput((64, 96), MEAN, STD)(photograph(200, 100))
    assert pixels.shape == (3, 64, 96)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    assert torch.equal((torch.from_numpy(pixels).float() / 255 - mean) / std, want)


def test_what_a_model_states_of_its_preprocessing_is_followed():
    got = image_input({"vision_cfg": {"image_size": [64, 96]}}, {"mean": [0.5] * 3, "resize_mode": "squash"})
    assert got.size == (64, 96)
    assert got.mean == (0.5, 0.5, 0.5)
    assert got.resize_mode == "squash"
    assert got.std == open_clip.OPENAI_DATASET_STD


@pytest.fixture
def siglip(tmp_path):
    """A small model built as SigLIP is: timm image tower, its own text tower and tokenizer, a sigmoid loss's bias."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", "turdus", "merula", "frog"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", cls_token="<unk>"
    )
    config = {
        "embed_dim": 192,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {
            "image_size": 224,
            "timm_model_name": "vit_tiny_patch16_224",
            "timm_pool": "map",
            "timm_proj": "none",
            "timm_model_pretrained": True,
        },
        "text_cfg": {
            "context_length": 16,
            "vocab_size": 6,
            "hf_tokenizer_name": "timm/ViT-B-16-SigLIP",
            "width": 32,
            "heads": 2,
            "layers": 1,
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
        },
    }
    torch.manual_seed(0)
    offline = json.loads(json.dumps(config))
    offline["vision_cfg"]["timm_model_pretrained"] = False
    offline.pop("custom_text")
    network = open_clip.model.CustomTextCLIP(**offline).eval()
    directory = tmp_path / "siglip"
    write_open_clip(network, directory, config)
    stated = {
        "model_cfg": config,
        "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"},
    }
    (directory / "open_clip_config.json").write_text(json.dumps(stated))
    fast.save_pretrained(directory)
    return directory, network


def test_siglip_reads_its_own_tokenizer_and_preprocessing(siglip, monkeypatch):
    directory, network = siglip
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = load_model(f"local-dir:{directory}", device="cpu")
    image, texts = photograph(80, 70), ["Turdus merula", "frog"]
    settings = open_clip.transform.PreprocessCfg(size=224, mean=(0.5,) * 3, std=(0.5,) * 3, resize_mode="squash")
    pixels = open_clip.transform.image_transform_v2(settings, is_train=False)(image)
    tokens = open_clip.get_tokenizer(f"local-dir:{directory}")(texts)
    with torch.inference_mode():
        want_image = network.encode_image(pixels[None], normalize=True)
        want_text = network.encode_text(tokens, normalize=True)
    assert np.abs(model.embed_images([image]) - want_image.numpy()).max() < 1e-5
    assert np.abs(model.embed_texts(texts) - want_text.numpy()).max() < 1e-5
    assert model.dim(Modality.IMAGE) == 192
    del model
    for file in directory.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ModelError, match="the tokenizer timm/ViT-B-16-SigLIP is not on this machine"):
        load_model(directory, device="cpu")


@pytest.mark.parametrize("offline", [True, False])
def test_a_text_network_that_only_the_hub_describes_is_told(monkeypatch, offline):
    """Without a network transformers raises an OSError, after half a minute; offline it is not even asked."""

    def unreachable(*_: object, **__: object) -> None:
        assert not offline
        raise OSError("We couldn't connect")

    monkeypatch.setattr("transformers.AutoConfig.from_pretrained", unreachable)
    monkeypatch.setenv("HF_HUB_OFFLINE", str(int(offline)))
    text = {"hf_model_name": "nobody/roberta", "hf_tokenizer_name": "nobody/roberta"}
    with pytest.raises(ModelError, match=r"w\.pt: .*hf download nobody/roberta config\.json"):
        build_clip({**SMALL_CLIP, "text_cfg": text}, None, "w.pt")


def test_weights_of_older_versions_of_open_clip_fit(tmp_path):
    clip = make().clip
    state = clip.state_dict()
    state["logit_scale"] = state["logit_scale"].reshape(1)
    loaded = build_clip(SMALL_CLIP, state, "old.pt")
    assert torch.equal(loaded.network.visual.proj, clip.visual.proj)
    custom = build_clip({**SMALL_CLIP, "custom_text": True}, clip.state_dict(), "old.pt")
    assert torch.equal(custom.network.text.text_projection, clip.text_projection)


def test_another_image_size_is_refused_and_not_resized():
    clip = make().clip
    larger = {**SMALL_CLIP, "vision_cfg": {**SMALL_CLIP["vision_cfg"], "image_size": 64}}
    with pytest.raises(ModelError, match=r"visual\.positional_embedding \(17, 64\) in place of \(65, 64\)"):
        build_clip(larger, clip.state_dict(), "w.pt")


def test_unknown_architectures_and_damaged_descriptions_are_told(tmp_path):
    with pytest.raises(ModelError, match=r"unknown open_clip architecture 'ViT-L14'.*ViT-L-14"):
        architecture("ViT-L14")
    with pytest.raises(ModelError, match="cannot build the architecture"):
        build_clip({"embed_dim": 3, "vision_cfg": {"colour": 1}, "text_cfg": {}}, {}, "w.pt")
    directory = write_open_clip(make().clip, tmp_path / "clip")
    (directory / "open_clip_config.json").write_text("{")
    with pytest.raises(ModelError, match="is not JSON"):
        load_model(directory)
    (directory / "open_clip_config.json").write_text('{"model_cfg": 3}')
    with pytest.raises(ModelError, match="has no model_cfg"):
        load_model(directory)
