"""``biovita bench``: build, verify and run benchmarks, and compare runs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biovita.benchmark.scores import ScoreRow
    from biovita.benchmark.task import Benchmark

__all__ = ["app"]

app = App(name="bench", help="Build, verify and run benchmarks, and compare runs.")
Json = Annotated[bool, Parameter(name="--json", negative=())]
Flag = Annotated[bool, Parameter(negative=())]

_SHOWN = 20  # problems on the screen; --json has all


@app.command
def build(
    dataset: Path,
    /,
    *,
    out: Path | None = None,
    candidates: int = 100,
    draw: Literal["uniform", "hard"] = "uniform",
    text: Literal["name", "common", "tax", "sci_com", "tax_com"] = "name",
    new_groups: Flag = False,
    media: Literal["keep", "copy"] = "keep",
    allow_outside: Flag = False,
    seed: int = 0,
    overwrite: Flag = False,
    json_: Json = False,
) -> None:
    """Build a benchmark from a dataset's split, and write it in the published layout.

    Parameters
    ----------
    dataset
        A dataset that has been divided (biovita data split).
    out
        Where it goes. Default: bench/standard in the dataset.
    candidates
        Most candidate taxa a query.
    draw
        uniform, or hard: the nearest relatives first.
    text
        What stands for a species in text: its bare name (as published), common name, or a prompt.
    new_groups
        Leave genera and families with members that were trained on out of the unseen part.
    media
        keep them where they are, or copy them beside the tables, spans cut out.
    allow_outside
        Copy media that lie outside the dataset, too.
    seed
        For the draw of candidates and their order.
    overwrite
        Replace OUT.
    json_
        Print the manifest.
    """
    from biovita.benchmark import build_benchmark
    from biovita.benchmark.layout import MANIFEST, media_outside, write_benchmark
    from biovita.dataset import Dataset
    from biovita.filenames import own_place

    opened = Dataset.open(dataset)
    made = build_benchmark(opened, candidates=candidates, seed=seed, text=text, draw=draw, new_groups=new_groups)
    place = out or own_place(dataset, "bench", "standard")
    path = write_benchmark(made, place, media=media, overwrite=overwrite, allow_outside=allow_outside)
    if json_:
        sys.stdout.write((path / MANIFEST).read_text(encoding="utf-8"))
        return
    for part in sorted({task.part for task in made.tasks}):
        mine = [task for task in made.tasks if task.part == part]
        queries = sum(len(task.queries) for task in mine)
        sys.stdout.write(f"{part}: {len(mine)} tasks, {queries:,} queries\n")
    if made.left_out:
        sys.stdout.write(f"left out: {len(made.left_out)} kinds of things, listed in {path / MANIFEST}\n")
    if media == "copy" and (outside := media_outside(made)):
        sys.stdout.write(f"{outside} of the media were copied from outside the dataset\n")
    sys.stdout.write(f"{path}\n")


@app.command
def verify(
    bench: Path,
    /,
    *,
    media_root: Path | None = None,
    metadata: Path | None = None,
    json_: Json = False,
) -> int:
    """Check a benchmark in the published layout; exit 1 where something changes a score.

    Parameters
    ----------
    bench
        The benchmark, or one part of it.
    media_root
        Where file paths start. Default: what its manifest says, or the directory itself.
    metadata
        The release's metadata.csv, by which misnamed recordings are found. Default: looked for nearby.
    json_
        Print everything that was found.
    """
    from biovita.benchmark.verify import verify_benchmark
    from biovita.progress import progress_bar

    total = _media_files(bench, media_root)
    with progress_bar("media", total, shown=not json_) as advance:
        verdict = verify_benchmark(bench, media_root=media_root, metadata=metadata, on_file=advance)
    if json_:
        _print_json(
            {"sound": verdict.sound, "files": verdict.files, "problems": [asdict(p) for p in verdict.problems]}
        )
        return int(not verdict.sound)
    sys.stdout.write(f"{verdict.tasks} tasks, {verdict.queries:,} queries, {verdict.files:,} media files read\n")
    serious = [problem for problem in verdict.problems if problem.counts]
    for title, found in (
        ("changes a score", serious),
        ("worth knowing", [p for p in verdict.problems if not p.counts]),
    ):
        if found:
            sys.stdout.write(f"{len(found)} {title}:\n")
            for problem in found[:_SHOWN]:
                sys.stdout.write(f"  {problem}\n")
            if len(found) > _SHOWN:
                sys.stdout.write(f"  and {len(found) - _SHOWN} more (--json has all)\n")
    if verdict.sound:
        sys.stdout.write("nothing changes a score\n")
    return int(not verdict.sound)


@app.command
def run(
    bench: Path,
    /,
    *,
    model: str,
    out: Path | None = None,
    name: str | None = None,
    media_root: Path | None = None,
    device: str = "auto",
    seed: int = 0,
    contrast: Flag = False,
    json_: Json = False,
) -> None:
    """Score a model on a benchmark, and write results.json, scores.csv, ranks.parquet and report.html.

    Parameters
    ----------
    bench
        A benchmark in the published layout, or a dataset that has been divided.
    model
        A model directory or a name that biovita models lists; random or random:DIM; mteb:NAME; or vectors:PATH for
        vectors made elsewhere (audio, image and text as .npy, .parquet, .lance, or a folder of one file an id).
    out
        Where everything goes. Default: runs/MODEL in the benchmark.
    name
        What the model is called in the report.
    media_root
        Where file paths start. Default: what the manifest says, or the directory itself.
    device
        auto, cpu, cuda, cuda:1 or mps.
    seed
        For the intervals and the examples.
    contrast
        Score by how clear the recordings that ask are, too, each of which is decoded once more for it.
    json_
        Print results.json.
    """
    from biovita.benchmark.evaluation import run_benchmark
    from biovita.benchmark.score import MEMORY_MB
    from biovita.benchmark.scored_models import safe_name
    from biovita.filenames import own_place
    from biovita.limits import memory_mib
    from biovita.report import run_of, write_run

    benchmark = _open(bench, media_root)
    place = out or own_place(bench, "runs", safe_name(name or model))
    result = run_benchmark(
        benchmark,
        model,
        place,
        name=name,
        device=device,
        memory_mb=memory_mib(MEMORY_MB),
        seed=seed,
        contrast=contrast,
        progress=not json_,
    )
    files = write_run(place, run_of(result))
    if json_:
        sys.stdout.write(files.results.read_text(encoding="utf-8"))
        return
    _print_scores(result.rows)
    if result.failed:
        sys.stdout.write(
            f"{len(result.failed)} items could not be embedded; they are absent, and listed in the report\n"
        )
    sys.stdout.write(f"{files.report}\n")


@app.command
def compare(
    first: Path,
    second: Path,
    /,
    *others: Path,
    seed: int = 0,
    out: Path | None = None,
    json_: Json = False,
) -> None:
    """Compare runs on the same benchmark, query by query: each with the first.

    Parameters
    ----------
    first
        The run that the others are compared with: a directory that biovita bench run wrote.
    second
        Another run.
    others
        Further runs.
    seed
        For the intervals.
    out
        Write the comparison as a page and a table (compare.html, compare.csv) into this directory.
    json_
        Print all rows.
    """
    from biovita.benchmark.compare import compare as paired
    from biovita.benchmark.compare import not_compared, read_ranks
    from biovita.benchmark.records import records

    base = read_ranks(first)
    runs = (first, second, *others)
    short = len({path.resolve().name for path in runs}) == len(runs)
    names = {path: path.resolve().name if short else str(path) for path in runs}
    ranks = {names[path]: read_ranks(path) for path in (second, *others)}
    found = {name: paired(base, table, seed=seed) for name, table in ranks.items()}
    apart = {name: not_compared(base, table) for name, table in ranks.items()}
    if out is not None:
        from biovita.report.comparison import write_comparison

        write_comparison(out, names[first], found, apart)
    if json_:
        compared = {name: records(rows) for name, rows in found.items()}
        only = {name: {"first": one, "other": other} for name, (one, other) in apart.items()}
        _print_json({"first": names[first], "compared": compared, "not_compared": only})
        return
    for name, rows in found.items():
        sys.stdout.write(f"{name} less {names[first]}, Top-1 in percent\n")
        lines = [row for row in rows if row.k == 1]
        _table(
            ["part", "level", "direction", "first", "second", "difference", "95 % interval", "p (Holm)"],
            [
                [
                    row.part,
                    row.level,
                    row.direction,
                    f"{100 * row.first:.1f}",
                    f"{100 * row.second:.1f}",
                    f"{100 * row.difference:+.1f}",
                    f"{100 * row.low:+.1f} to {100 * row.high:+.1f}",
                    "" if row.p_holm is None else f"{row.p_holm:.3g}",
                ]
                for row in lines
            ],
        )
        for run, tasks in zip((names[first], name), apart[name], strict=True):
            if tasks:
                sys.stdout.write(f"not compared, only in {run}: {', '.join(tasks)}\n")


@app.command
def traits(
    dataset: Path,
    /,
    *,
    model: str,
    device: str = "auto",
    json_: Json = False,
) -> None:
    """Say how well traits can be told from a model's embeddings: zero-shot from text, and by a linear probe.

    Parameters
    ----------
    dataset
        A dataset with traits that has been divided (biovita data split).
    model
        As for biovita bench run.
    device
        auto, cpu, cuda, cuda:1 or mps.
    json_
        Print all rows.
    """
    from biovita.benchmark.trait_run import predict_traits
    from biovita.dataset import Dataset

    rows = predict_traits(Dataset.open(dataset), model, device=device, progress=not json_)
    if json_:
        _print_json([asdict(row) for row in rows])
        return
    _table(
        ["modality", "method", "part", "group", "label", "AUC", "AP", "chance", "species"],
        [
            [
                *(row.modality, row.method, row.part, row.group, row.label),
                f"{row.auc:.2f}",
                f"{row.average_precision:.2f}",
                f"{row.chance:.2f}",
                str(row.species),
            ]
            for row in rows
        ],
    )


@app.command(name="export-mteb")
def export_mteb(bench: Path, /, *, out: Path, media_root: Path | None = None, overwrite: Flag = False) -> None:
    """Write a benchmark as local copies of the data sets behind mteb's BioVITA tasks (needs the extra mteb).

    Parameters
    ----------
    bench
        A benchmark in the published layout, or a dataset that has been divided.
    out
        Where they go, one directory a direction.
    media_root
        Where file paths start.
    overwrite
        Replace OUT.
    """
    from biovita.benchmark.mteb_tasks import export_mteb as export

    benchmark = _open(bench, media_root)
    sys.stdout.write(f"{export(benchmark, out, overwrite=overwrite)}\n")


@app.command(name="run-mteb")
def run_mteb(copies: Path, /, *, model: str, json_: Json = False) -> None:
    """Run mteb's BioVITA tasks from a local copy, with a model of mteb's registry (needs the extra mteb).

    Parameters
    ----------
    copies
        What biovita bench export-mteb wrote, or a copy of the published data sets.
    model
        Its name in mteb, such as risashinoda/BioVITA.
    json_
        Print the rows.
    """
    from biovita.benchmark.mteb_tasks import MtebModel, run_local
    from biovita.benchmark.records import records

    rows = run_local(MtebModel.load(model).encoder, copies)
    if json_:
        _print_json(records(rows))
        return
    _table(
        ["part", "direction", "level", "k", "accuracy %"],
        [[row.part, row.direction, row.level, str(row.k), f"{100 * row.accuracy:.1f}"] for row in rows],
    )


def _open(bench: Path, media_root: Path | None) -> Benchmark:
    from biovita.benchmark import build_benchmark
    from biovita.benchmark.reader import read_benchmark
    from biovita.dataset import Dataset

    if (bench / "dataset.toml").is_file():
        return build_benchmark(Dataset.open(bench))
    return read_benchmark(bench, media_root=media_root)


def _media_files(bench: Path, media_root: Path | None) -> int:
    from biovita.benchmark.reader import read_with_problems
    from biovita.modality import MEDIA

    benchmark, _ = read_with_problems(bench, media_root=media_root)
    return sum(benchmark.items[modality].num_rows for modality in MEDIA)


def _print_scores(rows: Sequence[ScoreRow]) -> None:
    """Print a line a task: Top-1, 5 and 10 with the interval of the first, against chance."""
    tasks: dict[tuple[str, str, str], dict[int, ScoreRow]] = {}
    for row in rows:
        tasks.setdefault((row.part, row.level, row.direction), {})[row.k] = row
    _table(
        ["part", "level", "direction", "Top-1", "95 % interval", "chance", "Top-5", "Top-10", "queries", "absent"],
        [
            [
                *key,
                f"{100 * found[1].accuracy:.1f}",
                f"{100 * found[1].low:.1f} to {100 * found[1].high:.1f}",
                f"{100 * found[1].chance:.1f}",
                f"{100 * found[5].accuracy:.1f}",
                f"{100 * found[10].accuracy:.1f}",
                f"{found[1].queries:,}",
                f"{found[1].absent_queries + found[1].absent_samples:,}",
            ]
            for key, found in tasks.items()
        ],
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(str(cell)) for cell in cells) for cells in zip(columns, *rows, strict=True)]
    for line in (columns, *rows):
        cells = [str(cell).ljust(width) for cell, width in zip(line, widths, strict=True)]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=1) + "\n")
