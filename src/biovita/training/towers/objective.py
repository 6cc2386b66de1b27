"""The loss of a batch: what the towers are given, the terms between their vectors, the guard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch

from biovita.modality import Modality
from biovita.training.gate import Gate, guard
from biovita.training.recipe import TERMS, WATCHED, Phase, TowersRecipe
from biovita.training.towers.augment import mask_mel, vary_sounds
from biovita.training.towers.batches import TrainingBatch
from biovita.training.towers.distributed import gathered_loss, mean_over_processes
from biovita.training.towers.frozen_vectors import FrozenVectors
from biovita.training.towers.networks import Networks
from biovita.training.towers.sampling import Epoch
from biovita.training.towers.step import Input, Losses, pieces

__all__ = ["Objective"]

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, eq=False)
class Objective:
    """From batches to losses.

    Attributes
    ----------
    prompts
        By species, its texts.
    frozen
        The vectors of frozen towers.
    kinship
        Of the training species, for taxonomy-aware targets.
    """

    recipe: TowersRecipe
    networks: Networks
    prompts: Sequence[Sequence[str]]
    frozen: FrozenVectors
    kinship: torch.Tensor | None

    def evaluate(self, batch: TrainingBatch) -> float:
        """Return ATC of a batch over all processes, in evaluation mode."""
        with self.networks.evaluating(), torch.no_grad():
            inputs = self.inputs(batch, {WATCHED: 1.0})
            vectors = {modality: self._vectors(entry) for modality, entry in inputs.items()}
            return float(mean_over_processes(self._term(WATCHED, vectors, self._species(batch))))

    def _vectors(self, entry: Input) -> torch.Tensor:
        """Return the vectors of the pairs without a graph."""
        if entry.embed is None:
            return entry.of_pairs(entry.values)
        taken = pieces(entry, self.recipe.chunk, together=self.recipe.sharded)
        return entry.of_pairs(torch.cat([entry.embed(piece) for piece in taken])[: len(entry.values)])

    def _species(self, batch: TrainingBatch) -> torch.Tensor:
        return torch.from_numpy(batch.pairs.species).to(self.networks.device)

    def losses(
        self,
        phase: Phase,
        terms: Mapping[str, float],
        gate: Gate | None,
        vectors: Mapping[Modality, torch.Tensor],
        batch: TrainingBatch,
    ) -> Losses:
        """Return the loss of the vectors of a batch: the weighted terms, and the guard where there is a gate."""
        species = self._species(batch)
        local = {
            name: (weight, self._term(name, vectors, species))
            for name, weight in terms.items()
            if weight or (name == WATCHED and gate is not None)
        }
        values = {name: float(mean_over_processes(value)) for name, (_, value) in local.items()}
        total = torch.stack([weight * value for weight, value in local.values()]).sum()
        loss = sum(weight * values[name] for name, (weight, _) in local.items())
        if gate is not None and phase.gate is not None:
            values["guard"], slope = guard(values[WATCHED], gate, phase.gate)
            total = total + slope * local[WATCHED][1]
            loss += values["guard"]
        return Losses(total, {"loss": loss, **values})

    def _term(self, name: str, vectors: Mapping[Modality, torch.Tensor], species: torch.Tensor) -> torch.Tensor:
        first, second = TERMS[name]
        return gathered_loss(
            self.recipe.loss,
            vectors[first],
            vectors[second],
            self.networks.logit_scale(),
            species,
            positives=self.recipe.positives,
            kinship=self.kinship,
            bias=0.0 if self.networks.bias is None else self.networks.bias,
            gradients=self.recipe.behaviour == "paper",
        )

    def inputs(
        self, batch: TrainingBatch, terms: Mapping[str, float], augment: int | None = None
    ) -> dict[Modality, Input]:
        """Return what the towers are given of a batch; a modality that no term has at the moment is left out.

        Parameters
        ----------
        terms
            Their weights. The one that a gate watches is made in any case.
        augment
            The seed of the recipe's augmentations; None makes none.
        """
        named = [TERMS[term] for term, weight in terms.items() if weight or term == WATCHED]
        wanted = {modality for pair in named for modality in pair}
        inputs: dict[Modality, Input] = {}
        for modality in Modality:
            if modality not in wanted:
                continue
            if modality == Modality.TEXT:
                inputs[modality] = self._texts(batch.pairs)
            elif modality in self.frozen.items:
                vectors = self.frozen.rows(modality, batch.pairs.rows[modality])
                inputs[modality] = Input(vectors, None, trained=False)
            elif modality in batch.inputs:
                values = torch.from_numpy(batch.inputs[modality]).to(self.networks.device)
                if modality == Modality.AUDIO:
                    values = self._mel(values, augment)
                inputs[modality] = Input(values, self._embed(modality), self.networks.trained(modality))
        return inputs

    def _mel(self, sounds: torch.Tensor, augment: int | None) -> torch.Tensor:
        """Return the spectrograms of sounds; ``augment`` is the seed of what is changed in them."""
        mel = self.networks.audio.mel
        if augment is None:
            return mel(sounds)
        sounds = vary_sounds(sounds, self.recipe.augment, 2 * augment)
        return mask_mel(mel(sounds), self.recipe.augment, 2 * augment + 1)

    def _texts(self, pairs: Epoch) -> Input:
        """Return the distinct texts of pairs, as tokens or as the vectors that are there."""
        networks, device = self.networks, self.networks.device
        texts = [self.prompts[s][p] for s, p in zip(pairs.species, pairs.prompt, strict=True)]
        distinct = list(dict.fromkeys(texts))
        place = {text: number for number, text in enumerate(distinct)}
        rows = torch.tensor([place[text] for text in texts], device=device)
        trained = networks.trained(Modality.TEXT)
        if trained or self.frozen.texts is None:
            tokens = torch.from_numpy(np.stack([networks.text.load(text) for text in distinct])).to(device)
            return Input(tokens, self._embed(Modality.TEXT), trained, rows)
        made = torch.from_numpy(self.frozen.texts.subset(distinct).vectors).to(device)
        return Input(torch.nn.functional.normalize(made, dim=1), None, trained=False, rows=rows)

    def _embed(self, modality: Modality) -> Callable[[torch.Tensor], torch.Tensor]:
        dtype = _AUTOCAST.get(self.recipe.precision)
        kind = self.networks.device.type

        def embed(values: torch.Tensor) -> torch.Tensor:
            context: AbstractContextManager[object] = torch.autocast(kind, dtype) if dtype else nullcontext()
            with context:
                return self.networks.embed(modality, values)

        return embed
