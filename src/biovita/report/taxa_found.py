"""What was found: a line a taxon, and a line a sound that is no taxon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive_tables import Kind, Presence
from biovita.modality import Modality

__all__ = ["FoundTaxon", "OtherSound", "found_taxa", "is_audio", "named", "other_sounds"]

_EXPECTED = 0.03  # of the range model: below it BirdNET-Analyzer, too, takes a taxon as not expected at a place


@dataclass(frozen=True)
class FoundTaxon:
    """What a run says of one taxon.

    Attributes
    ----------
    key
        Its scientific name, or the label of a class of the user's own.
    best
        The largest probability, or score where there is none.
    first, last
        By the clocks of recorders and cameras; None where no file states a time.
    sites
        How many there are; 0 where none is known.
    unexpected
        Whether the range model takes it as implausible at each place and time where it was found.
    """

    key: str
    common_name: str | None
    rank: str | None
    is_class: bool
    events: int
    photographs: int
    best: float | None
    first: datetime | None
    last: datetime | None
    sites: int
    unexpected: bool


@dataclass(frozen=True)
class OtherSound:
    """A sound that is no taxon: in how many events and recordings it is heard, and its largest score."""

    label: str
    events: int
    recordings: int
    best: float | None


def named(annotations: pa.Table) -> pa.Table:
    """Return the annotations of taxa and classes that are present, with ``key``, their name, and ``value``.

    ``value`` is the probability, or the score where there is none.
    """
    kinds = pa.array([Kind.TAXON.value, Kind.CLASS.value])
    kept = _present(annotations).filter(pc.is_in(_present(annotations)["kind"], value_set=kinds))
    return kept.append_column("key", pc.coalesce(kept["scientific_name"], kept["label"]))


def found_taxa(found: pa.Table) -> list[FoundTaxon]:
    """Return a line for each taxon, the one with the most events and photographs first.

    Parameters
    ----------
    found
        As `named` returns it.
    """
    whole = found.append_column("sound", pc.cast(is_audio(found), pa.int64()))
    groups = whole.group_by("key").aggregate(
        [
            *((name, "max") for name in ("common_name", "rank", "kind", "value", "plausibility", "begin_local")),
            *(("begin_local", "min"), ("sound", "sum"), ("sound", "count")),
            ("site", "count_distinct", pc.CountOptions(mode="only_valid")),
        ]
    )
    groups = groups.append_column("less", pc.negate(groups["sound_count"]))
    return [_taxon(row) for row in groups.sort_by([("less", "ascending"), ("key", "ascending")]).to_pylist()]


def other_sounds(annotations: pa.Table) -> list[OtherSound]:
    """Return a line for each sound that is no taxon, the most frequent first."""
    present = _present(annotations)
    kept = present.filter(pc.equal(present["kind"], Kind.SOUND.value))
    groups = kept.group_by("label").aggregate(
        [("label", "count"), ("media_id", "count_distinct"), ("value", "max")]
    )
    found = [
        OtherSound(row["label"], row["label_count"], row["media_id_count_distinct"], row["value_max"])
        for row in groups.to_pylist()
    ]
    return sorted(found, key=lambda sound: (-sound.events, sound.label))


def is_audio(annotations: pa.Table) -> pa.ChunkedArray:
    """Return which annotations are of recordings."""
    return pc.equal(annotations["modality"], Modality.AUDIO.value)


def _present(annotations: pa.Table) -> pa.Table:
    kept = annotations.filter(pc.equal(annotations["presence"], Presence.PRESENT.value))
    return kept.append_column("value", pc.coalesce(kept["probability"], kept["score"]))


def _taxon(row: dict[str, Any]) -> FoundTaxon:
    plausibility = row["plausibility_max"]
    return FoundTaxon(
        key=row["key"],
        common_name=row["common_name_max"],
        rank=row["rank_max"],
        is_class=row["kind_max"] == Kind.CLASS.value,
        events=row["sound_sum"],
        photographs=row["sound_count"] - row["sound_sum"],
        best=row["value_max"],
        first=row["begin_local_min"],
        last=row["begin_local_max"],
        sites=row["site_count_distinct"],
        unexpected=plausibility is not None and plausibility < _EXPECTED,
    )
