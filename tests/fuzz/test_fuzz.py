"""Each target over its seeds, over what fuzzing found, over changes of both, and for ten seconds with atheris."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from pathlib import Path

import pytest

from biovita.errors import BiovitaError
from fuzz.changes import changed
from fuzz.seeds import seeds_of
from fuzz.targets import TARGETS, joined, parted

HERE = Path(__file__).parent
SECONDS = 10  # a target
CHANGES = 10  # of each seed


def holds(target: str, data: bytes, folder: Path) -> bool:
    """Run a target, and return whether it accepts the file; a fault is any other exception."""
    try:
        TARGETS[target](data, folder)
    except BiovitaError:
        return False
    return True


@pytest.mark.filterwarnings("ignore")  # of decoders
@pytest.mark.parametrize("target", TARGETS)
def test_seeds_and_changes_of_them(target: str, tmp_path: Path) -> None:
    seeds, drawn = seeds_of(target), random.Random(0)

    def plain(content: bytes) -> bytes:
        at = drawn.randrange(len(content) + 1)
        return content[:at] + drawn.randbytes(1) + content[at + 1 :]

    accepted = [holds(target, seed, tmp_path) for seed in seeds]
    assert sum(accepted) >= 0.7 * len(seeds)
    entered = 0
    for seed in seeds:
        for _ in range(CHANGES):
            entered += holds(target, changed(seed, drawn, plain), tmp_path)
    assert entered > CHANGES * len(seeds) / 20  # changes of a file are seldom refused at its first byte


FOUND = sorted((HERE / "found").glob("*/*"))


@pytest.mark.parametrize("file", FOUND, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_what_fuzzing_found(file: Path, tmp_path: Path) -> None:
    holds(file.parent.name, file.read_bytes(), tmp_path)


def test_parts_of_a_file_and_a_fault_of_a_target() -> None:
    parts = {"meta.xml": b"<a/>", "train/o.csv": b"x\n\n"}
    assert parted(joined(parts)) == parts
    assert parted(b"--- ../x ---\n1\n--- /etc/x ---\n2\n") == {}


@pytest.mark.slow
@pytest.mark.skipif(
    not importlib.util.find_spec("atheris"), reason="atheris is for Linux: pip install 'biovita[fuzz]'"
)
@pytest.mark.timeout(900)  # for each target twice its seconds, and the imports, which are instrumented once
def test_ten_seconds_of_each_target(tmp_path: Path) -> None:
    run = [sys.executable, HERE / "run.py", "--seconds", str(SECONDS), "--found", tmp_path]
    outcome = subprocess.run(run, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert outcome.stdout.count("nothing found") == len(TARGETS)
