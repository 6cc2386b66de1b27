"""Whole models, towers and all: in and out of the published layout, and in and out of a directory of our own."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biovita.dataset.store import new_directory
from biovita.errors import ModelError
from biovita.hashing import sha256_of
from biovita.modality import Modality
from biovita.model.model import Model
from biovita.towers.base import Encoder, EncoderCard
from biovita.towers.clap import BUFFERS, ClapAudio
from biovita.towers.device import choose_device
from biovita.towers.open_clip import CONFIG_FILE, OpenClipImage, OpenClipText
from biovita.towers.published import CLAP_CONFIG_FILE, CLAP_FILE
from biovita.towers.whole import (
    ADAPTER,
    CLAP,
    CLIP,
    CONFIG,
    WEIGHTS,
    WholeConfig,
    read_whole_audio,
    read_whole_clip,
    read_whole_config,
    read_whole_state,
)

if TYPE_CHECKING:
    import torch

__all__ = ["listening", "load_whole", "save_published", "save_whole"]

_CLIP_WEIGHTS = "open_clip_pytorch_model.bin"
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
)


def listening(model: Model, **changes: Any) -> Model:
    """Return a model that reads sound in another way: fields of `AudioInput`. The weights are shared.

    Raises
    ------
    ModelError
        Where its audio tower has one way only, or a field's value is not accepted.
    """
    audio: Any = model.tower(Modality.AUDIO)
    if not hasattr(audio, "listening"):
        raise ModelError(f"the audio tower {audio.card.name} reads sound in one way only")
    try:
        changed = audio.listening(**changes)
    except ValueError as error:
        raise ModelError(str(error)) from error
    return replace(model, towers={**model.towers, Modality.AUDIO: changed})


def save_published(model: Model, out: Path, *, overwrite: bool = False) -> Path:
    """Write a model as the published repository has it, for other people's code.

    Raises
    ------
    ModelError
        Where the model is not one open_clip model and a CLAP audio tower with an adapter.
    DatasetError
        Where ``out`` exists and ``overwrite`` was not asked for.
    """
    import torch

    audio, image = _parts(model)
    with new_directory(out, replace=overwrite, marker=CLAP_FILE) as scratch:
        _write_clip_config(image, scratch)
        torch.save(_on_cpu(image.clip.network), scratch / _CLIP_WEIGHTS)
        assert audio.adapter is not None
        content = {"clap_audio": _on_cpu(audio.network), "audio_adapter": _on_cpu(audio.adapter)}
        torch.save(content, scratch / CLAP_FILE)
        if not _is_published_clap(audio):
            _write_json(audio.network.config.to_dict(), scratch / CLAP_CONFIG_FILE)
    return out


def save_whole(model: Model, out: Path, *, overwrite: bool = False) -> Path:
    """Write a model with all its weights: ``config.json`` and ``model.safetensors``.

    Raises
    ------
    ModelError, DatasetError
        As `save_published`.
    """
    from safetensors.torch import save_file

    audio, image = _parts(model)
    assert audio.adapter is not None
    config = WholeConfig(
        name=model.name,
        dim=image.clip.dim,
        logit_scale=model.logit_scale,
        model_cfg=image.clip.model_cfg,
        preprocess_cfg=_preprocess_cfg(image),
        clap_config=audio.network.config.to_dict(),
        listen=audio.loader,
        mel=audio.mel.config,
        record=dict(model.record),
    )
    tensors = {
        **{CLIP + key: value for key, value in _on_cpu(image.clip.network).items()},
        **{CLAP + key: value for key, value in _on_cpu(audio.network).items() if key not in BUFFERS},
        ADAPTER: _on_cpu(audio.adapter)["weight"],
    }
    with new_directory(out, replace=overwrite, marker=CONFIG) as scratch:
        save_file(tensors, scratch / WEIGHTS)
        (scratch / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
        _copy_tokenizer(image, scratch)
    return out


def load_whole(directory: Path, device: str = "auto") -> Model:
    """Return the model of a directory that `save_whole` wrote.

    Raises
    ------
    ModelError
        Where a file is missing or damaged, or the weights do not fit the configuration.
    """
    config, state = read_whole_config(directory), read_whole_state(directory)
    weights = directory / WEIGHTS
    clip = read_whole_clip(directory, config, state)
    clap, adapter = read_whole_audio(directory, config, state)
    revision = f"sha256:{sha256_of(weights)}"
    infos = {
        modality: EncoderCard(
            f"{config.name}-{modality}",
            modality,
            config.dim,
            str(weights),
            revision,
            "not stated",
            size_bytes=weights.stat().st_size,
        )
        for modality in Modality
    }
    chosen = choose_device(device)
    audio = ClapAudio(infos[Modality.AUDIO], clap, chosen, listen=config.listen, mel=config.mel, adapter=adapter)
    towers: dict[Modality, Encoder] = {
        Modality.AUDIO: audio,
        Modality.IMAGE: OpenClipImage(infos[Modality.IMAGE], clip, chosen),
        Modality.TEXT: OpenClipText(infos[Modality.TEXT], clip, chosen),
    }
    return Model(config.name, towers, logit_scale=config.logit_scale, record=config.record)


def _parts(model: Model) -> tuple[ClapAudio, OpenClipImage]:
    """Return the towers that hold a model's weights, checked to be of the published kind."""
    audio, image, text = (model.towers.get(modality) for modality in Modality)
    wanted = "one open_clip model for images and text, and a CLAP audio tower with an adapter"
    if (
        not isinstance(audio, ClapAudio)
        or not isinstance(image, OpenClipImage)
        or not isinstance(text, OpenClipText)
    ):
        raise ModelError(f"the model {model.name!r} cannot be written so: that layout holds {wanted}")
    if model.projections:
        raise ModelError(
            f"the model {model.name!r} has projections of its own, and that layout has no place for them: "
            f"it holds {wanted}"
        )
    if image.clip is not text.clip:
        raise ModelError(f"the image and text towers of {model.name!r} are two models; that layout holds {wanted}")
    if audio.adapter is None:
        raise ModelError(f"the audio tower of {model.name!r} has no adapter; that layout holds {wanted}")
    return audio, image


