"""Scoring a model on a benchmark: vectors, scores, and what a report is made of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biovita.benchmark.asked_texts import text_notes
from biovita.benchmark.headlines import Headline, main_headline
from biovita.benchmark.item_vectors import (
    ItemVectors,
    benchmark_items,
    item_vectors,
    say_unused,
    source_of,
    taxa_of_texts,
)
from biovita.benchmark.leak import MetCheck, check_benchmark
from biovita.benchmark.media_files import resolve_media
from biovita.benchmark.one_space import comparable
from biovita.benchmark.precomputed import read_precomputed
from biovita.benchmark.recordings import Recordings, measured, stated
from biovita.benchmark.score import MEMORY_MB
from biovita.benchmark.scored_models import (
    met_by,
    modalities_of_model,
    model_name,
    open_model,
    seen_penalty_of,
)
from biovita.benchmark.scores import ScoreRow, Scores, checked_penalty, score_benchmark
from biovita.benchmark.task import Benchmark
from biovita.benchmark.trait_run import label_texts, score_traits_of_benchmark
from biovita.benchmark.trait_scores import TraitScore
from biovita.benchmark.vector_rows import mapped
from biovita.compute.device import select_device
from biovita.embedding import Failure, Vectors
from biovita.errors import BiovitaError, ModelError
from biovita.modality import Modality, modalities_of
from biovita.model import Model
from biovita.model.card import ModelCard
from biovita.one_line import OneLine
from biovita.towers.encoder import EncoderCard

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(OneLine):
    """What a model got on a benchmark; `biovita.report.run_of` makes a report of it.

    Attributes
    ----------
    name
        What the model is called.
    benchmark
        With its media where they lie.
    vectors
        By modality, what was scored.
    rows
        Those of ``scores``.
    towers
        The encoders of the model, where it is one of ours.
    made
        What the run was made with.
    failed
        Items without a vector, and why.
    recordings
        Length and contrast of the benchmark's recordings.
    predictions
        How well traits can be told from the vectors; none without a dataset that has traits.
    check
        Whether the model has met what it was asked.
    """

    name: str
    benchmark: Benchmark
    vectors: Mapping[Modality, Vectors]
    scores: Scores
    rows: tuple[ScoreRow, ...]
    towers: tuple[EncoderCard, ...]
    made: Mapping[str, Any]
    failed: tuple[Failure, ...]
    recordings: Recordings
    predictions: tuple[TraitScore, ...]
    seed: int
    check: MetCheck

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that a reader of the scores has to know."""
        return (*self.check.notes, *text_notes(self.benchmark.made))

    @property
    def headline(self) -> Headline | None:
        """The mean over the directions at species level; None where there is no task at that level."""
        return main_headline(self.rows, stage=self.name, seed=self.seed)


