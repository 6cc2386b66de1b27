"""From the chosen records and the ledger to the dataset's tables: what counts, and why the rest does not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from biovita.collect.ledger import Entry, Ledger
from biovita.collect.phash import NEAR
from biovita.collect.plan import Plan
from biovita.dataset import Dataset, Split
from biovita.dataset.schema import AUDIO, IMAGES, REJECTED
from biovita.hashing import sha256_of

__all__ = ["Assembled", "assemble", "keep_split", "key_of", "records_in"]

_CHUNK = 20_000
_TAIL = ("source", "source_id", "url", "license", "attribution", "recorded_at", "latitude", "longitude")
Record = Mapping[str, Any]


@dataclass
class Assembled:
    """The tables, and which files they use.

    Attributes
    ----------
    used
        Keys of the ledger whose files the tables name.
    wanted_again
        Keys whose files were dropped in an earlier run and are needed now.
    """

    audio: pa.Table
    images: pa.Table
    rejected: pa.Table
    used: set[str] = field(default_factory=set)
    wanted_again: set[str] = field(default_factory=set)


def key_of(record: Record) -> str:
    """Return the key of a record in the ledger, and the id of its item in the dataset."""
    text = "\x1f".join([record["modality"], record["source"], record["source_id"]])
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def records_in(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the chosen records that were written to a Parquet file, in order."""
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(_CHUNK):
            yield from batch.to_pylist()


def assemble(records: Path, rejected: Path, ledger: Ledger, plan: Plan, dataset: Path) -> Assembled:
    """Return the tables of a dataset.

    Of files with the same bytes, and of photographs of a species whose perceptual hashes differ in at most `NEAR`
    bits, the first counts, in the order of sources and ids; the same bytes under two species count for neither.

    Parameters
    ----------
    records, rejected
        Parquet files: the chosen records, and what the sources and the plan's reading rejected.
    """
    duplicates = _Duplicates(_ambiguous(records, ledger))
    rows: dict[str, _Rows] = {"audio": _Rows(AUDIO), "image": _Rows(IMAGES), "rejected": _Rows(REJECTED)}
    made = Assembled(AUDIO.empty_table(), IMAGES.empty_table(), REJECTED.empty_table())
    for record in records_in(records):
        key = key_of(record)
        entry = ledger.get(key)
        why = _not_fetched(entry) if entry is None or entry.sha256 is None else duplicates.check(record, entry)
        if why is not None:
            rows["rejected"].add(_rejection(record, *why))
            continue
        assert entry is not None
        made.used.add(key)
        if entry.state == "spare":
            made.wanted_again.add(key)
        elif record["modality"] == "image":
            rows["image"].add(_image(record, entry, key, plan))
        else:
            for row in _clips(record, entry, key, plan, dataset):
                rows["audio"].add(row)
    made.audio, made.images = rows["audio"].table(), rows["image"].table()
    made.rejected = pa.concat_tables([pq.read_table(rejected, schema=REJECTED), rows["rejected"].table()])
    return made


def _ambiguous(records: Path, ledger: Ledger) -> set[bytes]:
    """Return the hashes of files that stand under more than one species."""
    taxon_of: dict[bytes, str] = {}
    ambiguous: set[bytes] = set()
    for record in records_in(records):
        entry = ledger.get(key_of(record))
        if entry is not None and entry.sha256 is not None:
            same = bytes.fromhex(entry.sha256)
            if taxon_of.setdefault(same, record["taxon_id"]) != record["taxon_id"]:
                ambiguous.add(same)
    return ambiguous


