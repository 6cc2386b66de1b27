"""From the chosen records and the ledger to the dataset's tables: what counts, and why the rest does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from biovita.collect.ledger import Entry, Ledger, key_of
from biovita.collect.omit import rank_detail
from biovita.collect.places import Places
from biovita.collect.plan import Plan
from biovita.dataset import Dataset, Split
from biovita.dataset.media_paths import MediaPaths
from biovita.dataset.schema import AUDIO, IMAGES, OMITTED, REJECTED
from biovita.files import replacing
from biovita.hashing import sha256_of
from biovita.redact import redacted

__all__ = ["LIGHT", "Assembled", "assemble", "keep_split", "records_in"]

_CHUNK = 20_000
_TAIL = ("url", "license", "attribution", "recorded_at", "latitude", "longitude")
LIGHT = ("modality", "source", "source_id", "taxon_id", "number", "places")
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Assembled:
    """The tables, and which files they use.

    Attributes
    ----------
    not_needed
        Candidates that were kept for the places of others and got none, as ``omitted.parquet`` has them.
    used
        Keys of the ledger whose files the tables name, one a record.
    refused
        How many candidates were looked at and cannot be used, by reason. ``rejected`` has them beside the rows that the
        sources rejected.
    tried
        How many candidates beyond the plan's limit or budget were looked at.
    odd
        What is unusual about recordings that are used all the same, and how many say so, with the first of them.
    """

    audio: pa.Table
    images: pa.Table
    rejected: pa.Table
    not_needed: pa.Table
    used: set[str]
    refused: Counter[str]
    tried: Counter[str]
    odd: Mapping[str, tuple[int, str]]


def records_in(file: Path, wanted: Callable[[Record], bool] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the candidates that were written to a Parquet file, in order; only the wanted ones where that is given.

    ``wanted`` is given `LIGHT` columns.
    """
    with pq.ParquetFile(file.absolute()) as parquet:
        for batch in parquet.iter_batches(_CHUNK):
            if wanted is not None:
                batch = batch.filter(
                    pa.array([wanted(row) for row in batch.select(LIGHT).to_pylist()], pa.bool_())
                )
            yield from batch.to_pylist()


def assemble(work: Path, ledger: Ledger, plan: Plan, dataset: Path, places: Places) -> Assembled:
    """Return the tables of a dataset, species by species in the order of choice.

    Parameters
    ----------
    work
        Where ``chosen.parquet`` holds the candidates, and ``rejected.parquet`` what the sources rejected.
    places
        What was found out about the candidates.
    """
    unread = pq.read_table((work / "rejected.parquet").absolute(), schema=REJECTED)
    rows = {
        "audio": _Gathered(AUDIO),
        "image": _Gathered(IMAGES),
        "rejected": _Gathered(REJECTED),
        "omitted": _Gathered(OMITTED),
    }
    paths, used = MediaPaths.of(dataset), set[str]()
    tried: Counter[str] = Counter()
    odd: dict[str, tuple[int, str]] = {}
    for record in records_in(work / "chosen.parquet"):
        key = key_of(record)
        if not places.is_looked_at(record) or key in places.beyond:
            rows["omitted"].add(_omission(record))
            continue
        if record["beyond"] is not None:
            tried[record["beyond"]] += 1
        entry = ledger.get(key)
        why = _not_fetched(entry) if entry is None or entry.sha256 is None else places.refused.get(key)
        if why is not None:
            rows["rejected"].add(_rejection(record, *why))
            continue
        assert entry is not None
        assert entry.path is not None
        if Path(entry.path).is_absolute():
            entry = replace(entry, path=paths.stored(Path(entry.path)))
        used.add(key)
        if record["modality"] == "image":
            rows["image"].add(_image(record, entry, key, plan))
        else:
            for warning in (entry.info or {}).get("warnings", ()):
                count, first = odd.get(warning, (0, redacted(f"{record['source']} {record['source_id']}")))
                odd[warning] = count + 1, first
            for row in _clips(record, entry, key, plan, dataset):
                rows["audio"].add(row)
    rejected = rows["rejected"].table()
    return Assembled(
        audio=rows["audio"].table(),
        images=rows["image"].table(),
        rejected=pa.concat_tables([unread, rejected]),
        not_needed=rows["omitted"].table(),
        used=used,
        refused=Counter(rejected["reason"].to_pylist()),
        tried=tried,
        odd=odd,
    )


class _Gathered:
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


def _not_fetched(entry: Entry | None) -> tuple[str, str]:
    if entry is None or entry.reason is None:
        return "not-fetched", "the download was not finished"
    return entry.reason, entry.detail or ""


def _rejection(record: Record, reason: str, detail: str) -> dict[str, Any]:
    place = record["url"] or record["path"]
    return {
        "modality": record["modality"],
        "file": record["file"],
        "row": record["row"],
        "path": None if place is None else redacted(place),
        "name": record["name"],
        "reason": reason,
        "detail": redacted(detail),
    }


def _omission(record: Record) -> dict[str, Any]:
    detail = rank_detail(record["number"], record["places"])
    columns = {name: record[name] for name in ("source", "modality", "source_id", "name", "taxon_id")}
    return {**columns, "reason": record["beyond"], "detail": detail}


def _shared(record: Record, plan: Plan) -> dict[str, Any]:
    group = record["group"]
    if plan.split.group_by == "observer" and record["observer"]:
        group = f"observer:{record['observer']}"
    values = {name: record[name] for name in ("taxon_id", *_TAIL)} | _credited(record)
    shown = {name: redacted(value) for name, value in values.items() if isinstance(value, str)}
    return {**values, **shown, "group_id": redacted(f"{record['source']}:{group}"), "split": None}


def _credited(record: Record) -> dict[str, str | None]:
    """Return source and id as the record itself credits them, or else those of the plan's source."""
    source, own_id = record["credited_source"], record["credited_id"]
    if source is None and own_id is None:
        return {"source": record["source"], "source_id": record["source_id"]}
    return {"source": source or record["source"], "source_id": own_id}


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
    """Write a clip to a file of its own, unless it is there, and return the columns that this changes.

    What FLAC does not take stays a span of its recording.
    """
    import soundfile

    from biovita.media import flac_takes, read_clip

    path = f"media/audio/{row['id'][:2]}/{row['id']}.flac"
    place = dataset / path
    if not place.is_file() or place.is_symlink():
        samples, rate = read_clip(dataset / row["path"], row["start_s"], row["end_s"], mono=False)
        if not flac_takes(samples, rate):
            return {}
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as scratch:
            soundfile.write(scratch, samples, rate, format="FLAC", subtype="PCM_16")
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
