"""The media of an archive change: what is named comes in beside what is there, or what is there goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import Archive
from biovita.archive.archive_tables import ANNOTATIONS, By
from biovita.archive.from_dataset import taxa_rows
from biovita.archive.merged_media import merged_media
from biovita.archive.take_in import NamedTables
from biovita.taxonomy.known_taxa import known_taxa

__all__ = ["Dropped", "TakenIn", "add_labels", "add_media", "drop_media", "is_there", "missing_media"]

_MEDIA = ("recordings", "photographs")


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of media that were named.

    Attributes
    ----------
    new, moved, same
        Those that are new; whose file moved; that were known.
    changed
        Those that the archive had, and whose file has another content now.
    twice
        Files left out, for their content is that of another file.
    """

    new: int = 0
    moved: int = 0
    same: int = 0
    changed: int = 0
    twice: int = 0


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many recordings, photographs, and labels of these left an archive."""

    recordings: int
    photographs: int
    labels: int


def is_there(path: str, dataset: str | None) -> bool:
    """Say whether the file of a recording or photograph is there; of a packed one, its dataset."""
    return (Path(dataset) if dataset is not None else Path(path)).exists()


def add_media(archive: Archive, named: NamedTables) -> TakenIn:
    """Enter media into the tables of an archive beside those that it has, each content once.

    Each table is written whole, what others need first: wherever it is stopped, the archive is whole, and the same
    again ends as it would have.
    """
    merged = {name: merged_media(archive.table(name), getattr(named, name), is_there) for name in _MEDIA}
    archive.write("deployments", _newest(archive.table("deployments"), named.deployments, "id"))
    if len(named.taxa):
        archive.write("taxa", _newest(archive.table("taxa"), named.taxa, "taxon_id"))
    if len(named.labels):
        archive.write("labels", _newest(archive.table("labels"), named.labels, "id"))
    for name, found in merged.items():
        archive.write(name, found.rows)
    left_out = pa.concat_tables([named.left_out, *(each.twice for each in merged.values())])
    looked_at = pa.concat_arrays(
        [*named.left_out["path"].chunks, *(c for name in _MEDIA for c in getattr(named, name)["path"].chunks)]
        or [pa.array([], pa.string())]
    )
    before = archive.table("left_out")
    stays = before.filter(pc.invert(pc.is_in(before["path"], value_set=looked_at)))
    archive.write("left_out", pa.concat_tables([stays, left_out]))
    counts = merged.values()
    return TakenIn(
        new=sum(each.new for each in counts),
        moved=sum(each.moved for each in counts),
        same=sum(each.same for each in counts),
        changed=sum(each.changed for each in counts),
        twice=sum(len(each.twice) for each in counts) + _duplicates(named.left_out),
    )


def add_labels(archive: Archive, labels: pa.Table, file: Path) -> int:
    """Enter annotations of people of an archive's media, and return how many are of none.

    Annotations of one file take the place of those that came from it before.

    Parameters
    ----------
    labels
        As `ANNOTATIONS`.
    file
        That they are from.
    """
    known = labels.filter(labels["media_id"].is_valid())
    ids = [f"{file.absolute()}:{number}" for number in range(len(known))]
    by = pc.fill_null(known["by_kind"], By.HUMAN.value)
    columns = {"id": pa.array(ids, pa.string()), "by_kind": by}
    known = pa.table([columns.get(field.name, known[field.name]) for field in ANNOTATIONS], schema=ANNOTATIONS)
    before = archive.table("labels")
    stays = before.filter(pc.invert(pc.match_like(before["id"], _like(f"{file.absolute()}:") + "%")))
    archive.write("labels", pa.concat_tables([stays, known]))
    taxa = _label_taxa(known, archive.table("taxa"))
    if len(taxa):
        archive.write("taxa", pa.concat_tables([archive.table("taxa"), taxa]))
    return len(labels) - len(known)


def drop_media(archive: Archive, gone: pa.Array) -> Dropped:
    """Take media, by their ids, out of the tables of an archive, with their labels."""
    counts = {}
    for name in ("labels", "annotations"):
        table = archive.table(name)
        counts[name] = _without(archive, name, table, pc.is_in(table["media_id"], value_set=gone))
    for name in _MEDIA:
        table = archive.table(name)
        counts[name] = _without(archive, name, table, pc.is_in(table["id"], value_set=gone))
    return Dropped(counts["recordings"], counts["photographs"], counts["labels"])


def missing_media(archive: Archive) -> dict[str, pa.Table]:
    """Return the recordings and photographs of an archive whose files are not there, by the name of their table."""
    found = {}
    for name in _MEDIA:
        table = archive.table(name)
        places = zip(table["path"].to_pylist(), table["dataset"].to_pylist(), strict=True)
        absent = np.fromiter((not is_there(*place) for place in places), bool, len(table))
        found[name] = table.filter(pa.array(absent))
    return found


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")


def _label_taxa(labels: pa.Table, there: pa.Table) -> pa.Table:
    """Return the taxa that labels name, as the package knows them, less those that are there."""
    have = set(there["scientific_name"].to_pylist())
    named = [name for name in pc.unique(labels["scientific_name"]).to_pylist() if name and name not in have]
    found = {taxon.id: taxon for name in named if (taxon := known_taxa().find(name)) is not None}
    return taxa_rows(found.values(), known_taxa().traits)


def _newest(before: pa.Table, now: pa.Table, key: str) -> pa.Table:
    """Return rows by their key: of those that are named now as they are now, each once, after all others."""
    numbered = pa.table({"key": now[key], "place": np.arange(len(now))})
    last = numbered.group_by("key").aggregate([("place", "max")])["place_max"]
    stays = before.filter(pc.invert(pc.is_in(before[key], value_set=now[key].combine_chunks())))
    return pa.concat_tables([stays, now.take(last.take(pc.sort_indices(last)))])


def _without(archive: Archive, name: str, table: pa.Table, gone: pa.ChunkedArray) -> int:
    count: int = pc.sum(gone).as_py() or 0
    if count:
        archive.write(name, table.filter(pc.invert(gone)))
    return count


def _duplicates(left_out: pa.Table) -> int:
    found: int = pc.sum(pc.equal(left_out["reason"], "duplicate")).as_py() or 0
    return found
