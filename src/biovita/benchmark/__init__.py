"""The benchmark: build, release files in and out, score, analyse."""

from biovita.benchmark.from_split import benchmark_from_split
from biovita.benchmark.headlines import Headline, headline
from biovita.benchmark.scores import ScoreRow, Scores, TaskScore, score_benchmark
from biovita.benchmark.task import Benchmark, LeftOut, Task

__all__ = [
    "Benchmark",
    "Headline",
    "LeftOut",
    "ScoreRow",
    "Scores",
    "Task",
    "TaskScore",
    "benchmark_from_split",
    "headline",
    "score_benchmark",
]
