"""Traits: whether errors at least find the right way of life, and how well embeddings tell it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from biovita.benchmark.scores import Scores, bootstrap_interval
from biovita.benchmark.task import Task
from biovita.modality import Modality
from biovita.taxonomy import Rank
from biovita.traits.known_labels import Traits, enough
from biovita.traits.label_probes import cross_validated, linear_probe

__all__ = ["TraitAgreement", "TraitScore", "label_scores", "trait_agreement"]

_QUERIES_AT_ONCE = 2048  # each with a hundred candidates and more, of 34 labels


@dataclass(frozen=True, slots=True)
class TraitScore:
    """How well a label can be told from the embeddings of species.

    Attributes
    ----------
    method
        ``zero-shot`` or ``probe``; see `label_scores`.
    auc
        Area under the ROC curve; chance is one half.
    chance
        Of ``average_precision``: the share of the species that have the label.
    species
        How many were judged.
    leak
        Whether the model has trained on something that was asked as new.
    """

    modality: str
    method: str
    part: str
    group: str
    label: str
    auc: float
    average_precision: float
    chance: float
    species: int
    leak: bool = False


@dataclass(frozen=True, slots=True)
class TraitAgreement:
    """How often a wrong species of one task shares a label with the right one.

    Attributes
    ----------
    queries
        Whose species has the label.
    accuracy
        Top-1, on those queries.
    errors
        How many errors of theirs were judged.
    share, chance, low, high
        How many of those errors have the label, what a wrong candidate drawn at random is expected to get, and the 95 %
        bootstrap interval of ``share``; None where there are no such errors.
    """

    part: str
    direction: str
    group: str
    label: str
    queries: int
    accuracy: float
    errors: int
    share: float | None = None
    chance: float | None = None
    low: float | None = None
    high: float | None = None


def trait_agreement(scores: Scores, traits: Traits, *, seed: int = 0) -> list[TraitAgreement]:
    """Return, for each label, how often a wrong species shares it with the right one.

    Only errors at species level count, and of them those whose right species has the label. ``chance`` is the mean
    share of the query's wrong candidates that have it, among those of which it is known.

    Returns
    -------
    One row a task and label.
    """
    from biovita.trait_labels import group_of

    rows = []
    for score in scores.tasks:
        task = score.task
        if task.level != Rank.SPECIES:
            continue
        labels = traits.labels
        columns = [traits.column(task.taxa, label) for label in labels]
        wrong = np.flatnonzero(score.ranks > 1)
        having, told = _wrong_candidates(task, wrong, np.stack(columns, axis=1)) if labels else (wrong, wrong)
        for number, (label, known) in enumerate(zip(labels, columns, strict=True)):
            own = known[task.correct_taxa] == 1
            if not own.any():
                continue
            judged = own[wrong] & ~np.isnan(known[score.retrieved[wrong]]) & (told[:, number] > 0)
            row = TraitAgreement(
                part=task.part,
                direction=task.direction,
                group=group_of(label),
                label=label,
                queries=int(own.sum()),
                accuracy=float(score.hits(1)[own].mean()),
                errors=int(judged.sum()),
            )
            if judged.any():
                hits = known[score.retrieved[wrong[judged]]] == 1
                low, high = bootstrap_interval(hits, [seed, zlib.crc32(f"{task.name}/{label}".encode())])
                chance = float((having[judged, number] / told[judged, number]).mean())
                row = replace(row, share=float(hits.mean()), chance=chance, low=low, high=high)
            rows.append(row)
    return rows


def _wrong_candidates(task: Task, queries: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(queries, labels)`` how many wrong candidates have each label, and of how many it is known.

    Parameters
    ----------
    known
        ``(taxa, labels)``, as `Traits.column` gives them.
    """
    nothing = np.zeros((1, known.shape[1]), np.int8)  # of the place -1, beyond the last candidate
    having, told = (np.concatenate([each, nothing], dtype=np.int8) for each in (known == 1, ~np.isnan(known)))
    counts = np.empty((2, len(queries), known.shape[1]), np.int32)
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        some = queries[start : start + _QUERIES_AT_ONCE]
        for of, place in ((having, 0), (told, 1)):
            listed = of[task.candidates[some]].sum(axis=1, dtype=np.int32)
            counts[place, start : start + len(some)] = listed - of[task.correct_taxa[some]]
    return counts[0], counts[1]


def label_scores(
    means: Mapping[Modality, tuple[Sequence[str], np.ndarray]],
    unseen: frozenset[str],
    traits: Traits,
    prompts: Mapping[str, np.ndarray] | None = None,
) -> list[TraitScore]:
    """Return how well each label can be told from the embeddings of a species' recordings or photographs.

    ``zero-shot`` ranks species by similarity to the label's
    text; ``probe`` by a linear classifier (logistic regression with an L2 penalty, classes weighted alike) that was
    fitted on seen species, and is judged on unseen ones, or on seen ones by five-fold cross-validation.

    Parameters
    ----------
    means
        By modality, species and the mean of their vectors, as `biovita.traits.label_probes.species_means` gives them.
    unseen
        The species that no training has met.
    prompts
        From each label to the vector of its text, for zero-shot prediction. One of another length than the means of a
        modality is in another space, and is not asked of it.

    Returns
    -------
    One row a modality, method, part and label of which at least three species have it and three have not.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    from biovita.trait_labels import group_of

    rows = []
    for modality, (species, vectors) in means.items():
        hidden = np.array([name in unseen for name in species])
        asked = {label: text for label, text in (prompts or {}).items() if len(text) == vectors.shape[1]}
        for label in traits.labels:
            known = traits.column(species, label)
            judged: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}
            for part, mine in (("unseen", hidden), ("seen", ~hidden)):
                at = np.flatnonzero(mine & ~np.isnan(known))
                if not enough(known[at]):
                    continue
                if label in asked:
                    judged["zero-shot", part] = (vectors[at] @ asked[label], known[at])
                fitted = np.flatnonzero(~hidden & ~np.isnan(known))
                if not enough(known[fitted]):
                    continue
                if part == "unseen":
                    judged["probe", part] = (linear_probe(vectors[fitted], known[fitted])(vectors[at]), known[at])
                else:
                    judged["probe", part] = (cross_validated(vectors[at], known[at]), known[at])
            rows += [
                TraitScore(
                    modality=modality.value,
                    method=method,
                    part=part,
                    group=group_of(label),
                    label=label,
                    auc=float(roc_auc_score(truth, values)),
                    average_precision=float(average_precision_score(truth, values)),
                    chance=float(truth.mean()),
                    species=len(truth),
                )
                for (method, part), (values, truth) in judged.items()
            ]
    return rows
