"""The whole path in one call: data, split, embeddings, two stages of training, benchmark, report."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from biovita.benchmark import Benchmark, Headline, Scores, benchmark_from_split, score_benchmark
from biovita.benchmark.asked_texts import text_notes
from biovita.benchmark.headlines import HEADLINE_KS, cautions, headline_words, main_headline
from biovita.benchmark.leak import MetCheck, check_benchmark
from biovita.dataset import Dataset
from biovita.dataset.outlook import outlook
from biovita.dataset.schema import MEDIA_TABLES
from biovita.dataset.split import split_dataset
from biovita.embedding import Vectors, embed, vectors
from biovita.errors import DatasetError, unknown_name
from biovita.files import make_directory, require_possible, write_whole
from biovita.jsonfile import read_json
from biovita.modality import MEDIA, Modality
from biovita.model import Model, write_model
from biovita.model.met import Met
from biovita.suggestion import suggested
from biovita.version import __version__

if TYPE_CHECKING:
    from biovita.report import ReportContent

__all__ = ["TEXT", "DemoResult", "demo"]

MODEL = "starter"
TEXT: Literal["tax_com"] = "tax_com"
SPECIES = 60  # of the simulated fauna
_NOTE = "source.json"  # what ``dataset`` in OUT was made from

Say = Callable[[str, str], None]
Text = Literal["tax_com", "sci_com", "tax", "common", "name"]


@dataclass(frozen=True)
class DemoResult:
    """Where a demo's results are, and their headline.

    Attributes
    ----------
    headlines
        By stage and k, the mean over the directions at species level: of the unseen species, or of the seen ones where
        none are held out. Empty where there are no tasks at that level.
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
    embedding. Of a dataset that is given, its split is used and stays as it is; what is added to it is the embeddings,
    as by `biovita.embed`.

    Parameters
    ----------
    data
        A folder as `biovita.import_folder` takes it, or a dataset that has been split. None simulates a fauna of
        `SPECIES` species.
    out
        Directory for ``dataset``, ``model``, ``report.html`` and ``results.json``.
    seed
        Fixes the training, the candidates and the examples, and the split where ``data`` is no dataset.
    unseen
        Species to hold out whole; None is a quarter of those that have both modalities, and at most 40. Of a dataset it
        has to be None: its own split says it.
    text
        What stands for a species in text: one of `benchmark.asked_texts.TEXTS`. The default is its lineage, scientific
        and common name; ``name`` is the bare scientific name, as in the published benchmark.
    say
        Called once a stage with its name and what it did.

    Raises
    ------
    BiovitaError
        Where the data cannot be used, a dataset has not been split or ``unseen`` contradicts its split, or ``out``
        holds a dataset or a model that no demo made; the message says what to mend.
    """
    from biovita.report import write_report

    _check_options(data, unseen=unseen, text=text)
    require_possible(out)
    path = _Path(say)
    _check_place(out)
    with path.stage("data") as tell:
        dataset = _dataset(data, out, seed=seed, unseen=unseen, progress=progress)
        tell(_counts(dataset))
        _check_both(dataset)
    with path.stage("split") as tell:
        tell(_divided(dataset, given=dataset.path == data, unseen=unseen, seed=seed))
        benchmark = benchmark_from_split(dataset, seed=seed, text=text)
        if not benchmark.tasks:
            raise DatasetError(f"{dataset.path}: its split leaves nothing to ask: {_why_nothing(benchmark)}")
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
        scored = _score(dataset, benchmark, trained.models, seed=seed)
        first = scored.headlines.get((2, 1))
        tell("no task at species level" if first is None else headline_words(first))
        notes = (*text_notes(benchmark.made), *(cautions(first) if first else ()))
    if say:
        for note in notes:
            say("", note)
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


def _check_place(out: Path) -> None:
    """Raise where ``out`` holds what a demo would replace and no demo made."""
    known = _known_source(out)
    for name, made in (("dataset", known is not None and "dataset" not in known), ("model", known is not None)):
        if (out / name).exists() and not made:
            raise DatasetError(
                f"{out / name} is there and no demo made it, so it is not replaced. Choose another place with --out"
            )


def _known_source(out: Path) -> dict[str, Any] | None:
    """Return what the last demo in ``out`` was made from; None where there was none."""
    note = out / _NOTE
    known = read_json(note, DatasetError) if note.is_file() else None
    return known if isinstance(known, dict) else None


def _check_both(dataset: Dataset) -> None:
    """Refuse a dataset without recordings or without photographs, before anything is encoded."""
    for modality in MEDIA:
        if not dataset.rows(MEDIA_TABLES[modality]):
            raise DatasetError(
                f"{dataset.path} has no {modality.plural}, and the demo aligns recordings, photographs and names. "
                "Train on what it has step by step: biovita data split, biovita train starter/stage1, biovita bench"
            )


def _dataset(data: Path | None, out: Path, *, seed: int, unseen: int | None, progress: bool) -> Dataset:
    """Return the dataset to work on: ``data`` itself where it is one, else one made in ``out`` or made there before."""
    if data is not None and (data / "dataset.toml").is_file():
        dataset = _split_already(Dataset.open(data), seed=seed, unseen=unseen)
        make_directory(out)
        write_whole(out / _NOTE, json.dumps({"dataset": str(data.resolve())}))
        return dataset
    if data is not None and not data.is_dir():
        raise DatasetError(f"{data} is not a folder. Give one that holds recordings and photographs")
    place, note = out / "dataset", out / _NOTE
    if data is None:
        source = {"simulated species": SPECIES, "seed": seed, "biovita": __version__}
    else:
        source = {"folder": str(data.resolve()), "files": _fingerprint(data)}
    if _known_source(out) != source or not (place / "dataset.toml").is_file():
        if note.is_file():
            write_whole(note, json.dumps({"unfinished": True}))
        if data is None:
            from biovita.simulation import simulate_media

            simulate_media(place, SPECIES, seed, overwrite=True, progress=progress)
        else:
            from biovita.sources.folder import import_folder

            import_folder(data, out=place, overwrite=True, progress=progress)
        write_whole(note, json.dumps(source))
    return Dataset.open(place)


def _split_already(dataset: Dataset, *, seed: int, unseen: int | None) -> Dataset:
    """Return a dataset of the user's; raise where it has no split, or ``unseen`` asks for another one."""
    split = dataset.info.get("split")
    if split is None:
        number = outlook(dataset).usual_unseen if unseen is None else unseen
        raise DatasetError(
            f"{dataset.path} has not been split, and demo does not change a dataset that it is given. Split it first: "
            + suggested("data split", dataset.path, f"--unseen {number} --seed {seed}")
        )
    held = split.get("unseen_species")
    if unseen is not None and unseen != held:
        raise DatasetError(
            f"{dataset.path} has been split with {held} species held out whole, and demo does not change that. Leave "
            f"--unseen out, or split it anew: "
            + suggested("data split", dataset.path, f"--unseen {unseen} --seed {seed}")
        )
    return dataset


