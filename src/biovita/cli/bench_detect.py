"""``biovita bench detect``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from biovita.cli.kit import Json, Seed, note, print_json, print_table, say

if TYPE_CHECKING:
    from biovita.benchmark.detection_scores import DetectionScores, Estimate
    from biovita.detecting import ScoredDetection

__all__ = ["detect"]

_SHOWN = 10  # reasons; --json and the page have all


def detect(
    recordings: Path,
    /,
    *,
    annotations: Annotated[list[Path], Parameter(consume_multiple=True, negative=())],
    format: Annotated[  # noqa: A002
        str, Parameter(help="Of these files: raven, audacity, aoef, kaleidoscope, csv, parquet or json.")
    ],
    run: Path,
    out: Path | None = None,
    threshold: float = 0.25,
    least_overlap: float = 0.2,
    onset: float = 3.0,
    annotated: Path | None = None,
    codes: Path | None = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Score the events of a run of biovita identify against annotations.

    Precision, recall and F1 of events, class-mean average precision and AUROC of segments of 5 s, by taxon and by
    threshold, with intervals by recording. OUT gets detection.html, detection.json, taxa.csv and curve.csv.

    Parameters
    ----------
    recordings
        A recording, or a folder with those that were annotated. Others that the run has do not count.
    annotations
        Files of annotations, folders that have them, or patterns.
    run
        The run: a directory of biovita identify.
    out
        Directory to write. Default: detection in the run.
    threshold
        At which single numbers are stated.
    least_overlap
        Intersection over union that a found and an annotated event have at least.
    onset
        Seconds from begin to begin that they have at most, by the other criterion.
    annotated
        CSV that says which parts of recordings were annotated: path, start_s, end_s. Default: all of all.
    codes
        CSV that says what labels mean that are codes: code, scientific_name.
    """
    import biovita

    done = biovita.score_detection(
        recordings,
        annotations=annotations,
        format=format,
        run=run,
        out=out,
        threshold=threshold,
        least_overlap=least_overlap,
        onset=onset,
        annotated=annotated,
        codes=codes,
        seed=seed,
    )
    if as_json:
        print_json(done)
        return
    _print(done.scores)
    _note_left_out(done)
    say(done.files.page)


def _print(scores: DetectionScores) -> None:
    overall = scores.overall[0]
    say(
        f"{overall.annotated:,} annotated events of {len(scores.segments):,} taxa in {scores.recordings:,} recordings "
        f"of {scores.hours:,.2f} hours, at a threshold of {scores.threshold:g}"
    )
    print_table(
        ("pairs by", "annotated", "found", "right", "precision %", "recall %", "F1 %"),
        (
            (
                row.criterion,
                row.annotated,
                row.found,
                row.right,
                *map(_percent, (row.precision, row.recall, row.f1)),
            )
            for row in scores.overall
        ),
    )
    means = {
        "class-mean average precision, segments of 5 s": scores.mean_average_precision,
        "class-mean AUROC, segments of 5 s": scores.mean_auroc,
        "class-mean F1 of events": scores.mean_f1,
    }
    say(*(f"{name}: {_with_interval(found)}" for name, found in means.items()))
    say(
        *(
            f"false detections an hour at a precision of {100 * point.precision:g} % ({point.criterion}): "
            f"{point.false_per_hour:.1f}, with a recall of {100 * point.recall:.1f} %"
            for point in scores.at_precision
        )
    )


def _note_left_out(done: ScoredDetection) -> None:
    if done.rejected:
        counts, first = Counter(row.reason for row in done.rejected), done.rejected[0]
        note(
            f"rows that are no annotations: {_counted(counts.most_common())}; the first: {first.file}, "
            f"line {first.line}: {first.detail}"
        )
    left = done.scores.not_scored
    if left:
        counted = _counted((f"{row.what} ({row.reason})", row.count) for row in left[:_SHOWN])
        more = f", and {len(left) - _SHOWN:,} more labels or recordings" if len(left) > _SHOWN else ""
        note(f"annotations that are not scored: {counted}{more}")
    if done.scores.too_short:
        note(
            f"{done.scores.too_short:,} annotated events are so short that no window can overlap enough with them. "
            "Look at the pairs by onset"
        )
    if done.scores.not_answered:
        note(f"the run cannot answer the threshold {max(done.scores.not_answered):g} and those below it")


def _counted(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts)


def _percent(found: Estimate) -> str:
    return "-" if found.value is None else f"{100 * found.value:.1f}"


def _with_interval(found: Estimate) -> str:
    if found.value is None:
        return "-"
    if found.low is None or found.high is None:
        return f"{_percent(found)} %"
    return f"{_percent(found)} % ({100 * found.low:.1f} to {100 * found.high:.1f})"
