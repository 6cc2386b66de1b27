"""What the commands do, as functions with the same arguments; `biovita` has them all under their own names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from biovita.errors import BiovitaError, ModelError
from biovita.files import require_replaceable
from biovita.one_line import OneLine

if TYPE_CHECKING:
    from biovita.benchmark.generalised import GeneralisedRow
    from biovita.benchmark.headlines import Headline
    from biovita.benchmark.scores import ScoreRow
    from biovita.benchmark.task import Benchmark, LeftOut
    from biovita.collect.build import BuildReport
    from biovita.collect.preview import PlanReport
    from biovita.dataset.dataset import Dataset
    from biovita.embedding.failures import Failure
    from biovita.model.card import ModelCard
    from biovita.model.model import Model
    from biovita.report.run_files import RunFiles
    from biovita.training.recipe import Recipe
    from biovita.training.run import TrainReport

__all__ = [
    "BenchmarkRun",
    "BuiltBenchmark",
    "build_benchmark",
    "build_dataset",
    "plan_dataset",
    "run_benchmark",
    "save_model",
    "simulate",
    "train",
]


def plan_dataset(plan: str | Path, *, progress: bool = True) -> PlanReport:
    """Return what a plan would give, per class and source, before anything is fetched.

    Parameters
    ----------
    plan
        The plan, a TOML file.
    progress
        Show on standard error that the sources are read, where that is a terminal.

    Raises
    ------
    DatasetError
        Where the plan or a source cannot be used.
    """
    from biovita.collect.preview import preview
    from biovita.console import status

    with status("reading the sources", shown=progress):
        return preview(plan)


def build_dataset(plan: str | Path, *, out: str | Path, progress: bool = True) -> BuildReport:
    """Make the dataset of a plan. Run it again to go on where it stopped, or to add what is new.

    Parameters
    ----------
    plan
        The plan, a TOML file.
    out
        The dataset to make or update.
    progress
        Show a bar on standard error where that is a terminal.

    Raises
    ------
    DatasetError
        Where the plan or a source cannot be used, or ``out`` holds something else or has its media packed.
    """
    from biovita.collect.build import build
    from biovita.progress import counted_bar

    with counted_bar("reading the sources", "fetching and verifying", shown=progress) as show:
        return build(Path(plan), Path(out), progress=show)


def train(
    recipe: str | Recipe,
    *,
    data: Dataset | str | Path,
    out: str | Path,
    start: str | Path | None = None,
    exclude: Dataset | str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
    allow_leak: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> TrainReport:
    """Train by a recipe on a dataset that has been split, and write a model directory.

    Parameters
    ----------
    recipe
        Its name, such as ``starter/stage1``, or the recipe itself.
    data
        The dataset or its directory. A starter recipe embeds what has no vectors yet.
    out
        Directory to write: the model, or for a paper recipe the run, with its models in ``last`` and ``best``.
    start
        Model to go on from; a stage 2 needs one.
    exclude
        Taxa that training must not meet, beside the dataset's unseen species: a file of names, one a line or a table
        with a column ``name`` or ``scientific_name``; or a dataset, whose unseen species are meant, or all its taxa
        where it has not been split. Names may be synonyms, and of groups. Their items are left out, and their classes
        in the towers' classifiers; a ``start`` must not have trained on them.
    settings
        Changes to a recipe that is named: ``{"steps": 400, "weights.aic": 0.5}``.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    allow_leak
        Go on from a ``start`` that has trained on what the dataset holds out, and say so in the record.
    overwrite
        Replace ``out`` where it exists.
    progress
        Show a bar on standard error where that is a terminal.

    Raises
    ------
    BiovitaError
        Where the recipe or a setting is unknown.
    DatasetError
        Where the dataset has not been split, ``out`` exists, or ``exclude`` cannot be read or leaves nothing.
    ModelError
        Where ``start`` does not fit the recipe, or has trained on what the dataset holds out and ``allow_leak`` was not
        given, or there is nothing to train on.
    """
    from biovita.dataset.dataset import Dataset
    from biovita.report.training import write_training_page
    from biovita.training.exclusion import exclusion_of
    from biovita.training.recipes import recipe as named
    from biovita.training.run import run_recipe

    if not isinstance(recipe, str) and settings:
        raise BiovitaError("settings go with the name of a recipe. Give its name, or change the recipe itself")
    dataset = Dataset.open(data)
    return run_recipe(
        named(recipe, settings) if isinstance(recipe, str) else recipe,
        dataset,
        Path(out),
        page=write_training_page,
        start=None if start is None else Path(start),
        exclude=exclusion_of(exclude, dataset),
        given=tuple(settings or ()),
        device=device,
        allow_leak=allow_leak,
        overwrite=overwrite,
        progress=progress,
    )


def simulate(
    *,
    out: str | Path,
    species: int = 60,
    seed: int = 0,
    recordings: int = 8,
    photographs: int = 8,
    workers: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Dataset:
    """Make a dataset of a simulated fauna: drawn animals, synthesised calls, names and traits along one tree.

    The same seed gives the same bytes, and the species of a smaller fauna are the first of a larger one.

    Parameters
    ----------
    out
        The dataset to make.
    species
        Number of species.
    seed
        Of the fauna.
    recordings, photographs
        Mean number a species; each species has its own, at least 2, or the mean where that is
        less; 0 makes none. A recording has one to three clips of 5 s.
    workers
        Processes; None is one a core. They are spawned: a script that calls this with more than one guards its entry
        with ``if __name__ == "__main__"``.
    overwrite
        Replace the dataset at ``out``.
    progress
        Show a bar on standard error where that is a terminal.

    Raises
    ------
    DatasetError
        Where ``out`` exists and ``overwrite`` was not asked for, or a number is out of range.
    """
    from biovita.simulation.write import simulate_media

    return simulate_media(
        out,
        species,
        seed,
        recordings=recordings,
        photographs=photographs,
        workers=workers,
        overwrite=overwrite,
        progress=progress,
    )


@dataclass(frozen=True, eq=False, repr=False)
class BuiltBenchmark(OneLine):
    """A benchmark that was written.

    Attributes
    ----------
    path
        Its directory.
    benchmark
        What was written: its tasks and items.
    copied_from_outside
        Media that were copied from outside the dataset.
    """

    path: Path
    benchmark: Benchmark
    copied_from_outside: int = 0

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What has no place in the benchmark, and why."""
        return self.benchmark.left_out


