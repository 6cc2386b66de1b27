"""A folder of recordings and photographs with ``audio.csv`` and ``images.csv`` beside them, or workbooks (``.xlsx``).

Without any table the names of folders and files say what is in it; see `biovita.sources.named_media`.

Each table has a row an item. ``file``, a path within the folder, and ``scientific_name`` are needed, everything
else in `FIELDS` is read where it is there. A row is the whole file, or the span ``begin_s`` to ``end_s`` of it.
``start_s`` and ``duration_s`` are not spans of the file: they say where in a longer recording, kept elsewhere, the
file was cut from, and a note says where they are no numbers. So it does of a place that cannot be read: it is left
empty.

What cannot be used goes to ``rejected.parquet``:

- a row that cannot be read, lacks a needed value, has a span that is no numbers, or leads out of the folder;
- media that fail `biovita.media.probe_audio` or `biovita.media.probe_image`, with its reason, and a span that is
  not within its file (``span-outside``);
- an item whose bytes and span an earlier row of the same taxon has (``duplicate``);
- every item whose bytes and span rows of more than one taxon have (``ambiguous``): nothing says which is right.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from biovita.dataset import write_dataset
from biovita.dataset.media_paths import MediaPaths
from biovita.dataset.schema import AUDIO, IMAGES, taxa_table
from biovita.errors import DatasetError, MediaError
from biovita.files import new_directory
from biovita.media import AudioProbe, ImageProbe
from biovita.media.audible import too_short
from biovita.modality import Modality
from biovita.one_line import OneLine
from biovita.sources.file_statements import from_files
from biovita.sources.folder_rows import NOUNS, FolderRows, read_folder
from biovita.sources.inspect import Inspected, Inspection, inspect_files, map_threads
from biovita.sources.inspected_files import read_inspected, write_inspected
from biovita.sources.lineage import merge_taxa
from biovita.sources.media_row import TABLES, MediaRow
from biovita.sources.named_media import NameGroup
from biovita.sources.source import RejectedRow, rejected_table, storable
from biovita.version import __version__

__all__ = ["ImportReport", "import_folder"]


@dataclass(frozen=True, slots=True, repr=False)
class ImportReport(OneLine):
    """What an import made and what it left out.

    Attributes
    ----------
    reasons
        RejectedRow records by reason.
    notes
        What was decided where rows disagree, and what is unusual about files that are used all the same.
    ignored_columns
        Columns of the tables that were not read, as ``table: column``.
    skipped
        Rows of empty cells alone.
    names
        What the names of folders and files say; nothing where there is a table.
    unchanged
        Files that are as they were when the dataset that is replaced was made, and were not looked into again.
    """

    dataset: Path
    audio: int
    images: int
    taxa: int
    rejected: int
    reasons: Mapping[str, int]
    notes: tuple[str, ...]
    ignored_columns: tuple[str, ...]
    skipped: int = 0
    names: tuple[NameGroup, ...] = ()
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class _Item:
    """A row whose file can be used: the file's content, and the span of a recording that is meant."""

    row: MediaRow
    sha256: str
    probe: AudioProbe | ImageProbe
    span: tuple[float, float] | None = None

    @property
    def content(self) -> Hashable:
        """The same for the same bytes and span."""
        return self.row.modality, self.sha256, self.span

    def columns(self, path: str) -> dict[str, Any]:
        """Return its row of a media table, whose file has this path there."""
        probe = self.probe
        start, end = self.span or (None, None)
        if isinstance(probe, AudioProbe):
            held: dict[str, Any] = {
                "start_s": start,
                "end_s": end,
                "duration_s": probe.duration_s,
                "sample_rate": probe.sample_rate,
            }
        else:
            held = {"width": probe.width, "height": probe.height}
        return {**self.row.columns(), "sha256": self.sha256, **held, "path": path}


