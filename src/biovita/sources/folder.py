"""A folder of recordings and photographs with ``audio.csv`` and ``images.csv`` beside them.

Each table has a row an item. ``file``, a path within the folder, and ``scientific_name`` are needed, everything
else in `FIELDS` is read where it is there. A row is the whole file, or the span ``begin_s`` to ``end_s`` of it.
``start_s`` and ``duration_s`` are not spans of the file: they say where in a longer recording, kept elsewhere, the
file was cut from, and are only checked to be numbers.

What cannot be used goes to ``rejected.parquet``:

- a row that cannot be read, lacks a needed value, has a bad number or leads out of the folder;
- media that fail `biovita.media.probe_audio` or `biovita.media.probe_image`, with its reason, and a span that is
  not within its file (``span-outside``);
- an item whose bytes and span an earlier row of the same taxon has (``duplicate``);
- every item whose bytes and span rows of more than one taxon have (``ambiguous``): nothing says which is right.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from biovita.dataset import new_directory, write_dataset
from biovita.dataset.schema import AUDIO, IMAGES, REJECTED, taxa_table
from biovita.errors import DatasetError, MediaError
from biovita.media import AudioProbe
from biovita.modality import Modality
from biovita.sources.csv_table import BrokenRow, CsvTable, check_columns, read_csv
from biovita.sources.inspect import Inspected, inspect_files, map_threads
from biovita.sources.lineage import merge_taxa
from biovita.sources.media_row import FIELDS, REQUIRED, MediaRow, is_iso_8601, parse_record
from biovita.sources.source import storable
from biovita.version import __version__

__all__ = ["ImportReport", "import_folder"]

_TABLES: Mapping[Modality, str] = {Modality.AUDIO: "audio.csv", Modality.IMAGE: "images.csv"}
_TOLD = 10  # of the rows that have the same bytes
_NOUNS: Mapping[Modality, str] = {Modality.AUDIO: "recording", Modality.IMAGE: "photograph"}


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import made and what it left out.

    Attributes
    ----------
    reasons
        Rejected records by reason.
    notes
        What was decided where rows disagree, and what is unusual about files that are used all the same.
    ignored_columns
        Columns of the tables that were not read, as ``table: column``.
    """

    dataset: Path
    audio: int
    images: int
    taxa: int
    rejected: int
    reasons: Mapping[str, int]
    notes: tuple[str, ...]
    ignored_columns: tuple[str, ...]


@dataclass
class _Intake:
    """Rejections and remarks, gathered on the way."""

    rejected: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def reject(self, record: MediaRow, reason: str, detail: str) -> None:
        values = {"file": record.file, "scientific_name": record.name}
        self.reject_row(record.modality, record.line, values, reason, detail)

    def reject_row(
        self, modality: Modality, line: int, values: Mapping[str, str | None], reason: str, detail: str
    ) -> None:
        self.rejected.append(
            {
                "modality": modality.value,
                "file": _TABLES[modality],
                "row": line,
                "path": storable(values.get("file")),
                "name": storable(values.get("scientific_name")),
                "reason": reason,
                "detail": storable(detail),
            }
        )


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
) -> ImportReport:
    """Make a dataset of a folder that has ``audio.csv`` and ``images.csv``; the module says how they are read.

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
        Threads that decode; as many as processors where None.
    overwrite
        Replace the dataset at ``out``; its embeddings are kept, and those of files that are the same still hold.

    Raises
    ------
    DatasetError
        Where the folder or a table is missing or cannot be read, where no recording or no photograph is left, and
        where ``out`` exists.
    """
    src, out, columns = Path(src), Path(out), dict(columns or {})
    check_columns(columns, FIELDS)
    tables = _read_tables(src, columns)
    _check_place(src, out, overwrite=overwrite)
    intake = _Intake()
    with new_directory(out, replace=overwrite, marker="dataset.toml", keep=["embeddings"]) as directory:
        records = [
            record
            for modality, table in tables.items()
            for record in _records(intake, src.resolve(), modality, table)
        ]
        files = list(dict.fromkeys((record.modality, record.path) for record in records))
        inspected = inspect_files(files, workers=workers, progress=progress)
        items = _without_duplicates(intake, _usable(intake, records, inspected))
        for modality in _TABLES:
            _check_any(src, modality, items, intake)
        taxa, lineage_notes = merge_taxa(record.named for record, _ in items)
        if copy:
            _copy_media(directory, [record for record, _ in items], progress=progress)
        for record, row in items:
            row["path"] = f"media/{record.file}" if copy else str(record.path)
        of = {modality: [row for record, row in items if record.modality == modality] for modality in _TABLES}
        places = list(_TABLES.values())
        rejected = sorted(intake.rejected, key=lambda row: (places.index(row["file"]), row["row"]))
        report = ImportReport(
            dataset=out,
            audio=len(of[Modality.AUDIO]),
            images=len(of[Modality.IMAGE]),
            taxa=len(taxa),
            rejected=len(rejected),
            reasons=dict(sorted(Counter(row["reason"] for row in rejected).items())),
            notes=(*lineage_notes, *intake.notes),
            ignored_columns=tuple(
                f"{_TABLES[m]}: {name}" for m, table in tables.items() for name in table.ignored
            ),
        )
        written = {
            "taxa": taxa_table(taxa),
            "audio": pa.Table.from_pylist(of[Modality.AUDIO], schema=AUDIO),
            "images": pa.Table.from_pylist(of[Modality.IMAGE], schema=IMAGES),
            "rejected": pa.Table.from_pylist(rejected, schema=REJECTED),
        }
        write_dataset(directory, written, _info(src, columns, report, copy=copy))
    if strict and report.rejected:
        raise DatasetError(
            f"{report.rejected} records were rejected ({_counts(report.reasons)}), and strict was asked for. "
            f"The dataset is written; {out / 'rejected.parquet'} lists them"
        )
    return report