def build_benchmark(
    dataset: Dataset | str | Path,
    *,
    out: str | Path | None = None,
    candidates: int | Literal["all"] = 100,
    draw: Literal["uniform", "hard"] = "uniform",
    text: Literal["name", "common", "tax", "sci_com", "tax_com"] = "name",
    groups: Literal["word", "members"] = "word",
    new_groups: bool = False,
    layout: Literal["compact", "published"] = "compact",
    media: Literal["keep", "copy"] = "keep",
    allow_outside: bool = False,
    seed: int = 0,
    overwrite: bool = False,
) -> BuiltBenchmark:
    """Build a benchmark from a dataset's split, and write it.

    Parameters
    ----------
    dataset
        A dataset that has been split, or its directory.
    out
        Where it goes. None: ``bench/standard`` in the dataset.
    candidates
        Most candidate taxa a query, the correct one included. ``all``: each query of both parts is asked against the
        same taxa, all that there are.
    draw
        ``uniform``, or ``hard``: the nearest relatives of the correct taxon come before others.
    text
        What stands for a species in text: its bare name (as published), its common name, or a prompt.
    groups
        What stands for a genus or family in text: its own ``word`` (as published), or the texts of its ``members``, of
        which the largest score counts.
    new_groups
        Leave out of the unseen part the genera and families that have members in training.
    layout
        ``compact``: Parquet files that say each thing once. ``published``: the CSV files of the published benchmark,
        which are many times as large; how large is said first, and more than the limit ``published`` is refused.
    media
        ``keep`` them where they are, or ``copy`` them beside the tables, spans cut out.
    allow_outside
        Copy media that lie outside the dataset, too.
    seed
        For the draw of candidates and their order.
    overwrite
        Replace ``out`` where it exists.

    Raises
    ------
    DatasetError
        Where the dataset has not been split, a value is not accepted, or ``out`` exists.
    """
    from biovita.benchmark.from_split import benchmark_from_split
    from biovita.benchmark.layout import media_outside, write_benchmark
    from biovita.dataset.dataset import Dataset
    from biovita.filenames import own_place

    opened = Dataset.open(dataset)
    made = benchmark_from_split(
        opened, candidates=candidates, seed=seed, text=text, groups=groups, draw=draw, new_groups=new_groups
    )
    place = own_place(opened.path, "bench", "standard") if out is None else Path(out)
    path = write_benchmark(
        made, place, layout=layout, media=media, overwrite=overwrite, allow_outside=allow_outside
    )
    return BuiltBenchmark(path, made, media_outside(made) if media == "copy" else 0)


@dataclass(frozen=True, eq=False, repr=False)
class BenchmarkRun(OneLine):
    """What a model got on a benchmark, and where it was written.

    Attributes
    ----------
    name
        What the model is called.
    rows
        The scores: a row a task and k.
    generalised
        Seen and unseen taxa among the same candidates, and their harmonic mean, where all taxa are candidates.
    failed
        Items without a vector, and why. They are absent from the scores, which count them.
    paths
        ``report``, ``results``, ``scores``, ``ranks`` and where there is one ``generalised``.
    notes
        Sentences that a reader of the scores has to know: what the model has met of what it was asked, where that is
        not known, that the benchmark is of an old split, and which species go by a shorter text. None where nothing is
        to be said.
    headline
        The mean over the directions at species level, of the unseen part where there is one. None where there is no
        task at that level.
    """

    name: str
    rows: tuple[ScoreRow, ...]
    generalised: tuple[GeneralisedRow, ...]
    failed: tuple[Failure, ...]
    paths: RunFiles
    notes: tuple[str, ...] = ()
    headline: Headline | None = None


