"""The loss of a batch: what the towers are given, the terms between their vectors, the guard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch

from biovita.modality import Modality
from biovita.train.augment import mask_mel, vary_sounds
from biovita.train.batches import Batch, Frozen, TrainingItems
from biovita.train.gathered import gathered_loss, mean_over_processes
from biovita.train.networks import Networks
from biovita.train.recipe import Phase, TowersRecipe
from biovita.train.schedule import Gate, LossTerms, guard
from biovita.train.step import Input, Losses, pieces

__all__ = ["Objective"]

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
_PAIRS = {
    "atc": (Modality.AUDIO, Modality.TEXT),
    "aic": (Modality.AUDIO, Modality.IMAGE),
    "itc": (Modality.IMAGE, Modality.TEXT),
}


@dataclass(frozen=True, eq=False)
class Objective:
    """From batches to losses.

    Attributes
    ----------
    frozen
        The vectors that are there already.
    kinship
        Of the training species, for taxonomy-aware targets.
    """

    recipe: TowersRecipe
    networks: Networks
    items: TrainingItems
    frozen: Frozen
    kinship: torch.Tensor | None

    def evaluate(self, batch: Batch) -> float:
        """Return ATC of a batch over all processes, in evaluation mode."""
        with self.networks.evaluating(), torch.no_grad():
            inputs = self.inputs(batch, LossTerms(1.0, 0.0, 0.0))
            vectors = {modality: self._vectors(entry) for modality, entry in inputs.items()}
            return float(mean_over_processes(self._term("atc", vectors, self._species(batch))))

    def _vectors(self, entry: Input) -> torch.Tensor:
        """Return the vectors of the pairs without a graph."""
        if entry.embed is None:
            return entry.of_pairs(entry.values)
        taken = pieces(entry, self.recipe.chunk, together=self.recipe.sharded)
        return entry.of_pairs(torch.cat([entry.embed(piece) for piece in taken])[: len(entry.values)])

    def _species(self, batch: Batch) -> torch.Tensor:
        return torch.from_numpy(batch.pairs.species).to(self.networks.device)

    def losses(
        self,
        phase: Phase,
        terms: LossTerms,
        gate: Gate | None,
        vectors: Mapping[Modality, torch.Tensor],
        batch: Batch,
    ) -> Losses:
        """Return the loss of the vectors of a batch: the weighted terms, and the guard where there is a gate."""
        species = self._species(batch)
        local = {
            name: (weight, self._term(name, vectors, species))
            for name, weight in terms.items()
            if weight or (name == "atc" and gate is not None)
        }
        values = {name: float(mean_over_processes(value)) for name, (_, value) in local.items()}
        total = torch.stack([weight * value for weight, value in local.values()]).sum()
        loss = sum(weight * values[name] for name, (weight, _) in local.items())
        if gate is not None and phase.gate is not None:
            values["guard"], slope = guard(values["atc"], gate, phase.gate)
            total = total + slope * local["atc"][1]
            loss += values["guard"]
        return Losses(total, {"loss": loss, **values})

    def _term(self, name: str, vectors: Mapping[Modality, torch.Tensor], species: torch.Tensor) -> torch.Tensor:
        first, second = _PAIRS[name]
        return gathered_loss(
            self.recipe.loss,
            vectors[first],
            vectors[second],
            self.networks.logit_scale(),
            species,
            positives=self.recipe.positives,
            kinship=self.kinship,
            bias=getattr(self.networks, "bias", 0.0),
            gradients=self.recipe.behaviour == "paper",
        )

    def inputs(self, batch: Batch, terms: LossTerms, augment: int | None = None) -> dict[Modality, Input]:
        """Return what the towers are given of a batch; photographs where a term has them.

        ``augment`` is the seed of the recipe's augmentations; None makes none.
        """
        networks, device = self.networks, self.networks.device
        inputs = {}
        if batch.sounds is not None:
            sounds = torch.from_numpy(batch.sounds).to(device)
            if augment is None:
                mel = networks.audio.mel(sounds)
            else:
                sounds = vary_sounds(sounds, self.recipe.augment, 2 * augment)
                mel = mask_mel(networks.audio.mel(sounds), self.recipe.augment, 2 * augment + 1)
            inputs[Modality.AUDIO] = Input(mel, self._embed(Modality.AUDIO), networks.trained(Modality.AUDIO))
        texts = [self.items.prompts[s][p] for s, p in zip(batch.pairs.species, batch.pairs.prompt, strict=True)]
        distinct = list(dict.fromkeys(texts))
        place = {text: number for number, text in enumerate(distinct)}
        rows = torch.tensor([place[text] for text in texts], device=device)
        trained = networks.trained(Modality.TEXT)
        if trained or self.frozen.texts is None:
            tokens = torch.from_numpy(np.stack([networks.text.load(text) for text in distinct])).to(device)
            inputs[Modality.TEXT] = Input(tokens, self._embed(Modality.TEXT), trained, rows)
        else:
            made = torch.from_numpy(self.frozen.texts.subset(distinct).vectors).to(device)
            inputs[Modality.TEXT] = Input(
                torch.nn.functional.normalize(made, dim=1), None, trained=False, rows=rows
            )
        if terms.aic or terms.itc:
            if self.frozen.images is not None:
                inputs[Modality.IMAGE] = Input(self.frozen.image_rows(batch.pairs.image), None, trained=False)
            else:
                assert batch.pixels is not None
                pixels = torch.from_numpy(batch.pixels).to(device)
                inputs[Modality.IMAGE] = Input(
                    pixels, self._embed(Modality.IMAGE), networks.trained(Modality.IMAGE)
                )
        return inputs

    def _embed(self, modality: Modality) -> Callable[[torch.Tensor], torch.Tensor]:
        dtype = _AUTOCAST.get(self.recipe.precision)
        kind = self.networks.device.type

        def embed(values: torch.Tensor) -> torch.Tensor:
            context: AbstractContextManager[object] = torch.autocast(kind, dtype) if dtype else nullcontext()
            with context:
                return self.networks.embed(modality, values)

        return embed
