"""One page of each kind that biovita writes, made in seconds of what is hard to lay out: long names, many stages."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from scipy.special import expit, logit

from biovita.archive.archive_tables import CANDIDATES, DEPLOYMENTS, LEFT_OUT
from biovita.benchmark import Benchmark, benchmark_from_split, score_benchmark
from biovita.benchmark.compare import ranks_table
from biovita.benchmark.detection_scores import (
    DetectionScores,
    Estimate,
    EventRow,
    OperatingPoint,
    SegmentRow,
)
from biovita.benchmark.detection_truth import NotScored
from biovita.benchmark.recordings import Recordings
from biovita.benchmark.trait_scores import TraitScore
from biovita.dataset import Dataset, split_dataset, write_table
from biovita.dataset.dataset import replace_tables
from biovita.dataset.schema import TRAITS
from biovita.embedding.failures import Failure
from biovita.identification.calibration import Calibration
from biovita.identification.labelled_scores import LabelledScores
from biovita.identification.question import Question
from biovita.identification.thresholds import thresholds_at
from biovita.modality import Modality
from biovita.publish.dataset_card import write_papers
from biovita.report import ReportContent, write_run
from biovita.report.comparison import compare_runs
from biovita.report.detection_page import write_detection
from biovita.report.identification_content import EXEMPLARS, IdentificationContent
from biovita.report.identification_page import write_identification_page
from biovita.report.reliability import write_calibration_page
from biovita.report.training import write_training_page
from biovita.taxonomy import Rank
from biovita.towers import EncoderCard
from biovita.training.log_lines import GateLine, PartScores, StepLine, ValidationLine
from support.bench_cases import class_vectors, write_small
from support.card_pages import card_as_page
from support.found_events import events_of, photographs_of, recordings_of
from support.sound_files import song, write_sound

__all__ = ["KINDS", "write_pages"]

KINDS = (*("report", "comparison", "training", "identification", "detection", "calibration", "card"),)

LONG = "a_very_long_name_of_a_run_that_somebody_gave_without_a_space_20261201T0410"
MAKER = (
    "(c) Maximiliane Hinterholzer-Vogelsang-Brandenburger, some rights reserved (CC BY-NC), uploaded by herself"
)
LENGTHY = "Coccothraustes coccothraustes var. pseudoheteropterygophora"


def write_pages(folder: Path) -> dict[str, Path]:
    """Write one page of each of `KINDS`."""
    dataset = _dataset(folder / "small")
    benchmark = benchmark_from_split(dataset, candidates="all")
    report = _run(dataset, benchmark, folder / LONG)
    other = score_benchmark(benchmark, class_vectors(benchmark, dataset, 0.9))
    (folder / "other").mkdir()
    write_table(ranks_table(benchmark, other), folder / "other/ranks.parquet")
    compare_runs(folder / "other", report.parent, out=folder / "compared")
    write_papers(dataset, dataset.path)
    pages = (
        report,
        folder / "compared/compare.html",
        _training(folder / "training"),
        _identification(folder / "identified"),
        _detection(folder / "detected"),
        _calibration(folder / "calibrated"),
        card_as_page(dataset.path),
    )
    return dict(zip(KINDS, pages, strict=True))


def _dataset(path: Path) -> Dataset:
    """Write species of two classes with traits, places, long names and makers, and few media."""
    dataset = write_small(path, taxa=14, per_species=4)
    taxa = dataset.table("taxa").to_pylist()
    taxa[0]["common_name"] = "Hawfinch-with-a-name-that-nobody-would-want-to-read-aloud"
    taxa[1]["scientific_name"] = LENGTHY
    tables = {"taxa": pa.Table.from_pylist(taxa, dataset.table("taxa").schema)}
    for name in ("audio", "images"):
        rows = dataset.table(name).to_pylist()
        for place, row in enumerate(rows):
            row |= {"longitude": place % 40 - 20.0, "latitude": place % 30 + 10.0, "attribution": MAKER}
            row["license"] = None if name == "images" else "CC-BY-NC-SA-4.0"
        tables[name] = pa.Table.from_pylist(rows, dataset.table(name).schema)
    replace_tables(dataset, tables, {})
    sound = song(1.5, 8_000)
    for row in tables["audio"].to_pylist():
        write_sound(path / row["path"], sound, 8_000)
    for row in tables["images"].to_pylist()[::2]:
        Image.new("RGB", (60, 40), (40, 110, 90)).save(path / row["path"])
    labels = [
        {"taxon_id": taxon.id, "label": label, "value": int(taxon.id[1:]) // 6 % 2 == n, "source": "test"}
        for taxon in dataset.taxonomy.values()
        if taxon.rank == Rank.SPECIES
        for n, label in enumerate(("nocturnal", "diurnal"))
    ]
    write_table(pa.Table.from_pylist(labels, schema=TRAITS), path / "traits.parquet")
    dataset = Dataset.open(path)
    split_dataset(dataset, unseen=6, seed=3, held_out=0.4)
    return dataset


def _run(dataset: Dataset, benchmark: Benchmark, out: Path) -> Path:
    noises = {0: 40.0, 1: 3.0, 2: 1.5}
    vectors = {stage: class_vectors(benchmark, dataset, noise) for stage, noise in noises.items()}
    source = "https://example.org/models/" + "very-long-address/" * 5
    tower = EncoderCard("birdnet-2.4", Modality.AUDIO, 4, source, "sha256:" + "0" * 64, "CC", "Mind the terms.")
    counts = np.arange(benchmark.items[Modality.AUDIO].num_rows)
    content = ReportContent(
        title=f"{out.name} on small",
        benchmark=benchmark,
        scores={stage: score_benchmark(benchmark, each) for stage, each in vectors.items()},
        vectors=vectors[2],
        towers=[tower],
        losses={"stage 1": [3.0, 2.0, 1.5], "stage 2": [0.0] * 4},
        made={"seed": 0, "recipe": {"dim": 8, "optimizer": {"lr": 1e-4, "betas": [0.9, 0.98]}}, "out": LONG},
        times={"training": 12.3},
        dataset=dataset,
        failed=[Failure(Modality.AUDIO, "at0-1", "truncated", "..")],
        recordings=Recordings(counts.astype(float), (counts % 40).astype(float)),
        predictions=[
            TraitScore(modality, method, "unseen", "activity", "nocturnal", 0.87, 0.8, 0.5, species=8)
            for modality in ("audio", "image")
            for method in ("zero-shot", "probe")
        ],
        published=True,
    )
    return write_run(out, content).report


def _training(out: Path) -> Path:
    steps = [
        StepLine(
            phase="warmup" if total < 40 else "full",
            epoch=total // 20,
            step=total,
            total=total,
            losses={"loss": 2.0 - total / 100, "atc": 1.5, "aic": 1.2, "itc": 0.8, "names": 0.4},
            temperature=0.07,
            weights={"atc": 1.0, "aic": 0.1, "itc": 0.0},
            learning_rates={f"a_part_of_the_towers_{n}": 10.0**-n for n in range(3, 8)},
            gate=GateLine(total > 20, 1.0),
            gradient_norm=0.0,
            pairs=6,
            seconds=0.5,
            waited=0.0,
        )
        for total in range(80)
    ]
    parts = {"unseen": PartScores(0.25, 0.5, 0.1), "seen": PartScores(0.3, 0.6, 0.1)}
    record = {
        "recipe": {"name": "paper/stage2", "seed": 3, "model": LONG, "phases": {"full": {"epochs": 2}}},
        "start": None,
        "dataset": {"name": "small", "version": "1"},
        "versions": {"torch": "2.6", "biovita": "0.1"},
        "git": {"commit": "0" * 40, "changed": True},
    }
    out.mkdir()
    lines = [*steps, ValidationLine("full", 1, 40, parts), ValidationLine("full", 3, 80, parts)]
    return write_training_page(out, lines, record, files=("log.jsonl", "run.json"), left_out=3)


def _identification(out: Path) -> Path:
    out.mkdir()
    write_sound(out / "r.wav", song(20.0, 24_000), 24_000)
    Image.new("RGB", (80, 60), (20, 90, 30)).save(out / "p.jpg")
    begin = datetime.fromisoformat("2026-05-03T05:00")
    owner = {"license": "CC-BY-NC-SA-4.0", "attribution": MAKER}
    names = [("Pica pica", "Magpie"), (LENGTHY, "Hawfinch-" * 6), ("Turdus merula", "Blackbird")]
    events = [
        {
            "media_id": "r",
            "scientific_name": name,
            "common_name": common,
            "start_s": 2.0 * place,
            "end_s": 2.0 * place + 3.0,
            "best_start_s": 2.0 * place,
            "score": 0.4 + place / 20,
            "evidence": "exemplar",
            "nearest_audio": "x1",
            "runner_up": LENGTHY,
            "runner_up_score": 0.25,
            "begin_local": begin + timedelta(hours=7 * place),
            "utc_offset_min": 60,
            "site": site,
        }
        for place, (name, common) in enumerate(names * 2)
        for site in ("Creek", "The-far-end-of-the-long-valley")
    ]
    others = [
        {"media_id": "r", "label": "Engine", "kind": "sound", "start_s": 0.0, "end_s": 3.0, "score": 0.6},
        {"media_id": "p", "modality": "image", "scientific_name": "Vulpes vulpes", "score": 0.7}
        | {"box": [0.25, 0.1, 0.5, 0.8]},
    ]
    recording = {"duration_s": 20.0, "begin_local": begin, "utc_offset_min": 60, "deployment_id": "d", **owner}
    example = {"id": "x1", "modality": "audio", "path": str(out / "r.wav"), "end_s": 5.0, **owner}
    lost = {"path": f"{LONG}.wav", "reason": "truncated", "detail": f"{LONG}.wav: it ends early"}
    content = IdentificationContent(
        title=f"1 recording of {LONG}",
        annotations=events_of(*events, *others),
        recordings=recordings_of({"id": "r", "path": str(out / "r.wav"), **recording}),
        photographs=photographs_of({"id": "p", "path": str(out / "p.jpg"), "box_of": "MegaDetector: animal 0.93"}),
        deployments=pa.Table.from_pylist([{"id": "d", "site": "Creek"}], DEPLOYMENTS),
        candidates=CANDIDATES.empty_table(),
        left_out=pa.Table.from_pylist([lost], LEFT_OUT),
        exemplars=pa.Table.from_pylist([example], EXEMPLARS),
        settings={"Model": f"starter, revision {LONG}", "Threshold": "0.25"},
    )
    return write_identification_page(content, out)


def _detection(out: Path) -> Path:
    def row(taxon: str | None, criterion: str, threshold: float) -> EventRow:
        counts = (1234, round(2000 * (1 - threshold)), 617)
        return EventRow(taxon, taxon, criterion, threshold, *counts, *[Estimate(0.5, 0.1, 0.9)] * 3)

    kinds = ("overlap", "onset")
    scores = DetectionScores(
        recordings=2,
        hours=0.5,
        threshold=0.25,
        overall=tuple(row(None, kind, 0.25) for kind in kinds),
        taxa=(row(LENGTHY, "overlap", 0.25), row("Pica pica", "overlap", 0.25)),
        curve=tuple(row(None, kind, threshold) for kind in kinds for threshold in np.arange(0.05, 1, 0.05)),
        not_answered=(0.05,),
        mean_f1=Estimate(0.5, 0.3, 0.7),
        mean_average_precision=Estimate(0.6, 0.4, 0.8),
        mean_auroc=Estimate(0.9, 0.8, 1.0),
        chance=0.1,
        segments=(SegmentRow(LENGTHY, LENGTHY, 3, 60, Estimate(0.6, 0.4, 0.8), Estimate(0.9)),),
        at_precision=(OperatingPoint("onset", 0.9, 0.5, 0.5, 12.0),),
        neither=1,
        too_short=2,
        not_scored=(NotScored("not-named", "Corvus corax", 3),),
        made={"model": LONG, "least_overlap": 0.2, "onset_s": 3.0, "run": {"seed": 0}},
    )
    return write_detection(out, scores, f"The survey of {LONG}").page


def _calibration(out: Path) -> Path:
    question = Question(LONG, "r1", Modality.AUDIO, "g" * 64, "c" * 64, "mono", 3.0, 1.5)
    draws = np.random.default_rng(0)
    scores = draws.uniform(0, 1, 400)
    right = draws.random(400) < expit(1.5 * logit(np.clip(scores, 1e-6, 1 - 1e-6)) - 1)
    labelled = LabelledScores(scores, right, np.arange(400) % 10, np.arange(400) % 3, 4, ())
    fitted = Calibration.fit(scores, right, labelled.groups, question)
    limits = thresholds_at(0.9, labelled)
    return write_calibration_page(fitted, out, precision=0.9, thresholds=limits, names={0: LENGTHY})
