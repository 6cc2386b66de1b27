"""Image and text towers of open_clip: CLIP, BioCLIP, BioCLIP 2 and 2.5, SigLIP, and whatever else it builds."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from biovita.compute.cores import cpu_count
from biovita.compute.device import Device, batch_size_for
from biovita.compute.transfer import encode_in_batches
from biovita.errors import ModelError, unknown_name
from biovita.media.inputs import ImageItem
from biovita.towers.clip_config import CONFIG_FILE, check_model_cfg, check_preprocess_cfg, read_clip_config
from biovita.towers.clip_images import ImageInput, image_input
from biovita.towers.encoder import EncoderCard, EncoderDefaults
from biovita.towers.hub_text import described_text
from biovita.towers.tokenizer import hub_tokenizer, read_tokenizer
from biovita.weights.state_dicts import UNBUILDABLE, check_fit, load_strictly, read_state
from biovita.weights.undrawn import undrawn

if TYPE_CHECKING:
    import torch

__all__ = [
    "CONFIG_FILE",
    "WEIGHT_FILES",
    "ClipNetwork",
    "OpenClipImage",
    "OpenClipText",
    "architecture",
    "build_clip",
    "fit_state",
    "read_clip_directory",
]

WEIGHT_FILES = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
)
_IMAGES_ON_A_CORE, _TEXTS_ON_A_CORE = 4, 16
_WIDTHS_HELD = (
    10  # times a layer's width, of one token: its input, query, key, value, and four times as much inside
)


@dataclass(frozen=True, eq=False)
class ClipNetwork:
    """An open_clip model with all that goes with it; an image and a text tower share one.

    Attributes
    ----------
    model_cfg
        open_clip's description of the architecture.
    images
        How photographs are prepared.
    tokenizer
        From texts to ``(texts, context_length)``.
    logit_scale
        One over the temperature that it was trained to.
    directory
        Where the files came from; None where the weights came otherwise.
    """

    network: Any
    model_cfg: dict[str, Any]
    images: ImageInput
    tokenizer: Any
    logit_scale: float
    directory: Path | None = None

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return int(self.model_cfg["embed_dim"])

    def on(self, device: Device) -> Any:
        """Return the network on a device; the towers that share it share the device."""
        return self.network.to(device.name)


class OpenClipImage(EncoderDefaults):
    """Vectors of photographs, not normalised."""

    def __init__(self, card: EncoderCard, clip: ClipNetwork, device: Device) -> None:
        self.clip = clip
        self.device = device
        self.tolerance = device.tolerance
        self.card = replace(card, dim=clip.dim, preprocessing=clip.images.describe())
        network = clip.on(device)
        self._encode = network.encode_image
        self._mean, self._std = (_channels(values, device.name) for values in (clip.images.mean, clip.images.std))
        vision = clip.model_cfg["vision_cfg"]
        patch = int(vision.get("patch_size") or 16)
        tokens = (clip.images.size[0] // patch) * (clip.images.size[1] // patch) + 1
        width = vision.get("width") or clip.dim
        self.batch_size = batch_size_for(
            device, 4 * _WIDTHS_HELD * tokens * int(width), on_cpu=_IMAGES_ON_A_CORE * cpu_count(), most=512
        )

    @property
    def loader(self) -> ImageInput:
        """How photographs are prepared."""
        return self.clip.images

    def load(self, item: ImageItem) -> np.ndarray:
        """Return an item's pixels, ``(3, height, width)``, uint8."""
        return self.loader(item)

    def encode(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """Return the vectors ``(len(batch), dim)``."""
        return encode_in_batches(
            batch, self.card.dim, self.device, self.forward, size=self.batch_size, part=_IMAGES_ON_A_CORE
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return ``(batch, dim)`` of uint8 ``(batch, 3, height, width)``, both on the device."""
        return self._encode((pixels.float().div_(255) - self._mean) / self._std)


class OpenClipText(EncoderDefaults):
    """Vectors of texts, not normalised."""

    def __init__(self, card: EncoderCard, clip: ClipNetwork, device: Device) -> None:
        self.clip = clip
        self.device = device
        self.tolerance = device.tolerance
        self._tokenizer = clip.tokenizer
        self._encode = clip.on(device).encode_text
        text = clip.model_cfg["text_cfg"]
        length = int(text.get("context_length") or 77)
        self.card = replace(card, dim=clip.dim, preprocessing=f"{length} tokens, cut or filled up")
        self.batch_size = batch_size_for(
            device,
            4 * _WIDTHS_HELD * length * int(text.get("width") or clip.dim),
            on_cpu=2 * _TEXTS_ON_A_CORE * cpu_count(),
            most=2048,
        )

    def load(self, item: str) -> np.ndarray:
        """Return the tokens of a text, ``(context_length,)``, int64."""
        return self._tokenizer([item])[0].numpy()

    def encode(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """Return the vectors ``(len(batch), dim)``."""
        return encode_in_batches(
            batch, self.card.dim, self.device, self.forward, size=self.batch_size, part=_TEXTS_ON_A_CORE
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return ``(batch, dim)`` of ``(batch, context_length)``, both on the device."""
        return self._encode(tokens)


def _channels(values: Sequence[float], device: str) -> torch.Tensor:
    import torch

    return torch.tensor(values, device=device)[:, None, None]


def architecture(name: str) -> dict[str, Any]:
    """Return open_clip's own description of an architecture such as ``ViT-L-14``.

    Raises
    ------
    ModelError
        Where it has none of this name.
    """
    import open_clip

    config = open_clip.get_model_config(name)
    if config is None:
        raise ModelError(unknown_name("open_clip architecture", name, open_clip.list_models()))
    return config


def read_clip_directory(directory: Path) -> ClipNetwork:
    """Return the model of a directory in open_clip's layout: ``open_clip_config.json``, the weights, any tokenizer.

    Raises
    ------
    ModelError
        Where a file is missing, cannot be read or does not fit.
    """
    model_cfg, preprocess_cfg = read_clip_config(directory)
    weights = next((directory / name for name in WEIGHT_FILES if (directory / name).is_file()), None)
    if weights is None:
        raise ModelError(f"{directory} has no weights. It needs one of {', '.join(WEIGHT_FILES)}")
    return build_clip(model_cfg, read_state(weights), str(weights), preprocess_cfg, directory)


def build_clip(
    model_cfg: dict[str, Any],
    state: dict[str, torch.Tensor] | None,
    where: str,
    preprocess_cfg: dict[str, Any] | None = None,
    directory: Path | None = None,
    *,
    tokenizer_name: str = "",
) -> ClipNetwork:
    """Return a model of an architecture with weights.

    Parameters
    ----------
    state
        None leaves it untrained, as training from the start has it.
    where
        Names the source of the weights in an error.
    preprocess_cfg
        open_clip's description of the image preprocessing; what it lacks is that of CLIP.
    directory
        Where the tokenizer's files lie, if it has any.
    tokenizer_name
        The architecture that the tokenizer belongs to, where there is no directory.

    Raises
    ------
    ModelError
        Where the architecture cannot be built or the weights do not fit it.
    """
    import torch

    model_cfg = check_model_cfg(model_cfg, f"{where}: open_clip cannot build the architecture in model_cfg")
    preprocess_cfg = check_preprocess_cfg(preprocess_cfg, f"{where}: preprocess_cfg")
    with described_text(model_cfg, where) as described:
        tokenizer = _tokenizer(model_cfg, directory, tokenizer_name)
        if state is None:
            network = _build(described, where)
        else:
            with torch.device("meta"):  # without memory: whether the weights fit is known before any is taken
                shapes = _build(described, where)
            check_fit(shapes.state_dict(), fit_state(shapes, state), where)
            with undrawn():
                network = _build(described, where)
            load_strictly(network, fit_state(network, state), where)
    images = image_input(model_cfg, preprocess_cfg, network.visual.image_size)
    scale = float(network.logit_scale.detach().exp())
    network.eval().requires_grad_(requires_grad=False)
    return ClipNetwork(network, model_cfg, images, tokenizer, scale, directory)


def fit_state(network: Any, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a state dict with the names and scalars of the present open_clip, where an older one wrote it.

    Positional embeddings are not resized: a checkpoint for another image size or context does not fit.
    """
    import torch
    from open_clip.convert import convert_state_dict
    from open_clip.model import convert_to_custom_text_state_dict

    state = convert_state_dict(network, dict(state))
    if "positional_embedding" in state and not hasattr(network, "positional_embedding"):
        state = convert_to_custom_text_state_dict(state)
    own = network.state_dict()
    for name in ("logit_scale", "logit_bias"):
        if name in state and name in own and state[name].numel() == 1:
            state[name] = state[name].reshape(own[name].shape)
    if "logit_bias" in own and "logit_bias" not in state:
        state["logit_bias"] = torch.zeros_like(own["logit_bias"])  # a model trained before SigLIP's loss has none
    positions = "text.transformer.embeddings.position_ids"  # transformers before 4.31
    if positions not in own:
        state.pop(positions, None)
    return state


def _build(model_cfg: dict[str, Any], where: str) -> Any:
    from open_clip.coca_model import CoCa
    from open_clip.model import CLIP, CustomTextCLIP

    config = deepcopy(model_cfg)
    text, vision = (config.get(part, {}) for part in ("text_cfg", "vision_cfg"))
    custom = config.pop("custom_text", False) or text.get("hf_model_name")
    if timm_name := vision.get("timm_model_name"):
        import timm

        vision["timm_model_pretrained"] = False
        if not timm.is_model(timm_name):
            raise ModelError(
                f"{where}: vision_cfg.timm_model_name is {timm_name!r}, and the installed timm has no such model"
            )
    if text.get("hf_model_name"):
        text["hf_model_pretrained"] = False
    kind = CLIP
    if custom:
        kind = CoCa if "multimodal_cfg" in config else CustomTextCLIP
    try:
        return kind(**config)
    except UNBUILDABLE as error:
        raise ModelError(f"{where}: open_clip cannot build the architecture in model_cfg: {error}") from error


@cache
def _usual_tokenizer(context_length: int) -> Any:
    """Return open_clip's own tokenizer; to read its words takes a quarter of a second."""
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer(context_length=context_length)


def _tokenizer(model_cfg: dict[str, Any], directory: Path | None, name: str) -> Any:
    """Return the tokenizer, from the model's own directory where that has its files."""
    import open_clip
    from open_clip.tokenizer import DEFAULT_CONTEXT_LENGTH, SimpleTokenizer

    text = model_cfg.get("text_cfg", {})
    options = {**(text.get("tokenizer_kwargs") or {})}
    options["context_length"] = text.get("context_length") or DEFAULT_CONTEXT_LENGTH
    source = text.get("hf_tokenizer_name")
    if not source:
        if name:
            return open_clip.get_tokenizer(name)
        if not text.get("tokenizer_kwargs"):
            return _usual_tokenizer(options["context_length"])
        try:
            return SimpleTokenizer(**options)
        except TypeError as error:
            raise ModelError(f"text_cfg.tokenizer_kwargs do not fit open_clip's own tokenizer: {error}") from error
    if directory is None or not any((directory / file).is_file() for file in ("tokenizer.json", "vocab.json")):
        directory = hub_tokenizer(
            source, f"Put its files (tokenizer.json, tokenizer_config.json) beside {CONFIG_FILE}"
        )
    return read_tokenizer(directory, {**options, "tokenizer_mode": text.get("tokenizer_mode")})