def import_folder(
    src: str | Path,
    *,
    out: str | Path,
    columns: Mapping[str, str] | None = None,
    copy: bool = False,
    strict: bool = False,
    workers: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
    understood: Callable[[tuple[NameGroup, ...]], None] | None = None,
) -> ImportReport:
    """Make a dataset of a folder that has ``audio.csv`` or ``images.csv``, or whose names say what is in it.

    The module says how the tables are read, and `named_media` how the names are. What no table states of time and place
    is taken from the files (`file_statements.from_files`). Where a dataset is replaced, a file is hashed only if its
    size or time has changed since then, and decoded only if its bytes have.

    Parameters
    ----------
    src
        The folder.
    out
        The dataset to make.
    columns
        From a field of `FIELDS` to the column that holds it, where their names differ.
    copy
        Copy the media into the dataset; otherwise it points to where they lie.
    strict
        Raise where anything was rejected, after the dataset is written: ``rejected.parquet`` says what it was.
    workers
        Threads that decode; None is one a core, at most 16.
    overwrite
        Replace the dataset at ``out``; its embeddings are kept, and those of files that are the same still hold.
    progress
        Show bars on standard error where that is a terminal.
    understood
        Called with what the names of folders and files say, before anything is decoded or written, where there is no
        table.

    Raises
    ------
    DatasetError
        Where the folder is missing, a table cannot be read or nothing of it can be used, neither tables nor names say
        what is in the folder, and where ``out`` exists.
    """
    src, out = Path(src), Path(out)
    _check_place(src, out, overwrite=overwrite)
    read = read_folder(src, dict(columns or {}), understood)
    with new_directory(out, replace=overwrite, marker="dataset.toml", keep=["embeddings"]) as directory:
        inspection = _inspected(read.rows, out, workers=workers, progress=progress)
        usable, rejected = _selected(read.rows, inspection.found)
        _check_any_items(read, usable, rejected)
        stated = from_files([item.row for item in usable], workers=workers, progress=progress)
        items = [replace(item, row=row) for item, row in zip(usable, stated.rows, strict=True)]
        taxa, lineage_notes = merge_taxa(item.row.named for item in items)
        if copy:
            _copy_media(directory, [item.row for item in items], progress=progress)
        paths = None if copy else MediaPaths.of(out)
        written = {
            "taxa": taxa_table(taxa),
            "audio": _media_table(items, Modality.AUDIO, AUDIO, paths),
            "images": _media_table(items, Modality.IMAGE, IMAGES, paths),
            "rejected": rejected_table(rejected),
        }
        notes = (*lineage_notes, *read.notes, *stated.notes(), *_warnings(items))
        counts = {name: table.num_rows for name, table in written.items()}
        report = _report(out, read, counts, rejected, notes=notes, unchanged=inspection.unchanged)
        write_dataset(directory, written, _info(src, read.columns, report, copy=copy))
        write_inspected(directory, out, inspection.usable)
    if strict and rejected:
        raise DatasetError(
            f"{len(rejected)} records were rejected ({_counts(report.reasons)}), and strict was asked for. "
            f"The dataset is written; {out / 'rejected.parquet'} lists them"
        )
    return report


def _report(
    out: Path, read: FolderRows, rows: Mapping[str, int], rejected: Sequence[RejectedRow], **found: Any
) -> ImportReport:
    return ImportReport(
        out,
        rows["audio"],
        rows["images"],
        rows["taxa"],
        rows["rejected"],
        _reasons(rejected),
        ignored_columns=read.ignored,
        skipped=read.skipped,
        names=() if read.names is None else read.names.groups(),
        **found,
    )


def _check_place(src: Path, out: Path, *, overwrite: bool) -> None:
    if src.resolve().is_relative_to(out.resolve()):
        raise DatasetError(f"{out} holds the folder that is imported, {src}. Choose another place")
    is_other = out.exists() and not (out / "dataset.toml").is_file() and (out.is_file() or any(out.iterdir()))
    if overwrite and is_other:
        raise DatasetError(f"{out} is not a dataset (it has no dataset.toml), and is not replaced")


def _inspected(
    read: Mapping[Modality, Sequence[MediaRow | RejectedRow]], out: Path, *, workers: int | None, progress: bool
) -> Inspection:
    """Look into the files of rows, but for those that have not changed since the dataset at ``out`` was made."""
    rows = [row for listed in read.values() for row in listed if isinstance(row, MediaRow)]
    files = list(dict.fromkeys((row.modality, row.path) for row in rows))
    return inspect_files(files, known=read_inspected(out, files), workers=workers, progress=progress)


def _selected(
    read: Mapping[Modality, Sequence[MediaRow | RejectedRow]],
    inspected: Mapping[tuple[Modality, Path], Inspected | MediaError],
) -> tuple[list[_Item], list[RejectedRow]]:
    """Return the rows that are used, and all others in the order of the tables."""
    rows = [row for listed in read.values() for row in listed if isinstance(row, MediaRow)]
    unread = [row for listed in read.values() for row in listed if isinstance(row, RejectedRow)]
    usable, unusable = _usable(rows, inspected)
    items, doubled = _without_duplicates(usable)
    places = [modality.value for modality in TABLES]
    return items, sorted([*unread, *unusable, *doubled], key=lambda row: (places.index(row.modality), row.row))


