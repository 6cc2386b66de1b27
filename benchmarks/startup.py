"""Time until ``import biovita`` and ``biovita --help`` are done, against a bare ``python -c pass``.

Run with ``python benchmarks/startup.py``. Each is a process of its own; times are the best of twenty. The claim: less
than 0.1 s and less than 0.3 s on a quiet machine.
"""

from __future__ import annotations

import subprocess
import sys
import time

REPEATS = 20
CASES = {
    "python -c pass": ["-c", "pass"],
    "import biovita": ["-c", "import biovita"],
    "biovita --help": ["-m", "biovita", "--help"],
    "biovita embed --help": ["-m", "biovita", "embed", "--help"],
}


def seconds(arguments: list[str]) -> float:
    """Return the shortest time that a process with these arguments takes."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    found = {name: seconds(arguments) for name, arguments in CASES.items()}
    bare = found["python -c pass"]
    print(f"{'':<22}{'seconds':>9}{'ratio':>8}")
    for name, taken in found.items():
        print(f"{name:<22}{taken:>9.3f}{taken / bare:>8.1f}")


if __name__ == "__main__":
    main()
