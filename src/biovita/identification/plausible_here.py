"""How plausible answers are where and when their recordings and photographs say that they were made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache

import pyarrow as pa

from biovita.archive.archive_tables import Kind
from biovita.identification.range_model import Plausibility, range_of, week_of
from biovita.taxonomy import Rank, Taxon

__all__ = ["plausible_at", "plausible_here"]

_DECIMALS = 1  # decimals of degrees: about 11 km
_REMEMBERED = 64  # places and weeks; each is 6,500 numbers
_TAXON = ["kind", "taxon_id", "scientific_name", "rank"]
_PLACES = ["latitude", "longitude", "begin_local"]


def plausible_at(annotations: pa.Table, place: Plausibility) -> pa.Array:
    """Return what the range model says of each annotation's taxon at one place, float32; none as `plausible_here`."""
    known: dict[Taxon, float | None] = {}
    found: list[float | None] = [None] * len(annotations)
    for row, taxon in _taxa(annotations):
        if taxon not in known:
            known[taxon] = place.of(taxon)
        found[row] = known[taxon]
    return pa.array(found, pa.float32())


def plausible_here(annotations: pa.Table) -> pa.Array:
    """Return what the range model says of each annotation's taxon at its own place and in its week, float32.

    It is none where the annotation is of no taxon or states no place or time, and where the model does not know the
    taxon. Places count to a tenth of a degree.

    Raises
    ------
    ModelError
        Where the range model is not on this machine.
    """
    places = list(zip(*(annotations[name].to_pylist() for name in _PLACES), strict=True))
    meetings: dict[tuple[float, float, int], dict[Taxon, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, taxon in _taxa(annotations):
        latitude, longitude, begin = places[row]
        if begin is not None and latitude is not None and longitude is not None and _is_on_earth(*places[row][:2]):
            where = (round(latitude, _DECIMALS), round(longitude, _DECIMALS), week_of(begin.date()))
            meetings[where][taxon].append(row)
    found: list[float | None] = [None] * len(annotations)
    for where, taxa in sorted(meetings.items()):
        here = _range_of(*where)
        for taxon, rows in taxa.items():
            value = here.of(taxon)
            for row in rows:
                found[row] = value
    return pa.array(found, pa.float32())


def _taxa(annotations: pa.Table) -> Iterator[tuple[int, Taxon]]:
    """Yield the rows of annotations of taxa, with the taxon."""
    columns = (annotations[name].to_pylist() for name in _TAXON)
    for row, (kind, taxon_id, name, rank) in enumerate(zip(*columns, strict=True)):
        if kind == Kind.TAXON and taxon_id is not None:
            yield row, Taxon(taxon_id, name, rank=Rank(rank))


def _is_on_earth(latitude: float, longitude: float) -> bool:
    return abs(latitude) <= 90 and abs(longitude) <= 180


@lru_cache(_REMEMBERED)
def _range_of(latitude: float, longitude: float, week: int) -> Plausibility:
    return range_of(latitude, longitude, week)
