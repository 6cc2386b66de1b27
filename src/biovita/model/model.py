"""The model: towers, a projection each into one space, and a temperature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from biovita.directions import unit
from biovita.errors import MediaError, ModelError
from biovita.media.inputs import Sound
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.class_answers import answers_of
from biovita.model.knowledge import Knowledge
from biovita.model.met import Met
from biovita.model.side import Side, side_card, sides_in_words
from biovita.taxonomy.known_taxa import KnownTaxa
from biovita.towers import Encoder
from biovita.towers.encode import encode_items
from biovita.towers.long_recordings import window_parts

if TYPE_CHECKING:
    from PIL import Image

    from biovita.media.inputs import Clip
    from biovita.model.projection import AddedFacts, Projection

__all__ = ["Model"]


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """Towers, and where it is aligned a projection each into one space.

    Attributes
    ----------
    name
        What it calls itself.
    card
        Which model it is, and where it is from.
    towers
        The encoder of each modality that the model has.
    projections
        From a tower's vectors to the shared space; a modality without one keeps its tower's vectors. Where the towers
        themselves were trained, that of texts adds what is known of their taxa, if anything.
    logit_scale
        The learned factor (one over the temperature) between cosine similarity and logit; 1 where there is none.
    record
        What made the model: recipe, dataset, seed, versions.
    met
        What it has met in training; None where that is not known.
    knowledge
        What it knows of the taxa that texts name, beside the words; None where it goes by the words alone.
    """

    name: str
    card: ModelCard
    towers: Mapping[Modality, Encoder]
    projections: Mapping[Modality, Projection | AddedFacts] = field(default_factory=dict)
    logit_scale: float = 1.0
    record: Mapping[str, Any] = field(default_factory=dict)
    met: Met | None = None
    knowledge: Knowledge | None = None

    def __repr__(self) -> str:
        return f"<Model {self.name!r}: {sides_in_words([self.encoder(modality) for modality in self.towers])}>"

    def dim(self, modality: Modality) -> int:
        """Return the length of this modality's embeddings."""
        projection = self.projections.get(modality)
        return int(projection.linear.out_features) if projection is not None else self.tower(modality).card.dim

    def tower(self, modality: Modality) -> Encoder:
        """Return the encoder of a modality.

        Raises
        ------
        ModelError
            Where the model has none.
        """
        if modality not in self.towers:
            raise ModelError(f"the model {self.name!r} has no {modality} tower. It has {', '.join(self.towers)}")
        return self.towers[modality]

    def encoder(self, modality: Modality) -> Encoder:
        """Return one side of the model as an encoder: its tower, the projection where there is one, and length 1.

        Raises
        ------
        ModelError
            Where the model has no tower for the modality.
        """
        made = self.card if modality in self.projections else None
        card_of = partial(side_card, made, self.dim(modality))
        return Side(self.tower(modality), card_of, partial(self.project, modality))

    def knowing(self, book: KnownTaxa) -> Model:
        """Return the model as it looks up the taxa of texts in a book first; where it goes by words alone, itself."""
        return self if self.knowledge is None else replace(self, knowledge=self.knowledge.with_book(book))

    def listening(self, **changes: Any) -> Model:
        """Return the model as it reads sound in another way: fields of `AudioInput`. The weights are shared.

        Raises
        ------
        ModelError
            Where its audio tower has one way only, or a field's value is not accepted.
        """
        from biovita.towers.clap import ClapAudio

        audio = self.tower(Modality.AUDIO)
        if not isinstance(audio, ClapAudio):
            raise ModelError(
                f"the audio tower {audio.card.name} reads sound in one way. Leave out {', '.join(changes)}"
            )
        changed = audio.listening(**changes)
        card = replace(self.card, encoders={**self.card.encoders, Modality.AUDIO: changed.card})
        return replace(self, card=card, towers={**self.towers, Modality.AUDIO: changed})

    @classmethod
    def of_towers(cls, name: str, towers: Mapping[Modality, Encoder], *, logit_scale: float = 1.0) -> Model:
        """Return a model of towers that are in memory; its card has no place."""
        encoders = {modality: tower.card for modality, tower in towers.items()}
        dims = {card.dim for card in encoders.values()}
        revision = "+".join(dict.fromkeys(card.revision for card in encoders.values()))
        card = ModelCard(name, "in memory", "", "", revision, encoders, dims.pop() if len(dims) == 1 else None)
        return cls(name, card, towers, logit_scale=logit_scale)

    def embed_audio(self, items: Sequence[str | Path | Clip | Sound | tuple[np.ndarray, int]]) -> np.ndarray:
        """Return the embeddings of recordings: ``(len(items), dim)``, float32, L2-normalised, in their order.

        Parameters
        ----------
        items
            Paths, spans of files (`Clip`), or samples with their rate in hertz: `Sound` or ``(samples, rate)``,
            float, ``(samples,)`` or ``(samples, channels)``.

        Raises
        ------
        MediaError
            Where one cannot be used; the message says which.
        """
        _check_is_list(items, "embed_audio", "paths or sounds")
        sounds = [Sound(*item) if isinstance(item, tuple) else item for item in items]
        return self._embed(Modality.AUDIO, sounds)

    def embed_images(self, items: Sequence[str | Path | Image.Image]) -> np.ndarray:
        """Return the embeddings of photographs (paths or PIL images): ``(len(items), dim)``, as `embed_audio`."""
        _check_is_list(items, "embed_images", "paths or images")
        return self._embed(Modality.IMAGE, items)

    def embed_texts(self, items: Sequence[str]) -> np.ndarray:
        """Return the embeddings of names or phrases: ``(len(items), dim)``, as `embed_audio`."""
        _check_is_list(items, "embed_texts", "strings")
        return self._embed(Modality.TEXT, items)

    def embed_windows(
        self, item: str | Path | Clip | Sound, overlap: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return where the windows of one recording begin and the embedding of each.

        Parameters
        ----------
        overlap
            Share of a window that the next one repeats, from 0 up to 1, where the tower can do that. A tower may
            leave out a short last window; else it is filled up with silence.

        Returns
        -------
        starts_s : float64 ``(windows,)``, in seconds from the start of the item
        embeddings : float32 ``(windows, dim)``, L2-normalised

        Raises
        ------
        ModelError
            Where the audio tower does not cut recordings, or not with an overlap.
        """
        tower = self.tower(Modality.AUDIO).cutting(overlap)
        assert tower.windows is not None, "it cuts recordings"
        vectors = np.concatenate([tower.encode_windows(list(some)) for some in window_parts(tower.load(item))])
        return np.arange(len(vectors)) * tower.windows.hop_s, self.project(Modality.AUDIO, vectors)

    def project(self, modality: Modality, vectors: np.ndarray, texts: Sequence[str] = ()) -> np.ndarray:
        """Return a tower's vectors ``(N, tower dim)`` in the shared space: ``(N, dim)``, float32, L2-normalised.

        Parameters
        ----------
        texts
            The texts that the vectors are of; what the model knows of their taxa enters. Of other modalities it is not
            looked at.

        Raises
        ------
        ModelError
            Where a vector is zero or not finite, and so has no direction.
        """
        import torch

        knowledge = self.knowledge
        known = knowledge is not None and modality == Modality.TEXT
        if known:
            assert knowledge is not None
            assert len(texts) == len(vectors), "the texts go with their vectors"
            vectors = np.concatenate([vectors, knowledge.inputs(texts)], axis=1)
        heard, projection = vectors, self.projections.get(modality)
        if projection is not None:
            device = next(projection.parameters()).device
            with torch.inference_mode():
                vectors = projection(torch.from_numpy(np.ascontiguousarray(vectors)).to(device)).cpu().numpy()
        found = unit(vectors, f"{modality} vectors")
        if knowledge is None:
            return found
        if known:
            return knowledge.names_drawn(found, texts)
        if modality != Modality.AUDIO or not knowledge.asks_classifier:
            return knowledge.media_drawn(found)
        return knowledge.media_drawn(found, lambda rows: self._answers(heard[rows]))

    @cached_property
    def _answers(self) -> Callable[[np.ndarray], np.ndarray]:
        assert self.knowledge is not None
        return answers_of(self.tower(Modality.AUDIO), self.knowledge.landmarks.numbers)

    def _embed(self, modality: Modality, items: Sequence[Any]) -> np.ndarray:
        """Encode batch by batch, while other threads load what comes next."""
        tower = self.tower(modality)
        if not len(items):
            return np.zeros((0, self.dim(modality)), np.float32)
        with closing(encode_items(tower, enumerate(items))) as encoded:
            vectors = [_usable(*entry) for entry in encoded]
        return self.project(modality, np.concatenate(vectors), items if modality == Modality.TEXT else ())


def _check_is_list(items: Any, method: str, what: str) -> None:
    """Refuse one item where a list is meant: of a string each letter would be taken for an item."""
    one = isinstance(items, str | Path) or not hasattr(items, "__len__")
    if one or (isinstance(items, tuple) and len(items) == 2 and isinstance(items[0], np.ndarray)):
        raise ModelError(
            f"{method} takes a list of {what}, and got one {type(items).__name__}. Put it into a list"
        )


def _usable(place: int, found: np.ndarray | MediaError) -> np.ndarray:
    if isinstance(found, MediaError):
        raise MediaError(found.reason, f"item {place}: {found}") from found
    return found