def _usable(
    rows: Sequence[MediaRow], inspected: Mapping[tuple[Modality, Path], Inspected | MediaError]
) -> tuple[list[_Item], list[RejectedRow]]:
    """Return the rows whose media hold up, and the others."""
    usable, rejected = [], []
    for row in rows:
        found = inspected[row.modality, row.path]
        if isinstance(found, MediaError):
            rejected.append(row.rejected(found.reason, str(found).removeprefix(f"{row.path}: ")))
            continue
        probe, span = found.probe, None
        if isinstance(probe, AudioProbe):
            span = start, stop = row.begin_s or 0.0, probe.duration_s if row.end_s is None else row.end_s
            if start >= probe.duration_s or stop > probe.duration_s + 0.5 / probe.sample_rate:
                detail = (
                    f"{start:g} to {stop:g} s is not a span of this file, which lasts {probe.duration_s:.3f} s"
                )
                rejected.append(row.rejected("span-outside", detail))
                continue
            if short := too_short(stop - start):
                rejected.append(row.rejected("too-short", short))
                continue
        usable.append(_Item(row, found.sha256, probe, span))
    return usable, rejected


def _without_duplicates(items: Sequence[_Item]) -> tuple[list[_Item], list[RejectedRow]]:
    """Return the items whose content only they have, or the first of one taxon; and the others."""
    same: dict[Hashable, list[MediaRow]] = defaultdict(list)
    for item in items:
        same[item.content].append(item.row)
    of_two_taxa = {
        content: other
        for content, group in same.items()
        if (other := next((row for row in group if row.taxon_id != group[0].taxon_id), None)) is not None
    }
    kept, rejected = [], []
    for item in items:
        row, group = item.row, same[item.content]
        if (other := of_two_taxa.get(item.content)) is not None:
            named = other if row.taxon_id == group[0].taxon_id else group[0]
            more = f", and {len(group) - 2:,} more" if len(group) > 2 else ""
            said = f"the same bytes are also {named.name} in {named.where}{more}"
            rejected.append(row.rejected("ambiguous", said))
        elif row is not group[0]:
            rejected.append(row.rejected("duplicate", f"the same bytes as {_told(group[0])}"))
        else:
            kept.append(item)
    return kept, rejected


def _told(row: MediaRow) -> str:
    return row.file if row.where == row.file else f"{row.file} in {row.where}"


def _check_any_items(read: FolderRows, items: Sequence[_Item], rejected: Sequence[RejectedRow]) -> None:
    """Refuse a folder of whose media nothing can be used, and one where that is so of a whole table."""
    for modality, place in read.places.items():
        if any(item.row.modality == modality for item in items) or (read.names is not None and items):
            continue
        mine = [row for row in rejected if row.modality == modality]
        if not mine:
            continue
        first = mine[0]
        where = "" if read.names is not None else f", in line {first.row}"
        raise DatasetError(
            f"no {NOUNS[modality]} of {place} can be used ({_counts(_reasons(mine))}). "
            f"The first{where}: {storable(first.path) or 'no file'}: {storable(first.detail)}"
        )


def _warnings(items: Sequence[_Item]) -> list[str]:
    """Return what is unusual about the files that are used, each file's once."""
    said: dict[Path, list[str]] = {}
    for item in items:
        if isinstance(item.probe, AudioProbe):
            said.setdefault(item.row.path, [f"{item.row.file}: {warning}" for warning in item.probe.warnings])
    return [warning for warnings in said.values() for warning in warnings]


def _media_table(
    items: Iterable[_Item], modality: Modality, schema: pa.Schema, paths: MediaPaths | None
) -> pa.Table:
    """Return the table of a modality's media, which lie where they are, or were copied where ``paths`` is None."""

    def path(row: MediaRow) -> str:
        return f"media/{row.file}" if paths is None else paths.stored(row.path)

    mine = [item.columns(path(item.row)) for item in items if item.row.modality == modality]
    return pa.Table.from_pylist(mine, schema=schema)


def _reasons(rejected: Sequence[RejectedRow]) -> dict[str, int]:
    return dict(sorted(Counter(row.reason for row in rejected).items()))


def _counts(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))


def _copy_media(directory: Path, records: Sequence[MediaRow], *, progress: bool) -> None:
    def copy(pair: tuple[Path, Path]) -> None:
        path, target = pair
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)

    pairs = list(dict.fromkeys((record.path, directory / "media" / record.file) for record in records))
    map_threads(copy, pairs, label="Copying media", progress=progress)


def _info(src: Path, columns: Mapping[str, str], report: ImportReport, *, copy: bool) -> dict[str, Any]:
    return {
        "name": report.dataset.resolve().name,
        "version": "1",
        "made": {
            "by": "biovita data import folder",
            "biovita": __version__,
            "source": str(src.resolve()),
            "copy": copy,
            "columns": dict(columns),
            "rejected": dict(report.reasons),
            "skipped": report.skipped,
            "notes": list(report.notes),
            "ignored_columns": list(report.ignored_columns),
        },
    }