def _on_cpu(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()}


def _preprocess_cfg(image: OpenClipImage) -> dict[str, Any]:
    stated = asdict(image.clip.images)
    stated.pop("size")  # of the architecture
    return {"mode": "RGB", **stated, "mean": list(stated["mean"]), "std": list(stated["std"])}


def _write_clip_config(image: OpenClipImage, directory: Path) -> None:
    _write_json(
        {"model_cfg": image.clip.model_cfg, "preprocess_cfg": _preprocess_cfg(image)}, directory / CONFIG_FILE
    )
    _copy_tokenizer(image, directory)


def _write_json(content: Any, file: Path) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _copy_tokenizer(image: OpenClipImage, directory: Path) -> None:
    source = image.clip.directory
    if source is None or not image.clip.model_cfg.get("text_cfg", {}).get("hf_tokenizer_name"):
        return
    for name in _TOKENIZER_FILES:
        if (source / name).is_file():
            _require_own(source / name, source)
            shutil.copyfile(source / name, directory / name)


def _require_own(file: Path, directory: Path) -> None:
    """Refuse a file that is a link out of a model's directory, other than into the hub's local copy.

    It would put a file of the reader's own into what is given away.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    place = file.resolve()
    if not any(place.is_relative_to(root.resolve()) for root in (directory, Path(HF_HUB_CACHE))):
        raise ModelError(f"{file} is a link out of the model's directory, to {place}. Put a copy in its place")


def _is_published_clap(audio: ClapAudio) -> bool:
    """Return whether the architecture is the one that a reader without its description will take."""
    from transformers import ClapConfig

    plain = ClapConfig.from_dict({"audio_config": {"enable_fusion": audio.fused}})
    own = audio.network.config
    return (
        all(
            getattr(own, part).to_dict() == getattr(plain, part).to_dict()
            for part in ("audio_config", "text_config")
        )
        and own.projection_dim == plain.projection_dim
    )
