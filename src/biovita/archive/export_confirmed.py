"""What people confirmed in an archive as the tables of a dataset: each label of a taxon, with its medium."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import MEDIA_TABLES, Archive
from biovita.archive.archive_tables import By
from biovita.archive.present_taxa import present_taxa
from biovita.dataset import schema
from biovita.dataset.dataset import write_dataset
from biovita.dataset.media_paths import MediaPaths
from biovita.errors import DatasetError
from biovita.files import new_directory
from biovita.modality import MEDIA, Modality
from biovita.version import __version__

__all__ = ["Confirmed", "confirmed", "write_confirmed"]

_SOURCE = "archive"


@dataclass(frozen=True, eq=False)
class Confirmed:
    """Tables of a dataset, and how many labels are in none of them, by reason.

    Reasons: ``unknown-taxon`` (the archive does not know what the label names), ``packed`` (the file is in the packed
    media of another dataset), ``part`` (a channel or a box, which a dataset does not have), ``several-taxa`` (of one
    photograph), ``missing`` (the file is not there).
    """

    tables: Mapping[str, pa.Table]
    left_out: Mapping[str, int]


def confirmed(archive: Archive, home: Path) -> Confirmed:
    """Return the tables of a dataset of all labels by which a person says that a taxon is there.

    Parameters
    ----------
    home
        Where the dataset will lie.

    Raises
    ------
    DatasetError
        Where there is no such label.
    """
    labels = archive.table("labels")
    labels = present_taxa(labels.filter(pc.equal(labels["by_kind"], By.HUMAN.value)))
    if not len(labels):
        raise DatasetError(
            f"{archive.path} has no label by which a person says that a taxon is there. Add some: a dataset, or "
            "annotations with --annotations"
        )
    named = archive.table("taxa")
    ids = dict(zip(named["scientific_name"].to_pylist(), named["taxon_id"].to_pylist(), strict=True))
    left_out: Counter[str] = Counter()
    places = MediaPaths.of(home)
    tables: dict[str, pa.Table] = {}
    for modality in MEDIA:
        mine = labels.filter(pc.equal(labels["modality"], modality.value)).to_pylist()
        media = _media(archive, modality, {row["media_id"] for row in mine})
        rows = list(_rows(mine, media, ids, places, left_out))
        name = schema.MEDIA_TABLES[modality]
        tables[name] = pa.Table.from_pylist(rows, schema=schema.TABLES[name])
    used = pa.array({each for table in tables.values() for each in table["taxon_id"].to_pylist()}, pa.string())
    tables |= _taxa(named.filter(pc.is_in(named["taxon_id"], value_set=used)))
    return Confirmed(tables, dict(left_out.most_common()))


def write_confirmed(archive: Archive, out: Path) -> Confirmed:
    """Make a dataset of what is confirmed.

    Raises
    ------
    DatasetError
        As `confirmed`; or where ``out`` is there, or nothing is left for it.
    """
    with new_directory(out, marker=None) as scratch:
        found = confirmed(archive, out)
        if not any(len(found.tables[name]) for name in schema.MEDIA_TABLES.values()):
            told = ", ".join(f"{count:,} {reason}" for reason, count in found.left_out.items())
            raise DatasetError(f"no label of {archive.path} can enter a dataset: {told}")
        made = {"by": "biovita archive export", "archive": str(archive.path.absolute())}
        write_dataset(scratch, found.tables, {"name": out.name, "version": __version__, "made": made})
    return found


def _media(archive: Archive, modality: Modality, ids: set[str | None]) -> Mapping[str, dict[str, Any]]:
    table = archive.table(MEDIA_TABLES[modality])
    wanted = table.filter(pc.is_in(table["id"], value_set=pa.array([each for each in ids if each], pa.string())))
    return {row["id"]: row for row in wanted.to_pylist()}


def _rows(
    labels: Sequence[Mapping[str, Any]],
    media: Mapping[str, dict[str, Any]],
    taxa: Mapping[str, str],
    places: MediaPaths,
    left_out: Counter[str],
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one modality, and count what is left out."""
    of_photograph: dict[str, set[str]] = defaultdict(set)
    for label in labels:
        of_photograph[label["media_id"]].add(label["scientific_name"])
    seen = set()
    for label in labels:
        medium = media.get(label["media_id"])
        taxon = taxa.get(label["scientific_name"] or "")
        if medium is None:
            continue  # a label of a medium that left the archive
        if reason := _reason(medium, taxon, of_photograph[label["media_id"]]):
            left_out[reason] += 1
            continue
        assert taxon is not None, "it has a reason otherwise"
        is_sound = "sample_rate" in medium
        row = _row(medium, taxon, label, places) | (_span(medium, label) if is_sound else _size(medium))
        if row["id"] not in seen:
            seen.add(row["id"])
            yield row


def _reason(medium: Mapping[str, Any], taxon: str | None, names: set[str]) -> str | None:
    if taxon is None:
        return "unknown-taxon"
    if medium["dataset"] is not None:
        return "packed"
    if medium.get("channel") is not None or medium.get("box") is not None:
        return "part"
    if "width" in medium and len(names) > 1:
        return "several-taxa"
    return None if Path(medium["path"]).is_file() else "missing"


def _row(medium: Mapping[str, Any], taxon: str, label: Mapping[str, Any], places: MediaPaths) -> dict[str, Any]:
    return {
        "taxon_id": taxon,
        "id": f"{medium['id']}-{taxon}",
        "path": places.stored(Path(medium["path"]).resolve()),
        "source": _SOURCE,
        "source_id": label["id"],
        "license": medium["license"],
        "attribution": medium["attribution"],
        "recorded_at": _moment(medium["begin_local"], medium["utc_offset_min"]),
        "latitude": medium["latitude"],
        "longitude": medium["longitude"],
        "sha256": medium["sha256"],
        "group_id": medium["group_id"] or medium["sha256"][:20],
    }


def _span(medium: Mapping[str, Any], label: Mapping[str, Any]) -> dict[str, Any]:
    start = label["start_s"] if label["start_s"] is not None else medium["start_s"] or 0.0
    end = label["end_s"] if label["end_s"] is not None else medium["end_s"] or medium["duration_s"]
    end = min(end, medium["duration_s"])
    name = f"{medium['id']}-{start:g}-{end:g}-{label['scientific_name']}"
    lengths = {"duration_s": medium["duration_s"], "sample_rate": medium["sample_rate"]}
    return {"id": name.replace(" ", "_"), "start_s": start, "end_s": end, **lengths}


def _size(medium: Mapping[str, Any]) -> dict[str, Any]:
    return {"width": medium["width"], "height": medium["height"]}


def _moment(begin: datetime | None, offset_min: int | None) -> str | None:
    if begin is None:
        return None
    zone = None if offset_min is None else timezone(timedelta(minutes=offset_min))
    return begin.replace(tzinfo=zone).isoformat(timespec="seconds")


def _taxa(named: pa.Table) -> dict[str, pa.Table]:
    traits = [
        {"taxon_id": taxon_id, "label": label, "value": value, "source": _SOURCE}
        for value, column in ((True, "labels_true"), (False, "labels_false"))
        for taxon_id, labels in zip(named["taxon_id"].to_pylist(), named[column].to_pylist(), strict=True)
        for label in labels
    ]
    return {
        "taxa": named.select(schema.TAXA.names).cast(schema.TAXA),
        "traits": pa.Table.from_pylist(traits, schema=schema.TRAITS),
    }
