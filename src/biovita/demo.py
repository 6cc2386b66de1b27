"""The whole path in one call: data, split, embeddings, two stages of training, benchmark, report."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from biovita.benchmark import Benchmark, Headline, Scores, benchmark_from_split, headline, score_benchmark
from biovita.benchmark.leak import MetCheck, check_benchmark
from biovita.dataset import Dataset
from biovita.dataset.split import split_dataset
from biovita.embedding import Vectors, embed, vectors
from biovita.errors import DatasetError, unknown_name
from biovita.files import require_possible, write_whole
from biovita.modality import Modality
from biovita.model import Model, write_model
from biovita.model.met import Met
from biovita.version import __version__

if TYPE_CHECKING:
    from biovita.report import ReportContent

__all__ = ["TEXT", "DemoResult", "demo", "unseen_by_default"]

MODEL = "starter"
TEXT: Literal["tax_com"] = "tax_com"
SPECIES = 60  # of the simulated fauna

Say = Callable[[str, str], None]
Text = Literal["tax_com", "sci_com", "tax", "common", "name"]


@dataclass(frozen=True)
class DemoResult:
    """Where a demo's results are, and their headline.

    Attributes
    ----------
    headlines
        By stage and k, the mean over the six directions on unseen species at species level.
    seconds
        By stage of the path.
    """

    out: Path
    report: Path
    results: Path
    model: Path
    headlines: Mapping[tuple[int | str, int], Headline]
    seconds: Mapping[str, float]


@dataclass
class _Path:
    """Says and times each stage of the path."""

    say: Say | None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[str], None]]:
        """Give a function that takes what the stage did; it is said once the stage is over."""
        began = time.perf_counter()
        told: list[str] = []
        yield told.append
        self.seconds[name] = time.perf_counter() - began
        if self.say:
            self.say(name, f"{'; '.join(told)} ({self.seconds[name]:.1f} s)")


def demo(
    data: Path | None,
    out: Path,
    *,
    seed: int = 0,
    unseen: int | None = None,
    text: Text = TEXT,
    device: str = "auto",
    say: Say | None = None,
    progress: bool = True,
) -> DemoResult:
    """Go from a folder of recordings and photographs to an aligned model, its scores and a report.

    What ``out`` holds already of the same data is used again: the dataset where its tables are unchanged, and every
    embedding.

    Parameters
    ----------
    data
        A folder with ``audio.csv`` and ``images.csv``, or a dataset. None simulates a fauna of `SPECIES` species.
    out
        Directory for ``dataset``, ``model``, ``report.html`` and ``results.json``.
    seed
        Fixes the split, the training, the candidates and the examples.
    unseen
        Species to hold out whole; None is a quarter of those that have both modalities, and at most 40.
    text
        What stands for a species in text: one of `benchmark.split_items.TEXTS`. The default is its lineage, scientific
        and common name; ``name`` is the bare scientific name, as in the published benchmark.
    say
        Called once a stage with its name and what it did.

    Raises
    ------
    BiovitaError
        Where the data cannot be used; the message says what to mend.
    """
    from biovita.report import write_report

    _check_options(data, unseen=unseen, text=text)
    require_possible(out)
    path = _Path(say)
    with path.stage("data") as tell:
        dataset = _dataset(data, out, seed=seed, progress=progress)
        tell(_counts(dataset))
    with path.stage("split") as tell:
        number = unseen_by_default(dataset) if unseen is None else unseen
        tell("; ".join(split_dataset(dataset, unseen=number, seed=seed).lines()))
    with path.stage("embed") as tell:
        done = embed(dataset, model=MODEL, device=device, progress=progress)
        tell(", ".join(f"{part.modality}: {part.new} new, {part.kept} kept" for part in done.parts))
        if done.failed:
            tell(f"{len(done.failed)} failed, see {done.path / 'failed.parquet'}")
    with path.stage("train") as tell:
        trained = _train(dataset, seed=seed, device=device, progress=progress)
        write_model(trained.models[2], out / "model", overwrite=True)
        losses = trained.losses["stage 2"]
        tell(f"stages 1 and 2, {len(losses)} steps each, loss {losses[-1]:.2f}")
    with path.stage("bench") as tell:
        scored = _score(dataset, trained.models, seed=seed, text=text)
        first = scored.headlines[2, 1]
        tell(
            f"unseen species, mean of six directions: Top-1 {first.accuracy:.1%}, {first.times_chance:.1f} x chance"
        )
    with path.stage("report") as tell:
        title = _title(data, dataset)
        content = _content(title, dataset, trained, scored, seed=seed, text=text, seconds=path.seconds)
        report, results = write_report(out, content)
        tell(f"{report.stat().st_size / 1e6:.1f} MB")
    return DemoResult(out, report, results, out / "model", scored.headlines, path.seconds)


def _title(data: Path | None, dataset: Dataset) -> str:
    """Return what the page is called: after the folder that was given, or as the dataset is called."""
    if data is None:
        return "Simulated fauna"
    return str(dataset.info["name"]) if dataset.path == data else data.resolve().name


def _check_options(data: Path | None, *, unseen: int | None, text: str) -> None:
    """Raise what can be known before anything is read or made."""
    if text not in get_args(Text):
        raise DatasetError(unknown_name("text", text, get_args(Text)))
    if unseen is not None and unseen < 0:
        raise DatasetError(f"unseen is {unseen}: the number of species to hold out cannot be negative")
    if data is None and unseen is not None and unseen >= SPECIES:
        raise DatasetError(
            f"unseen is {unseen}, and the simulated fauna has {SPECIES} species. Hold out fewer, or give data of your "
            "own"
        )


def unseen_by_default(dataset: Dataset) -> int:
    """Return how many species to hold out: a quarter of those with both modalities, at most 40, at least 2."""
    both = set(dataset.audio["taxon_id"].to_pylist()) & set(dataset.images["taxon_id"].to_pylist())
    return max(2, min(40, len(both) // 4))


def _dataset(data: Path | None, out: Path, *, seed: int, progress: bool) -> Dataset:
    """Return the dataset to work on: ``data`` itself where it is one, else one made in ``out`` or made there before."""
    if data is not None and (data / "dataset.toml").is_file():
        return Dataset.open(data)
    if data is not None and not data.is_dir():
        raise DatasetError(f"{data} is not a folder. Give one that holds audio.csv and images.csv")
    dataset, note = out / "dataset", out / "source.json"
    if data is None:
        source = {"simulated species": SPECIES, "seed": seed, "biovita": __version__}
    else:
        source = {"folder": str(data.resolve()), "files": _fingerprint(data)}
    known = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else None
    if known != source or not (dataset / "dataset.toml").is_file():
        note.unlink(missing_ok=True)
        if data is None:
            from biovita.simulation import simulate_media

            simulate_media(dataset, SPECIES, seed, overwrite=True, progress=progress)
        else:
            from biovita.sources.folder import import_folder

            import_folder(data, out=dataset, overwrite=True, progress=progress)
        write_whole(note, json.dumps(source))
    return Dataset.open(dataset)


def _fingerprint(folder: Path) -> str:
    """Return a hash of the names, sizes and times of all files below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _counts(dataset: Dataset) -> str:
    counts = {name: dataset.table(name).num_rows for name in ("taxa", "audio", "images", "rejected")}
    return (
        f"{counts['taxa']} species, {counts['audio']} recordings, {counts['images']} photographs, "
        f"{counts['rejected']} rejected"
    )


