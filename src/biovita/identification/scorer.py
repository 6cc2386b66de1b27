"""What the evidence says of windows and photographs, added up in log-odds.

Of a candidate with a class of its own in the encoder's classifier the log-odds begin with the classifier's logit, so
where nothing else is known of it its score is the encoder's own confidence. All others begin with the prior of
`biovita.identification.likeness.Weights`. Where no candidate has such a class, they begin with one in the number of
candidates, if that is larger. To this are added:

- ``Weights.bare``, where neither a class of its own nor an exemplar speaks for the candidate, but some for others;
- exemplars, of every candidate that has some (`Likeness.log_odds`);
- the name and the classes of pictures, of candidates for which neither a class of their own nor an exemplar speaks.
  They are read from the same numbers as exemplars are, and say less: added to these they would count twice.

For a kind of evidence that a candidate lacks nothing is added. So exemplars of other taxa change nothing in the
log-odds of a candidate with a class, nor in the order of those that have no exemplars.

Background classes compete with what is known by exemplars: with ``b`` the log-odds of the best of them, the others lose
``log(1 + exp(b))``, which is what the odds against a candidate grow by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from biovita.archive.archive_tables import Kind
from biovita.errors import ModelError
from biovita.identification.evidence import Evidence, Scored
from biovita.identification.exemplars import Exemplars
from biovita.identification.gallery import ClassLinks, Gallery
from biovita.identification.likeness import Likeness, Weights, weights_of
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.describe import load_encoder, load_model

if TYPE_CHECKING:
    from biovita.model import Model
    from biovita.towers.encoder import Encoder

__all__ = ["Scorer", "opened_projection"]

_AT_ONCE = 1 << 23  # candidates times rows whose weaker evidence is added up at a time


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores the vectors of one tower against a gallery; see `of`.

    Attributes
    ----------
    weights
        How much each kind says; ``weights.fitted`` tells whether they were fitted for this model.
    classes
        ``(dim, candidates)``, float32: the classes that are answers in themselves; 0 of candidates without one. None
        where there is no such class.
    begin
        ``(candidates,)``, float32: the bias of the class, or what else the log-odds begin with.
    """

    gallery: Gallery
    modality: Modality
    weights: Weights
    prior: float
    classes: np.ndarray | None
    begin: np.ndarray
    own: np.ndarray  # (candidates,), bool: has a class that is an answer in itself
    pictures: _PictureClasses | None
    _model: ModelCard | Model
    _tower: Encoder
    _opened: dict[Modality, Callable[[np.ndarray], np.ndarray]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: ModelCard | Model, gallery: Gallery, tower: Encoder) -> Scorer:
        """Return what scores the vectors of a model's tower.

        Parameters
        ----------
        gallery
            As `biovita.identification.gallery.gallery_of` gives it, with this tower among its own.
        """
        from biovita.model import Model

        card = model.card if isinstance(model, Model) else model
        modality, count = tower.card.modality, len(gallery.candidates)
        weights = weights_of(card, modality)
        links, own, matrix, pictures = gallery.links.get(tower.card.name), np.zeros(count, bool), None, None
        answers = links is not None and weights.picture_class is None
        prior = weights.prior if answers else max(weights.prior, -float(np.log(count)))
        begin = np.full(count, prior, np.float32)
        classes = tower.classes() if links is not None else None
        if links is not None and classes is not None:
            if weights.picture_class is None:
                own[links.candidates] = True
                directions = np.zeros((classes.weights.shape[1], count), np.float32)
                directions[:, links.candidates] = classes.weights[links.classes].T
                begin[links.candidates] = classes.bias[links.classes]
                matrix = directions
            else:
                pictures = _PictureClasses(links, classes.weights.T.copy(), classes.bias, weights.picture_class)
        spoken = own.copy()
        if (exemplars := gallery.exemplars.get(modality)) is not None:
            spoken[exemplars.candidates] = True
        if spoken.any():
            begin[~spoken] += weights.bare
        return cls(gallery, modality, weights, prior, matrix, begin, own, pictures, model, tower)

    def score(self, vectors: np.ndarray, groups: Sequence[str | None] | None = None) -> Scored:
        """Return the log-odds of each candidate for each row, and which kind of evidence says most of it.

        Parameters
        ----------
        vectors
            ``(rows, dim)``, float32, as the tower gives them.
        groups
            By row, the group that it is of: exemplars of the same group are passed over.

        Raises
        ------
        ModelError
            Where the vectors are not of the tower's length, or one is not finite.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self._tower.card.dim:
            raise ModelError(
                f"vectors of {self._tower.card.name} have {self._tower.card.dim} numbers each, and these are of shape "
                f"{vectors.shape}"
            )
        if not np.isfinite(vectors).all():
            raise ModelError("a vector is not finite. It has no scores")
        rows, count = len(vectors), len(self.gallery.candidates)
        if self.classes is not None:
            logits = vectors @ self.classes
            logits += self.begin
        else:
            logits = np.tile(self.begin, (rows, 1))
        decided = np.empty((rows, count), np.uint8)
        decided[:] = self._before
        exemplars, shown, there = self.gallery.exemplars.get(self.modality), None, None
        if exemplars is not None:
            cosines = exemplars.cosines(vectors, groups)
            shown, there = self.weights.exemplar.log_odds(cosines), np.isfinite(cosines)
        self._add_weaker(vectors, logits, decided, exemplars, there)
        if exemplars is not None and shown is not None and there is not None:
            self._add_exemplars(logits, decided, exemplars, shown, there)
        return Scored(logits, decided)

    @property
    def _before(self) -> np.ndarray:
        """What decides where exemplars say less, ``(candidates,)``: the class or the name; 0 where neither is there."""
        found = np.zeros(len(self.gallery.candidates), np.uint8)
        if self.gallery.names is not None:
            found[self.gallery.names.candidates] = Evidence.NAME
        found[self.own] = Evidence.CLASS
        return found

    def _add_weaker(
        self,
        vectors: np.ndarray,
        logits: np.ndarray,
        decided: np.ndarray,
        exemplars: Exemplars | None,
        there: np.ndarray | None,
    ) -> None:
        """Add names and classes of pictures where neither a class of its own nor an exemplar speaks."""
        names = self.gallery.names
        kept = np.flatnonzero(~self.own[names.candidates]) if names is not None else np.empty(0, np.int64)
        if not len(kept) and self.pictures is None:
            return
        step = max(1, _AT_ONCE // logits.shape[1])
        for start in range(0, len(vectors), step):
            rows = slice(start, start + step)
            some = vectors[rows]
            added = np.zeros((len(some), logits.shape[1]), np.float32)
            if names is not None and len(kept):
                cosines = self.projection(self.modality)(some) @ names.directions[kept].T
                added[:, names.candidates[kept]] = self.weights.name.log_odds(cosines)
            if self.pictures is not None:
                numbers, found = self.pictures.log_odds(some)
                more = found > added[:, numbers]
                added[:, numbers] += found
                decided[rows, numbers] = np.where(more, Evidence.CLASS, decided[rows, numbers])
            added[:, self.own] = 0.0
            if exemplars is not None and there is not None:
                added[:, exemplars.candidates] *= ~there[rows]
            logits[rows] += added

    def _add_exemplars(
        self, logits: np.ndarray, decided: np.ndarray, exemplars: Exemplars, shown: np.ndarray, there: np.ndarray
    ) -> None:
        numbers = exemplars.candidates
        before = logits[:, numbers] - self.prior
        more = there & ((shown > before) | ~self.own[numbers])
        decided[:, numbers] = np.where(more, Evidence.EXEMPLAR, decided[:, numbers])
        found = logits[:, numbers] + shown
        empty = np.array([self.gallery.candidates[number].kind == Kind.BACKGROUND for number in numbers])
        if empty.any():
            against = np.logaddexp(0.0, found[:, empty].max(axis=1, keepdims=True))
            found[:, ~empty] -= against
        logits[:, numbers] = found

    def projection(self, modality: Modality) -> Callable[[np.ndarray], np.ndarray]:
        """Return what takes a tower's vectors to the shared space; the model is opened when it is first asked."""
        if modality not in self._opened:
            self._opened[modality] = opened_projection(self._model, modality, self._tower)
        return self._opened[modality]


