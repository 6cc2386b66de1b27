"""What ``biovita search`` does, as a function with the same arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack

import pyarrow as pa

from biovita.errors import BiovitaError, unknown_name
from biovita.one_line import OneLine

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from biovita.retrieval.hits import Grouping
    from biovita.retrieval.search_filters import SearchFilterOptions

__all__ = ["SearchResult", "search"]

_WANTED = {"audio": "audio", "images": "image", "taxa": "text"}
_KINDS = ("audio", "image", "text", "taxon")
_LARGEST_WEIGHT = 1e6
_MOST = 10_000  # hits of one answer


@dataclass(frozen=True, eq=False, repr=False)
class SearchResult(OneLine):
    """What a search found.

    Attributes
    ----------
    hits
        The best first, as `biovita.retrieval.hit_rows.HITS` has them.
    model
        With which it was searched.
    notes
        Sentences that a reader of the hits has to know.
    """

    hits: pa.Table
    model: str
    notes: tuple[str, ...] = ()

    def to_arrow(self) -> pa.Table:
        """Return the hits."""
        return self.hits

    def to_pandas(self) -> pd.DataFrame:
        """Return the hits as a data frame of pandas, which has to be installed."""
        return self.hits.to_pandas()

    def to_polars(self) -> pl.DataFrame:
        """Return the hits as a data frame of polars, which has to be installed."""
        frame: pl.DataFrame = import_module("polars").from_arrow(self.hits)
        return frame


def search(
    archive: str | Path,
    *,
    audio: Sequence[str | Path] = (),
    image: Sequence[str | Path] = (),
    text: Sequence[str] = (),
    taxon: Sequence[str] = (),
    weight: Mapping[str, float] | None = None,
    like: Sequence[str] = (),
    unlike: Sequence[str] = (),
    want: Sequence[Literal["audio", "images", "taxa"]] = (),
    k: int = 20,
    skip: int = 0,
    group: Grouping = "recording",
    recall: float | Literal["exact"] = 0.97,
    model: str | Path | None = None,
    device: str = "auto",
    **filters: Unpack[SearchFilterOptions],
) -> SearchResult:
    """Return what an archive has that is most like a query: sounds, photographs, or taxa.

    All that is asked with counts together. A score is how far a hit lies above the mean of what the same query gets
    with the archive's own rows of that modality, in the query's spread; so sounds and photographs stand in one list.

    Parameters
    ----------
    archive
        An archive, or a run of `identify` that was refreshed.
    audio
        Sound files; behind an ``@`` the seconds that are meant: ``dawn.wav@12-15``.
    image, text, taxon
        Photographs; words; names of taxa, which are asked for by all that is known of them.
    weight
        By ``audio``, ``image``, ``text`` and ``taxon``, how much each of its parts counts; 1 if not given.
    like, unlike
        Ids of hits that the answer should be like, and unlike.
    want
        What is wanted: ``audio``, ``images``, ``taxa``; sounds and photographs if not given.
    k, skip
        How many hits, and how many before them are passed over.
    group
        Of which the best alone is given: ``recording``, ``site``, ``taxon`` or ``none``.
    recall
        Share of the nearest that a search by index finds on average, or ``exact``. Tables of fewer than 100,000 rows
        are always searched exactly.
    model
        One of the archive's models; the first if not given.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``, for what is asked with.
    filters
        See `SearchFilterOptions`.

    Raises
    ------
    BiovitaError
        Where something that is asked cannot be understood, or the archive or the model cannot answer it.
    """
    from biovita.archive.archive import Archive
    from biovita.modality import Modality
    from biovita.retrieval.answer_query import SearchRequest, answered
    from biovita.retrieval.encode_query import AskedWith
    from biovita.retrieval.search_filters import filters_of

    _require_numbers(k, skip, recall)
    _require_names(weight, want)
    request = SearchRequest(
        asked=AskedWith(tuple(map(str, audio)), tuple(map(str, image)), tuple(text), tuple(taxon), weight),
        like=tuple(like),
        unlike=tuple(unlike),
        wanted=tuple(Modality(_WANTED[name]) for name in want),
        filters=filters_of(filters),
        k=k,
        skip=skip,
        group=group,
        recall=None if recall == "exact" else float(recall),
    )
    found = answered(Archive.open(archive), request, None if model is None else str(model), device)
    return SearchResult(found.hits, found.model, found.notes)


def _require_numbers(k: int, skip: int, recall: float | str) -> None:
    if not 1 <= k <= _MOST:
        raise BiovitaError(f"{k:,} hits are asked for. Give 1 to {_MOST:,}, and --skip for what comes after")
    if skip < 0:
        raise BiovitaError(f"{skip} hits are to be passed over. Give 0 or more")
    if recall != "exact" and not (isinstance(recall, float | int) and 0 < recall <= 1):
        raise BiovitaError(f"the recall is {recall!r}. Give a share from 0 to 1, such as 0.97, or exact")


def _require_names(weight: Mapping[str, float] | None, want: Sequence[str]) -> None:
    for name in want:
        if name not in _WANTED:
            raise BiovitaError(unknown_name("thing to search for", name, _WANTED))
    for name, value in (weight or {}).items():
        if name not in _KINDS:
            raise BiovitaError(unknown_name("kind of query", name, _KINDS))
        if not abs(value) < _LARGEST_WEIGHT:
            raise BiovitaError(f"the weight {name}={value} is none. Give a number such as 0.5")
