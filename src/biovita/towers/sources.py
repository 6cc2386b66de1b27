"""Models of others, wherever they lie: known by name, in a directory, in a checkpoint or on the hub."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from biovita.errors import ModelError, unknown_name
from biovita.hashing import sha256_of
from biovita.modality import Modality
from biovita.towers.audio import AudioInput
from biovita.towers.base import Encoder, EncoderCard
from biovita.towers.device import Device, choose_device
from biovita.towers.hub import hub_file
from biovita.towers.hub_models import CLIP_IMAGES, CLIP_TEXTS, HUB_MODELS, HubModel, Layout
from biovita.towers.state import read_json

if TYPE_CHECKING:
    from biovita.towers.open_clip import ClipNetwork

__all__ = ["DIRECTORY_PREFIX", "Source", "find_source", "is_source", "layout_of"]

logger = logging.getLogger(__name__)

HUB_PREFIX, DIRECTORY_PREFIX = "hf-hub:", "local-dir:"
CLAP_ROWS = AudioInput(window="start", padding="repeat")
_CLIP_CONFIG, _CLAP_WEIGHTS = "open_clip_config.json", "clap_weights.pth"


@dataclass(frozen=True, eq=False)
class Source:
    """A model that can be opened: what is known of its towers, and where its files come from.

    Attributes
    ----------
    name
        Fit for a directory's name.
    place
        Returns the directory, or for `Layout.CHECKPOINT` the file; fetches what is missing.
    """

    name: str
    about: str
    layout: Layout
    towers: tuple[EncoderCard, ...]
    place: Callable[[], Path]

    def open(self, modality: Modality, device: str) -> Encoder:
        """Return one of the towers; those of an open_clip model share its network while both are in use."""
        info = next(info for info in self.towers if info.modality == modality)
        chosen = choose_device(device)
        logger.info("%s runs on %s", info.name, chosen)
        path = self.place()
        if modality == Modality.AUDIO:
            return _open_audio(self.layout, path, info, chosen)
        from biovita.towers.open_clip import OpenClipImage, OpenClipText

        clip = _clip(self.layout, path, chosen.name, info.revision)
        return (OpenClipImage if modality == Modality.IMAGE else OpenClipText)(info, clip, chosen)


_clips: WeakValueDictionary[tuple[str, str, str], ClipNetwork] = WeakValueDictionary()


def _clip(layout: Layout, path: Path, device: str, revision: str) -> ClipNetwork:
    from biovita.towers.open_clip import read_clip_directory
    from biovita.towers.published import read_checkpoint_clip
    from biovita.towers.whole import read_whole_clip

    key = (str(path.resolve()), revision, device)
    clip = _clips.get(key)
    if clip is None:
        readers: dict[Layout, Callable[[Path], ClipNetwork]] = {
            Layout.CHECKPOINT: read_checkpoint_clip,
            Layout.OWN: read_whole_clip,
        }
        _clips[key] = clip = readers.get(layout, read_clip_directory)(path)
    return clip


def _open_audio(layout: Layout, path: Path, info: EncoderCard, device: Device) -> Encoder:
    from biovita.towers.clap import ClapAudio, read_clap
    from biovita.towers.clap_config import read_clap_input
    from biovita.towers.published import read_checkpoint_audio, read_published_audio
    from biovita.towers.whole import read_whole_audio, read_whole_config

    if layout == Layout.CLAP:
        listen, mel = read_clap_input(path)
        return ClapAudio(info, read_clap(path), device, listen=listen, mel=mel)
    own = read_whole_config(path) if layout == Layout.OWN else None
    if own is not None:
        network, adapter = read_whole_audio(path, own)
    else:
        network, adapter = (read_checkpoint_audio if layout == Layout.CHECKPOINT else read_published_audio)(path)
    if adapter.shape[0] != info.dim:
        raise ModelError(
            f"{path}: the audio adapter makes {adapter.shape[0]} numbers, and the image and text towers {info.dim}"
        )
    listen = own.listen if own is not None else AudioInput()
    return ClapAudio(
        info, network, device, listen=listen, mel=own.mel if own is not None else None, adapter=adapter
    )


def is_source(name: str) -> bool:
    """Return whether a name is not a registered one but says where a model lies."""
    return (
        name.startswith((HUB_PREFIX, DIRECTORY_PREFIX))
        or (Path(name).is_dir() and layout_of(Path(name)) is not None)
        or (name.endswith(".pth") and Path(name).is_file())
    )


def layout_of(directory: Path) -> Layout | None:
    """Return how the files of a directory lie, or None where they are none of a model of others."""
    if (directory / _CLIP_CONFIG).is_file():
        return Layout.PUBLISHED if (directory / _CLAP_WEIGHTS).is_file() else Layout.OPEN_CLIP
    config = directory / "config.json"
    if config.is_file():
        content = read_json(config)
        if content.get("model_type") == "clap":
            return Layout.CLAP
        if content.get("kind") == "whole":
            return Layout.OWN
    return None


def find_source(name: str) -> Source:
    """Return the source that a name stands for.

    Parameters
    ----------
    name
        One of `HUB_MODELS`; ``hf-hub:owner/repository``, with ``@revision`` or without; a directory, plain or as
        ``local-dir:PATH``, in any `Layout`; a training checkpoint's file.

    Raises
    ------
    ModelError
        Where there is no such model, or its configuration cannot be read.
    """
    if name in HUB_MODELS:
        return _named(HUB_MODELS[name])
    if name.startswith(HUB_PREFIX):
        return _on_hub(name.removeprefix(HUB_PREFIX))
    path = Path(name.removeprefix(DIRECTORY_PREFIX))
    if path.is_file():
        return _local(path, Layout.CHECKPOINT)
    if not path.is_dir():
        raise ModelError(f"{unknown_name('model', name, HUB_MODELS)}. There is no file or directory {path} either")
    layout = layout_of(path)
    if layout is None and (path / "config.json").is_file() and "towers" in read_json(path / "config.json"):
        raise ModelError(
            f"{path} holds projections, not towers: give the model that they were trained on, as the towers in its "
            "config.json name it"
        )
    if layout is None:
        raise ModelError(
            f"{path} holds no model: wanted {_CLIP_CONFIG} with its weights (and {_CLAP_WEIGHTS} for sound), or the "
            "config.json and weights of a CLAP model, or of one that biovita wrote with all its weights"
        )
    return _local(path, layout)


def _named(model: HubModel) -> Source:
    towers = []
    size = {file.name: file.size_bytes for file in model.files}

    def add(modality: Modality, file: str, preprocessing: str) -> None:
        towers.append(
            EncoderCard(
                name=f"{model.name}-{modality}",
                modality=modality,
                dim=model.dim,
                source=f"{model.repository}: {file}",
                revision=model.revision,
                license=model.license,
                preprocessing=preprocessing,
                size_bytes=size[file],
            )
        )

    if model.layout == Layout.PUBLISHED:
        add(Modality.AUDIO, _CLAP_WEIGHTS, AudioInput().describe())
    if model.layout == Layout.CLAP:
        add(Modality.AUDIO, model.files[-1].name, CLAP_ROWS.describe())
    else:
        add(Modality.IMAGE, model.files[1].name, model.images)
        add(Modality.TEXT, model.files[1].name, model.texts)
    return Source(model.name, model.about, model.layout, tuple(towers), model.fetch)


def _on_hub(text: str) -> Source:
    repository, _, revision = text.partition("@")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", repository):
        raise ModelError(f"{HUB_PREFIX}{text}: wanted {HUB_PREFIX}owner/repository, with @revision or without")
    how = (
        f"Get it on a machine with network: biovita models fetch {HUB_PREFIX}{text}. Or copy the repository "
        f"{repository} into a directory, and give its path as the model"
    )
    clip = hub_file(repository, _CLIP_CONFIG, revision or None, how=how, optional=True)
    if clip is not None:
        for names in (("open_clip_model.safetensors", "open_clip_pytorch_model.bin"), (_CLAP_WEIGHTS,)):
            any(hub_file(repository, file, revision or None, how=how, optional=True) for file in names)
        for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model"):
            hub_file(repository, file, revision or None, optional=True)
        return _local(clip.parent, layout_of(clip.parent) or Layout.OPEN_CLIP, repository)
    config = hub_file(repository, "config.json", revision or None, how=how)
    assert config is not None
    if layout_of(config.parent) != Layout.CLAP:
        raise ModelError(f"{repository} is neither an open_clip nor a CLAP model")
    hub_file(repository, "preprocessor_config.json", revision or None, optional=True)
    if not hub_file(repository, "model.safetensors", revision or None, optional=True):
        hub_file(repository, "pytorch_model.bin", revision or None, how=how)
    return _local(config.parent, Layout.CLAP, repository)


def _local(path: Path, layout: Layout, title: str | None = None) -> Source:
    """Return the source of files on this machine; its revision is the hash of its weights."""
    name = re.sub(r"[^\w.-]+", "-", title or path.resolve().name).strip("-.") or "model"
    weights = [path] if layout == Layout.CHECKPOINT else _weight_files(path, layout)
    revision = "sha256:" + ",".join(_hash_of(file, file.stat().st_mtime_ns)[:16] for file in weights)
    name = f"{name}-{revision[7:15]}"
    towers = tuple(
        EncoderCard(
            name=f"{name}-{modality}",
            modality=modality,
            dim=dim,
            source=title or str(path),
            revision=revision,
            license="not stated",
            preprocessing=preprocessing,
            size_bytes=sum(file.stat().st_size for file in weights),
        )
        for modality, dim, preprocessing in _described(path, layout)
    )
    return Source(name, title or str(path), layout, towers, lambda: path)


def _weight_files(directory: Path, layout: Layout) -> list[Path]:
    from biovita.towers.clap import WEIGHT_FILES as CLAP_FILES
    from biovita.towers.open_clip import WEIGHT_FILES as CLIP_FILES
    from biovita.towers.whole import WEIGHTS

    names = {Layout.CLAP: CLAP_FILES, Layout.OWN: (WEIGHTS,)}.get(layout, CLIP_FILES)
    found = [directory / name for name in names if (directory / name).is_file()][:1]
    if not found:
        raise ModelError(f"{directory} has no weights: {' or '.join(names)}")
    return [*found, directory / _CLAP_WEIGHTS] if layout == Layout.PUBLISHED else found


@cache
def _hash_of(file: Path, _changed_ns: int) -> str:
    return sha256_of(file)


def _described(path: Path, layout: Layout) -> list[tuple[Modality, int, str]]:
    """Return each tower's modality, dimension and preprocessing, without opening it."""
    listen = AudioInput()
    if layout == Layout.CLAP:
        from biovita.towers.clap_config import read_clap_config, read_clap_input

        config = read_clap_config(path)
        return [(Modality.AUDIO, config.get("projection_dim", 512), read_clap_input(path)[0].describe())]
    if layout == Layout.CHECKPOINT:
        from biovita.towers.published import checkpoint_dim

        dim, images, texts = checkpoint_dim(path), CLIP_IMAGES, CLIP_TEXTS
    elif layout == Layout.OWN:
        from biovita.towers.clip_images import image_input
        from biovita.towers.whole import read_whole_config

        own = read_whole_config(path)
        dim, listen = own.dim, own.listen
        images = image_input(own.model_cfg, own.preprocess_cfg).describe()
        texts = _texts(own.model_cfg)
    else:
        from biovita.towers.clip_config import read_clip_config
        from biovita.towers.clip_images import image_input

        model, preprocessing = read_clip_config(path)
        dim = model["embed_dim"]
        images = image_input(model, preprocessing).describe()
        texts = _texts(model)
    towers = [(Modality.IMAGE, dim, images), (Modality.TEXT, dim, texts)]
    return towers if layout == Layout.OPEN_CLIP else [(Modality.AUDIO, dim, listen.describe()), *towers]


def _texts(model_cfg: dict[str, Any]) -> str:
    return f"{model_cfg.get('text_cfg', {}).get('context_length') or 77} tokens, cut or filled up"
