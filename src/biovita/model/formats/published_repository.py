"""The published repository's layout: an open_clip model, and ``clap_weights.pth`` with CLAP and an adapter."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biovita.errors import ModelError
from biovita.files import new_directory, write_whole
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.formats.format import Origin, joined_model, towers_card
from biovita.model.formats.open_clip_directory import TOKENIZER_FILES, clip_towers
from biovita.model.formats.published_files import CLAP_CONFIG_FILE, CLAP_FILE, read_published_audio
from biovita.model.met import MET, read_met, write_met
from biovita.model.model import Model
from biovita.towers.audio_windows import AudioInput
from biovita.towers.clap import ClapAudio
from biovita.towers.clip_config import CONFIG_FILE, read_clip_config
from biovita.towers.open_clip import WEIGHT_FILES, OpenClipImage, OpenClipText, read_clip_directory

if TYPE_CHECKING:
    import torch

__all__ = ["Published", "copy_tokenizer", "joined_parts", "on_cpu", "preprocess_cfg"]


class Published:
    """All three towers, as other people's code reads them."""

    name = "published"
    files = f"{CONFIG_FILE} and {CLAP_FILE} with their weights (the published repository)"
    weights = (WEIGHT_FILES, (CLAP_FILE,))
    extras = (*TOKENIZER_FILES, CLAP_CONFIG_FILE, MET)

    def matches(self, path: Path) -> bool:
        """Return whether there is a configuration of open_clip's, and an audio tower with it."""
        return (path / CONFIG_FILE).is_file() and (path / CLAP_FILE).is_file()

    def describe(self, path: Path, origin: Origin) -> ModelCard:
        """Return what the configuration says."""
        towers = clip_towers(*read_clip_config(path))
        return towers_card(self.name, origin, [(Modality.AUDIO, towers[0][1], AudioInput().describe()), *towers])

    def load(self, card: ModelCard, path: Path, device: str, modalities: Collection[Modality]) -> Model:
        """Return the model."""
        model = joined_model(
            card,
            device,
            modalities,
            read_clip=lambda: read_clip_directory(path),
            read_audio=lambda: read_published_audio(path),
        )
        return replace(model, met=read_met(path))

    def save(self, model: Model, out: Path, *, overwrite: bool = False) -> Path:
        """Write a model of one open_clip model and a CLAP audio tower with an adapter."""
        import torch

        audio, image = joined_parts(model)
        assert audio.adapter is not None
        with new_directory(out, replace=overwrite, marker=CLAP_FILE) as scratch:
            _write_json(
                {"model_cfg": image.clip.model_cfg, "preprocess_cfg": preprocess_cfg(image)}, scratch / CONFIG_FILE
            )
            copy_tokenizer(image, scratch)
            torch.save(on_cpu(image.clip.network), scratch / WEIGHT_FILES[-1])
            content = {"clap_audio": on_cpu(audio.network), "audio_adapter": on_cpu(audio.adapter)}
            torch.save(content, scratch / CLAP_FILE)
            if not _is_published_clap(audio):
                _write_json(audio.network.config.to_dict(), scratch / CLAP_CONFIG_FILE)
            write_met(model.met, scratch)
        return out


def joined_parts(model: Model) -> tuple[ClapAudio, OpenClipImage]:
    """Return the towers that hold a model's weights.

    Raises
    ------
    ModelError
        Where they are not one open_clip model and a CLAP audio tower with an adapter.
    """
    from biovita.model.projection import added_facts

    audio, image, text = (model.towers.get(modality) for modality in Modality)
    wanted = "one open_clip model for images and text, and a CLAP audio tower with an adapter"
    if (
        not isinstance(audio, ClapAudio)
        or not isinstance(image, OpenClipImage)
        or not isinstance(text, OpenClipText)
    ):
        raise ModelError(f"the model {model.name!r} cannot be written in this layout, which holds {wanted}")
    if added_facts(model.projections) is not None:
        raise ModelError(
            f"the model {model.name!r} adds what is known of a taxon to the vector of its name, and this layout has no "
            "place for that. Write it with --layout own"
        )
    if model.projections:
        raise ModelError(
            f"the model {model.name!r} has projections of its own, and this layout has no place for them. It "
            f"holds {wanted}"
        )
    if image.clip is not text.clip:
        raise ModelError(f"the image and text towers of {model.name!r} are two models. This layout holds {wanted}")
    if audio.adapter is None:
        raise ModelError(f"the audio tower of {model.name!r} has no adapter. This layout holds {wanted}")
    return audio, image


def on_cpu(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return a module's weights as they can be written."""
    return {key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()}


def preprocess_cfg(image: OpenClipImage) -> dict[str, Any]:
    """Return how a tower prepares photographs, as open_clip's configuration says it."""
    stated = asdict(image.clip.images)
    stated.pop("size")  # of the architecture
    return {"mode": "RGB", **stated, "mean": list(stated["mean"]), "std": list(stated["std"])}


def copy_tokenizer(image: OpenClipImage, directory: Path) -> None:
    """Copy a model's own tokenizer, where it has one.

    Raises
    ------
    ModelError
        Where a file of it is a link out of the model's directory.
    """
    source = image.clip.directory
    if source is None or not image.clip.model_cfg.get("text_cfg", {}).get("hf_tokenizer_name"):
        return
    for name in TOKENIZER_FILES:
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


def _write_json(content: Any, file: Path) -> None:
    write_whole(file, json.dumps(content, indent=2) + "\n")


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
