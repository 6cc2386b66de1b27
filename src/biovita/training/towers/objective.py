"""The loss of a batch: what the towers are given, the terms between their vectors, the guard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch

from biovita.modality import Modality
from biovita.training.gate import Gate, guard
from biovita.training.hidden_facts import with_hidden
from biovita.training.losses import Kinship
from biovita.training.recipe import TERMS, WATCHED, Augment, Phase, TowersRecipe
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
    facts
        By species ``(species, knowledge.count)``, what is added to the vectors of its texts; None adds nothing.
    """

    recipe: TowersRecipe
    networks: Networks
    prompts: Sequence[Sequence[str]]
    frozen: FrozenVectors
    kinship: Kinship | None
    facts: torch.Tensor | None = None

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
        self, batch: TrainingBatch, terms: Mapping[str, float], seed: int | None = None
    ) -> dict[Modality, Input]:
        """Return what the towers are given of a batch; a modality that no term has at the moment is left out.

        Parameters
        ----------
        terms
            Their weights. The one that a gate watches is made in any case.
        seed
            Of the recipe's augmentations, and of what is hidden of taxa; None leaves all as it is.
        """
        named = [TERMS[term] for term, weight in terms.items() if weight or term == WATCHED]
        wanted = {modality for pair in named for modality in pair}
        inputs: dict[Modality, Input] = {}
        for modality in Modality:
            if modality not in wanted:
                continue
            if modality == Modality.TEXT:
                inputs[modality] = self._texts(batch.pairs, seed)
            elif modality in self.frozen.items:
                vectors = self.frozen.rows(modality, batch.pairs.rows[modality])
                inputs[modality] = Input(vectors, None, trained=False)
            elif modality in batch.inputs:
                values = torch.from_numpy(batch.inputs[modality]).to(self.networks.device)
                if modality == Modality.AUDIO:
                    values = self._mel(values, seed)
                inputs[modality] = Input(values, self._embed(modality), self.networks.trained(modality))
        return inputs

    def _mel(self, sounds: torch.Tensor, seed: int | None) -> torch.Tensor:
        """Return the spectrograms of sounds; ``seed`` is that of what is changed in them."""
        mel = self.networks.audio.mel
        if seed is None or self.recipe.augment == Augment():
            return mel(sounds)
        sounds = vary_sounds(sounds, self.recipe.augment, 2 * seed)
        return mask_mel(mel(sounds), self.recipe.augment, 2 * seed + 1)

    def _texts(self, pairs: Epoch, seed: int | None) -> Input:
        """Return the distinct texts of pairs, as tokens or as the vectors that are there."""
        networks, device = self.networks, self.networks.device
        owners = pairs.species if self.facts is not None else np.zeros(len(pairs), np.int64)
        texts = [self.prompts[s][p] for s, p in zip(pairs.species, pairs.prompt, strict=True)]
        asked = list(zip(texts, owners.tolist(), strict=True))  # with facts, a text of two species is two texts
        distinct = list(dict.fromkeys(asked))
        place = {each: number for number, each in enumerate(distinct)}
        rows = torch.tensor([place[each] for each in asked], device=device)
        words, species = [text for text, _ in distinct], [owner for _, owner in distinct]
        embed: Callable[..., torch.Tensor]
        if (trained := networks.trained(Modality.TEXT)) or self.frozen.texts is None:
            values = torch.from_numpy(np.stack([networks.text.load(text) for text in words])).to(device)
            embed = self._embed(Modality.TEXT)
        else:
            values = torch.from_numpy(self.frozen.texts.subset(words).vectors).to(device)
            embed = networks.directions
            if self.facts is None:
                return Input(embed(values), None, trained=False, rows=rows)
        if self.facts is None:
            return Input(values, embed, trained, rows)
        known = self._shown(self.facts[species], seed).to(device)
        places = torch.arange(len(distinct), device=device)
        return Input(
            places, lambda some: embed(values[some], known[some]), trained or networks.facts_trained, rows
        )

    def _shown(self, facts: torch.Tensor, seed: int | None) -> torch.Tensor:
        """Return what is known of taxa with a share of it hidden, by a seed; None hides nothing."""
        if seed is None:
            return facts
        settings = self.recipe.text
        return with_hidden(facts, settings.features, settings.hidden, torch.Generator().manual_seed(seed))

    def _embed(self, modality: Modality) -> Callable[..., torch.Tensor]:
        dtype = _AUTOCAST.get(self.recipe.precision)
        kind = self.networks.device.type

        def embed(*values: torch.Tensor) -> torch.Tensor:
            context: AbstractContextManager[object] = torch.autocast(kind, dtype) if dtype else nullcontext()
            with context:
                return self.networks.embed(modality, *values)

        return embed
