"""Claim: every stage that needs no media is linear, and the published size fits into 8 GB of memory and 40 GB of disk.

    python benchmarks/scale.py [--sizes 1e4,1e5] [--stages open,split] [--work DIRECTORY] [--json] [--table]

A simulated dataset (`scale_data`) of each size goes through the stages, each a process of its own: processor seconds
(user and system), peak memory and bytes written are the kernel's and the file system's. 3.6e6 is the published size.
A stage that fails, or takes more than ``--most-gib`` or ``--most-minutes``, is a row with its reason. What was measured
is kept in the work directory: ``--table`` prints it again as the table of docs/scale.md, and a stage that is named is
measured anew. Stages after one that failed fail for want of what it makes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import scale_data
import scale_model

MOST_BYTES, MOST_DISK, MOST_EXPONENT = 8e9, 40e9, 1.1
LINEAR_FROM = 1e5
NEW = 0.01  # share of the files that have no vector at first
UNSEEN = 325 / 14_133  # as published
NO_CLASSES = ("--set", "weights.names=0")  # the stub has no classifier
RESULTS = "results.jsonl"


@dataclass(frozen=True)
class Row:
    """What a stage took at a size, and why it failed if it did."""

    stage: str
    items: int
    seconds: float
    peak_bytes: int
    disk_bytes: int
    failed: str = ""


@dataclass(frozen=True)
class Place:
    """Where the stages of one size read and write."""

    folder: Path
    items: int

    @property
    def data(self) -> Path:
        """The dataset."""
        return self.folder / "data"

    @property
    def tenth(self) -> Path:
        """A dataset of a tenth of what is trained on."""
        return self.folder / "tenth"

    @property
    def bench(self) -> Path:
        """The benchmark."""
        return self.data / "bench" / "standard"


def make(place: Place) -> None:
    """Write the dataset and most of its vectors."""
    scale_data.make(place.data, place.items, new=NEW)


def opening(place: Place) -> None:
    """Read all tables of a dataset."""
    from biovita import Dataset

    dataset = Dataset.open(place.data)
    sys.stdout.write(f"{dataset.audio.num_rows} {dataset.images.num_rows} {len(dataset.taxonomy)}\n")


def read_vectors(place: Place) -> None:
    """Read the vectors of all recordings and photographs, some at a time."""
    import numpy as np

    from biovita import vectors
    from biovita.modality import MEDIA

    for modality in MEDIA:
        found = vectors(place.data, scale_model.MODEL, modality, space="tower", compute=False)
        for start in range(0, len(found), 8192):
            found.vectors[np.arange(start, min(start + 8192, len(found)))]


def take_tenth(place: Place) -> None:
    """Write a dataset whose training rows are every tenth of the whole's, over the same vectors."""
    import numpy as np
    import pyarrow.compute as pc

    from biovita import Dataset
    from biovita.dataset import write_dataset

    whole = Dataset.open(place.data)
    tables = {"taxa": whole.table("taxa"), "traits": whole.traits}
    for name, table in (("audio", whole.audio), ("images", whole.images)):
        trained = pc.equal(table["split"], "train").to_numpy()
        kept = ~trained | (np.cumsum(trained) % 10 == 0)
        tables[name] = table.filter(kept)
    place.tenth.mkdir()
    write_dataset(place.tenth, tables, {key: whole.info[key] for key in ("name", "version", "made", "split")})
    shutil.copytree(place.data / "embeddings", place.tenth / "embeddings", copy_function=os.link)
    shutil.copytree(place.data / "stub", place.tenth / "stub", copy_function=os.link)


def training(stage: int, data: str, start: str | None = None) -> Callable[[Place], list[str]]:
    """Return the command that trains a stage of the starter recipe on ``data`` or ``tenth``."""

    def command(place: Place) -> list[str]:
        out = f"{data}-stage{stage}"
        begin = ["--start", str(place.folder / start)] if start else []
        given = ["--data", str(place.folder / data), "--out", str(place.folder / out), *begin, "--overwrite"]
        return ["train", f"starter/stage{stage}", *given, *NO_CLASSES, "--set", f"model={scale_model.MODEL}"]

    return command


def scoring(model: str) -> Callable[[Place], list[str]]:
    """Return the command that scores a model of a size."""

    def command(place: Place) -> list[str]:
        out = place.folder / f"run-{model}"
        return ["bench", "run", str(place.data), "--model", str(place.folder / model), "--out", str(out)]

    return command