def evaluate(
    benchmark: Benchmark,
    model: Any,
    out: Path,
    *,
    name: str | None = None,
    device: str = "auto",
    memory_mb: int = MEMORY_MB,
    seed: int = 0,
    contrast: bool = False,
    allow_leak: bool = False,
    seen_penalty: float | None = None,
    progress: bool = True,
) -> Evaluation:
    """Score a model on a benchmark.

    Where the items of the benchmark are a dataset's, the vectors of our models are read from the dataset, and missing
    ones are computed into it. All other vectors are kept in ``out/vectors``. A run that was stopped continues where it
    was.

    Parameters
    ----------
    model
        A name or directory (see `biovita.load_model`) or a `biovita.Model`; ``random`` or ``random:DIM``, random
        vectors; ``vectors:PATH`` for vectors made elsewhere (see `biovita.benchmark.precomputed.read_precomputed`);
        ``mteb:NAME``, a model of mteb's registry (extra ``mteb``); or any object with ``embed_audio``,
        ``embed_images``, ``embed_texts`` or some of them. Tasks that it cannot answer are left out.
    name
        What it is called in the report; by default the name given, or the object's ``name``.
    contrast
        Measure how clear the recordings are that are queries, too. Each is decoded once more for this.
    allow_leak
        Score a model that has trained on what the benchmark asks as new, and mark its rows.
    seen_penalty
        As in `score_benchmark`. None: what the model's record says, or else 0.

    Raises
    ------
    BiovitaError
        Where the model or its vectors cannot be used, it can answer no task, or it has met what it is asked.
    """
    benchmark, _ = resolve_media(benchmark)
    name = name or model_name(model)
    elsewhere = isinstance(model, str) and model.startswith("vectors:")
    opened = None if elsewhere else open_model(model)
    able = () if elsewhere else modalities_of_model(opened)
    if not elsewhere:
        _check_able(benchmark, opened, able, name)
    check = check_benchmark(met_by(opened), benchmark, name=name, allow_leak=allow_leak)
    penalty = checked_penalty(seen_penalty_of(opened) if seen_penalty is None else seen_penalty)
    say_unused(out / "vectors")
    made: dict[str, Any] = {"model": name, "seed": seed} | ({"seen penalty": penalty} if penalty else {})
    if elsewhere:
        read, zeros = read_precomputed(model.removeprefix("vectors:"), benchmark)
        able = comparable({modality: mine.dim for modality, mine in read.items()}, name)
        found = ItemVectors({modality: read[modality] for modality in able})
        made["zero vectors, taken as missing"] = {m.value: count for m, count in zeros.items() if count}
    else:
        found = _embedded(benchmark, opened, able, out / "vectors", name=name, device=device, progress=progress)
    vectors = mapped(found.vectors, out)
    scores = score_benchmark(
        benchmark, vectors, seen_penalty=penalty, memory_mb=memory_mb, device=select_device(device)
    )
    if not scores.tasks:
        raise BiovitaError(_answers_nothing(benchmark, able, name))
    return Evaluation(
        name=name,
        benchmark=benchmark,
        vectors=vectors,
        scores=scores,
        rows=scores.rows(name, seed=seed, leak=bool(check.leak)),
        towers=found.towers,
        made=made,
        failed=found.failed,
        recordings=measured(benchmark) if contrast else stated(benchmark),
        predictions=score_traits_of_benchmark(benchmark, vectors, leak=bool(check.leak)),
        seed=seed,
        check=check,
    )


def _check_able(benchmark: Benchmark, opened: Any, able: Collection[Modality], name: str) -> None:
    """Raise where a model can answer no task, before anything is embedded."""
    card = opened.card if isinstance(opened, Model) else opened
    if isinstance(card, ModelCard) and card.dim is None and 1 < len(able) == len({card.widths[m] for m in able}):
        lengths = ", ".join(f"{modality} {card.widths[modality]}" for modality in able)
        raise ModelError(
            f"{name} has towers that share no space ({lengths} numbers), so no direction can be scored. Train "
            "projections into one space first: biovita train starter/stage1 --data DATASET --out MODEL"
        )
    if not any(set(modalities_of(task.direction)) <= set(able) for task in benchmark.tasks):
        raise BiovitaError(_answers_nothing(benchmark, able, name))


def _answers_nothing(benchmark: Benchmark, able: Collection[Modality], name: str) -> str:
    asked = ", ".join(dict.fromkeys(task.direction for task in benchmark.tasks)) or "nothing"
    return (
        f"{name} cannot answer any task of the benchmark: it embeds only {', '.join(able)}, and the benchmark asks "
        f"{asked}"
    )


def _embedded(
    benchmark: Benchmark,
    model: Any,
    able: Collection[Modality],
    directory: Path,
    *,
    name: str,
    device: str,
    progress: bool,
) -> ItemVectors:
    """Return the vectors of what a benchmark asks for, and of its dataset's trait labels where it has one."""
    texts = () if benchmark.dataset is None else label_texts(benchmark.dataset)
    items = benchmark_items(benchmark, able, texts)
    source = source_of(benchmark, items)
    book = taxa_of_texts(benchmark) if source is None else None
    return item_vectors(
        model, items, source, directory, name=name, book=book, compared=True, device=device, progress=progress
    )
