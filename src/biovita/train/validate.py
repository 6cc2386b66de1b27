"""Validation during training, in the benchmark's own terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from biovita.bench import Scores, build_benchmark, headline, score_benchmark
from biovita.dataset import Dataset, Modality, Split
from biovita.embed import Vectors
from biovita.errors import MediaError
from biovita.model import Model
from biovita.towers import Clip

__all__ = ["criterion", "scores_of", "validate"]

_TEXTS_AT_ONCE = 512


def validate(
    model: Model, dataset: Dataset, *, seed: int, images: Vectors | None = None
) -> dict[str, dict[str, float]]:
    """Return by part (``seen``, ``unseen``) the mean of the six directions at species level.

    Each has ``top1``, ``top5`` and ``chance`` (of Top-1). A part without tasks is not there. Texts are bare names, as
    published; the rest is as `scores_of` has it.
    """
    rows = scores_of(model, dataset, seed=seed, images=images).rows()
    result = {}
    for part in ("seen", "unseen"):
        first, fifth = (headline(rows, stage=None, part=part, k=k) for k in (1, 5))
        if first is not None and fifth is not None:
            result[part] = {"top1": first.accuracy, "top5": fifth.accuracy, "chance": first.chance}
    return result


def scores_of(
    model: Model, dataset: Dataset, *, seed: int, images: Vectors | None = None, text: str = "name"
) -> Scores:
    """Return what a model gets on the benchmark of a dataset's split.

    What does not decode counts as the benchmark has it: a query missed, a sample that does not exist.

    Parameters
    ----------
    images
        Vectors of the photographs' frozen tower; None computes them.
    text
        As `biovita.bench.build_benchmark` has it.
    """
    benchmark = build_benchmark(dataset, seed=seed, text=text)
    held_out = {Split.SEEN.value, Split.UNSEEN.value}
    found: dict[Modality, Vectors] = {}
    for modality in (Modality.AUDIO, Modality.IMAGE):
        rows = [row for row in dataset.media(modality).to_pylist() if row["split"] in held_out]
        if modality == Modality.IMAGE and images is not None:
            kept = [row for row in rows if row["id"] in images]
            vectors = model.project(modality, images.subset([row["id"] for row in kept]).vectors)
        else:
            kept, vectors = _embedded(model, dataset, modality, rows)
        found[modality] = Vectors(
            tuple(row["id"] for row in kept), tuple(row["taxon_id"] for row in kept), vectors
        )
    texts = list(dict.fromkeys(benchmark.ids(Modality.TEXT)))
    parts = [
        model.embed_texts(texts[start : start + _TEXTS_AT_ONCE]) for start in range(0, len(texts), _TEXTS_AT_ONCE)
    ]
    found[Modality.TEXT] = Vectors(tuple(texts), ("",) * len(texts), np.concatenate(parts))
    return score_benchmark(benchmark, found)


def criterion(validation: dict[str, dict[str, float]]) -> float:
    """Return what the best model is chosen by: Top-1 on unseen species, where there are none on seen ones."""
    part = validation.get("unseen") or validation.get("seen")
    return part["top1"] if part else 0.0


def _embedded(
    model: Model, dataset: Dataset, modality: Modality, rows: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], np.ndarray]:
    tower = model.tower(modality)
    kept, loaded, parts = [], [], []
    for row in rows:
        path = dataset.locate(row["path"])
        item = Clip(path, row["start_s"], row["end_s"]) if modality == Modality.AUDIO else path
        try:
            loaded.append(tower.load(item))
        except MediaError:
            continue
        kept.append(row)
        if len(loaded) == tower.batch_size:
            parts.append(tower.encode(loaded))
            loaded = []
    if loaded:
        parts.append(tower.encode(loaded))
    empty = np.zeros((0, model.dim(modality)), np.float32)
    return kept, model.project(modality, np.concatenate(parts)) if parts else empty
