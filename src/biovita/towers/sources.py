"""Models of others: those known by name at a pinned revision, and any in a directory, a checkpoint or on the hub."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from biovita.dataset.schema import Modality
from biovita.errors import ModelError, unknown_name
from biovita.towers.audio import AudioInput
from biovita.towers.base import Tower, TowerInfo
from biovita.towers.device import Device, choose_device
from biovita.towers.hub import hub_file
from biovita.towers.state import read_json
from biovita.towers.weights import sha256_of

if TYPE_CHECKING:
    from biovita.towers.open_clip import ClipNetwork

__all__ = ["HUB_MODELS", "HubFile", "HubModel", "Layout", "Source", "find_source", "is_source", "layout_of"]

logger = logging.getLogger(__name__)

HUB_PREFIX, DIRECTORY_PREFIX = "hf-hub:", "local-dir:"
CLAP_ROWS = AudioInput(window="start", padding="repeat")
_CLIP_CONFIG, _CLAP_WEIGHTS = "open_clip_config.json", "clap_weights.pth"


class Layout(StrEnum):
    """How a model's files lie."""

    PUBLISHED = "published"  # the published repository: open_clip files and clap_weights.pth
    CHECKPOINT = "checkpoint"  # one epochNNN.pth of the published training
    OPEN_CLIP = "open_clip"
    CLAP = "clap"  # as transformers writes it


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository; size and hash are None where they are not known before it is fetched."""

    name: str
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model on the hub at a pinned revision.

    Attributes
    ----------
    dim
        Length of the vectors.
    images, texts
        What is said of the preprocessing before the files are here; that of the open_clip configuration.
    """

    name: str
    about: str
    repository: str
    revision: str
    license: str
    layout: Layout
    files: tuple[HubFile, ...]
    dim: int
    images: str = ""
    texts: str = ""

    def fetch(self, *, verify: bool = False) -> Path:
        """Return the directory on this machine that has the files, fetching those that are missing.

        Parameters
        ----------
        verify
            Compare the hashes of those files whose hash is known.

        Raises
        ------
        ModelError
            Where a file is not to be had, or is another than it has to be.
        """
        how = (
            f"Get it on a machine with network: biovita models fetch {self.name}. Or copy the files "
            f"{', '.join(file.name for file in self.files)} of {self.repository} into a directory, and give its path "
            "as the model"
        )
        paths = []
        for file in self.files:
            path = hub_file(self.repository, file.name, self.revision, how=how)
            assert path is not None
            if verify and file.sha256 and (found := sha256_of(path)) != file.sha256:
                raise ModelError(
                    f"{path} is not the file that is expected: its SHA-256 is {found}, not {file.sha256}. Delete it "
                    f"and run: biovita models fetch {self.name}"
                )
            paths.append(path)
        return paths[0].parent

    def here(self) -> Path | None:
        """Return the directory that has all the files on this machine, or None, without asking the network."""
        from huggingface_hub import try_to_load_from_cache

        paths = [try_to_load_from_cache(self.repository, file.name, revision=self.revision) for file in self.files]
        return Path(paths[0]).parent if all(isinstance(path, str) for path in paths) else None  # type: ignore[arg-type]


_CLIP_IMAGES = (
    "RGB, shorter side resized, central crop, 224 x 224 px bicubic, mean 0.4815 0.4578 0.4082, "
    "std 0.2686 0.2613 0.2758"
)
_CLIP_TEXTS = "77 tokens, cut or filled up"
_CONFIG = "open_clip_config.json"

