"""Which windows and photographs a search may find: by taxon, site, licence, place and time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import TypedDict

import pyarrow as pa

from biovita.errors import BiovitaError, unknown_name
from biovita.hours import Hours, hours_of
from biovita.retrieval.lineage_names import archive_taxa
from biovita.sql import sql_text
from biovita.taxonomy.known_taxa import known_taxa
from biovita.taxonomy.parse import fold

__all__ = ["SearchFilterOptions", "SearchFilters", "condition_of", "filters_of", "group_named", "months_of"]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class SearchFilterOptions(TypedDict, total=False):
    """Which windows and photographs `biovita.search` may find.

    Parameters
    ----------
    within
        Taxa or groups, one of which a label says is there.
    site, license
        Sites and licences as the archive has them; one of each.
    box
        West, south, east, north in degrees.
    since, until
        Local days, both included, such as ``2024-05-17``. As with the next two, what states no time zone is left out,
        and a note counts it.
    month, hours
        Local: ``5``, ``11-2``; ``4-7`` is from 4:00 to 7:00, and ``22-3`` goes into the next day.
    where
        A condition in SQL over the archive's columns, see `biovita.retrieval.media_where.media_where`.
    """

    within: Sequence[str]
    site: Sequence[str]
    license: Sequence[str]
    box: tuple[float, float, float, float] | None
    since: str | None
    until: str | None
    month: str | None
    hours: str | None
    where: str | None


@dataclass(frozen=True, slots=True)
class SearchFilters:
    """What has to hold of what is found; all of it.

    Attributes
    ----------
    within
        Taxa or groups, one of which a label says is there.
    sites, licenses
        As the archive has them; one of each.
    box
        West, south, east and north in degrees. Where west is more than east, it crosses the 180th meridian.
    since, until
        Local days, both of them included.
    months, hours
        Local, of the moment when the window begins.
    where
        A condition in SQL over the columns of media, see `biovita.retrieval.media_where.media_where`.
    """

    within: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    box: tuple[float, float, float, float] | None = None
    since: str | None = None
    until: str | None = None
    months: tuple[int, ...] = ()
    hours: Hours | None = None
    where: str | None = None

    def __post_init__(self) -> None:
        for name, given in (("since", self.since), ("until", self.until)):
            if given is not None:
                _require_day(name, given)
        if self.since and self.until and self.since > self.until:
            raise BiovitaError(f"--since {self.since} is after --until {self.until}. No day is between them")
        if self.box is not None:
            west, south, east, north = self.box
            if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
                raise BiovitaError(
                    f"the box {west:g},{south:g},{east:g},{north:g} is none. Give WEST,SOUTH,EAST,NORTH in degrees"
                )

    @property
    def asks_time(self) -> bool:
        """Whether a local time is asked for, which a clock without a zone does not tell."""
        return bool(self.since or self.until or self.months or self.hours)

    @property
    def asks_media(self) -> bool:
        """Whether anything is asked that taxa do not have."""
        return self.asks_time or bool(self.sites or self.licenses or self.box or self.where)


def filters_of(options: SearchFilterOptions) -> SearchFilters:
    """Return filters as they are given.

    Raises
    ------
    BiovitaError
        Where there is no such filter, or one means nothing.
    """
    for name in options:
        if name not in SearchFilterOptions.__annotations__:
            raise BiovitaError(unknown_name("option of search", name, SearchFilterOptions.__annotations__))
    month, hours = options.get("month"), options.get("hours")
    return SearchFilters(
        within=tuple(options.get("within", ())),
        sites=tuple(options.get("site", ())),
        licenses=tuple(options.get("license", ())),
        box=options.get("box"),
        since=options.get("since"),
        until=options.get("until"),
        months=() if month is None else months_of(month),
        hours=None if hours is None else hours_of(hours),
        where=options.get("where"),
    )


def months_of(text: str) -> tuple[int, ...]:
    """Return the months that a text means: numbers and spans, apart by commas; a span may go into the next year.

    Raises
    ------
    BiovitaError
        Where it has something else.

    Examples
    --------
    >>> months_of("11-2,5")
    (11, 12, 1, 2, 5)
    """
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,2})\s*(?:-\s*(\d{1,2})\s*)?", part, re.ASCII)
        ends = [int(end) for end in match.groups() if end is not None] if match else []
        if not ends or not all(1 <= end <= 12 for end in ends):
            raise BiovitaError(f"the month {text!r} is none. Give numbers from 1 to 12, such as 5, 11-2 or 3,5")
        at = ends[0]
        found.append(at)
        while at != ends[-1]:
            at = at % 12 + 1
            found.append(at)
    return tuple(dict.fromkeys(found))


def condition_of(filters: SearchFilters, taxa: pa.Table) -> str | None:
    """Return filters as a condition in SQL over the columns of `SEARCHED`; None where all rows may be found.

    Parameters
    ----------
    taxa
        Of the archive, as `biovita.archive.archive_tables.NAMED_TAXA`.

    Raises
    ------
    BiovitaError
        Where a taxon or group is unknown.
    """
    parts = []
    if filters.within:
        named = ", ".join(sql_text(group_named(name, taxa)) for name in filters.within)
        parts.append(f"array_has_any(taxa, [{named}])")
    for column, wanted in (("site", filters.sites), ("license", filters.licenses)):
        if wanted:
            parts.append(f"{column} IN ({', '.join(map(sql_text, wanted))})")
    if filters.box is not None:
        parts += _in_box(*filters.box)
    if filters.since:
        parts.append(f"day >= date '{filters.since}'")
    if filters.until:
        parts.append(f"day <= date '{filters.until}'")
    hours = () if filters.hours is None else tuple(hour for hour in range(24) if hour in filters.hours)
    for column, numbers in (("month", filters.months), ("hour", hours)):
        if numbers:
            parts.append(f"{column} IN ({', '.join(map(str, numbers))})")
    return " AND ".join(parts) or None


def group_named(name: str, taxa: pa.Table) -> str:
    """Return the folded scientific name of the taxon or group that a name means.

    Raises
    ------
    BiovitaError
        Where nothing has that name; it says which names are near.
    """
    key = fold(name)
    known = archive_taxa(taxa)
    groups = {fold(group) for taxon in known for _, group in taxon.lineage}
    common = {fold(taxon.common_name): taxon for taxon in known if taxon.common_name}
    if key in groups:
        return key
    meant = common.get(key) or known_taxa().find(name)
    if meant is not None:
        return fold(meant.scientific_name)
    everything = {
        *groups,
        *common,
        *(fold(group) for taxon in known_taxa().taxonomy.taxa for _, group in taxon.lineage),
    }
    near = get_close_matches(key, everything, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise BiovitaError(f"no taxon or group is called {name!r}, here or among those that the package knows.{hint}")


def _require_day(name: str, given: str) -> None:
    try:
        sound = bool(_DAY.fullmatch(given)) and date.fromisoformat(given) is not None
    except ValueError:
        sound = False
    if not sound:
        raise BiovitaError(f"--{name} {given!r} is no day. Give it as 2024-05-17")


def _in_box(west: float, south: float, east: float, north: float) -> Sequence[str]:
    within = [f"latitude >= {south!r}", f"latitude <= {north!r}"]
    if west <= east:
        return [*within, f"longitude >= {west!r}", f"longitude <= {east!r}"]
    return [*within, f"(longitude >= {west!r} OR longitude <= {east!r})"]
