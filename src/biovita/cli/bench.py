"""``biovita bench``: build, verify and run benchmarks, compare runs, and score what identify detects."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from biovita.cli.bench_detect import detect
from biovita.cli.bench_scores import print_comparison, print_generalised, print_scores, say_headline
from biovita.cli.kit import (
    AllowOutside,
    Device,
    Json,
    MediaRoot,
    Overwrite,
    Seed,
    group,
    note,
    print_json,
    print_table,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biovita.benchmark.task import LeftOut

__all__ = ["app"]

app = group("bench", "Build, verify and run benchmarks, compare runs, and score what identify detects.")
app.command(detect)

_SHOWN = 20  # problems on the screen; --json has all
_REASONS = 10  # for what a benchmark leaves out; the manifest has all


@app.command
def build(
    dataset: Path,
    /,
    *,
    out: Path | None = None,
    candidates: int | Literal["all"] = 100,
    draw: Literal["uniform", "hard"] = "uniform",
    text: Literal["name", "common", "tax", "sci_com", "tax_com"] = "name",
    groups: Literal["word", "members"] = "word",
    new_groups: bool = False,
    layout: Literal["compact", "published"] = "compact",
    media: Literal["keep", "copy"] = "keep",
    allow_outside: AllowOutside = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Build a benchmark from a dataset's split, and write it.

    The seed fixes the draw of candidates and their order. The JSON is the manifest.

    Parameters
    ----------
    dataset
        A dataset that has been split (biovita data split).
    out
        Where it goes. Default: bench/standard in the dataset.
    candidates
        Most candidate taxa a query; all: each query of both parts against the same, all that there are.
    draw
        uniform, or hard: the nearest relatives first.
    text
        What stands for a species in text: its bare name (as published), common name, or a prompt. A species that lacks
        what it needs goes by a shorter one.
    groups
        What stands for a genus or family in text: its own word (as published), or the texts of its member species.
    new_groups
        Leave out of the unseen part the genera and families that have members in training.
    layout
        compact: Parquet files, each thing once; published: the CSV files of the published benchmark, which are many
        times as large. How large is said first.
    media
        keep them where they are, or copy them beside the tables, spans cut out.
    """
    import biovita
    from biovita.benchmark.asked_texts import text_notes
    from biovita.benchmark.bench_manifest import MANIFEST

    built = biovita.build_benchmark(
        dataset,
        out=out,
        candidates=candidates,
        draw=draw,
        text=text,
        groups=groups,
        new_groups=new_groups,
        layout=layout,
        media=media,
        allow_outside=allow_outside,
        seed=seed,
        overwrite=overwrite,
    )
    if as_json:
        print_json(json.loads((built.path / MANIFEST).read_text(encoding="utf-8")))
        return
    for part in sorted({task.part for task in built.benchmark.tasks}):
        mine = [task for task in built.benchmark.tasks if task.part == part]
        say(f"{part}: {len(mine)} tasks, {sum(len(task.queries) for task in mine):,} queries")
    note(*text_notes(built.benchmark.made))
    if built.left_out:
        say("left out:", *_left_out(built.left_out))
        note(f"{built.path / MANIFEST} lists what was left out of each task")
    if built.copied_from_outside:
        note(f"{built.copied_from_outside} of the media were copied from outside the dataset")
    say(built.path)


def _left_out(entries: Sequence[LeftOut]) -> Iterator[str]:
    """Yield a line a reason: how many items a reason leaves out of tasks, or how many tasks as a whole."""
    items, tasks = Counter[str](), Counter[str]()
    for entry in entries:
        if entry.count:
            items[entry.reason] += entry.count
        else:
            tasks[entry.reason] += 1
    lines = [
        *(f"  {count:,} {reason}" for reason, count in items.most_common()),
        *(f"  {count} tasks: {reason}" for reason, count in tasks.most_common()),
    ]
    yield from lines[:_REASONS]
    if len(lines) > _REASONS:
        yield f"  and for {len(lines) - _REASONS} more reasons"


@app.command
def verify(
    bench: Path,
    /,
    *,
    media_root: MediaRoot = None,
    metadata: Path | None = None,
    as_json: Json = False,
) -> int:
    """Check a benchmark; exit 1 where something changes a score.

    Parameters
    ----------
    bench
        The benchmark, or one part of it.
    metadata
        The release's metadata.csv, by which misnamed recordings are found. Default: looked for nearby.
    """
    from biovita.benchmark.verify import verify_benchmark

    verdict = verify_benchmark(bench, media_root=media_root, metadata=metadata, progress=True)
    if as_json:
        print_json({"sound": verdict.sound, "files": verdict.files, "problems": verdict.problems})
        return int(not verdict.sound)
    say(f"{verdict.tasks} tasks, {verdict.queries:,} queries, {verdict.files:,} media files read")
    for title, found in (
        ("problems that change a score", [problem for problem in verdict.problems if problem.counts]),
        ("problems that change no score", [problem for problem in verdict.problems if not problem.counts]),
    ):
        if found:
            say(f"{len(found)} {title}:", *(f"  {problem}" for problem in found[:_SHOWN]))
            if len(found) > _SHOWN:
                say(f"  and {len(found) - _SHOWN} more (--json has all)")
    if verdict.sound:
        say("no problem changes a score")
    return int(not verdict.sound)