HUB_MODELS: dict[str, HubModel] = {
    model.name: model
    for model in (
        HubModel(
            name="biovita",
            about="the published BioVITA model: one space for sound, image and text; 581,502,619 parameters, 2.3 GB",
            repository="risashinoda/BioVITA",
            revision="64aea8edfcc846842a167944f4a5a052d932d0b4",
            license="MIT",
            layout=Layout.PUBLISHED,
            files=(HubFile(_CONFIG), HubFile("open_clip_pytorch_model.bin"), HubFile("clap_weights.pth")),
            dim=768,
            images=_CLIP_IMAGES,
            texts=_CLIP_TEXTS,
        ),
        HubModel(
            name="bioclip-2",
            about="BioCLIP 2, ViT-L/14: images and names; 427,616,513 parameters",
            repository="imageomics/bioclip-2",
            revision="2957b322090f9cb17ae72c71981c7218a28d81e0",
            license="MIT",
            layout=Layout.OPEN_CLIP,
            files=(
                HubFile(_CONFIG, 534, "1bf947e96e943fe50efd5c3e26c37f843a2fa3c358967719a68c8a6d17ce68c8"),
                HubFile(
                    "open_clip_model.safetensors",
                    1_710_517_724,
                    "b7b2bf6fbc95799e42630e394cf95803892ab447c1a8ab629dbc82fbeaf7dfef",
                ),
            ),
            dim=768,
            images=_CLIP_IMAGES,
            texts=_CLIP_TEXTS,
        ),
        HubModel(
            name="bioclip-2.5",
            about="BioCLIP 2.5 Huge, ViT-H/14: images and names; 986,109,441 parameters",
            repository="imageomics/bioclip-2.5-vith14",
            revision="6e3d04e3d6522012c88181085c5ae666e14c45cd",
            license="MIT",
            layout=Layout.OPEN_CLIP,
            files=(
                HubFile(_CONFIG, 560, "4c131846348300c77b5bee06690b0e94ee85ca9ce9a30a853b36084d00dcd25c"),
                HubFile(
                    "open_clip_model.safetensors",
                    3_944_517_804,
                    "ac2e37c2f89ef8e6b889176a9a3f418970ad9db15a218bd29e3321e95c46ae97",
                ),
            ),
            dim=1024,
            images=_CLIP_IMAGES,
            texts=_CLIP_TEXTS,
        ),
        HubModel(
            name="clap",
            about="CLAP's audio tower, HTS-AT, trained on general sound; 153,492,890 parameters, 0.6 GB",
            repository="laion/clap-htsat-unfused",
            revision="8fa0f1c6d0433df6e97c127f64b2a1d6c0dcda8a",
            license="Apache-2.0",
            layout=Layout.CLAP,
            files=(HubFile("config.json"), HubFile("preprocessor_config.json"), HubFile("pytorch_model.bin")),
            dim=512,
        ),
    )
}


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
    towers: tuple[TowerInfo, ...]
    place: Callable[[], Path]

    def open(self, modality: Modality, device: str) -> Tower:
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

    key = (str(path.resolve()), revision, device)
    clip = _clips.get(key)
    if clip is None:
        clip = read_checkpoint_clip(path) if layout == Layout.CHECKPOINT else read_clip_directory(path)
        _clips[key] = clip
    return clip


def _open_audio(layout: Layout, path: Path, info: TowerInfo, device: Device) -> Tower:
    from biovita.towers.clap import ClapAudio, read_clap, read_clap_input
    from biovita.towers.published import read_checkpoint_audio, read_published_audio

    if layout == Layout.CLAP:
        listen, mel = read_clap_input(path)
        return ClapAudio(info, read_clap(path), device, listen=listen, mel=mel)
    read = read_checkpoint_audio if layout == Layout.CHECKPOINT else read_published_audio
    network, adapter = read(path)
    if adapter.shape[0] != info.dim:
        raise ModelError(
            f"{path}: the audio adapter makes {adapter.shape[0]} numbers, and the image and text towers {info.dim}"
        )
    return ClapAudio(info, network, device, listen=AudioInput(), adapter=adapter)


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
    if config.is_file() and read_json(config).get("model_type") == "clap":
        return Layout.CLAP
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
        raise ModelError(f"{unknown_name('model', name, HUB_MODELS)}. There is no directory {path} either")
    layout = layout_of(path)
    if layout is None:
        raise ModelError(
            f"{path} holds no model: wanted {_CLIP_CONFIG} with its weights (and {_CLAP_WEIGHTS} for sound), or the "
            "config.json of a CLAP model"
        )
    return _local(path, layout)


def _named(model: HubModel) -> Source:
    towers = []
    size = {file.name: file.size_bytes for file in model.files}

    def add(modality: Modality, file: str, preprocessing: str) -> None:
        towers.append(
            TowerInfo(
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
    how = f"Or copy the repository {repository} into a directory, and give its path as the model"
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
        TowerInfo(
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

    names = CLAP_FILES if layout == Layout.CLAP else CLIP_FILES
    found = [directory / name for name in names if (directory / name).is_file()][:1]
    if not found:
        raise ModelError(f"{directory} has no weights: {' or '.join(names)}")
    return [*found, directory / _CLAP_WEIGHTS] if layout == Layout.PUBLISHED else found


@cache
def _hash_of(file: Path, _changed_ns: int) -> str:
    return sha256_of(file)


def _described(path: Path, layout: Layout) -> list[tuple[Modality, int, str]]:
    """Return each tower's modality, dimension and preprocessing, without opening it."""
    from biovita.towers.clap import read_clap_input
    from biovita.towers.open_clip import image_input
    from biovita.towers.published import checkpoint_dim

    if layout == Layout.CLAP:
        config = read_json(path / "config.json")
        return [(Modality.AUDIO, int(config.get("projection_dim", 512)), read_clap_input(path)[0].describe())]
    if layout == Layout.CHECKPOINT:
        dim, images, texts = checkpoint_dim(path), _CLIP_IMAGES, _CLIP_TEXTS
    else:
        config = read_json(path / _CLIP_CONFIG)
        model = config.get("model_cfg")
        if not isinstance(model, dict) or "embed_dim" not in model:
            raise ModelError(f"{path / _CLIP_CONFIG} has no model_cfg with embed_dim")
        dim = int(model["embed_dim"])
        images = image_input(model, config.get("preprocess_cfg")).describe()
        texts = f"{model.get('text_cfg', {}).get('context_length') or 77} tokens, cut or filled up"
    towers = [(Modality.IMAGE, dim, images), (Modality.TEXT, dim, texts)]
    return towers if layout == Layout.OPEN_CLIP else [(Modality.AUDIO, dim, AudioInput().describe()), *towers]
