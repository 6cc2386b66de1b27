"""What a written model gives in a process that has never seen it; call these by `support.forked.call`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from biovita.modality import MEDIA, Modality
from biovita.model import load_model
from biovita.towers.encoder import Classes
from support.plain_model import know, plain_towers

__all__ = ["plain_vectors_of", "text_vectors_of"]


def text_vectors_of(path: Path, texts: Sequence[str]) -> np.ndarray:
    """Return the vectors of texts."""
    return load_model(path, "cpu").embed_texts(texts)


def plain_vectors_of(path: Path, texts: Sequence[str], rows: np.ndarray) -> list[np.ndarray]:
    """Return the vectors of texts, and what becomes of rows of both media, by a model on the plain towers.

    Its audio tower has four classes.
    """
    towers = plain_towers()
    weights = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    own = Classes((("a",),) * 4, weights, np.zeros(4, np.float32), 4, scientific=False)
    towers[Modality.AUDIO].classes = lambda: own  # type: ignore[method-assign]
    know("plain", towers)
    model = load_model(path)
    return [model.embed_texts(texts), *(model.project(modality, rows) for modality in MEDIA)]
