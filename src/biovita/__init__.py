"""Recordings, photographs and names of animals in one vector space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biovita.version import __version__

if TYPE_CHECKING:
    from biovita.archive.archive import Archive
    from biovita.archiving import (
        ArchiveChange,
        ArchiveInfo,
        ExportReport,
        add_to_archive,
        archive_info,
        create_archive,
        drop_from_archive,
        export_archive,
        refresh_archive,
    )
    from biovita.benchmark.task import Benchmark
    from biovita.calibrating import RunCalibration, calibrate_run
    from biovita.collect.build import BuildReport
    from biovita.collect.preview import PlanReport
    from biovita.dataset.dataset import Dataset
    from biovita.dataset.relink import RelinkReport, relink_dataset
    from biovita.dataset.split import SplitReport, split_dataset
    from biovita.detecting import ScoredDetection, score_detection
    from biovita.embedding.container import Vectors
    from biovita.embedding.dataset_vectors import EmbedReport, embed
    from biovita.embedding.vectors import vectors
    from biovita.errors import BiovitaError, DatasetError, MediaError, ModelError
    from biovita.identifying import Identification, identify
    from biovita.modality import Modality
    from biovita.model.card import ModelCard
    from biovita.model.describe import describe, load_model
    from biovita.model.model import Model
    from biovita.predicting_traits import TraitPrediction, predict_traits
    from biovita.report.comparison import Comparison, compare_runs
    from biovita.searching import SearchResult, search
    from biovita.simulation.soundscape import SoundscapeReport
    from biovita.soundscapes import simulate_soundscape
    from biovita.sources.folder import ImportReport, import_folder
    from biovita.sources.tables_from_names import WrittenTables, write_folder_tables
    from biovita.taxonomy.made_backbone import BackboneReport, make_backbone
    from biovita.taxonomy.taxon import Rank, Taxon, Taxonomy
    from biovita.training.run import TrainReport
    from biovita.verbs import (
        BenchmarkRun,
        BuiltBenchmark,
        build_benchmark,
        build_dataset,
        plan_dataset,
        run_benchmark,
        save_model,
        simulate,
        train,
    )

__all__ = [
    "Archive",
    "ArchiveChange",
    "ArchiveInfo",
    "BackboneReport",
    "Benchmark",
    "BenchmarkRun",
    "BiovitaError",
    "BuildReport",
    "BuiltBenchmark",
    "Comparison",
    "Dataset",
    "DatasetError",
    "EmbedReport",
    "ExportReport",
    "Identification",
    "ImportReport",
    "MediaError",
    "Modality",
    "Model",
    "ModelCard",
    "ModelError",
    "PlanReport",
    "Rank",
    "RelinkReport",
    "RunCalibration",
    "ScoredDetection",
    "SearchResult",
    "SoundscapeReport",
    "SplitReport",
    "Taxon",
    "Taxonomy",
    "TrainReport",
    "TraitPrediction",
    "Vectors",
    "WrittenTables",
    "__version__",
    "add_to_archive",
    "archive_info",
    "build_benchmark",
    "build_dataset",
    "calibrate_run",
    "compare_runs",
    "create_archive",
    "describe",
    "drop_from_archive",
    "embed",
    "export_archive",
    "identify",
    "import_folder",
    "load_model",
    "make_backbone",
    "plan_dataset",
    "predict_traits",
    "refresh_archive",
    "relink_dataset",
    "run_benchmark",
    "save_model",
    "score_detection",
    "search",
    "simulate",
    "simulate_soundscape",
    "split_dataset",
    "train",
    "vectors",
    "write_folder_tables",
]

_PLACES = {
    "Archive": "archive.archive",
    "ArchiveChange": "archiving",
    "ArchiveInfo": "archiving",
    "BackboneReport": "taxonomy.made_backbone",
    "Benchmark": "benchmark.task",
    "BenchmarkRun": "verbs",
    "BiovitaError": "errors",
    "BuildReport": "collect.build",
    "BuiltBenchmark": "verbs",
    "Comparison": "report.comparison",
    "Dataset": "dataset.dataset",
    "DatasetError": "errors",
    "EmbedReport": "embedding.dataset_vectors",
    "ExportReport": "archiving",
    "Identification": "identifying",
    "ImportReport": "sources.folder",
    "MediaError": "errors",
    "Modality": "modality",
    "Model": "model.model",
    "ModelCard": "model.card",
    "ModelError": "errors",
    "PlanReport": "collect.preview",
    "Rank": "taxonomy.taxon",
    "RelinkReport": "dataset.relink",
    "RunCalibration": "calibrating",
    "ScoredDetection": "detecting",
    "SearchResult": "searching",
    "SoundscapeReport": "simulation.soundscape",
    "SplitReport": "dataset.split",
    "Taxon": "taxonomy.taxon",
    "Taxonomy": "taxonomy.taxon",
    "TrainReport": "training.run",
    "TraitPrediction": "predicting_traits",
    "Vectors": "embedding.container",
    "WrittenTables": "sources.tables_from_names",
    "add_to_archive": "archiving",
    "archive_info": "archiving",
    "build_benchmark": "verbs",
    "build_dataset": "verbs",
    "calibrate_run": "calibrating",
    "compare_runs": "report.comparison",
    "create_archive": "archiving",
    "describe": "model.describe",
    "drop_from_archive": "archiving",
    "embed": "embedding.dataset_vectors",
    "export_archive": "archiving",
    "identify": "identifying",
    "import_folder": "sources.folder",
    "load_model": "model.describe",
    "make_backbone": "taxonomy.made_backbone",
    "plan_dataset": "verbs",
    "predict_traits": "predicting_traits",
    "refresh_archive": "archiving",
    "relink_dataset": "dataset.relink",
    "run_benchmark": "verbs",
    "save_model": "verbs",
    "score_detection": "detecting",
    "search": "searching",
    "simulate": "verbs",
    "simulate_soundscape": "soundscapes",
    "split_dataset": "dataset.split",
    "train": "verbs",
    "vectors": "embedding.vectors",
    "write_folder_tables": "sources.tables_from_names",
}
"""The module that each public name is imported from, on first use: ``import biovita`` stays light."""


def __getattr__(name: str) -> object:
    """Import a public name from its module."""
    if name not in _PLACES:
        raise AttributeError(f"module 'biovita' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"biovita.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return list(__all__)