class _Rows:
    """Rows of a table, held as Arrow batches."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema, self.batches, self.waiting = schema, [], []  # type: tuple[Any, list[Any], list[dict[str, Any]]]

    def add(self, row: dict[str, Any]) -> None:
        self.waiting.append(row)
        if len(self.waiting) >= _CHUNK:
            self._flush()

    def _flush(self) -> None:
        self.batches.append(pa.RecordBatch.from_pylist(self.waiting, schema=self.schema))
        self.waiting = []

    def table(self) -> pa.Table:
        self._flush()
        return pa.Table.from_batches(self.batches, self.schema)


class _Duplicates:
    """What was seen so far, by bytes and by looks."""

    def __init__(self, ambiguous: set[bytes]) -> None:
        self.ambiguous = ambiguous
        self.by_bytes: dict[bytes, str] = {}
        self.by_looks: dict[str, tuple[np.ndarray, list[str]]] = {}

    def check(self, record: Record, entry: Entry) -> tuple[str, str] | None:
        """Return why a file does not count: reason and detail; None where it does."""
        assert entry.sha256 is not None
        assert entry.info is not None
        same, name = bytes.fromhex(entry.sha256), f"{record['source']} {record['source_id']}"
        if same in self.ambiguous:
            return "ambiguous", "the same bytes stand under another species too"
        if (first := self.by_bytes.setdefault(same, name)) != name:
            return "duplicate", f"the same bytes as {first}"
        if record["modality"] == "image":
            near = self._near(record["taxon_id"], int(entry.info["phash"], 16), name)
            if near is not None:
                return "near-duplicate", f"looks like {near}"
        return None

    def _near(self, taxon_id: str, hashed: int, name: str) -> str | None:
        """Return the photograph of the species that one looks like; where there is none, remember it."""
        hashes, names = self.by_looks.get(taxon_id, (np.empty(8, np.uint64), []))
        near = np.flatnonzero(np.bitwise_count(hashes[: len(names)] ^ np.uint64(hashed)) <= NEAR)
        if len(near):
            return names[near[0]]
        if len(names) == len(hashes):
            hashes = np.concatenate([hashes, np.empty_like(hashes)])
        hashes[len(names)] = hashed
        names.append(name)
        self.by_looks[taxon_id] = (hashes, names)
        return None


def _not_fetched(entry: Entry | None) -> tuple[str, str]:
    if entry is None or entry.reason is None:
        return "not-fetched", "the download was not finished"
    return entry.reason, entry.detail or ""


def _rejection(record: Record, reason: str, detail: str) -> dict[str, Any]:
    return {
        "modality": record["modality"],
        "file": record["file"],
        "row": record["row"],
        "path": record["url"] or record["path"],
        "name": record["name"],
        "reason": reason,
        "detail": detail,
    }


def _shared(record: Record, plan: Plan) -> dict[str, Any]:
    group = record["group"]
    if plan.split.group_by == "observer" and record["observer"]:
        group = f"observer:{record['observer']}"
    values = {name: record[name] for name in ("taxon_id", *_TAIL)}
    return {**values, "group_id": f"{record['source']}:{group}", "split": None}


def _image(record: Record, entry: Entry, key: str, plan: Plan) -> dict[str, Any]:
    assert entry.info is not None
    size = {name: entry.info[name] for name in ("width", "height")}
    return {"id": key, "path": entry.path, **size, "sha256": entry.sha256, **_shared(record, plan)}


def _clips(record: Record, entry: Entry, key: str, plan: Plan, dataset: Path) -> Iterator[dict[str, Any]]:
    assert entry.info is not None
    assert entry.path is not None
    windows = entry.info["windows"]
    for number, (start, end) in enumerate(windows, start=1):
        row = {
            "id": key if len(windows) == 1 else f"{key}-{number}",
            "path": entry.path,
            "start_s": start,
            "end_s": end,
            "duration_s": entry.info["duration_s"],
            "sample_rate": entry.info["sample_rate"],
            "sha256": entry.sha256,
            **_shared(record, plan),
        }
        yield {**row, **_cut(row, dataset)} if plan.clips.cut else row


def _cut(row: Mapping[str, Any], dataset: Path) -> dict[str, Any]:
    """Write a clip to a file of its own, unless it is there, and return the columns that this changes."""
    import soundfile

    from biovita.media import read_clip

    path = f"media/audio/{row['id'][:2]}/{row['id']}.flac"
    place = dataset / path
    if not place.is_file():
        samples, rate = read_clip(dataset / row["path"], row["start_s"], row["end_s"], mono=False)
        place.parent.mkdir(parents=True, exist_ok=True)
        scratch = place.with_suffix(".part")
        soundfile.write(scratch, samples, rate, format="FLAC", subtype="PCM_16")
        scratch.replace(place)
    digest = sha256_of(place)
    length = soundfile.info(place).frames / row["sample_rate"]
    return {"path": path, "start_s": 0.0, "end_s": length, "duration_s": length, "sha256": digest}


def keep_split(old: Dataset, audio: pa.Table, images: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the tables with the split of an earlier version of the dataset.

    Groups stay on the side where they were. What is new of a species that was held out whole is held out too; all
    else that is new is for training.
    """
    unseen: set[str] = set()
    side: dict[str, str] = {}
    for table in (old.audio, old.images):
        for taxon, group, split in zip(
            *(table[c].to_pylist() for c in ("taxon_id", "group_id", "split")), strict=True
        ):
            if split == Split.UNSEEN:
                unseen.add(taxon)
            if split is not None:
                side[group] = split

    def kept(table: pa.Table) -> pa.Table:
        rows = zip(table["taxon_id"].to_pylist(), table["group_id"].to_pylist(), strict=True)
        new = [
            Split.UNSEEN.value if taxon in unseen else side.get(group, Split.TRAIN.value) for taxon, group in rows
        ]
        return table.set_column(table.schema.get_field_index("split"), "split", pa.array(new, pa.string()))

    return kept(audio), kept(images)
