"""Image and text towers of open_clip: CLIP, BioCLIP, BioCLIP 2 and 2.5, SigLIP, and whatever else it builds."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from biovita.cores import cpu_count
from biovita.errors import ModelError, unknown_name
from biovita.towers.base import ImageItem, TowerInfo
from biovita.towers.clip_images import ImageInput, image_input
from biovita.towers.device import Device, batch_size_for
from biovita.towers.hub import is_offline
from biovita.towers.state import load_strictly, read_json, read_state
from biovita.towers.transfer import encode_in_batches

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

CONFIG_FILE = "open_clip_config.json"
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


class OpenClipImage:
    """Vectors of photographs, not normalised."""

    def __init__(self, info: TowerInfo, clip: ClipNetwork, device: Device) -> None:
        self.clip = clip
        self.device = device
        self.loader = clip.images
        self.info = replace(info, dim=clip.dim, preprocessing=clip.images.describe())
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

    def load(self, item: ImageItem) -> np.ndarray:
        """Return an item's pixels, ``(3, height, width)``, uint8."""
        return self.loader(item)

    def encode(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """Return the vectors ``(len(batch), dim)``."""
        return encode_in_batches(
            batch, self.info.dim, self.device, self.forward, size=self.batch_size, part=_IMAGES_ON_A_CORE
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return ``(batch, dim)`` of uint8 ``(batch, 3, height, width)``, both on the device."""
        return self._encode((pixels.float().div_(255) - self._mean) / self._std)


class OpenClipText:
    """Vectors of texts, not normalised."""

    def __init__(self, info: TowerInfo, clip: ClipNetwork, device: Device) -> None:
        self.clip = clip
        self.device = device
        self._tokenizer = clip.tokenizer
        self._encode = clip.on(device).encode_text
        text = clip.model_cfg["text_cfg"]
        length = int(text.get("context_length") or 77)
        self.info = replace(info, dim=clip.dim, preprocessing=f"{length} tokens, cut or filled up")
        self.batch_size = batch_size_for(
            device,
            4 * _WIDTHS_HELD * length * int(text.get("width") or clip.dim),
            on_cpu=2 * _TEXTS_ON_A_CORE * cpu_count(),
            most=2048,
        )

    @property
    def logit_scale(self) -> float:
        """One over the temperature that the model was trained to."""
        return self.clip.logit_scale

    def load(self, item: str) -> np.ndarray:
        """Return the tokens of a text, ``(context_length,)``, int64."""
        return self._tokenizer([item])[0].numpy()

    def encode(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """Return the vectors ``(len(batch), dim)``."""
        return encode_in_batches(
            batch, self.info.dim, self.device, self.forward, size=self.batch_size, part=_TEXTS_ON_A_CORE
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
    file = directory / CONFIG_FILE
    if not file.is_file():
        raise ModelError(f"{directory} is no open_clip model: it has no {CONFIG_FILE}")
    config = read_json(file)
    if not isinstance(config.get("model_cfg"), dict):
        raise ModelError(f"{file} has no model_cfg")
    weights = next((directory / name for name in WEIGHT_FILES if (directory / name).is_file()), None)
    if weights is None:
        raise ModelError(f"{directory} has no weights: {', '.join(WEIGHT_FILES)}")
    return build_clip(
        config["model_cfg"], read_state(weights), str(weights), config.get("preprocess_cfg"), directory
    )


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
    network = _build(model_cfg, where)
    if state is not None:
        load_strictly(network, fit_state(network, state), where)
    images = image_input(model_cfg, preprocess_cfg, network.visual.image_size)
    tokenizer = _tokenizer(model_cfg, directory, tokenizer_name)
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
    text = config.get("text_cfg", {})
    custom = config.pop("custom_text", False) or "hf_model_name" in text
    if "timm_model_name" in config.get("vision_cfg", {}):
        config["vision_cfg"]["timm_model_pretrained"] = False
    if "hf_model_name" in text:
        text["hf_model_pretrained"] = False
    described = text.get("hf_model_name")
    mend = f"its text network's configuration is not here. With network: hf download {described} config.json"
    if described and is_offline() and not _is_here(described, "config.json"):
        raise ModelError(f"{where}: the network is not to be tried, and {mend}")
    kind = CLIP
    if custom:
        kind = CoCa if "multimodal_cfg" in config else CustomTextCLIP
    try:
        return kind(**config)
    except OSError as error:
        raise ModelError(f"{where}: {mend}. {str(error).splitlines()[0]}") from error
    except (TypeError, KeyError, ValueError, RuntimeError, AssertionError) as error:
        raise ModelError(f"{where}: open_clip cannot build the architecture in model_cfg: {error}") from error


def _is_here(repository: str, file: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return Path(repository).is_dir() or isinstance(try_to_load_from_cache(repository, file), str)


def _tokenizer(model_cfg: dict[str, Any], directory: Path | None, name: str) -> Any:
    """Return the tokenizer, from the model's own directory where that has its files."""
    import open_clip
    from open_clip.tokenizer import DEFAULT_CONTEXT_LENGTH, HFTokenizer, SimpleTokenizer

    text = model_cfg.get("text_cfg", {})
    length = text.get("context_length") or DEFAULT_CONTEXT_LENGTH
    options = dict(text.get("tokenizer_kwargs") or {})
    source = text.get("hf_tokenizer_name")
    if not source:
        return open_clip.get_tokenizer(name) if name else SimpleTokenizer(context_length=length, **options)
    mend = f"Put its files (tokenizer.json, tokenizer_config.json) beside {CONFIG_FILE}"
    if directory is not None and any((directory / file).is_file() for file in ("tokenizer.json", "vocab.json")):
        source = str(directory)
    elif is_offline() and not _is_here(source, "tokenizer_config.json"):
        raise ModelError(
            f"the tokenizer {source} is not on this machine, and the network is not to be tried. {mend}"
        )
    try:
        return HFTokenizer(source, context_length=length, tokenizer_mode=text.get("tokenizer_mode"), **options)
    except (OSError, ValueError) as error:
        raise ModelError(f"the tokenizer {source} cannot be read: {str(error).splitlines()[0]}. {mend}") from error