def _divided(dataset: Dataset, *, given: bool, unseen: int | None, seed: int) -> str:
    """Return what is said of the split; one that demo made itself is divided first."""
    if not given:
        number = outlook(dataset).usual_unseen if unseen is None else unseen
        return "; ".join(split_dataset(dataset, unseen=number, seed=seed).lines())
    split = dataset.info["split"]
    return (
        f"the dataset's own, which stays as it is: {split.get('unseen_species')} species held out whole "
        f"(seed {split.get('seed')})"
    )


def _why_nothing(benchmark: Benchmark) -> str:
    return "; ".join(dict.fromkeys(entry.reason for entry in benchmark.left_out))


def _fingerprint(folder: Path) -> str:
    """Return a hash of the names, sizes and times of all files below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _counts(dataset: Dataset) -> str:
    counts = {name: dataset.rows(name) for name in ("taxa", "audio", "images", "rejected")}
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


def _score(dataset: Dataset, benchmark: Benchmark, models: Mapping[int, Model], *, seed: int) -> _Scored:
    check = check_benchmark(models[2].met, benchmark, name="the demo's model", allow_leak=False)
    found = {stage: {m: vectors(dataset, model, m) for m in Modality} for stage, model in models.items()}
    scores: dict[int | str, Scores] = {stage: score_benchmark(benchmark, each) for stage, each in found.items()}
    rows = [row for stage, scored in scores.items() for row in scored.rows(stage, seed=seed)]
    headlines = {
        (stage, k): main_headline(rows, stage=stage, k=k, seed=seed) for stage in scores for k in HEADLINE_KS
    }
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
