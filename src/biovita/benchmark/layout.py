"""Writing a benchmark: in the compact layout or in the published one, with a manifest and, if asked for, its media."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from biovita.benchmark.bench_manifest import FORMATS, MANIFEST
from biovita.benchmark.compact_layout import write_compact
from biovita.benchmark.published_layout import published_bytes, rows_of_part, write_published
from biovita.benchmark.task import Benchmark
from biovita.dataset.outgoing import Outgoing, allowed_outside, copied, unchanged
from biovita.errors import DatasetError, unknown_name
from biovita.filenames import path_from, safe_suffix
from biovita.files import new_directory, write_whole
from biovita.hashing import sha256_of
from biovita.limits import limit, over
from biovita.modality import MEDIA, Modality

__all__ = ["LAYOUTS", "media_outside", "write_benchmark"]

logger = logging.getLogger(__name__)

LAYOUTS: tuple[str, ...] = ("compact", "published")


def write_benchmark(
    benchmark: Benchmark,
    out: Path,
    *,
    layout: str = "compact",
    media: str = "keep",
    overwrite: bool = False,
    allow_outside: bool = False,
) -> Path:
    """Write a benchmark, with a manifest of counts, seed and hashes.

    The ``runs`` of one that is replaced stay.

    Parameters
    ----------
    layout
        ``compact``: Parquet files of `biovita.benchmark.compact_layout`. ``published``: the CSV files of
        `biovita.benchmark.published_layout`; how much they will take is said first.
    media
        ``keep`` leaves recordings and photographs where they are: file paths start at the directory that the
        manifest names. ``copy`` puts them into ``OUT/media``, spans of longer recordings cut out as WAV of float32,
        so that scores stay the same.
    allow_outside
        Copy media that lie outside `Benchmark.root`, too.

    Raises
    ------
    DatasetError
        Where ``out`` exists and ``overwrite`` was not asked for; where the published layout would take more than the
        limit ``published``; with ``copy``, where media lie outside the root and that is not allowed, or one is not
        what the tables state.
    MediaError
        With ``copy``, where a recording cannot be read.
    """
    if layout not in LAYOUTS:
        raise DatasetError(unknown_name("layout", layout, LAYOUTS))
    if media not in {"keep", "copy"}:
        raise DatasetError(f"media is {media!r}. It has to be 'keep' or 'copy'")
    out = Path(out)
    if layout == "published":
        _say_size(benchmark, out)
    with new_directory(out, replace=overwrite, marker=MANIFEST, keep=["runs"]) as scratch:
        root = None
        if media == "copy":
            benchmark = _copied(benchmark, scratch, allow_outside=allow_outside)
        elif benchmark.root is not None:
            root = path_from(out, benchmark.root)
        (write_compact if layout == "compact" else write_published)(benchmark, scratch)
        text = json.dumps(_manifest(benchmark, scratch, layout, root), indent=1, sort_keys=True)
        write_whole(scratch / MANIFEST, text + "\n")
    return out


def _say_size(benchmark: Benchmark, out: Path) -> None:
    """Say how much the published layout will take, and raise a DatasetError where it is more than the limit."""
    size = published_bytes(benchmark)
    if size > limit("published"):
        raise DatasetError(
            f"{out}: the published layout would take {size:,} bytes; {over('published')}. The compact layout "
            "(--layout compact) takes a small part of that"
        )
    logger.warning("%s: the published layout will take %s MB", out, f"{size / 1e6:,.1f}")


def _manifest(benchmark: Benchmark, scratch: Path, layout: str, root: str | None) -> dict[str, Any]:
    parts = sorted({task.part for task in benchmark.tasks})
    return {
        "format": FORMATS[layout],
        "made": dict(benchmark.made),
        "media_root": root,
        "parts": {part: _part(benchmark, part) for part in parts},
        "other_names": {name: list(others) for name, others in benchmark.other_names.items()},
        "unseen": {level.value: sorted(names) for level, names in benchmark.unseen.items()},
        "left_out": [asdict(entry) for entry in benchmark.left_out],
        "sha256": dict(_hashes(scratch, parts)),
    }


def _part(benchmark: Benchmark, part: str) -> dict[str, Any]:
    return {
        "items": {m.value: len(rows_of_part(benchmark, part, m)) for m in Modality},
        "tasks": [
            {
                "direction": task.direction,
                "level": task.level.value,
                "queries": len(task.queries),
                "taxa": len(task.taxa),
                "most_candidates": int(task.candidate_counts.max()),
            }
            for task in benchmark.tasks
            if task.part == part
        ],
    }


def _hashes(scratch: Path, parts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the names of all tables, from ``scratch``, and their hashes."""
    tables = [file for file in scratch.iterdir() if file.suffix == ".parquet"]
    tables += [
        file for part in parts for file in (scratch / part).rglob("*") if file.suffix in {".csv", ".parquet"}
    ]
    for file in sorted(tables):
        yield file.relative_to(scratch).as_posix(), sha256_of(file)


def media_outside(benchmark: Benchmark, *, allow: bool = True) -> int:
    """Return how many of a benchmark's media lie outside its root; raise a DatasetError where none are allowed to."""
    root = benchmark.root or Path()
    return allowed_outside(root, (file for m in MEDIA for _, file in _outgoing(benchmark, m)), allow=allow)


def _outgoing(benchmark: Benchmark, modality: Modality) -> Iterator[tuple[dict[str, Any], Outgoing]]:
    """Yield the span and path of each recording or photograph of a benchmark, and its file."""
    table = benchmark.items[modality].select(["path", "start_s", "end_s", "sha256"])
    for item in (item for batch in table.to_batches(max_chunksize=1 << 12) for item in batch.to_pylist()):
        yield item, Outgoing(benchmark.locate(item["path"]), modality, item["sha256"])


def _copied(benchmark: Benchmark, scratch: Path, *, allow_outside: bool) -> Benchmark:
    """Copy the media into ``scratch/media``; return the benchmark with its items as they lie there."""
    media_outside(benchmark, allow=allow_outside)
    items = {modality: _with_copies(benchmark, modality, scratch) for modality in MEDIA}
    return replace(benchmark, items={**benchmark.items, **items})


def _with_copies(benchmark: Benchmark, modality: Modality, scratch: Path) -> pa.Table:
    from biovita.media import read_clip
    from biovita.media.wav import write_float_wav

    folder = scratch / "media" / modality.value
    known: set[Any] = set()
    paths, digests = [], []
    for row, (item, file) in enumerate(_outgoing(benchmark, modality)):
        folder.mkdir(parents=True, exist_ok=True)
        cut = item["start_s"] is not None
        place = folder / f"{row:06d}{'.wav' if cut else safe_suffix(item['path']).lower()}"
        if cut:
            with unchanged(file, known) as source:
                samples, rate = read_clip(source, item["start_s"], item["end_s"])
            write_float_wav(place, samples, rate)  # exact: rounding moves scores
        else:
            copied(file, place)
        paths.append(f"media/{modality.value}/{place.name}")
        digests.append(sha256_of(place))
    table = benchmark.items[modality]
    whole = pc.is_null(table["start_s"])
    changed = {
        "path": pa.array(paths, pa.string()),
        "sha256": pa.array(digests, pa.string()),
        "cut_from": pc.if_else(whole, table["cut_from"], table["sha256"]),
        "start_s": pa.nulls(len(paths), pa.float64()),
        "end_s": pa.nulls(len(paths), pa.float64()),
    }
    columns = [changed.get(name, table[name]) for name in table.column_names]
    return pa.table(columns, schema=table.schema)