def _read_tables(src: Path, columns: Mapping[str, str]) -> dict[Modality, CsvTable]:
    if not src.is_dir():
        what = "is not a folder" if src.exists() else "does not exist"
        raise DatasetError(f"{src} {what}: give the folder that has audio.csv and images.csv")
    absent = [name for name in _TABLES.values() if not (src / name).is_file()]
    if absent:
        raise DatasetError(
            f"{src} has no {' and no '.join(absent)}. A dataset needs both recordings and photographs: audio.csv "
            "and images.csv, each with the columns file and scientific_name"
        )
    tables = {modality: read_csv(src / name, FIELDS, REQUIRED, columns) for modality, name in _TABLES.items()}
    for name, column in columns.items():
        if all(table.columns.get(name) != column for table in tables.values()):
            raise DatasetError(f"--column {name}={column}: neither table in {src} has a column {column!r}")
    spans = tables[Modality.AUDIO]
    if "end_s" in spans.columns and "begin_s" not in spans.columns:
        raise DatasetError(
            f"{spans.path}, line 1: there is a column end_s, and no column begin_s for where the span begins in the "
            "file. If start_s says that, give --column begin_s=start_s"
        )
    for modality, table in tables.items():
        if not table.rows:
            raise DatasetError(
                f"{table.path} has no rows, so there is not one {_NOUNS[modality]}. "
                "A dataset needs both recordings and photographs"
            )
    return tables


def _check_place(src: Path, out: Path, *, overwrite: bool) -> None:
    if src.resolve().is_relative_to(out.resolve()):
        raise DatasetError(f"{out} holds the folder that is imported, {src}. Choose another place")
    is_other = out.exists() and not (out / "dataset.toml").is_file() and (out.is_file() or any(out.iterdir()))
    if overwrite and is_other:
        raise DatasetError(f"{out} is not a dataset (it has no dataset.toml), and is not replaced")


def _records(intake: _Intake, root: Path, modality: Modality, table: CsvTable) -> list[MediaRow]:
    records, odd_dates = [], []
    for row in table.rows:
        if isinstance(row, BrokenRow):
            intake.reject_row(modality, row.line, {}, row.reason, row.detail)
            continue
        values = dict(row.values)
        date = values.get("recorded_at")
        if date is not None and not is_iso_8601(date):
            values["recorded_at"] = None
            odd_dates.append((row.line, date))
        try:
            records.append(parse_record(root, modality, _TABLES[modality], row.line, values))
        except MediaError as error:
            intake.reject_row(modality, row.line, values, error.reason, str(error))
    if odd_dates:
        line, date = odd_dates[0]
        intake.notes.append(
            f"{_TABLES[modality]}: recorded_at is left empty where it is not ISO 8601 (such as 2019-05-03T06:15), "
            f"{len(odd_dates)} of {len(table.rows)} rows; the first is {date!r} in line {line}"
        )
    return records