def run_benchmark(
    bench: Dataset | str | Path,
    *,
    model: Any,
    out: str | Path | None = None,
    name: str | None = None,
    media_root: str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    contrast: bool = False,
    allow_leak: bool = False,
    seen_penalty: float | None = None,
    progress: bool = True,
) -> BenchmarkRun:
    """Score a model on a benchmark, and write results.json, scores.csv, ranks.parquet and report.html.

    Parameters
    ----------
    bench
        A benchmark, or a dataset that has been split, which stands for its standard benchmark.
    model
        A name or directory as `describe` takes it, or a `Model`; ``random`` or ``random:DIM``; ``mteb:NAME``;
        ``vectors:PATH`` for vectors made elsewhere; or any object with ``embed_audio``, ``embed_images``,
        ``embed_texts`` or some of them. Tasks that it cannot answer are left out.
    out
        Where everything goes. None: ``runs/MODEL`` in the benchmark. Of a dataset that is ``bench/standard``, which
        is built where it is not there.
    name
        What the model is called in the report.
    media_root
        Where the file paths of a published benchmark start. None: what the manifest says, or the directory itself.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    seed
        For the intervals and the examples.
    contrast
        Also score by how clear the query recordings are; each is decoded once more for this.
    allow_leak
        Score a model that has trained on what the benchmark asks as new, and mark its rows and pages.
    seen_penalty
        What is taken from the similarity of each taxon that counts as seen, from 0 to 2, where candidates are of both
        parts. None: what the model's record says, or else 0.
    progress
        Show bars on standard error where that is a terminal.

    Raises
    ------
    BiovitaError
        Where the benchmark, the model or its vectors cannot be used, or the model can answer no task.
    ModelError
        Where the model has trained on what the benchmark asks as new, and ``allow_leak`` was not given.
    """
    from biovita.benchmark.evaluation import evaluate
    from biovita.benchmark.opening import open_to_run
    from biovita.benchmark.score import MEMORY_MB
    from biovita.benchmark.scored_models import model_name
    from biovita.limits import memory_mib
    from biovita.report import run_of, write_run

    called = name or model_name(model)
    benchmark, place = open_to_run(bench, called, out=out, media_root=media_root)
    result = evaluate(
        benchmark,
        model,
        place,
        name=called,
        device=device,
        memory_mb=memory_mib(MEMORY_MB),
        seed=seed,
        contrast=contrast,
        allow_leak=allow_leak,
        seen_penalty=seen_penalty,
        progress=progress,
    )
    content = run_of(result)
    files = write_run(place, content)
    return BenchmarkRun(
        called, result.rows, content.generalised, result.failed, files, result.notes, result.headline
    )


def save_model(
    model: Model | ModelCard | str | Path,
    *,
    out: str | Path,
    layout: Literal["published", "own"] = "published",
    resampling: Literal["sinc", "soxr"] | None = None,
    window: Literal["onset", "start", "all"] | None = None,
    overlap: float | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a model with all its weights, for other people's code or for this one, and return its directory.

    Parameters
    ----------
    model
        The model, or a name or directory as `load_model` takes it.
    out
        Directory to write.
    layout
        ``published``: the files of the published repository. ``own``: config.json and model.safetensors.
    resampling
        ``sinc``: the published filter. ``soxr``: faster at odd rates. Only the layout ``own`` has a place for this and
        the next two.
    window
        What is heard of a long recording. ``onset``: 10 s from the first call on. ``start``: the first 10 s. ``all``:
        all of it, the mean over its windows.
    overlap
        Share of a window that the next one repeats, where all are heard; from 0 up to 1.
    overwrite
        Replace ``out`` where it exists.

    Raises
    ------
    ModelError
        Where there is no such model, or the layout has no place for it or for how it hears.
    DatasetError
        Where ``out`` exists and ``overwrite`` was not asked for.
    """
    from biovita.model.describe import load_model, write_model
    from biovita.model.formats.own_files import CONFIG
    from biovita.model.formats.published_files import CLAP_FILE
    from biovita.model.model import Model

    given = {"resampling": resampling, "window": window, "overlap": overlap}
    changes = {name: value for name, value in given.items() if value is not None}
    if changes and layout == "published":
        raise ModelError(
            f"The published layout does not say how sound is read: {', '.join(changes)} would be lost. "
            "Choose the layout own"
        )
    require_replaceable(Path(out), replace=overwrite, marker=CLAP_FILE if layout == "published" else CONFIG)
    opened = model if isinstance(model, Model) else load_model(model, device="cpu")
    heard = opened.listening(**changes) if changes else opened
    return write_model(heard, Path(out), layout=layout, overwrite=overwrite)
