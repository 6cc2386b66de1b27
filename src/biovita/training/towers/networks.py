"""The towers as one module to train: photographs, sounds and texts to unit vectors, and the temperature."""

from __future__ import annotations

import json
import math
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from biovita.errors import ModelError
from biovita.modality import Modality
from biovita.model import Model, load_model
from biovita.model.knowledge import Knowledge
from biovita.model.met import Met, joined
from biovita.model.projection import AddedFacts, added_facts
from biovita.towers.audio_windows import AudioInput
from biovita.towers.clap import ClapAudio
from biovita.towers.open_clip import OpenClipImage, OpenClipText
from biovita.training.recipe import TowersRecipe
from biovita.training.towers.schedule import Part, part_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from biovita.training.towers.batches import Loader

__all__ = ["Networks", "has_towers_of", "starting_model"]

_PARTS = {
    Modality.AUDIO: {Part.AUDIO, Part.AUDIO_TOP, Part.ADAPTER},
    Modality.IMAGE: {Part.IMAGE},
    Modality.TEXT: {Part.TEXT_BLOCKS, Part.TEXT_ENDS},
}


class Networks(nn.Module):
    """An open_clip model, a CLAP audio tower with an adapter, and the logarithm of the temperature's inverse.

    The modules are those of the towers of ``model``: training changes it.

    Parameters
    ----------
    knowledge
        What is known of taxa; with it there is a map that adds it to the vectors of texts. None adds nothing.
    compiled
        Whether the towers run through ``torch.compile``; parameters and their names are the same.

    Raises
    ------
    ModelError
        Where the towers are others, the model adds other things to its texts, or there is no compiler.
    """

    def __init__(
        self,
        model: Model,
        *,
        logit_scale: float | None = None,
        bias: float | None = None,
        knowledge: Knowledge | None = None,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        audio, image, text = (model.towers.get(modality) for modality in Modality)
        if (
            not isinstance(audio, ClapAudio)
            or not isinstance(image, OpenClipImage)
            or not isinstance(text, OpenClipText)
            or image.clip is not text.clip
            or audio.adapter is None
        ):
            raise ModelError(
                f"the towers of {model.name!r} cannot be trained. Training needs one open_clip model for images and "
                "texts, and a CLAP audio tower with an adapter"
            )
        self.model = model
        self.audio, self.image, self.text = audio, image, text
        self.clip, self.clap, self.adapter = image.clip.network, audio.network, audio.adapter
        device = next(self.adapter.parameters()).device
        self.knowledge = knowledge
        facts = _facts_of(model, knowledge)
        self.facts = None if facts is None else facts.to(device)
        scale = model.logit_scale if logit_scale is None else logit_scale
        self._forward: dict[Modality, Callable[[torch.Tensor], torch.Tensor]] = {
            Modality.AUDIO: audio.forward_mel,
            Modality.IMAGE: image.forward,
            Modality.TEXT: text.forward,
        }
        if compiled:
            _require_compiler()
            self._forward = {modality: torch.compile(run) for modality, run in self._forward.items()}
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale), device=device))
        self.bias = None if bias is None else nn.Parameter(torch.tensor(bias, device=device))
        self.requires_grad_(requires_grad=False)
        self.eval()

    @property
    def device(self) -> torch.device:
        """Where the towers are."""
        return self.log_scale.device

    @property
    def dims(self) -> dict[str, int]:
        """By name, how many dimensions each parameter has."""
        return {name: parameter.ndim for name, parameter in self.named_parameters()}

    @property
    def loaders(self) -> dict[Modality, Loader]:
        """By modality, what decodes a training item: a window from a random place of a recording, a whole picture."""
        look = self.image.loader
        return {Modality.AUDIO: self.audio.loader.random_window, Modality.IMAGE: lambda picture, _: look(picture)}

    def set_trainable(self, names: Collection[str]) -> None:
        """Freeze all but the parameters of these names; a tower with any of them is in training mode."""
        chosen = set(names)
        active = {part_of(name) for name in chosen}
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name in chosen)
        self.eval()
        if active & {Part.AUDIO, Part.AUDIO_TOP}:
            self.clap.audio_model.train()
            self.clap.audio_projection.train()
        if Part.IMAGE in active:
            self.clip.visual.train()
        if active & _PARTS[Modality.TEXT]:
            for name, child in self.clip.named_children():
                if name != "visual":
                    child.train()

    def trained(self, modality: Modality) -> bool:
        """Return whether anything of a modality's tower is trained at the moment."""
        parts = _PARTS[modality]
        return any(p.requires_grad and part_of(name) in parts for name, p in self.named_parameters())

    @property
    def facts_trained(self) -> bool:
        """Whether the map of what is known of taxa is trained at the moment."""
        return self.facts is not None and self.facts.linear.weight.requires_grad

    def embed(self, modality: Modality, inputs: torch.Tensor, facts: torch.Tensor | None = None) -> torch.Tensor:
        """Return the unit vectors ``(B, dim)``, float32: of mel spectrograms, pixels or tokens.

        Parameters
        ----------
        facts
            As `directions` takes them.
        """
        return self.directions(self._forward[modality](inputs), facts)

    def directions(self, vectors: torch.Tensor, facts: torch.Tensor | None = None) -> torch.Tensor:
        """Return the unit vectors ``(B, dim)``, float32, of what a tower gives.

        Parameters
        ----------
        facts
            ``(B, knowledge.count)``: what is known of the taxa of texts. None adds nothing.
        """
        vectors = vectors.float()
        if facts is not None and self.facts is not None:
            vectors = self.facts(torch.cat([vectors, facts], dim=1))
        return nn.functional.normalize(vectors, dim=1)

    def logit_scale(self) -> torch.Tensor:
        """Return the factor between cosine similarity and logit, a scalar."""
        return self.log_scale.exp()

    def as_model(self, name: str, record: Mapping[str, object], met: Met | None = None) -> Model:
        """Return the model as it is now, with what it has met by then; it shares its weights with this module."""
        scale = float(self.logit_scale().detach())
        made = replace(self.model, name=name, logit_scale=scale, record=record, met=met)
        if self.facts is None:
            return made
        return replace(made, projections={Modality.TEXT: self.facts}, knowledge=self.knowledge)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Put all towers into evaluation mode, and back."""
        modes = {module: module.training for module in self.modules()}
        self.eval()
        try:
            yield
        finally:
            for module, mode in modes.items():
                module.training = mode

    @contextmanager
    def without_running_statistics(self) -> Iterator[None]:
        """Keep batch norms from updating their statistics, for a forward pass that is repeated later."""
        norms = {m: m.momentum for m in self.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)}
        for norm in norms:
            norm.momentum = 0.0
        try:
            yield
        finally:
            for norm, momentum in norms.items():
                norm.momentum = momentum


def _facts_of(model: Model, knowledge: Knowledge | None) -> AddedFacts | None:
    """Return the map that a model has learned already, or a new one; None where nothing is added to texts.

    Raises
    ------
    ModelError
        Where the model adds other things than ``knowledge`` has.
    """
    learned = added_facts(model.projections)
    features = () if knowledge is None else knowledge.features
    if learned is not None and model.knowledge is not None and set(model.knowledge.features) != set(features):
        wanted = json.dumps(model.knowledge.features)
        raise ModelError(
            f"{model.name!r} was trained with text.features={wanted}, and this run has {json.dumps(features)}. "
            f"Train with --set 'text.features={wanted}'"
        )
    return learned or (None if knowledge is None else AddedFacts(model.dim(Modality.TEXT), knowledge.count))


def _require_compiler() -> None:
    """Refuse ``torch.compile`` where the C++ compiler that it calls is not there: it would fail in the first step."""
    usual = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    command = shlex.split(os.environ.get("CXX") or usual, posix=os.name == "posix")
    if shutil.which(command[0]) is None:
        raise ModelError(
            f"compiled=true needs a C++ compiler, and {' '.join(command)!r} is not there. Install one, name it in the "
            "environment variable CXX, or train with compiled=false"
        )


def starting_model(recipe: TowersRecipe, start: str | Path | None, device: str) -> Model:
    """Return the model that a run begins with: ``start``, else the recipe's towers with a new adapter.

    Raises
    ------
    ModelError
        Where one cannot be opened, or has no tower for what is asked of it.
    """
    if start is not None or recipe.audio_model is None:
        return load_model(recipe.model if start is None else start, device)
    model, audio = load_model(recipe.model, device), load_model(recipe.audio_model, device)
    tower = audio.tower(Modality.AUDIO)
    if not isinstance(tower, ClapAudio):
        raise ModelError(f"the audio tower of {recipe.audio_model!r} is not a CLAP model and cannot be trained")
    generator = torch.Generator().manual_seed(recipe.seed)
    inputs = tower.network.config.projection_dim
    bound = inputs**-0.5  # as torch's linear layer begins
    adapter = (2 * torch.rand((model.dim(Modality.IMAGE), inputs), generator=generator) - 1) * bound
    info = replace(tower.card, name=f"{tower.card.name}-adapted")
    listening = ClapAudio(
        info, tower.network, tower.device, listen=AudioInput(), mel=tower.mel.config, adapter=adapter
    )
    towers = {**model.towers, Modality.AUDIO: listening}
    made = Model.of_towers(model.name, towers, logit_scale=model.logit_scale)
    if added_facts(model.projections) is not None:
        made = replace(made, projections=model.projections, knowledge=model.knowledge)
    return replace(made, met=joined([model.met, audio.met]))


def has_towers_of(networks: Networks, model: Model) -> bool:
    """Return whether the image and text towers have the same weights as those of a model."""
    image = model.tower(Modality.IMAGE)
    if not isinstance(image, OpenClipImage):
        return False
    theirs = dict(image.clip.network.named_parameters())
    ours = dict(networks.clip.named_parameters())
    return ours.keys() == theirs.keys() and all(
        torch.equal(value.cpu(), theirs[name].cpu()) for name, value in ours.items() if name != "logit_scale"
    )