def _usable(
    intake: _Intake, records: Sequence[MediaRow], inspected: Mapping[tuple[Modality, Path], Inspected | MediaError]
) -> list[tuple[MediaRow, dict[str, Any]]]:
    """Return the records whose media hold up, each with its row of a media table; reject the others."""
    usable, noted = [], set()
    for record in records:
        found = inspected[record.modality, record.path]
        if isinstance(found, MediaError):
            intake.reject(record, found.reason, str(found).removeprefix(f"{record.path}: "))
            continue
        probe = found.probe
        row = {**record.columns(), "sha256": found.sha256}
        if isinstance(probe, AudioProbe):
            begin, end = record.span
            start, stop = begin or 0.0, probe.duration_s if end is None else end
            if start >= probe.duration_s or stop > probe.duration_s + 0.5 / probe.sample_rate:
                detail = (
                    f"{start:g} to {stop:g} s is not a span of this file, which lasts {probe.duration_s:.3f} s"
                )
                intake.reject(record, "span-outside", detail)
                continue
            row |= {
                "start_s": start,
                "end_s": stop,
                "duration_s": probe.duration_s,
                "sample_rate": probe.sample_rate,
            }
            if record.path not in noted:
                noted.add(record.path)
                intake.notes.extend(f"{record.file}: {warning}" for warning in probe.warnings)
        else:
            row |= {"width": probe.width, "height": probe.height}
        usable.append((record, row))
    return usable


def _without_duplicates(
    intake: _Intake, items: Sequence[tuple[MediaRow, dict[str, Any]]]
) -> list[tuple[MediaRow, dict[str, Any]]]:
    def content(record: MediaRow, row: Mapping[str, Any]) -> tuple[Any, ...]:
        return record.modality, row["sha256"], row.get("start_s"), row.get("end_s")

    same: dict[tuple[Any, ...], list[MediaRow]] = defaultdict(list)
    taxa: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for record, row in items:
        same[content(record, row)].append(record)
        taxa[content(record, row)].add(record.taxon_id)
    kept = []
    for record, row in items:
        group = same[content(record, row)]
        if len(taxa[content(record, row)]) > 1:
            told = [other for other in group[: _TOLD + 1] if other is not record][:_TOLD]
            others = "; ".join(f"{other.name} in {other.where}" for other in told)
            if len(group) > len(told) + 1:
                others += f"; and {len(group) - len(told) - 1:,} more"
            intake.reject(record, "ambiguous", f"the same bytes are also {others}")
        elif record is not group[0]:
            intake.reject(record, "duplicate", f"the same bytes as {group[0].file} in {group[0].where}")
        else:
            kept.append((record, row))
    return kept


def _check_any(
    src: Path, modality: Modality, items: Sequence[tuple[MediaRow, dict[str, Any]]], intake: _Intake
) -> None:
    if any(record.modality == modality for record, _ in items):
        return
    mine = sorted((row for row in intake.rejected if row["modality"] == modality), key=lambda row: row["row"])
    first, reasons = mine[0], Counter(row["reason"] for row in mine)
    raise DatasetError(
        f"not one {_NOUNS[modality]} of {src / _TABLES[modality]} can be used ({_counts(reasons)}). "
        f"The first, in line {first['row']}: {first['path'] or 'no file'}: {first['detail']}. "
        "A dataset needs both recordings and photographs"
    )


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
        "name": src.resolve().name,
        "version": "1",
        "made": {
            "by": "biovita data import folder",
            "biovita": __version__,
            "source": str(src.resolve()),
            "copy": copy,
            "columns": dict(columns),
            "rejected": dict(report.reasons),
            "notes": list(report.notes),
            "ignored_columns": list(report.ignored_columns),
        },
    }
