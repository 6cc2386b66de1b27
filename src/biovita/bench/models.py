"""Models to score: anything with ``embed_audio``, ``embed_images``, ``embed_texts``, or some of them."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from biovita.errors import ModelError
from biovita.modality import Modality

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "METHODS",
    "ClapAudio",
    "OpenClip",
    "RandomModel",
    "embedder",
    "identity",
    "modalities_of_model",
    "open_model",
]

METHODS: dict[Modality, str] = {
    Modality.AUDIO: "embed_audio",
    Modality.IMAGE: "embed_images",
    Modality.TEXT: "embed_texts",
}
AudioItem = "Path | tuple[np.ndarray, int]"  # a whole file, or samples (samples,) and their rate in hertz


def open_model(spec: str, *, device: str = "auto") -> Any:
    """Return the model that a name stands for.

    ``random`` or ``random:DIM`` is chance with vectors, ``mteb:NAME`` a model of mteb's registry (extra ``mteb``);
    everything else is a name or directory as `biovita.load_model` takes it.
    """
    if spec == "random" or spec.startswith("random:"):
        _, _, dim = spec.partition(":")
        if dim and not dim.isdigit():
            raise ModelError(f"{spec!r}: what follows random: is the number of dimensions")
        return RandomModel(int(dim or 256))
    if spec.startswith("mteb:"):
        from biovita.bench.mteb_tasks import MtebModel

        return MtebModel.load(spec.removeprefix("mteb:"))
    from biovita.model import load_model

    return load_model(spec, device)


def modalities_of_model(model: Any) -> tuple[Modality, ...]:
    """Return what a model can embed.

    Raises
    ------
    ModelError
        Where it can embed nothing.
    """
    towers = getattr(model, "towers", None)
    found = tuple(
        modality
        for modality, method in METHODS.items()
        if callable(getattr(model, method, None)) and (towers is None or modality in towers)
    )
    if not found:
        raise ModelError(f"{model!r} has none of {', '.join(METHODS.values())}: there is nothing to score")
    return found


def embedder(model: Any, modality: Modality) -> Callable[[Sequence[Any]], np.ndarray]:
    """Return the method of a model that embeds a modality."""
    method: Callable[[Sequence[Any]], np.ndarray] = getattr(model, METHODS[modality])
    return method


@dataclass(frozen=True)
class RandomModel:
    """Gives every item a random direction, the same one each time: what chance looks like."""

    dim: int = 256
    seed: int = 0

    @property
    def name(self) -> str:
        """What it is called."""
        return f"random:{self.dim}"

    def embed_audio(self, items: Sequence[Any]) -> np.ndarray:
        """Return ``(len(items), dim)`` float32 unit vectors."""
        return self._draw("audio", items)

    def embed_images(self, items: Sequence[Any]) -> np.ndarray:
        """Return ``(len(items), dim)`` float32 unit vectors."""
        return self._draw("image", items)

    def embed_texts(self, items: Sequence[str]) -> np.ndarray:
        """Return ``(len(items), dim)`` float32 unit vectors."""
        return self._draw("text", items)

    def _draw(self, kind: str, items: Sequence[Any]) -> np.ndarray:
        rows = [
            np.random.default_rng([self.seed, zlib.crc32(kind.encode()), _digest(item)]).standard_normal(self.dim)
            for item in items
        ]
        made = np.array(rows, np.float32).reshape(len(rows), self.dim)
        return made / np.linalg.norm(made, axis=1, keepdims=True)


def _digest(item: Any) -> int:
    if isinstance(item, tuple):  # samples and their rate
        return zlib.crc32(np.ascontiguousarray(item[0]).tobytes())
    return zlib.crc32((item.name if isinstance(item, Path) else str(item)).encode())


@dataclass(frozen=True, eq=False)
class OpenClip:
    """An open_clip model that is already in memory.

    Parameters
    ----------
    model, preprocess, tokenizer
        As ``open_clip.create_model_and_transforms`` and ``get_tokenizer`` give them.
    """

    model: Any
    preprocess: Callable[[Image.Image], Any]
    tokenizer: Callable[[list[str]], Any]
    name: str = "open_clip"

    def embed_images(self, items: Sequence[Path | str]) -> np.ndarray:
        """Return ``(len(items), dim)`` float32, L2-normalised.

        Raises
        ------
        MediaError
            Where a photograph cannot be read.
        """
        import torch

        from biovita.media import read_image

        pixels = torch.stack([self.preprocess(read_image(item)) for item in items])
        return self._unit(self.model.encode_image, pixels)

    def embed_texts(self, items: Sequence[str]) -> np.ndarray:
        """Return ``(len(items), dim)`` float32, L2-normalised."""
        return self._unit(self.model.encode_text, self.tokenizer(list(items)))

    def _unit(self, encode: Callable[[Any], Any], batch: Any) -> np.ndarray:
        import torch

        device = next(self.model.parameters()).device
        with torch.inference_mode():
            found = torch.nn.functional.normalize(encode(batch.to(device)).float(), dim=-1)
        vectors: np.ndarray = found.cpu().numpy()
        return vectors


@dataclass(frozen=True, eq=False)
class ClapAudio:
    """A transformers ``ClapModel`` that is already in memory: recordings and texts.

    Parameters
    ----------
    model, processor
        As ``ClapModel.from_pretrained`` and ``ClapProcessor.from_pretrained`` give them. Of a recording, the
        processor's own length is used.
    """

    model: Any
    processor: Any
    name: str = "clap"

    def embed_audio(self, items: Sequence[Any]) -> np.ndarray:
        """Return ``(len(items), dim)`` float32, L2-normalised.

        Raises
        ------
        MediaError
            Where a recording cannot be read.
        """
        from biovita.media import read_clip, resample

        rate = self.processor.feature_extractor.sampling_rate
        sounds = []
        for item in items:
            samples, found = read_clip(item) if isinstance(item, Path | str) else item
            sounds.append(resample(samples, found, rate))
        features = self.processor.feature_extractor(sounds, sampling_rate=rate, return_tensors="pt")
        return self._unit(self.model.get_audio_features, features)

    def embed_texts(self, items: Sequence[str]) -> np.ndarray:
        """Return ``(len(items), dim)`` float32, L2-normalised."""
        return self._unit(
            self.model.get_text_features, self.processor.tokenizer(list(items), padding=True, return_tensors="pt")
        )

    def _unit(self, encode: Callable[..., Any], batch: Any) -> np.ndarray:
        import torch

        with torch.inference_mode():
            found = encode(**batch.to(self.model.device))
            found = getattr(found, "pooler_output", found)  # from transformers 5 on an object
            vectors: np.ndarray = torch.nn.functional.normalize(found.float(), dim=-1).cpu().numpy()
        return vectors


def identity(name: str, model: Any) -> str:
    """Return what vectors belong to: the name, and of our own models the revisions and weights behind it."""
    towers = getattr(model, "towers", None)
    if not towers:
        return name
    parts = [f"{tower.card.name} {tower.card.revision}" for tower in towers.values()]
    projections = getattr(model, "projections", {})
    if projections:
        parts += [f"{modality} {_fingerprint(projection)}" for modality, projection in projections.items()]
    return "; ".join([name, *parts])


def _fingerprint(projection: Any) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(projection.state_dict().items()):
        digest.update(key.encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
