"""How fast a simulated fauna is written: clips of 5 s and pictures of 256 px a second, start of the processes included.

The aim on two cores is 20 clips and 60 pictures a second; the alternative is one process. Run with
``python benchmarks/simulate_speed.py``.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from biovita.compute.cores import cpu_count
from biovita.simulation import simulate_media

SPECIES = 60
AIMS = {"clips of 5 s": 20.0, "pictures of 256 px": 60.0}


def rate(what: str, workers: int) -> float:
    few = {"recordings": 8, "photographs": 0} if what == "clips of 5 s" else {"recordings": 0, "photographs": 16}
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        dataset = simulate_media(Path(folder) / "fauna", SPECIES, 0, workers=workers, progress=False, **few)
        seconds = time.perf_counter() - began
        return (dataset.audio.num_rows + dataset.images.num_rows) / seconds


def main() -> None:
    print(f"{cpu_count()} cores")
    print(f"{'':<20}{'one process':>14}{'two processes':>16}{'ratio':>8}{'of the aim':>12}")
    for what, aim in AIMS.items():
        one, two = rate(what, 1), rate(what, 2)
        print(f"{what:<20}{one:>12.1f}/s{two:>14.1f}/s{two / one:>8.2f}{two / aim:>11.2f}x")


if __name__ == "__main__":
    main()
