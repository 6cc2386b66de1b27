"""Fuzzing with atheris: ``python tests/fuzz/run.py [--seconds 60] [--found FOLDER] [target ...]``.

A target begins with its seeds and what was found before. Modules are instrumented and imported once; then each target
has a process of its own, which libFuzzer ends. A fault is a file in ``FOLDER/target/``, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import random
import re
import sys
import tempfile
import time
import traceback
from contextlib import redirect_stderr
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]  # the tests' own helpers

import atheris  # noqa: E402 - a module of its own place

with redirect_stderr(io.StringIO()), atheris.instrument_imports(include=["biovita"]):  # it names each module
    from biovita.errors import BiovitaError
    from biovita.limits import set_memory
    from fuzz.targets import TARGETS
from fuzz.changes import changed  # noqa: E402
from fuzz.seeds import seeds_of  # noqa: E402

__all__ = ["fuzz", "main"]

_HANGS_S = 10
_MIB = 1024  # of the whole process; half of it is for what a file asks for, as ``--memory`` sets it
_DONE = re.compile(r"^Done (\d+) runs in (\d+) second", re.MULTILINE)


def fuzz(target: str, seconds: int, found: Path, scratch: Path) -> None:
    """Let libFuzzer run a target; it ends the process."""
    set_memory(str(_MIB // 2))
    corpus, files = scratch / "corpus", scratch / "files"
    corpus.mkdir()
    files.mkdir()
    known = [path.read_bytes() for path in sorted((HERE / "found" / target).glob("*"))]
    for number, seed in enumerate([*seeds_of(target), *known]):
        (corpus / str(number)).write_bytes(seed)

    def one(data: bytes) -> None:
        try:
            TARGETS[target](data, files)
        except BiovitaError:
            pass
        except BaseException:
            (found / target / f"fault-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)
            raise
        finally:
            _emptied(files)

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        def plain(content: bytes) -> bytes:
            return atheris.Mutate(content, max(1, min(most, len(content) + 64)))

        made = changed(data, random.Random(seed), plain)
        return made if len(made) <= most else atheris.Mutate(data, most)

    longest = max(path.stat().st_size for path in corpus.iterdir())
    (found / target).mkdir(parents=True, exist_ok=True)
    atheris.Setup(
        [
            target,
            str(corpus),
            *(f"-max_total_time={seconds}", f"-timeout={_HANGS_S}", f"-rss_limit_mb={_MIB}"),
            *(f"-max_len={longest + 2048}", "-len_control=0", f"-artifact_prefix={found / target}/"),
        ],
        one,
        custom_mutator=mutated,
    )
    atheris.Fuzz()


def _emptied(folder: Path) -> None:
    import shutil

    for each in folder.iterdir():
        shutil.rmtree(each)


def _run(target: str, seconds: int, found: Path) -> bool:
    """Fuzz a target in a process of its own, say how it went, and return whether nothing was found."""
    with tempfile.TemporaryDirectory() as scratch, Path(scratch, "log").open("w+", encoding="utf-8") as log:
        process = os.fork()
        if process == 0:
            _fuzz_to_the_end(target, seconds, found, Path(scratch), log.fileno())
        status = _waited(process, seconds + 6 * _HANGS_S)
        said = Path(scratch, "log").read_text(encoding="utf-8", errors="replace")
    done = _DONE.search(said)
    if status == 0 and done:
        print(f"{target}: {int(done[1]):,} runs in {done[2]} s, nothing found", flush=True)  # noqa: T201
        return True
    print(f"{target}: ended with {status}, see {found / target}\n{said[-2500:]}", flush=True)  # noqa: T201
    return False


def _fuzz_to_the_end(target: str, seconds: int, found: Path, scratch: Path, log: int) -> NoReturn:
    """Fuzz in a child, which never returns to what its parent was at."""
    status = 1
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        fuzz(target, seconds, found, scratch)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - said in the log
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _waited(process: int, seconds: float) -> int | str:
    """Return the exit status of a process, which is killed after so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.kill(process, 9)
    os.waitpid(process, 0)
    return "no end"


def main() -> int:
    """Run the targets one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "targets", nargs="*", metavar="target", help=f"of {', '.join(TARGETS)}; all if none is named"
    )
    parser.add_argument("--seconds", type=int, default=60, help="a target")
    parser.add_argument("--found", type=Path, default=HERE / "found", help="where files that show a fault are put")
    given = parser.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"unknown target {', '.join(sorted(unknown))}; known are {', '.join(TARGETS)}")
    sound = [_run(target, given.seconds, given.found.resolve()) for target in given.targets or TARGETS]
    return 0 if all(sound) else 1


if __name__ == "__main__":
    sys.exit(main())