def split(place: Place) -> list[str]:
    """Return the command that splits, with the published share of species held out."""
    from biovita import Dataset

    unseen = max(10, round(UNSEEN * len(Dataset.open(place.data).taxonomy)))
    return ["data", "split", str(place.data), "--unseen", str(unseen)]


def compare(place: Place) -> list[str]:
    """Return the command that compares the model of all items with that of a tenth."""
    runs = [str(place.folder / f"run-{data}-stage2") for data in ("tenth", "data")]
    return ["bench", "compare", *runs, "--out", str(place.folder / "compared")]


STAGES: dict[str, Callable[[Place], list[str] | None]] = {
    "make": make,
    "open": opening,
    "show": lambda place: ["data", "show", str(place.data)],
    "check": lambda place: ["data", "check", str(place.data)],
    "split": split,
    "card": lambda place: ["data", "card", str(place.data)],
    "embed-new": lambda place: ["embed", str(place.data), "--model", scale_model.MODEL],
    "embed-nothing": lambda place: ["embed", str(place.data), "--model", scale_model.MODEL],
    "vectors": read_vectors,
    "train-1": training(1, "data"),
    "train-2": training(2, "data", "data-stage1"),
    "build": lambda place: ["bench", "build", str(place.data), "--overwrite"],
    "verify": lambda place: ["bench", "verify", str(place.bench)],
    "run": scoring("data-stage2"),
    "take-tenth": take_tenth,
    "train-1-tenth": training(1, "tenth"),
    "train-2-tenth": training(2, "tenth", "tenth-stage1"),
    "run-tenth": scoring("tenth-stage2"),
    "compare": compare,
}
"""By name, what does a stage: a function, or the arguments of the command that it returns."""
FIND_PROBLEMS = ("check", "verify")  # and exit with 1: the files that the tables name are not there


def measure(stage: str, place: Place, most_gib: float, most_minutes: float) -> Row:
    """Return what a stage takes, in a process of its own."""
    before = _bytes_in(place.folder)
    said = place.folder / f"{stage}.txt"
    pid = os.fork()
    if not pid:
        _run_and_exit(stage, place, said, most_gib, most_minutes)
    _, status, usage = os.wait4(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    reason = "" if code == 0 else _reason(said, code)
    if (
        stage in FIND_PROBLEMS
        and code == 1
        and "Traceback" not in said.read_text(encoding="utf-8", errors="replace")
    ):
        reason = ""
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    grown = max(0, _bytes_in(place.folder) - before)
    return Row(stage, place.items, usage.ru_utime + usage.ru_stime, peak, grown, reason)


def _run_and_exit(stage: str, place: Place, said: Path, most_gib: float, most_minutes: float) -> None:
    """Do a stage in this process, which is a child and ends here."""
    code = 1
    try:
        with said.open("wb") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        if sys.platform != "darwin":
            resource.setrlimit(resource.RLIMIT_DATA, (int(most_gib * 2**30),) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(most_minutes * 60),) * 2)
        if stage != "make":
            scale_model.register(place.data)
        arguments = STAGES[stage](place)
        if arguments is not None:
            from biovita.cli import main as command

            command(arguments)
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:  # noqa: BLE001 - the process ends here, and the parent tells what it was
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _reason(said: Path, code: int) -> str:
    lines = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    ended = f"killed by signal {-code}" if code < 0 else f"exit {code}"
    return f"{ended}: {lines[-1][:200]}" if lines else ended


def _bytes_in(folder: Path) -> int:
    """Return how much disk a folder takes; a file with two names counts once."""
    found = {(status.st_dev, status.st_ino): status.st_blocks * 512 for status in _statuses(folder)}
    return sum(found.values())


def _statuses(folder: Path) -> list[os.stat_result]:
    return [Path(root, name).lstat() for root, _, names in os.walk(folder) for name in names]


def table(rows: Sequence[Row]) -> str:
    """Return the table of docs/scale.md."""
    sizes = sorted({row.items for row in rows})
    at = {(row.stage, row.items): row for row in rows}
    head = [f"{size:,}" for size in sizes]
    lines = ["| stage | " + " | ".join(head) + " | exponents |", "| --- |" + " --- |" * (len(sizes) + 1)]
    for stage in STAGES:
        if any((stage, size) in at for size in sizes):
            cells = [_cell(at.get((stage, size))) for size in sizes]
            lines.append(f"| {stage} | " + " | ".join([*cells, ", ".join(_exponents(stage, at, sizes))]) + " |")
    return "\n".join(lines)