def opened_projection(
    model: ModelCard | Model, modality: Modality, tower: Encoder | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what takes vectors of a model's tower to the space that sound, photographs and names share.

    Parameters
    ----------
    tower
        One of the model that is open already; opened where the projection asks its classifier.

    Raises
    ------
    ModelError
        Where the model has no such space.
    """
    from biovita.model import Model

    card = model.card if isinstance(model, Model) else model
    if card.dim is None:
        raise ModelError(f"{card.name} has no space that sound and photographs share")
    opened = model if isinstance(model, Model) else load_model(model, modalities=())
    asks = opened.knowledge is not None and opened.knowledge.asks_classifier
    if modality == Modality.AUDIO and asks and modality not in opened.towers:
        is_it = tower is not None and tower.card.modality == modality
        mine = tower if is_it and tower is not None else load_encoder(opened.card, modality)
        opened = replace(opened, towers={**opened.towers, modality: mine})
    return lambda vectors: opened.project(modality, vectors)


@dataclass(frozen=True, eq=False)
class _PictureClasses:
    """Classes of an encoder that answers with one of all, and the candidates that each may show."""

    links: ClassLinks
    weights: np.ndarray  # (dim, classes)
    bias: np.ndarray
    likeness: Likeness

    def likenesses(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers of candidates, and the logarithm of the probability of each, ``(rows, taxa)``.

        A class that may show many taxa says of each that its probability is one of as many.
        """
        answers = vectors @ self.weights + self.bias
        answers -= answers.max(axis=1, keepdims=True)
        np.exp(answers, out=answers)
        answers /= answers.sum(axis=1, keepdims=True)
        numbers, starts = np.unique(self.links.candidates, return_index=True)
        shares = answers[:, self.links.classes] / self.links.shown.astype(np.float32)
        likely = np.add.reduceat(shares, starts, axis=1)
        return numbers, np.log(np.maximum(likely, 1e-30))

    def log_odds(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers of candidates, and what is added to their log-odds, ``(rows, taxa)``."""
        numbers, found = self.likenesses(vectors)
        return numbers, self.likeness.log_odds(found)