@dataclass(frozen=True, eq=False)
class _Trained:
    """The models of stages 0 (untrained), 1 and 2, and the losses of the two that were trained."""

    models: Mapping[int, Model]
    losses: Mapping[str, list[float]]


def _train(dataset: Dataset, *, seed: int, device: str, progress: bool) -> _Trained:
    from biovita.model import describe, load_model
    from biovita.progress import progress_bar
    from biovita.training import FrozenRecipe, recipe
    from biovita.training.projections.align import Aligned, align, untrained
    from biovita.training.projections.train_projections import model_of
    from biovita.training.projections.training_set import training_set
    from biovita.training.recipe import PullSettings
    from biovita.training.run_record import RunRecord, met_in_run, record_of

    base = load_model(describe(MODEL).towers, device)
    recipes = {stage: recipe(f"{MODEL}/stage{stage}", {"seed": seed}, FrozenRecipe) for stage in (1, 2)}
    data = training_set(dataset, base, features=recipes[1].text.features, progress=progress)

    def made(aligned: Aligned, chosen: FrozenRecipe, record: RunRecord, met: Met | None) -> Model:
        return model_of(aligned, chosen, base, dataset=dataset, data=data, record=record, met=met)

    aligned = untrained(data, recipes[1])
    met = base.met
    # Of what no training has brought: nothing is drawn anywhere.
    undrawn = recipes[1].model_copy(update={"pull": PullSettings()})
    models = {0: made(aligned, undrawn, record_of(undrawn, dataset), met)}
    losses = {}
    for stage, chosen in recipes.items():
        with progress_bar(f"stage {stage}", chosen.steps, shown=progress) as advance:
            aligned = align(data, chosen, aligned, on_step=advance)
        record = record_of(chosen, dataset)
        met = met_in_run(record, dataset, data.taxa, labels=data.labels, before=met)
        models[stage] = made(aligned, chosen, record, met)
        losses[f"stage {stage}"] = [came.losses["loss"] for came in aligned.history]
    return _Trained(models, losses)


@dataclass(frozen=True, eq=False)
class _Scored:
    """What the models of all stages get on the benchmark of the split; ``vectors`` are those of stage 2."""

    benchmark: Benchmark
    scores: Mapping[int | str, Scores]
    headlines: Mapping[tuple[int | str, int], Headline]
    vectors: Mapping[Modality, Vectors]
    check: MetCheck


def _score(dataset: Dataset, models: Mapping[int, Model], *, seed: int, text: str) -> _Scored:
    benchmark = benchmark_from_split(dataset, seed=seed, text=text)
    check = check_benchmark(models[2].met, benchmark, name="the demo's model", allow_leak=False)
    found = {stage: {m: vectors(dataset, model, m) for m in Modality} for stage, model in models.items()}
    scores: dict[int | str, Scores] = {stage: score_benchmark(benchmark, each) for stage, each in found.items()}
    rows = [row for stage, scored in scores.items() for row in scored.rows(stage, seed=seed)]
    headlines = {(stage, k): headline(rows, stage=stage, part="unseen", k=k) for stage in scores for k in (1, 5)}
    there = {key: value for key, value in headlines.items() if value is not None}
    return _Scored(benchmark, scores, there, found[2], check)


def _content(
    title: str,
    dataset: Dataset,
    trained: _Trained,
    scored: _Scored,
    *,
    seed: int,
    text: str,
    seconds: Mapping[str, float],
) -> ReportContent:
    from biovita.report import ReportContent

    last = trained.models[2]
    made = {f"stage{stage}": dict(trained.models[stage].record) for stage in (1, 2)}
    return ReportContent(
        title=f"{title}: recordings, photographs and names in one space",
        benchmark=scored.benchmark,
        scores=scored.scores,
        vectors=scored.vectors,
        towers=[tower.card for tower in last.towers.values()],
        losses=trained.losses,
        made={"seed": seed, "text": text, **made},
        times=dict(seconds),
        dataset=dataset,
        seed=seed,
        check=scored.check,
    )