@app.command
def run(
    bench: Path,
    /,
    *,
    model: str,
    out: Path | None = None,
    name: str | None = None,
    media_root: MediaRoot = None,
    device: Device = "auto",
    seed: Seed = 0,
    contrast: bool = False,
    allow_leak: bool = False,
    seen_penalty: float | None = None,
    as_json: Json = False,
) -> None:
    """Score a model on a benchmark, and write results.json, scores.csv, ranks.parquet and report.html.

    The seed fixes the intervals and the examples. The JSON is results.json.

    Parameters
    ----------
    bench
        A benchmark, or a dataset that has been split.
    model
        A model directory or a name that biovita models lists; random or random:DIM; mteb:NAME; or vectors:PATH for
        vectors made elsewhere (audio, image and text as .npy, .parquet, .lance, or a folder of one file an id).
    out
        Where everything goes. Default: runs/MODEL in the benchmark, which of a dataset is bench/standard.
    name
        What the model is called in the report.
    contrast
        Also score by how clear the query recordings are; each is decoded once more for this.
    allow_leak
        Score a model that has trained on what the benchmark asks as new, and mark its rows and pages.
    seen_penalty
        What is taken from the similarity of each taxon that counts as seen, where candidates are of both parts.
        Default: what the model's record says, or else 0.
    """
    import biovita

    done = biovita.run_benchmark(
        bench,
        model=model,
        out=out,
        name=name,
        media_root=media_root,
        device=device,
        seed=seed,
        contrast=contrast,
        allow_leak=allow_leak,
        seen_penalty=seen_penalty,
    )
    note(*done.notes)
    if as_json:
        print_json(json.loads(done.paths.results.read_text(encoding="utf-8")))
        return
    print_scores(done.rows, seed)
    if done.generalised:
        say("seen and unseen among all taxa, and their harmonic mean, in percent")
        print_generalised(done.generalised)
    if done.headline is not None:
        say_headline(done.headline)
    if done.failed:
        note(f"{len(done.failed)} items could not be embedded. They have no vector, and the report lists them")
    say(done.paths.report)


@app.command
def compare(
    first: Path,
    second: Path,
    /,
    *others: Path,
    seed: Seed = 0,
    out: Path | None = None,
    as_json: Json = False,
) -> None:
    """Compare runs on the same benchmark, query by query: each with the first.

    The seed fixes the intervals. The JSON has all rows.

    Parameters
    ----------
    first
        The run that the others are compared with: a directory that biovita bench run wrote.
    second
        Another run.
    others
        Further runs.
    out
        Write the comparison as a page and a table (compare.html, compare.csv) into this directory.
    """
    import biovita
    from biovita.benchmark.headlines import headline_record
    from biovita.benchmark.records import records

    comparison = biovita.compare_runs(first, second, *others, seed=seed, out=out)
    if as_json:
        compared = {name: records(rows) for name, rows in comparison.compared.items()}
        only = {name: {"first": one, "other": other} for name, (one, other) in comparison.not_compared.items()}
        heads = [headline_record(found, name) for name, found in comparison.headlines.items()]
        print_json(
            {
                "first": comparison.first,
                "headlines": heads,
                "compared": compared,
                "not_compared": only,
                "leaky": comparison.leaky,
                "page": comparison.page,
                "table": comparison.table,
            }
        )
    else:
        print_comparison(comparison)


@app.command
def traits(
    dataset: Path,
    /,
    *,
    model: str,
    device: Device = "auto",
    allow_leak: bool = False,
    as_json: Json = False,
) -> None:
    """Say how well traits can be told from a model's embeddings: zero-shot from text, and by a linear probe.

    Parameters
    ----------
    dataset
        A dataset with traits that has been split (biovita data split).
    model
        As for biovita bench run.
    allow_leak
        Score a model that has trained on what the split holds out, and mark its rows.
    """
    from biovita.benchmark.trait_run import score_traits
    from biovita.dataset import Dataset

    rows = score_traits(Dataset.open(dataset), model, device=device, allow_leak=allow_leak)
    if as_json:
        print_json(rows)
        return
    columns = ["modality", "method", "part", "group", "label", "AUC", "AP", "chance", "species"]
    leaks = any(row.leak for row in rows)
    print_table(
        [*columns, "leak"] if leaks else columns,
        [
            [
                *(row.modality, row.method, row.part, row.group, row.label),
                f"{row.auc:.2f}",
                f"{row.average_precision:.2f}",
                f"{row.chance:.2f}",
                row.species,
                *(["yes"] if leaks else []),
            ]
            for row in rows
        ],
    )


@app.command(name="export-mteb")
def export_mteb(
    bench: Path,
    /,
    *,
    out: Path,
    media_root: MediaRoot = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write a benchmark as local copies of the data sets behind mteb's BioVITA tasks (needs the extra mteb).

    Parameters
    ----------
    bench
        A benchmark, or a dataset that has been split.
    out
        Where they go, one directory a direction.
    """
    from biovita.benchmark.mteb_tasks import export_mteb as export
    from biovita.benchmark.opening import open_benchmark

    path = export(open_benchmark(bench, media_root), out, overwrite=overwrite)
    if as_json:
        print_json({"path": path, "directions": sorted(folder.name for folder in path.iterdir())})
    else:
        say(path)


@app.command(name="run-mteb")
def run_mteb(copies: Path, /, *, model: str, as_json: Json = False) -> None:
    """Run mteb's BioVITA tasks from a local copy, with a model of mteb's registry (needs the extra mteb).

    Parameters
    ----------
    copies
        What biovita bench export-mteb wrote, or a copy of the published data sets.
    model
        Its name in mteb, such as risashinoda/BioVITA.
    """
    from biovita.benchmark.mteb_tasks import MtebModel, run_local
    from biovita.benchmark.records import records

    rows = run_local(MtebModel.load(model).encoder, copies)
    if as_json:
        print_json(records(rows))
        return
    print_table(
        ["part", "direction", "level", "k", "accuracy %"],
        [[row.part, row.direction, row.level, str(row.k), f"{100 * row.accuracy:.1f}"] for row in rows],
    )