def _cell(row: Row | None) -> str:
    if row is None:
        return "not measured"
    took = f"{row.seconds:,.1f} s, {row.peak_bytes / 1e9:.2f} GB, {row.disk_bytes / 1e9:.2f} GB"
    return f"{took}; {row.failed}" if row.failed else took


def _exponents(stage: str, at: dict[tuple[str, int], Row], sizes: Sequence[int]) -> list[str]:
    return [f"{found:.2f}" if found is not None else "-" for *_, found in _growth(stage, at, sizes)]


def _growth(
    stage: str, at: dict[tuple[str, int], Row], sizes: Sequence[int]
) -> list[tuple[int, int, float | None]]:
    """Return of each two sizes that follow one another the exponent of a stage's seconds; None where one is missing."""
    found = []
    for small, large in pairwise(sizes):
        one, other = at.get((stage, small)), at.get((stage, large))
        known = one is not None and other is not None and not one.failed and not other.failed
        grown = math.log(other.seconds / one.seconds) / math.log(large / small) if known else None
        found.append((small, large, grown))
    return found


def breaks(rows: Sequence[Row]) -> list[str]:
    """Return in words what does not hold of what was measured."""
    sizes = sorted({row.items for row in rows})
    at = {(row.stage, row.items): row for row in rows}
    told = [f"{row.stage} at {row.items:,}: {row.failed}" for row in rows if row.failed]
    told += [
        f"{row.stage} at {row.items:,} takes {row.peak_bytes / 1e9:.1f} GB of memory"
        for row in rows
        if row.peak_bytes > MOST_BYTES
    ]
    for size in sizes:
        disk = sum(row.disk_bytes for row in rows if row.items == size)
        if disk > MOST_DISK:
            told.append(f"all stages at {size:,} take {disk / 1e9:.0f} GB of disk")
    for stage in STAGES:
        for small, large, grown in _growth(stage, at, sizes):
            if small >= LINEAR_FROM and grown is not None and grown > MOST_EXPONENT:
                told.append(f"{stage} from {small:,} to {large:,} grows with the exponent {grown:.2f}")
    return told


def read_rows(work: Path) -> list[Row]:
    """Return what was measured, the newest of each stage and size."""
    file = work / RESULTS
    if not file.is_file():
        return []
    rows = [Row(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
    return list({(row.stage, row.items): row for row in rows}.values())


def run(
    work: Path, sizes: Sequence[int], stages: Sequence[str], *, most_gib: float = 8.0, most_minutes: float = 120.0
) -> None:
    """Measure stages at sizes, and keep each row in the work directory as soon as it is there."""
    for size in sizes:
        place = Place(work / str(size), size)
        if "make" in stages:
            shutil.rmtree(place.folder, ignore_errors=True)
        place.folder.mkdir(parents=True, exist_ok=True)
        for stage in stages:
            row = measure(stage, place, most_gib, most_minutes)
            with (work / RESULTS).open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(row)) + "\n")
            print(f"{size:>10,}  {stage:<14}{_cell(row)}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1e4,1e5", help="numbers of items, 3.6e6 is the published one")
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("--work", type=Path, help="kept; without it a temporary directory")
    parser.add_argument("--most-gib", type=float, default=8.0, help="memory of a stage")
    parser.add_argument("--most-minutes", type=float, default=120.0, help="processor time of a stage")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--table", action="store_true", help="measure nothing, print what was measured")
    options = parser.parse_args()
    stages = options.stages.split(",")
    if odd := set(stages) - set(STAGES):
        parser.error(f"there is no stage {', '.join(sorted(odd))}. There are {', '.join(STAGES)}")
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        if not options.table:
            sizes = [int(float(size)) for size in options.sizes.split(",")]
            run(work, sizes, stages, most_gib=options.most_gib, most_minutes=options.most_minutes)
        rows = read_rows(work)
    if options.json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "breaks": breaks(rows)}, indent=2))
    else:
        print("\n".join([table(rows), "", *(breaks(rows) or ["All of it holds"])]))


if __name__ == "__main__":
    main()
